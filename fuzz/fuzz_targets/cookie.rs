//! Cookies in both directions: what is read is plain and nobody else's, what leaves is safe and stays as it is.
#![no_main]

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use palisade::cookie::{CookieSettings, Cookies};
use palisade::csp::Policy;

fuzz_target!(|bytes: &[u8]| {
    let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
    let headers: HeaderMap = [(COOKIE, value.clone())].into_iter().collect();
    let cookies = Cookies::of(&headers);
    for (name, value) in cookies.iter() {
        assert!(value.bytes().all(|byte| byte.is_ascii_graphic() && !b";,\"\\".contains(&byte)), "plain");
        let same = cookies.iter().filter(|(other, _)| *other == name).count();
        assert!(same == 1 || cookies.get(name).is_none(), "of several none counts");
    }
    let settings = CookieSettings::default();
    if let Some(once) = settings.corrected(&value) {
        assert_eq!(settings.corrected(&once).as_ref(), Some(&once), "what was corrected stays");
        let text = String::from_utf8_lossy(once.as_bytes()).to_ascii_lowercase();
        assert!(["secure", "httponly", "samesite="].iter().all(|attribute| text.contains(attribute)), "{text}");
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(policy) = Policy::page().allow("script-src", text)
    {
        assert_eq!(policy.text().matches(';').count(), Policy::page().text().matches(';').count() + 1);
    }
});
