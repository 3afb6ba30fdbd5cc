//! Where events go, and the form they take on the way.

mod json;

use std::io::Write;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

pub use json::{event_schema, to_json};
use palisade_core::event::SecurityEvent;

/// Takes events. A sink is called while requests wait and must not block.
pub trait Sink: Send + Sync + 'static {
    /// Takes one event.
    fn emit(&self, event: &SecurityEvent);
}

/// Writes events as JSON lines, from a thread of its own.
///
/// Up to 8,192 lines wait for the writer. When it cannot keep up, further events are dropped and counted, and the next
/// line that is written says how many: losing the service to a full disk would be worse, and a silent gap too.
pub struct JsonLines {
    queue: Option<SyncSender<String>>,
    dropped: Arc<Mutex<u64>>,
    writer: Option<JoinHandle<()>>,
}

impl JsonLines {
    /// Starts the writer.
    pub fn new(output: impl Write + Send + 'static) -> Self {
        let (queue, lines) = sync_channel(8192);
        let dropped = Arc::new(Mutex::new(0));
        let lost = Arc::clone(&dropped);
        let writer = std::thread::spawn(move || write_lines(&lines, &lost, output));
        Self { queue: Some(queue), dropped, writer: Some(writer) }
    }
}

impl std::fmt::Debug for JsonLines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JsonLines")
    }
}

impl Sink for JsonLines {
    fn emit(&self, event: &SecurityEvent) {
        let Some(queue) = &self.queue else { return };
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = queue.try_send(to_json(event).to_string()) {
            *self.dropped.lock().unwrap_or_else(std::sync::PoisonError::into_inner) += 1;
        }
    }
}

impl Drop for JsonLines {
    /// Waits until every line that was taken is written.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

fn write_lines(lines: &Receiver<String>, dropped: &Mutex<u64>, mut output: impl Write) {
    let lock = || dropped.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut batch = String::new();
    while let Ok(first) = lines.recv() {
        batch.clear();
        let mut lost = std::mem::take(&mut *lock());
        if lost > 0 {
            batch.push_str(&format!("{{\"kind\":\"events_lost\",\"count\":{lost}}}\n"));
        }
        // Whatever has come in meanwhile goes out with it: under load a write costs more than a line.
        for line in std::iter::once(first).chain(lines.try_iter().take(BATCH)) {
            batch.push_str(&line);
            batch.push('\n');
            lost += 1;
        }
        // Lines that cannot be written have no better place to be reported; the next ones say how many there were.
        if output.write_all(batch.as_bytes()).and_then(|()| output.flush()).is_err() {
            *lock() += lost;
        }
    }
}

/// How many lines go out with the first.
const BATCH: usize = 255;

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
    fn emit(&self, event: &SecurityEvent) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(event.clone());
    }
}
