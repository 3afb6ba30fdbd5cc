//! Runs the built command in a folder of its own.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, Stdio};

use palisade_testkit::dir::TempDir;

/// A contract with nothing to say against it.
pub(crate) const CONTRACT: &str = r#"openapi: 3.1.0
info: { title: Notes, version: "1" }
paths:
  /notes:
    get:
      operationId: listNotes
      security: []
      responses:
        "200":
          description: The notes.
          content: { application/json: { schema: { type: array, items: { type: string } } } }
    post:
      operationId: addNote
      security: [{ token: [] }]
      requestBody:
        required: true
        content: { application/json: { schema: { type: string, maxLength: 100 } } }
      responses: { "204": { description: Added. } }
components:
  securitySchemes: { token: { type: http, scheme: bearer } }
"#;

/// A configuration with nothing to say against it. Nobody listens on the port of its backend.
pub(crate) const CONFIG: &str = r#"version = 1
[listen.main]
address = "127.0.0.1:0"
[upstream.notes]
url = "http://127.0.0.1:1"
[contract.notes]
openapi = "openapi.yaml"
[route.notes]
path = "/**"
upstream = "notes"
contract = "notes"
authenticate = "backend"
[events]
output = "file:events.jsonl"
"#;

/// A folder with a contract and a configuration.
pub(crate) fn folder(config: &str) -> TempDir {
    let dir = TempDir::new();
    dir.write("openapi.yaml", CONTRACT);
    dir.write("palisade.toml", config);
    dir
}

/// What a command has left behind.
pub(crate) struct Finished {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

fn command(dir: &TempDir, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_palisade"));
    command.args(arguments.split_whitespace()).current_dir(dir.path()).stdin(Stdio::null());
    command.env_remove("COLUMNS").env_remove("CLICOLOR_FORCE").env_remove("RUST_BACKTRACE");
    command
}

/// Runs a command to its end.
pub(crate) fn palisade(dir: &TempDir, arguments: &str) -> Finished {
    let output = command(dir, arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code().expect("the command was not killed");
    Finished { code, stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Runs a command that reads `input`.
pub(crate) fn palisade_reads(dir: &TempDir, arguments: &str, input: &[u8]) -> Finished {
    let mut command = command(dir, arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().unwrap();
    // A command that reads no further closes its end.
    let _ = process.stdin.take().unwrap().write_all(input);
    let output = process.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code().expect("the command was not killed");
    Finished { code, stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// A gateway that runs until it is told to stop, or until the value is dropped.
pub(crate) struct Running {
    process: Child,
    stderr: Option<BufReader<ChildStderr>>,
    pub(crate) address: SocketAddr,
}

impl Running {
    /// Starts it and waits until it listens.
    pub(crate) fn start(dir: &TempDir, arguments: &str) -> Self {
        Self::wait(command(dir, arguments))
    }

    /// Starts it as a service manager does that has opened a socket for it, with this name.
    pub(crate) fn activate(dir: &TempDir, socket: std::net::TcpListener, name: &str) -> Self {
        let program = env!("CARGO_BIN_EXE_palisade");
        let script =
            format!("exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES={name} exec {program} run");
        let mut command = Command::new("sh");
        command.args(["-c", &script]).current_dir(dir.path()).stdin(std::os::fd::OwnedFd::from(socket));
        Self::wait(command)
    }

    fn wait(mut command: Command) -> Self {
        let process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut running = Self { process, stderr: None, address: ([127, 0, 0, 1], 0).into() };
        let stderr = running.stderr.insert(BufReader::new(running.process.stderr.take().unwrap()));
        let (mut said, mut line) = (String::new(), String::new());
        while !line.starts_with("listening on ") {
            said += &std::mem::take(&mut line);
            assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "it ended: {said}");
        }
        running.address = line.split(' ').nth(2).unwrap().parse().unwrap();
        running
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").arg(format!("-{signal}")).arg(self.process.id().to_string()).status();
        assert!(sent.unwrap().success());
    }

    /// Reads what is said on standard error up to a line with this text, which is returned.
    pub(crate) fn hears(&mut self, text: &str) -> String {
        let stderr = self.stderr.as_mut().unwrap();
        loop {
            let mut line = String::new();
            assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "it ended without `{text}`");
            if line.contains(text) {
                return line;
            }
        }
    }

    /// Sends a signal and waits for the end: the exit code, and what was said on standard error.
    pub(crate) fn end(mut self, signal: &str) -> (Option<i32>, String) {
        self.signal(signal);
        let mut said = String::new();
        self.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (self.process.wait().unwrap().code(), said)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
