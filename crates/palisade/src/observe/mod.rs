//! Where events go, and the form they take on the way.

mod json;
mod lines;

use std::sync::{Arc, Mutex};

pub use json::{event_schema, to_json};
pub use lines::JsonLines;
use palisade_core::event::SecurityEvent;

/// Takes events. A sink is called while requests wait and must not block.
pub trait Sink: Send + Sync + 'static {
    /// Takes one event.
    fn emit(&self, event: SecurityEvent);
}

/// Keeps events in memory, for tests.
#[derive(Clone, Debug, Default)]
pub struct Kept(Arc<Mutex<Vec<SecurityEvent>>>);

impl Kept {
    /// The events so far, which are forgotten.
    pub fn take(&self) -> Vec<SecurityEvent> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

impl Sink for Kept {
    fn emit(&self, event: SecurityEvent) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(event);
    }
}
