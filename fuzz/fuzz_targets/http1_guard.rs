//! The bytes of a connection have one verdict however they are cut, what goes on is what came, and a head that goes on is
//! one that the HTTP parser reads to the same end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use palisade_gateway::listen::wire::{Advance, Fault, Wire};

const MAX_HEAD: usize = 8192;

/// What goes on, and how it ends, when the bytes come in pieces of `size`.
fn run(bytes: &[u8], size: usize) -> (Vec<u8>, u64, Option<Fault>) {
    let (mut wire, mut held, mut out) = (Wire::sniffed(MAX_HEAD), Vec::new(), Vec::new());
    for piece in bytes.chunks(size.max(1)) {
        held.extend_from_slice(piece);
        let Advance { pass, fault } = wire.advance(&held);
        out.extend(held.drain(..pass));
        if fault.is_some() {
            return (out, wire.heads(), fault);
        }
    }
    (out, wire.heads(), None)
}

fuzz_target!(|input: (u8, &[u8])| {
    let (size, bytes) = input;
    let whole = run(bytes, bytes.len());
    assert_eq!(run(bytes, usize::from(size)), whole, "any cut has the same verdict");
    assert!(bytes.starts_with(&whole.0), "what goes on is what came");
    if whole.1 > 0 {
        let mut fields = [httparse::EMPTY_HEADER; 128];
        let mut request = httparse::Request::new(&mut fields);
        assert!(matches!(request.parse(&whole.0), Ok(httparse::Status::Complete(_))), "a head is a head");
        let named = |name: &str| request.headers.iter().filter(|field| field.name.eq_ignore_ascii_case(name)).count();
        assert!(named("content-length") + named("transfer-encoding") <= 1, "a body has one end");
    }
});
