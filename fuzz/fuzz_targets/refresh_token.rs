//! No text is a refresh token that is not spelled as one, and none has two spellings.
#![no_main]

use libfuzzer_sys::fuzz_target;
use palisade::token::refresh::RefreshToken;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Some(token) = RefreshToken::parse(text) else { return };
    assert!(text.len() == 74 && text.starts_with("prt_") && text.is_ascii());
    for last in "AEIMQUYcgkosw048BCD-_".chars() {
        let other: String = text.chars().take(73).chain([last]).collect();
        assert!(other == text || RefreshToken::parse(&other).is_none_or(|other| other != token));
    }
});
