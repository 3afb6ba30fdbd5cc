//! Hashes of passwords: any text is read or refused, and what is read can be run within bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use palisade::core::port::account::Strength;
use palisade::credential::password::{BlockList, PasswordPolicy, StoredHash};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(stored) = StoredHash::parse(text) {
        assert!(text.len() <= 512, "a hash is short");
        assert!(!stored.scheme().is_empty());
        // Whatever is read may be run: the bounds are those of `parse`, and each is checked again here.
        let number = |name: &str| -> u64 {
            let digits = text.split(['$', ',']).find_map(|field| field.strip_prefix(name));
            digits.and_then(|digits| digits.parse().ok()).unwrap_or(1)
        };
        match stored.scheme() {
            "argon2id" => {
                assert!(number("m=") <= 256 * 1024 && number("p=") <= 16);
                assert!(number("m=") * number("t=") <= 2 * 1024 * 1024);
            }
            "scrypt" => assert!((128 << number("ln=")) * number("r=") <= 256 << 20 && number("p=") <= 16),
            "bcrypt" => assert!(text.split('$').nth(2).and_then(|cost| cost.parse::<u8>().ok()) <= Some(16)),
            _ => {}
        }
    }
    // The same texts as passwords somebody wants.
    let refused = BlockList::common().contains(text);
    if let Ok((_, strength)) = PasswordPolicy::default().check(text, Strength::WithSecondFactor, &["alice"]) {
        assert!(text.len() <= 1024 && text.chars().count() >= 8 || !text.is_ascii());
        assert!(!refused || !text.is_ascii(), "what is known is refused");
        assert!(strength == Strength::WithSecondFactor || text.chars().count() >= 15 || !text.is_ascii());
    }
});
