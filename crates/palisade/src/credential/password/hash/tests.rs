//! Hashes that other programs have made, hashes that nobody may run, and text that is none.

use proptest::prelude::*;

use super::*;

const PASSWORD: &str = "otter under 3 blue moons ✓";

/// Made by the Argon2, bcrypt and OpenSSL of Python.
const FOREIGN: &[(&str, &str, &str)] = &[
    (
        "argon2id",
        PASSWORD,
        "$argon2id$v=19$m=512,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$k0Ir6KLSmhO56QAmhkeiklKLpAVKUnYDZm5sgoGGGkc",
    ),
    (
        "argon2id",
        PASSWORD,
        "$argon2id$v=19$m=256,t=1,p=4$AAECAwQFBgcICQoLDA0ODw$3KoNiRkw2DOjsGFYVGkxx4jAb2/T6g2tDfKft6BwNho",
    ),
    ("bcrypt", "an otter under the moon", "$2b$04$abcdefghijklmnopqrstuumXvyWaL7cldsohRmMKChpAd5ns9hrB6"),
    ("bcrypt", "an otter under the moon", "$2y$04$abcdefghijklmnopqrstuumXvyWaL7cldsohRmMKChpAd5ns9hrB6"),
    ("bcrypt", X72, "$2b$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i"),
    ("scrypt", PASSWORD, "$scrypt$ln=8,r=8,p=2$AAECAwQFBgcICQoLDA0ODw$bjP/5xJHgxFGdyGmr8aBUfuzM9Ah33K3DmgGwqA5Izg"),
    (
        "pbkdf2-sha256",
        PASSWORD,
        "$pbkdf2-sha256$i=1000,l=32$AAECAwQFBgcICQoLDA0ODw$YwlosyltDsg1gNXIBFUTnGzbKnMJvRFM7yMaFZ8FCxA",
    ),
    (
        "pbkdf2-sha256",
        PASSWORD,
        "$pbkdf2-sha256$1000$AAECAwQFBgcICQoLDA0ODw$YwlosyltDsg1gNXIBFUTnGzbKnMJvRFM7yMaFZ8FCxA",
    ),
    (
        "pbkdf2-sha512",
        PASSWORD,
        "$pbkdf2-sha512$1000$.//..//..//..//.$3Cr8HO8DRKOIsY9nEJRl8.RUchhGZ6HAGy/FcKF4RGsY/Bsw/d8A86X3gZbVc2zmUtPgTl5G\
         JfU5DuHvdpFoNw",
    ),
    ("pbkdf2-sha256", PASSWORD, "pbkdf2_sha256$1000$seasalt8seasalt$J3CHGjQVjIfJOfzEaYT09t5YcXLs21OPnhMhBVXyvHQ="),
];

const X72: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

#[test]
fn what_others_have_hashed_is_known_again() {
    let mut arena = vec![Block::new(); 512];
    for (scheme, password, text) in FOREIGN {
        let stored = StoredHash::parse(text).unwrap();
        assert_eq!(stored.scheme(), *scheme);
        assert!(stored.matches(password.as_bytes(), &mut arena), "{text}");
        assert!(stored.matches(password.as_bytes(), &mut []), "memory of its own: {text}");
        for other in ["", "otter", &format!("{password} "), &password.to_uppercase()] {
            assert!(!stored.matches(other.as_bytes(), &mut arena), "{text} takes {other:?}");
        }
    }
}

/// bcrypt itself would take any password that begins with these 72 bytes, and any that goes on after a NUL.
#[test]
fn bcrypt_is_never_cut_off() {
    let stored = StoredHash::parse("$2b$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i").unwrap();
    assert!(stored.matches(X72.as_bytes(), &mut []));
    assert!(!stored.matches(format!("{X72}y").as_bytes(), &mut []));
    let stored = StoredHash::parse("$2b$04$abcdefghijklmnopqrstuumXvyWaL7cldsohRmMKChpAd5ns9hrB6").unwrap();
    assert!(!stored.matches(b"an otter under the moon\0", &mut []));
    assert!(!stored.matches(b"an otter under the moon\0and more", &mut []));
}

