//! A PostgreSQL server with one empty database.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::process::{Process, free_port, listens, program};
use crate::dir::TempDir;

/// A PostgreSQL server with a password, on a database directory of its own.
#[derive(Debug)]
pub struct Postgres {
    port: u16,
    process: Process,
    dir: TempDir,
    durability: Durability,
}

/// What of a commit survives a crash of the machine.
#[derive(Clone, Copy, Debug)]
enum Durability {
    /// Nothing that the system has not written by itself: enough for tests, and quick.
    None,
    /// Everything, as the server is by itself.
    Full,
}

impl Postgres {
    /// The user who owns everything in it.
    pub const USER: &str = "palisade";

    /// The password of [`Self::USER`].
    pub const PASSWORD: &str = "postgres-a07d31";

    /// Makes a database directory and starts a server on a free port. It does not wait for the disk.
    pub fn start() -> Self {
        Self::start_with(Durability::None)
    }

    /// The same, which waits for the disk with every commit, as servers do.
    pub fn start_durable() -> Self {
        Self::start_with(Durability::Full)
    }

    fn start_with(durability: Durability) -> Self {
        let dir = TempDir::new();
        if is_root() {
            fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).expect("the directory is ours");
            chown(dir.path(), Some(NOBODY), Some(NOBODY)).expect("root may give a directory away");
        }
        let password = dir.write("password", Self::PASSWORD);
        fs::set_permissions(&password, Permissions::from_mode(0o644)).expect("the file is ours");
        let output = command("initdb")
            .args(["--no-sync", "--encoding", "UTF8", "--no-locale", "--auth", "scram-sha-256"])
            .args(["--username", Self::USER, "--pwfile"])
            .arg(password)
            .arg("--pgdata")
            .arg(data(&dir))
            .output()
            .unwrap_or_else(|error| panic!("initdb does not start: {error}"));
        assert!(output.status.success(), "initdb fails: {}", String::from_utf8_lossy(&output.stderr));
        let port = free_port();
        let process = launch(&dir, port, durability);
        Self { port, process, dir, durability }
    }

    /// The processor time that all its processes have used so far.
    pub fn processor_time(&self) -> Duration {
        self.process.time()
    }

    /// Where it is, with its password.
    pub fn url(&self) -> String {
        self.url_of(Self::PASSWORD)
    }

    /// Where it is, without who signs in.
    pub fn bare_url(&self) -> String {
        format!("postgres://127.0.0.1:{}/postgres", self.port)
    }

    /// Where it is, with another password.
    pub fn url_of(&self, password: &str) -> String {
        format!("postgres://{}:{password}@127.0.0.1:{}/postgres", Self::USER, self.port)
    }

    /// Ends it as a crash of the machine would: nothing is closed, and the port refuses.
    pub fn kill(&mut self) {
        // To kill only the first of its processes would leave the others; they all end at once on this signal.
        self.process.end("QUIT");
    }

    /// Starts it again on the same port and data.
    pub fn restart(&mut self) {
        self.process = launch(&self.dir, self.port, self.durability);
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.process.end("QUIT");
    }
}

/// The user `nobody`: PostgreSQL refuses to run as root.
const NOBODY: u32 = 65_534;

fn launch(dir: &TempDir, port: u16, durability: Durability) -> Process {
    let mut command = command("postgres");
    command.arg("-D").arg(data(dir)).arg("-k").arg(dir.path()).args(["-p", &port.to_string()]);
    command.args(["-c", "listen_addresses=127.0.0.1", "-c", "max_connections=40"]);
    match durability {
        Durability::None => command.args(["-c", "fsync=off"]),
        Durability::Full => command.args(["-c", "fsync=on", "-c", "synchronous_commit=on"]),
    };
    let mut process = Process::start("PostgreSQL", command, dir.path().join("output.log"));
    process.wait_until("does not listen", || listens(port) && accepts(dir, port));
    process
}

fn data(dir: &TempDir) -> std::path::PathBuf {
    dir.path().join("data")
}

/// Whether it has finished its recovery: it writes so into the file of its process.
fn accepts(dir: &TempDir, port: u16) -> bool {
    let status = fs::read_to_string(data(dir).join("postmaster.pid")).unwrap_or_default();
    status.lines().nth(3) == Some(port.to_string().as_str()) && status.lines().last().map(str::trim) == Some("ready")
}

fn command(name: &str) -> Command {
    let mut command = Command::new(program(Path::new("postgres/bin").join(name)));
    command.current_dir("/").env("LC_ALL", "C");
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

fn is_root() -> bool {
    fs::metadata(Path::new("/proc/self")).is_ok_and(|own| own.uid() == 0)
}
