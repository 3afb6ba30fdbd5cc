//! Paths, hosts and queries become canonical in one step, or are refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use palisade_core::canon::{host::CanonicalHost, path::CanonicalPath, query};

fuzz_target!(|text: &str| {
    if let Ok(path) = CanonicalPath::parse(text) {
        let form = path.as_str();
        assert_eq!(CanonicalPath::parse(form).as_ref(), Ok(&path), "idempotent");
        assert!(form.starts_with('/') && !form.contains("//"), "absolute, without empty segments");
        assert!(form.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\;?#".contains(&byte)), "plain");
        let encoded = form.to_ascii_lowercase();
        for hidden in ["%2f", "%5c", "%2e", "%25", "%00", "%0a", "%0d", "%3b"] {
            assert!(!encoded.contains(hidden), "nothing is hidden behind {hidden}");
        }
        assert!(form.split('/').all(|segment| !matches!(segment, "." | "..")), "no dot segments");
    }
    if let Ok(host) = CanonicalHost::parse(text) {
        let form = host.to_string();
        assert_eq!(CanonicalHost::parse(&form), Ok(host), "idempotent");
        assert!(form.is_ascii() && !form.contains(['/', '@', ' ', '%']), "no user, no path");
        assert_eq!(form, form.to_ascii_lowercase());
    }
    let pairs = query::pairs(text).count();
    if query::check(text).is_ok() {
        assert!(pairs <= text.split('&').count());
        assert!(query::pairs(text).all(|(name, value)| !name.contains('\0') && !value.contains('\0')));
    }
});
