//! `Cache-Control` is read whatever it says, and what forbids to store is never overheard.
#![no_main]

use http::HeaderValue;
use libfuzzer_sys::fuzz_target;
use palisade::stage::cache::Directives;

fuzz_target!(|bytes: &[u8]| {
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    let read = Directives::read([&value]);
    assert!(read.max_age.is_none_or(|seconds| seconds <= 1 << 31));
    let forbids = HeaderValue::from_static("no-store");
    assert!(Directives::read([&value, &forbids]).no_store);
});
