//! How many requests an upstream may have at once: a fixed number, or one that is learned.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::failure::Failure;
use super::gradient::{Gradient, GradientSettings};

/// How many requests may be under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concurrency {
    /// This many.
    Fixed(u32),
    /// As many as answers stay fast for.
    Gradient(GradientSettings),
}

/// The places of an upstream.
#[derive(Debug)]
pub(crate) struct Limit {
    limit: AtomicU32,
    in_flight: AtomicU32,
    gradient: Option<Mutex<Gradient>>,
}

/// A place. Given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    limit: Arc<Limit>,
    /// How many were under way when it was taken, this one included.
    in_flight: u32,
}

impl Limit {
    pub(crate) fn new(concurrency: Concurrency) -> Self {
        let (limit, gradient) = match concurrency {
            Concurrency::Fixed(limit) => (limit, None),
            Concurrency::Gradient(settings) => {
                let gradient = Gradient::new(settings);
                (gradient.limit(), Some(Mutex::new(gradient)))
            }
        };
        Self { limit: AtomicU32::new(limit), in_flight: AtomicU32::new(0), gradient }
    }

    /// A place, if there is one.
    pub(crate) fn enter(self: &Arc<Self>) -> Result<Slot, Failure> {
        let limit = self.limit.load(Ordering::Relaxed);
        let enter = |now: u32| (now < limit).then_some(now + 1);
        let before = self.in_flight.fetch_update(Ordering::Relaxed, Ordering::Relaxed, enter);
        let before = before.map_err(|_| Failure::Overloaded)?;
        Ok(Slot { limit: Arc::clone(self), in_flight: before + 1 })
    }

    /// The places there are, and how many are taken.
    pub(crate) fn status(&self) -> (u32, u32) {
        (self.limit.load(Ordering::Relaxed), self.in_flight.load(Ordering::Relaxed))
    }
}

impl Slot {
    /// Tells how long the beginning of the answer took.
    pub(crate) fn answered(&self, took: Duration) {
        let Some(gradient) = &self.limit.gradient else { return };
        let mut gradient = gradient.lock().unwrap_or_else(PoisonError::into_inner);
        self.limit.limit.store(gradient.observe(took, self.in_flight), Ordering::Relaxed);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.limit.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_places_as_the_limit_says() {
        let limit = Arc::new(Limit::new(Concurrency::Fixed(2)));
        let (first, second) = (limit.enter().unwrap(), limit.enter().unwrap());
        assert!(matches!(limit.enter(), Err(Failure::Overloaded)));
        drop(first);
        let third = limit.enter().unwrap();
        assert_eq!(limit.status(), (2, 2));
        drop((second, third));
        assert_eq!(limit.status(), (2, 0));
    }
}
