//! Writes events as JSON lines, from a thread of its own.
//!
//! A line is made where the event is: handing its parts to another processor costs more than to write them down.

use std::cell::RefCell;
use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use palisade_core::event::SecurityEvent;

use super::Sink;
use super::json::write_line;

/// How many events may wait for the writer.
const ROOM: usize = 8192;

/// How many events end the pause at once.
const BATCH: usize = 1024;

/// How long the writer waits for company after the first event: waking it for each one costs more than the line.
const PAUSE: Duration = Duration::from_millis(5);

/// Writes events as JSON lines, from a thread of its own.
///
/// Up to 8,192 events wait for the writer. When it cannot keep up, further ones are dropped and counted, and the next
/// line that is written says how many: losing the service to a full disk would be worse, and a silent gap too. What is
/// still waiting is written when the sink is dropped.
///
/// ```
/// use palisade::observe::JsonLines;
///
/// let events = JsonLines::new(std::io::stderr());
/// ```
pub struct JsonLines {
    desk: Arc<Desk>,
    writer: Option<JoinHandle<()>>,
}

/// What requests and the writer share.
#[derive(Default)]
struct Desk {
    tray: Mutex<Tray>,
    filled: Condvar,
}

#[derive(Default)]
struct Tray {
    lines: Vec<u8>,
    /// How many lines these are.
    count: usize,
    /// How many were dropped since the last line that says so.
    untold: u64,
    /// How many were dropped since the start.
    lost: u64,
    closed: bool,
}

thread_local! {
    /// Where a line is made before it is handed in, so that nobody waits for its making.
    static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl JsonLines {
    /// Starts the writer.
    pub fn new(output: impl Write + Send + 'static) -> Self {
        let desk = Arc::new(Desk::default());
        let shared = Arc::clone(&desk);
        let writer = std::thread::spawn(move || shared.write_all(output));
        Self { desk, writer: Some(writer) }
    }
}

impl std::fmt::Debug for JsonLines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JsonLines")
    }
}

impl Sink for JsonLines {
    fn emit(&self, event: SecurityEvent) {
        let waiting = LINE.with_borrow_mut(|line| {
            line.clear();
            write_line(&event, line);
            let mut tray = self.desk.lock();
            if tray.count >= ROOM {
                tray.untold += 1;
                tray.lost += 1;
                return 0;
            }
            tray.lines.extend_from_slice(line);
            tray.count += 1;
            tray.count
        });
        if waiting == 1 || waiting == BATCH {
            self.desk.filled.notify_one();
        }
    }

    fn lost(&self) -> u64 {
        self.desk.lock().lost
    }
}

impl Drop for JsonLines {
    /// Waits until every event that was taken is written.
    fn drop(&mut self) {
        self.desk.lock().closed = true;
        self.desk.filled.notify_one();
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, Tray> {
        self.tray.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What has come in: how many lines, and how many were lost before them; `None` when nothing will come any more.
    fn take(&self, lines: &mut Vec<u8>) -> Option<(usize, u64)> {
        let empty = |tray: &mut Tray| tray.count == 0 && tray.untold == 0 && !tray.closed;
        let tray = self.filled.wait_while(self.lock(), empty).unwrap_or_else(PoisonError::into_inner);
        let few = |tray: &mut Tray| tray.count < BATCH && !tray.closed;
        let waited = self.filled.wait_timeout_while(tray, PAUSE, few);
        let (mut tray, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if tray.count == 0 && tray.untold == 0 {
            return None;
        }
        std::mem::swap(lines, &mut tray.lines);
        Some((std::mem::take(&mut tray.count), std::mem::take(&mut tray.untold)))
    }

    fn write_all(&self, mut output: impl Write) {
        let mut lines = Vec::new();
        while let Some((count, lost)) = self.take(&mut lines) {
            let gap = match lost {
                0 => String::new(),
                lost => format!("{{\"kind\":\"events_lost\",\"count\":{lost}}}\n"),
            };
            let written = output.write_all(gap.as_bytes()).and_then(|()| output.write_all(&lines));
            // Lines that cannot be written have no better place to be reported; the next ones say how many there were.
            if written.and_then(|()| output.flush()).is_err() {
                let mut tray = self.lock();
                tray.untold += lost + count as u64;
                tray.lost += count as u64;
                // What is lost at the end nobody can be told. Before it, `take` pauses between two attempts.
                if tray.closed {
                    return;
                }
            }
            lines.clear();
        }
    }
}
