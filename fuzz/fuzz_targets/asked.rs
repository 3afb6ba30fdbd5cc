//! What people paste as a request is read as one or refused, and recordings are read or left.
#![no_main]

use libfuzzer_sys::fuzz_target;
use palisade_gateway::explain::Asked;
use palisade_gateway::replay;

fuzz_target!(|text: &str| {
    if let Ok(asked) = Asked::parse(text) {
        let uri = asked.request.uri();
        assert!(uri.scheme().is_none() && uri.authority().is_none(), "the target is a path");
    }
    let recording = replay::read(text);
    assert!(recording.requests.len() <= text.len());
});
