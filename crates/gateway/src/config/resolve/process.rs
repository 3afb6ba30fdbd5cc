//! Resolves `[server]`.

use std::thread::available_parallelism;
use std::time::Duration;

use super::super::raw::{RawHttp2, RawServer};
use super::super::scalar::{self, Fault};
use super::super::settings::Server;
use super::context::{At, Context};
use crate::listen::Http2Bounds;

pub(crate) fn server(cx: &mut Context<'_>, raw: &RawServer) -> Option<Server> {
    let at = At::root("server");
    let mut span = |key: &str, text: &str| cx.value(&at.key(key), text, scalar::duration);
    let handshake_timeout = span("handshake_timeout", &raw.handshake_timeout);
    let idle_timeout = span("idle_timeout", &raw.idle_timeout);
    let write_timeout = span("write_timeout", &raw.write_timeout);
    let drain_delay = match &raw.drain_delay {
        None => Some(Duration::ZERO),
        Some(text) => span("drain_delay", text),
    };
    let drain_timeout = span("drain_timeout", &raw.drain_timeout);
    let http2 = http2(cx, &at.key("http2"), &raw.http2);
    let handover = match &raw.handover {
        None => None,
        Some(path) => Some(cx.writable(&at.key("handover"), path)?),
    };
    let processors = available_parallelism().map_or(1, usize::from);
    Some(Server {
        workers: raw.workers.and_then(|workers| usize::try_from(workers).ok()).unwrap_or(processors),
        max_connections: raw.max_connections,
        max_connections_per_client: raw.max_connections_per_client,
        handshake_timeout: handshake_timeout?,
        idle_timeout: idle_timeout?,
        write_timeout: write_timeout?,
        reload: raw.reload,
        drain_delay: drain_delay?,
        drain_timeout: drain_timeout?,
        handover,
        http2: http2?,
    })
}

fn http2(cx: &mut Context<'_>, at: &At, raw: &RawHttp2) -> Option<Http2Bounds> {
    let stream_window = cx.value(&at.key("stream_window"), &raw.stream_window, window);
    let connection_window = cx.value(&at.key("connection_window"), &raw.connection_window, window);
    Some(Http2Bounds {
        streams: raw.max_streams,
        resets: raw.max_pending_resets,
        stream_window: stream_window?,
        connection_window: connection_window?,
        control_burst: raw.control_burst,
        control_rate: raw.control_rate,
    })
}

/// What a flow-control window can be (RFC 9113 section 6.9.1); a smaller one than the standard begins with is of no use.
fn window(text: &str) -> Result<u32, Fault> {
    let size = scalar::size(text)?;
    if (65_535..1 << 31).contains(&size) {
        return Ok(size);
    }
    let help = "write a size from `64KiB` to `1GiB`";
    Err(Fault::new("out-of-range", format!("`{text}` cannot be the window of HTTP/2"), help))
}
