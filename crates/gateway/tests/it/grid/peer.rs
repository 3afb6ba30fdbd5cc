//! The proxies of the grid, each in its own process in front of its own backend.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use palisade_testkit::dir::TempDir;
use tokio::net::TcpStream;
use tokio::time::sleep;

/// A proxy that runs until this is dropped.
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    /// What it calls itself.
    pub(super) version: String,
    child: Child,
    _dir: TempDir,
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(super) async fn caddy(origin: SocketAddr) -> Peer {
    let program = program("caddy");
    let version = first_line(Command::new(&program).arg("version"), "v");
    start("Caddy", version, |dir, address| {
        let text = CADDY.replace("{port}", &port(address)).replace("{origin}", &port(origin));
        let mut command = Command::new(&program);
        command.args(["run", "--adapter", "caddyfile", "--config"]).arg(dir.write("Caddyfile", text));
        command.env("HOME", dir.path()).env("XDG_CONFIG_HOME", dir.path()).env("XDG_DATA_HOME", dir.path());
        command
    })
    .await
}

pub(super) async fn traefik(origin: SocketAddr) -> Peer {
    let program = program("traefik");
    let version = first_line(Command::new(&program).arg("version"), " ");
    start("Traefik", version, |dir, address| {
        let routes = dir.write("routes.yaml", TRAEFIK_ROUTES.replace("{origin}", &port(origin)));
        let text = TRAEFIK.replace("{port}", &port(address)).replace("{routes}", &routes.display().to_string());
        let mut command = Command::new(&program);
        command.arg(format!("--configFile={}", dir.write("traefik.yaml", text).display()));
        command
    })
    .await
}

pub(super) async fn envoy(origin: SocketAddr) -> Peer {
    let program = program("envoy");
    let version = first_line(Command::new(&program).arg("--version"), "/");
    start("Envoy", version, |dir, address| {
        let file = dir.write("envoy.yaml", ENVOY.replace("{port}", &port(address)).replace("{origin}", &port(origin)));
        let mut command = Command::new(&program);
        command.arg("-c").arg(file).args(["--concurrency", "1", "--disable-hot-restart", "-l", "error"]);
        command
    })
    .await
}

pub(super) async fn haproxy(origin: SocketAddr) -> Peer {
    let program = program("haproxy");
    let version = first_line(Command::new(&program).arg("-v"), " ");
    start("HAProxy", version, |dir, address| {
        let text = HAPROXY.replace("{port}", &port(address)).replace("{origin}", &port(origin));
        let mut command = Command::new(&program);
        command.arg("-db").arg("-f").arg(dir.write("haproxy.cfg", text));
        command
    })
    .await
}

pub(super) async fn nginx(origin: SocketAddr) -> Peer {
    let program = program("nginx");
    let version = first_line(Command::new(&program).arg("-v"), "/");
    start("nginx", version, |dir, address| {
        let folder = dir.path().display().to_string();
        let text = NGINX.replace("{port}", &port(address)).replace("{origin}", &port(origin));
        let mut command = Command::new(&program);
        let file = dir.write("nginx.conf", text.replace("{dir}", &folder));
        command.arg("-e").arg(dir.path().join("error.log")).arg("-p").arg(&folder).arg("-c").arg(file);
        command
    })
    .await
}

/// Another program may take a port between the moment that it is found free and that it is used, so that a peer is
/// started again on another.
async fn start(name: &str, version: String, command: impl Fn(&TempDir, SocketAddr) -> Command) -> Peer {
    let mut said = String::new();
    for _ in 0..3 {
        match try_start(name, &version, &command).await {
            Ok(peer) => return peer,
            Err(why) => said = why,
        }
    }
    panic!("{name} does not listen: {said}");
}

async fn try_start(
    name: &str,
    version: &str,
    command: &impl Fn(&TempDir, SocketAddr) -> Command,
) -> Result<Peer, String> {
    let dir = TempDir::new();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let log = dir.path().join("output.log");
    let output = fs::File::create(&log).unwrap();
    let mut command = command(&dir, address);
    command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{name} does not start: {error}"));
    let begun = Instant::now();
    loop {
        if TcpStream::connect(address).await.is_ok() {
            return Ok(Peer { address, version: format!("{name} {version}"), child, _dir: dir });
        }
        let ended = child.try_wait().unwrap();
        if ended.is_some() || begun.elapsed() > Duration::from_secs(30) {
            let _ = child.kill();
            return Err(format!("{ended:?}: {}", fs::read_to_string(&log).unwrap_or_default()));
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// The program as `./test` has installed it.
fn program(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let linked = root.join("target/peers").join(name);
    assert!(
        linked.exists(),
        "`target/peers/{name}` is missing: run `./test peers`, which installs what this test needs"
    );
    linked
}

/// The version in the first line that a program writes about itself.
fn first_line(command: &mut Command, separator: &str) -> String {
    let output = command.output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    let words = text.split(|c: char| c.is_whitespace() || separator.contains(c));
    let mut numbers = words.filter(|word| word.contains('.') && word.starts_with(|c: char| c.is_ascii_digit()));
    numbers.next().unwrap_or_else(|| panic!("no version in {text}")).to_owned()
}

fn port(address: SocketAddr) -> String {
    address.port().to_string()
}

const NGINX: &str = "
daemon off;
master_process off;
pid {dir}/nginx.pid;
error_log {dir}/error.log;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path {dir}/body;
  proxy_temp_path {dir}/proxy;
  fastcgi_temp_path {dir}/fastcgi;
  uwsgi_temp_path {dir}/uwsgi;
  scgi_temp_path {dir}/scgi;
  server {
    listen 127.0.0.1:{port};
    location / {
      proxy_pass http://127.0.0.1:{origin};
      proxy_http_version 1.1;
    }
  }
}
";

const CADDY: &str = "
{
  admin off
  auto_https off
  persist_config off
}
http://:{port} {
  bind 127.0.0.1
  reverse_proxy 127.0.0.1:{origin}
}
";

const TRAEFIK: &str = "
global: { checkNewVersion: false, sendAnonymousUsage: false }
log: { level: ERROR }
entryPoints: { web: { address: '127.0.0.1:{port}' } }
providers: { file: { filename: '{routes}' } }
";

const TRAEFIK_ROUTES: &str = "
http:
  routers: { all: { rule: 'PathPrefix(`/`)', service: origin, entryPoints: [web] } }
  services: { origin: { loadBalancer: { servers: [{ url: 'http://127.0.0.1:{origin}' }] } } }
";

const HAPROXY: &str = "
global
  maxconn 100
defaults
  mode http
  timeout connect 2s
  timeout client 5s
  timeout server 5s
frontend front
  bind 127.0.0.1:{port}
  default_backend back
backend back
  server origin 127.0.0.1:{origin}
";

const ENVOY: &str = r#"
static_resources:
  listeners:
  - address: { socket_address: { address: 127.0.0.1, port_value: {port} } }
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: grid
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: { prefix: "/" }
                route: { cluster: origin }
          http_filters:
          - name: router
            typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }
  clusters:
  - name: origin
    connect_timeout: 2s
    load_assignment:
      cluster_name: origin
      endpoints:
      - lb_endpoints:
        - endpoint: { address: { socket_address: { address: 127.0.0.1, port_value: {origin} } } }
"#;
