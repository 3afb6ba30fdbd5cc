//! Where events go, and the form they take on the way.

mod json;
mod lines;

use std::sync::{Arc, Mutex};

pub use json::{event_schema, to_json};
pub use lines::JsonLines;
use palisade_core::event::SecurityEvent;

/// Takes events. A sink is called while requests wait and must not block.
///
/// ```
/// use palisade::core::event::{EventKind, SecurityEvent};
/// use palisade::observe::Sink;
///
/// /// Wakes somebody when a backend shows what it should not.
/// struct Alarm(std::sync::mpsc::SyncSender<String>);
///
/// impl Sink for Alarm {
///     fn emit(&self, event: SecurityEvent) {
///         if event.kind == EventKind::ResponseWithheld {
///             // A full queue has woken somebody already.
///             let _ = self.0.try_send(event.path.to_string());
///         }
///     }
/// }
/// ```
pub trait Sink: Send + Sync + 'static {
    /// Takes one event.
    fn emit(&self, event: SecurityEvent);

    /// How many events were dropped since the start because the sink could not keep up.
    fn lost(&self) -> u64 {
        0
    }
}

/// Keeps events in memory, for tests.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let test = palisade::testing::TestWorld::new();
/// let app = palisade::Chain::api().protect(axum::Router::new(), &test.world).unwrap();
/// palisade::testing::send(&app, palisade::testing::request("GET /\nhost: a")).await;
/// let kinds: Vec<&str> = test.events.take().iter().map(|event| event.kind.as_str()).collect();
/// assert_eq!(kinds, ["undeclared_requested", "access"]);
/// # });
/// ```
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