/// Nothing of this is ever run: each would take minutes, gigabytes, or for ever.
#[test]
fn what_costs_too_much_is_not_run() {
    let argon2 = |cost: &str| format!("$argon2id$v=19${cost}$AAECAwQFBgcICQoLDA0ODw$AAECAwQFBgcICQoLDA0ODw");
    let scrypt = |cost: &str| format!("$scrypt${cost}$AAECAwQFBgcICQoLDA0ODw$AAECAwQFBgcICQoLDA0ODw");
    for text in [
        argon2("m=4294967295,t=1,p=1"),
        argon2("m=262145,t=1,p=1"),
        argon2("m=8,t=4294967295,p=1"),
        argon2("m=65536,t=64,p=1"),
        argon2("m=65536,t=1,p=17"),
        argon2("m=65536,t=0,p=1"),
        argon2("m=65536,t=1,p=0"),
        argon2("m=7,t=1,p=1"),
        argon2("m=16,t=1,p=4"),
        scrypt("ln=63,r=8,p=1"),
        scrypt("ln=4294967295,r=8,p=1"),
        scrypt("ln=19,r=8,p=1"),
        scrypt("ln=14,r=4294967295,p=1"),
        scrypt("ln=14,r=8,p=4294967295"),
        scrypt("ln=18,r=8,p=5"),
        scrypt("ln=0,r=8,p=1"),
        "$2b$17$abcdefghijklmnopqrstuumXvyWaL7cldsohRmMKChpAd5ns9hrB6".to_owned(),
        "$2b$99$abcdefghijklmnopqrstuumXvyWaL7cldsohRmMKChpAd5ns9hrB6".to_owned(),
        "$pbkdf2-sha256$i=4294967295,l=16$AAECAwQFBgcICQoLDA0ODw$AAECAwQFBgcICQoLDA0ODw".to_owned(),
        "pbkdf2_sha256$5000001$seasaltseasalt$J3CHGjQVjIfJOfzEaYT09t5YcXLs21OPnhMhBVXyvHQ=".to_owned(),
    ] {
        assert_eq!(StoredHash::parse(&text), Err(HashError::TooCostly), "{text}");
    }
}

#[test]
fn what_is_no_hash_is_not_taken_for_one() {
    let good = FOREIGN[0].2;
    for (text, expect) in [
        (String::new(), HashError::Malformed),
        ("hunter2".to_owned(), HashError::Malformed),
        ("$".repeat(400), HashError::Malformed),
        (format!("{good}$"), HashError::Malformed),
        (format!("{good} "), HashError::Malformed),
        (format!("{good}{}", "A".repeat(500)), HashError::Malformed),
        (good.replace("m=512", "m=0512"), HashError::Malformed),
        (good.replace("m=512", "m=+512"), HashError::Malformed),
        (good.replace("t=2,p=1", "p=1,t=2"), HashError::Malformed),
        (good.replace("p=1", "p=1,data=AAAA"), HashError::Malformed),
        (good.replace("p=1", "p=1,keyid=AAAA,x=1"), HashError::Malformed),
        (good.replace("m=512,", ""), HashError::Malformed),
        (good.replace("AAECAwQFBgcICQoLDA0ODw", "AAECAw"), HashError::Malformed),
        (good.replace("$k0Ir6KLSmhO56QAmhkeiklKLpAVKUnYDZm5sgoGGGkc", "$"), HashError::Malformed),
        // A hash of no bytes would be every password's.
        (good.replace("$k0Ir6KLSmhO56QAmhkeiklKLpAVKUnYDZm5sgoGGGkc", "$AAAA"), HashError::Malformed),
        (good.replace("v=19", "v=16"), HashError::Unsupported),
        (good.replace("argon2id", "argon2i"), HashError::Unsupported),
        (good.replace("argon2id", "argon2d"), HashError::Unsupported),
        ("$1$salt$qJH7.N4xYta3aEG/dfqo/0".to_owned(), HashError::Unsupported),
        ("$2b$3$abcdefghijklmnopqrstuumXvyWaL7cldsohRmMKChpAd5ns9hrB6".to_owned(), HashError::Malformed),
        ("$2b$03$abcdefghijklmnopqrstuumXvyWaL7cldsohRmMKChpAd5ns9hrB6".to_owned(), HashError::Malformed),
        ("$2b$04$abcdefghijklmnopqrstuumXvyWaL7cldsohRmMKChpAd5ns9hrB".to_owned(), HashError::Malformed),
        ("$2b$04$ä".to_owned() + &"a".repeat(51), HashError::Malformed),
        (FOREIGN[6].2.replace("l=32", "l=31"), HashError::Malformed),
        (FOREIGN[6].2.replace("i=1000", "i=0"), HashError::Malformed),
    ] {
        assert_eq!(StoredHash::parse(&text), Err(expect), "{text}");
    }
}

#[test]
fn a_new_hash_is_read_back() {
    let text = phc(Cost::danger_for_tests(), Some("2026a"), &[7; 16], &[8; 32]);
    let stored = StoredHash::parse(&text).unwrap();
    assert_eq!((stored.pepper(), stored.has_cost(Cost::danger_for_tests())), (Some("2026a"), true));
    assert!(text.starts_with("$argon2id$v=19$m=256,t=1,p=1,keyid=MjAyNmE$"), "{text}");
    assert!(!format!("{stored:?}").contains("[8"), "{stored:?}");
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,120}") {
        let _ = StoredHash::parse(&text);
    }

    /// One change anywhere gives another hash or none, and never a panic.
    #[test]
    fn a_damaged_hash_is_never_the_same(which in 0..FOREIGN.len(), at in 0_usize..110, to in "[ -~]") {
        let text = FOREIGN[which].2;
        if let (Some(before), Some(after)) = (text.get(..at), text.get(at + 1..)) {
            let damaged = format!("{before}{to}{after}");
            let same = StoredHash::parse(&damaged) == StoredHash::parse(text);
            let spelled_alike = ["2a", "2b", "2y"].iter().any(|version| damaged.contains(version))
                || damaged.replace('.', "+") == text.replace('.', "+");
            prop_assert!(!same || damaged == text || spelled_alike, "{}", damaged);
        }
    }
}
