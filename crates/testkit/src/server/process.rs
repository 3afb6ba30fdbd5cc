//! A program of somebody else that a test starts, stops, freezes and kills.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a server may take to begin or to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running program, killed when this is dropped.
#[derive(Debug)]
pub(super) struct Process {
    name: &'static str,
    log: PathBuf,
    child: Child,
}

impl Process {
    /// Starts the program; what it prints goes into `log`.
    pub(super) fn start(name: &'static str, mut command: Command, log: PathBuf) -> Self {
        let output = File::options().create(true).append(true).open(&log).expect("the log of a server can be opened");
        let errors = output.try_clone().expect("a file can be cloned");
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        let child = command.spawn().unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        Self { name, log, child }
    }

    /// Waits until something is so.
    pub(super) fn wait_until(&mut self, what: &str, mut holds: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !holds() {
            let ended = self.child.try_wait().expect("a child can be waited for");
            assert!(
                ended.is_none() && begun.elapsed() < PATIENCE,
                "{} {what} ({ended:?}): {}",
                self.name,
                std::fs::read_to_string(&self.log).unwrap_or_default()
            );
            sleep(Duration::from_millis(10));
        }
    }

    /// Sends a signal and waits for the end, unless it has ended.
    pub(super) fn end(&mut self, signal: &str) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.stop(signal);
        }
    }

    /// The processor time that it and its children have used, those that have ended among them.
    pub(super) fn time(&self) -> Duration {
        let own = self.child.id();
        let folders = std::fs::read_dir("/proc").expect("there is `/proc`").flatten();
        let ids = folders.filter_map(|folder| folder.file_name().to_str()?.parse::<u32>().ok());
        let hundredths: u64 = ids.filter_map(|id| ticks(id, own)).sum();
        Duration::from_millis(hundredths * 10)
    }

    /// Sends a signal by its name.
    pub(super) fn signal(&self, signal: &str) {
        let status = Command::new("kill").arg(format!("-{signal}")).arg(self.child.id().to_string()).status();
        assert!(status.is_ok_and(|status| status.success()), "{} takes no {signal}", self.name);
    }

    /// Ends it without a chance to tidy up, as a crash does.
    pub(super) fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    fn stop(&mut self, signal: &str) {
        self.signal(signal);
        let begun = Instant::now();
        while self.child.try_wait().expect("a child can be waited for").is_none() {
            assert!(begun.elapsed() < PATIENCE, "{} does not end", self.name);
            sleep(Duration::from_millis(10));
        }
    }
}

/// The processor time of a process that is `own` or a child of it, with that of its own children that have ended, in
/// hundredths of a second (proc_pid_stat(5), fields 4 and 14 to 17). One that has just ended has none.
fn ticks(id: u32, own: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    if id != own && fields.get(1)?.parse() != Ok(own) {
        return None;
    }
    fields.get(11..15)?.iter().map(|field| field.parse::<u64>().ok()).sum()
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port of loopback that nobody listens on.
pub(super) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}

/// Whether somebody listens there.
pub(super) fn listens(port: u16) -> bool {
    TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), Duration::from_secs(1)).is_ok()
}

/// A program as `./test peers` has installed it.
pub(super) fn program(path: impl AsRef<Path>) -> PathBuf {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/peers").join(path);
    assert!(installed.exists(), "{} is missing: run `./test peers`, which installs it", installed.display());
    installed.canonicalize().expect("an installed program has a path")
}
