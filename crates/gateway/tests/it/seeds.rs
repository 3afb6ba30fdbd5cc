//! Bytes that attackers send to a listener: the seeds of the fuzz targets, run by every build and not only by the fuzzer.
//!
//! The invariants are those of `fuzz/fuzz_targets`.

use std::path::Path;

use palisade_core::canon::forwarded::{self, Node};
use palisade_gateway::listen::proxy::{self, Fault};
use palisade_gateway::listen::wire::{Advance, Wire};

/// Name and content of each seed of a target.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let found: Vec<_> = files.map(|path| (path.display().to_string(), std::fs::read(&path).unwrap())).collect();
    assert!(found.len() >= 5, "`{target}` has seeds");
    found
}

#[test]
fn nobody_hides_the_hop_that_a_proxy_adds() {
    let real = Node::Address([198, 51, 100, 7].into());
    for (name, bytes) in seeds("forwarded") {
        let text = String::from_utf8(bytes).unwrap();
        if let Ok(hops) = forwarded::parse(&format!("{text}, for=198.51.100.7")) {
            assert_eq!(hops.last().and_then(|hop| hop.node), Some(real), "{name}");
        }
        assert_eq!(forwarded::addresses(&format!("{text}, 198.51.100.7")).last(), Some(real), "{name}");
    }
}

#[test]
fn a_proxy_header_is_read_to_its_end_and_no_further() {
    for (name, bytes) in seeds("proxy_protocol") {
        let Ok(header) = proxy::parse(&bytes) else { continue };
        assert_eq!(proxy::parse(&bytes[..header.length]), Ok(header), "{name}");
        for cut in 0..header.length {
            assert_eq!(proxy::parse(&bytes[..cut]), Err(Fault::Incomplete), "{name} {cut}");
        }
    }
}

#[test]
fn a_connection_has_one_verdict_however_it_is_cut() {
    let run = |bytes: &[u8], size: usize| {
        let (mut wire, mut held, mut out) = (Wire::sniffed(8192), Vec::new(), Vec::new());
        for piece in bytes.chunks(size.max(1)) {
            held.extend_from_slice(piece);
            let Advance { pass, fault } = wire.advance(&held);
            out.extend(held.drain(..pass));
            if fault.is_some() {
                return (out, wire.heads(), fault);
            }
        }
        (out, wire.heads(), None)
    };
    for (name, bytes) in seeds("http1_guard") {
        let (_, bytes) = bytes.split_first().unwrap();
        let whole = run(bytes, bytes.len());
        assert!(bytes.starts_with(&whole.0), "{name}");
        for size in 1..20 {
            assert_eq!(run(bytes, size), whole, "{name} in pieces of {size}");
        }
    }
}

#[test]
fn what_people_paste_is_a_request_or_refused() {
    for (name, bytes) in seeds("asked") {
        let text = String::from_utf8(bytes).unwrap();
        let asked = palisade_gateway::explain::Asked::parse(&text);
        let recorded = palisade_gateway::replay::read(&text).requests.len();
        let kind = Path::new(&name).file_name().unwrap().to_str().unwrap();
        let expect = match kind {
            "har" | "log" => (false, 1),
            "quote" => (false, 0),
            _ => (true, 0),
        };
        assert_eq!((asked.is_ok(), recorded), expect, "{name}");
    }
}
