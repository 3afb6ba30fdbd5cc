//! A Valkey server, which speaks the protocol of Redis.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;

use super::process::{Process, free_port, listens, program};
use crate::dir::TempDir;

/// A Valkey server with a password, which forgets everything when it ends.
#[derive(Debug)]
pub struct Valkey {
    port: u16,
    process: Process,
    dir: TempDir,
}

impl Valkey {
    /// The password of the default user.
    pub const PASSWORD: &str = "valkey-5f1c0e";

    /// Starts a server on a free port.
    pub fn start() -> Self {
        let (dir, port) = (TempDir::new(), free_port());
        let process = launch(&dir, port);
        Self { port, process, dir }
    }

    /// Where it is, with its password.
    pub fn url(&self) -> String {
        self.database(0)
    }

    /// One of its hundred databases, with the password.
    pub fn database(&self, number: u32) -> String {
        format!("redis://:{}@127.0.0.1:{}/{number}", Self::PASSWORD, self.port)
    }

    /// Where it is, without its password.
    pub fn bare_url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// A socket in the file system that it listens on too.
    pub fn socket(&self) -> std::path::PathBuf {
        self.dir.path().join("valkey.sock")
    }

    /// Runs one command, in the form that people type.
    pub fn command(&self, command: &str) {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).expect("the server listens");
        let mut answer = BufReader::new(stream.try_clone().expect("a socket can be cloned"));
        for line in [&format!("AUTH {}", Self::PASSWORD), command] {
            let mut text = String::new();
            writeln!(stream, "{line}\r").expect("the server reads");
            answer.read_line(&mut text).expect("the server answers");
            assert!(!text.starts_with('-'), "Valkey refuses `{line}`: {text}");
        }
    }

    /// Ends it at once: connections are reset, and the port refuses new ones.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again on the same port, empty.
    pub fn restart(&mut self) {
        self.process.kill();
        self.process = launch(&self.dir, self.port);
    }

    /// Stops it without ending it: it accepts connections and answers nothing.
    pub fn freeze(&self) {
        self.process.signal("STOP");
    }

    /// Lets it go on after [`Self::freeze`].
    pub fn thaw(&self) {
        self.process.signal("CONT");
    }
}

fn launch(dir: &TempDir, port: u16) -> Process {
    let mut command = Command::new(program("valkey-server"));
    command.current_dir(dir.path()).args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
    command.args(["--save", "", "--appendonly", "no", "--requirepass", Valkey::PASSWORD]);
    command.args(["--unixsocket", "valkey.sock", "--daemonize", "no", "--databases", "100"]);
    let mut process = Process::start("Valkey", command, dir.path().join("output.log"));
    process.wait_until("does not listen", || listens(port));
    process
}
