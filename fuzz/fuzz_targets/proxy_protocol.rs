//! A PROXY header is read to its last byte and no further, and every beginning of one waits for the rest.
#![no_main]

use libfuzzer_sys::fuzz_target;
use palisade_gateway::listen::proxy::{Fault, parse};

fuzz_target!(|bytes: &[u8]| {
    let Ok(header) = parse(bytes) else { return };
    assert!(header.length <= bytes.len(), "no more than there is");
    let (of_header, _) = bytes.split_at(header.length);
    assert_eq!(parse(of_header), Ok(header), "what follows changes nothing");
    for cut in 0..header.length {
        assert_eq!(parse(&of_header[..cut]), Err(Fault::Incomplete), "the first {cut} bytes wait");
    }
});
