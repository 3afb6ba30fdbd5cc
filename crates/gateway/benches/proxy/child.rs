//! A server in a process of its own, and the CPU time that it has used.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::Failure;

/// This program in one of its roles. It ends when the value is dropped; should this process be killed before, it ends
/// by itself when its standard input closes.
#[derive(Debug)]
pub(crate) struct Child {
    process: std::process::Child,
    address: SocketAddr,
}

impl Child {
    /// Starts the role and waits until it listens.
    pub(crate) fn start(role: &[&str]) -> Result<Self, Failure> {
        Self::launch(Command::new(std::env::current_exe()?), role)
    }

    /// Starts the role within valgrind, which writes what it has counted to a file when the role ends.
    pub(crate) fn counted(role: &[&str], output: &Path) -> Result<Self, Failure> {
        let mut command = Command::new("valgrind");
        command.args(["-q", "--tool=callgrind"]).arg(format!("--callgrind-out-file={}", output.display()));
        command.arg(std::env::current_exe()?);
        Self::launch(command, role)
    }

    /// Ends the role by closing its input, and waits until it has ended.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        drop(self.process.stdin.take());
        self.process.wait()?;
        Ok(())
    }

    fn launch(mut command: Command, role: &[&str]) -> Result<Self, Failure> {
        let process = command.args(role).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        // Made before anything can fail, so that the process is killed when something does.
        let mut child = Self { process, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        let output = child.process.stdout.take().ok_or("a server has no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        child.address = line.trim().parse().map_err(|_| format!("{role:?} did not start"))?;
        Ok(child)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The CPU time of all its threads, to the nanosecond; the ticks of `/proc/PID/stat` are too coarse. Threads that
    /// have ended are not in it; no server here ends any.
    pub(crate) fn cpu(&self) -> Result<Duration, Failure> {
        let mut nanos = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            let text = fs::read_to_string(thread?.path().join("schedstat"))?;
            nanos += text.split(' ').next().unwrap_or_default().parse::<u64>()?;
        }
        Ok(Duration::from_nanos(nanos))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended by itself, which is what is wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
