//! A search for leaks ends on any bytes, and finds in JSON what it finds in the text alone.
#![no_main]

use libfuzzer_sys::fuzz_target;
use palisade::stage::reveal::leak;
use serde_json::json;

fuzz_target!(|bytes: &[u8]| {
    let _ = leak::of_bytes(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let value = json!({ "note": text });
    let found = leak::of_json(value.to_string().as_bytes(), &value, &[]);
    assert_eq!(found.map(|leak| leak.kind), leak::of_text(text));
});
