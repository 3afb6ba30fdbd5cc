//! What a server says to a hello, and the certificate that it shows, are read or left alone.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|answer: &[u8]| {
    assert!(!palisade_review::readers::hello(answer) || answer.len() >= 46, "a hello has a suite");
    let _ = palisade_review::readers::certificate(answer);
});
