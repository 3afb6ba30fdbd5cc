//! Which keys and key sets are believed.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::token::jwk::KeyError;
use crate::token::jwks::Candidates;

/// A modulus whose primes were made by the formula of CVE-2017-15361.
const ROCA_MODULUS: &str = concat!(
    "1Uz4CqEtmz1gK7SUt7RYBWzWCMNMHg-9BHhoMWAntOnd-KO_say7yES2SQrbc9pz-EDLPcL1mWU3OXvf1ddFw9h3O75kWt9aXJBZazOGdhkjBnut",
    "wrAvZQixAyNmXS9YejJSet7wVjpbda2VH2ui3DO7WUPJOc1jRZX-0wQJiUfKh2azZDmJJZqjDGLt4qqy7BBNtehNrL2jUvNe7FVEfcdBuRLOSW0F",
    "Tgm3zbsxvJS1vbK_nEQexRjo3Hy6D5vT8_qEsbHaQkWY7yZgDiEXC4TvWBz7BnPDHViPkThPgJx8JsWzkvL7fywIHfIauDWLx--nIBEVpLtmqNAZ",
    "klS4yQ",
);

fn with(mut jwk: Value, changes: &Value) -> Value {
    let members = jwk.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        members.insert(name.clone(), value.clone());
    }
    members.retain(|_, value| !value.is_null());
    jwk
}

#[test]
fn reads_good_keys_and_refuses_the_others() {
    use KeyError as E;

    let ed = json!({ "kty": "OKP", "crv": "Ed25519", "x": ED25519_PUBLIC });
    let oct = json!({ "kty": "oct", "alg": "HS256", "k": HS256_SECRET });
    let number = |hex: &str| {
        let digit = |digit: &u8| u8::try_from(char::from(*digit).to_digit(16).unwrap()).unwrap();
        let bytes: Vec<u8> = hex.as_bytes().chunks(2).map(|pair| digit(&pair[0]) * 16 + digit(&pair[1])).collect();
        base64url::encode(&bytes)
    };
    let (ec, rsa) = (rfc_ec_key(), rfc_rsa_key());
    let coordinates = ["x", "y"].map(|name| base64url::decode(ec[name].as_str().unwrap()).unwrap()).concat();
    let (front, back) = (base64url::encode(&coordinates[..31]), base64url::encode(&coordinates[31..]));
    let zero_first = base64url::encode(&[&[0], &base64url::decode(RS256_MODULUS).unwrap()[..]].concat());
    let short = base64url::encode(&base64url::decode(RS256_MODULUS).unwrap()[..128]);
    for (name, jwk, expect) in [
        ("ec", ec.clone(), Ok(Algorithm::Es256)),
        (
            "ec with everything",
            with(ec.clone(), &json!({"alg": "ES256", "use": "sig", "key_ops": ["verify"], "kid": "a"})),
            Ok(Algorithm::Es256),
        ),
        ("rsa without alg", rsa.clone(), Ok(Algorithm::Rs256)),
        ("rsa for pss", with(rsa.clone(), &json!({"alg": "PS256"})), Ok(Algorithm::Ps256)),
        ("ed25519", ed.clone(), Ok(Algorithm::EdDsa)),
        ("ed25519 by its new name", with(ed.clone(), &json!({"alg": "Ed25519"})), Ok(Algorithm::EdDsa)),
        ("secret", oct.clone(), Ok(Algorithm::Hs256)),
        ("no object", json!("x"), Err(E::Malformed("JWK"))),
        ("no type", json!({}), Err(E::Malformed("kty"))),
        ("unknown type", json!({"kty": "AKP"}), Err(E::Unsupported("AKP".to_owned()))),
        ("type of other case", with(ec.clone(), &json!({"kty": "ec"})), Err(E::Unsupported("P-256".to_owned()))),
        ("for encryption", with(ec.clone(), &json!({"use": "enc"})), Err(E::OtherUse)),
        ("unknown use", with(ec.clone(), &json!({"use": "Sig"})), Err(E::OtherUse)),
        ("use of other type", with(ec.clone(), &json!({"use": ["sig"]})), Err(E::Malformed("use"))),
        ("for signing", with(ec.clone(), &json!({"key_ops": ["sign"]})), Err(E::OtherUse)),
        ("for nothing", with(ec.clone(), &json!({"key_ops": []})), Err(E::OtherUse)),
        ("operations of other type", with(ec.clone(), &json!({"key_ops": "verify"})), Err(E::Malformed("key_ops"))),
        ("name of other type", with(ec.clone(), &json!({"kid": 1})), Err(E::Malformed("kid"))),
        ("other algorithm", with(ec.clone(), &json!({"alg": "ES384"})), Err(E::OtherAlgorithm)),
        ("ec for rsa", with(ec.clone(), &json!({"alg": "RS256"})), Err(E::OtherAlgorithm)),
        ("ec for hmac", with(ec.clone(), &json!({"alg": "HS256"})), Err(E::OtherAlgorithm)),
        ("rsa for hmac", with(rsa.clone(), &json!({"alg": "HS256"})), Err(E::OtherAlgorithm)),
        ("rsa for ec", with(rsa.clone(), &json!({"alg": "ES256"})), Err(E::Malformed("x"))),
        (
            "rsa for encryption",
            with(rsa.clone(), &json!({"alg": "RSA-OAEP"})),
            Err(E::Unsupported("RSA-OAEP".to_owned())),
        ),
        ("unknown algorithm", with(ec.clone(), &json!({"alg": "none"})), Err(E::Unsupported("none".to_owned()))),
        ("unknown curve", with(ec.clone(), &json!({"crv": "secp256k1"})), Err(E::Unsupported("secp256k1".to_owned()))),
        ("curve for exchange", with(ed.clone(), &json!({"crv": "X25519"})), Err(E::Unsupported("X25519".to_owned()))),
        (
            "point off the curve",
            with(ec.clone(), &json!({"y": ec["x"]})),
            Err(E::Weak("the point is not on the curve")),
        ),
        ("point of other curve", with(ec.clone(), &json!({"crv": "P-384"})), Err(E::Malformed("x"))),
        ("half a point", with(ec.clone(), &json!({"y": null})), Err(E::Malformed("y"))),
        ("short coordinate", with(ec.clone(), &json!({"x": "AQ"})), Err(E::Malformed("x"))),
        ("shifted coordinates", with(ec.clone(), &json!({"x": front, "y": back})), Err(E::Malformed("x"))),
        (
            "padded coordinate",
            with(ec.clone(), &json!({"x": format!("{}=", ec["x"].as_str().unwrap())})),
            Err(E::Malformed("x")),
        ),
        (
            "origin",
            with(ec.clone(), &json!({"x": number(&"00".repeat(32)), "y": number(&"00".repeat(32))})),
            Err(E::Weak("the point is not on the curve")),
        ),
        ("private ec", with(ec, &json!({"d": "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"})), Err(E::Private)),
        ("private rsa", with(rsa.clone(), &json!({"p": "AA"})), Err(E::Private)),
        ("secret in a public key", with(rsa.clone(), &json!({"k": "AA"})), Err(E::Private)),
        ("private ed25519", with(ed.clone(), &json!({"d": ED25519_SEED})), Err(E::Private)),
        ("short ed25519", with(ed.clone(), &json!({"x": "AQ"})), Err(E::Malformed("x"))),
        (
            "short secret",
            with(oct.clone(), &json!({"k": base64url::encode(&[1; 31])})),
            Err(E::Weak("the secret has fewer than 32 bytes")),
        ),
        ("empty secret", with(oct.clone(), &json!({"k": ""})), Err(E::Weak("the secret has fewer than 32 bytes"))),
        ("secret without algorithm", with(oct.clone(), &json!({"alg": null})), Err(E::Malformed("alg"))),
        ("secret for ec", with(oct, &json!({"alg": "ES256"})), Err(E::OtherAlgorithm)),
        (
            "short rsa",
            with(rsa.clone(), &json!({"n": short})),
            Err(E::Weak("the RSA modulus has fewer than 2048 bits")),
        ),
        ("leading zero", with(rsa.clone(), &json!({"n": zero_first})), Err(E::Malformed("n"))),
        (
            "exponent one",
            with(rsa.clone(), &json!({"e": "AQ"})),
            Err(E::Weak("the RSA exponent is even, one, or longer than 32 bits")),
        ),
        (
            "roca",
            with(rsa, &json!({"n": ROCA_MODULUS})),
            Err(E::Weak("the RSA key comes from a generator whose keys can be factored (CVE-2017-15361)")),
        ),
    ] {
        assert_eq!(VerifyKey::from_jwk(&jwk).map(|key| key.algorithm()), expect, "{name}");
    }
    for hex in [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    ] {
        let outcome = VerifyKey::from_jwk(&with(ed.clone(), &json!({"x": number(hex)})));
        assert!(matches!(outcome, Err(E::Weak(_))), "{hex}: {outcome:?}");
    }
}

#[test]
fn reads_pem_for_the_algorithm_it_is_for() {
    let p256 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let p384 = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
    let armor = |der: &[u8]| {
        let lines: Vec<String> =
            STANDARD.encode(der).as_bytes().chunks(64).map(|line| String::from_utf8(line.to_vec()).unwrap()).collect();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
    };
    let p256_pem = armor(p256.public_key().as_der().unwrap().as_ref());
    let p384_pem = armor(p384.public_key().as_der().unwrap().as_ref());
    let ed = |unused_bits: u8, behind: &[u8]| {
        let start = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21";
        armor(&[&start[..], &[unused_bits], base64url::decode(ED25519_PUBLIC).unwrap().as_slice(), behind].concat())
    };
    let ed_pem = ed(0, b"");
    for (name, algorithm, pem, expect) in [
        ("p-256", Algorithm::Es256, p256_pem.clone(), Ok(())),
        ("p-384", Algorithm::Es384, p384_pem.clone(), Ok(())),
        ("ed25519", Algorithm::EdDsa, ed_pem.clone(), Ok(())),
        ("crlf", Algorithm::EdDsa, ed_pem.replace('\n', "\r\n"), Ok(())),
        ("other curve", Algorithm::Es256, p384_pem, Err(KeyError::OtherAlgorithm)),
        ("other type", Algorithm::Rs256, ed_pem.clone(), Err(KeyError::OtherAlgorithm)),
        ("public key as secret", Algorithm::Hs256, ed_pem.clone(), Err(KeyError::Unsupported("HS256".to_owned()))),
        ("two keys", Algorithm::EdDsa, format!("{ed_pem}{ed_pem}"), Err(KeyError::Malformed("PEM"))),
        ("text before", Algorithm::EdDsa, format!("x{ed_pem}"), Err(KeyError::Malformed("PEM"))),
        ("private", Algorithm::EdDsa, ed_pem.replace("PUBLIC", "PRIVATE"), Err(KeyError::Private)),
        ("odd bits", Algorithm::EdDsa, ed(1, b""), Err(KeyError::Malformed("PEM"))),
        ("data behind", Algorithm::EdDsa, ed(0, b"x"), Err(KeyError::Malformed("PEM"))),
        ("certificate", Algorithm::EdDsa, ed_pem.replace("PUBLIC KEY", "CERTIFICATE"), Err(KeyError::Malformed("PEM"))),
        ("nothing", Algorithm::EdDsa, String::new(), Err(KeyError::Malformed("PEM"))),
    ] {
        assert_eq!(VerifyKey::from_pem(algorithm, Some("k"), &pem).map(|_| ()), expect, "{name}");
    }
    let message = b"message";
    let signature = p256.sign(&aws_lc_rs::rand::SystemRandom::new(), message).unwrap();
    let key = VerifyKey::from_pem(Algorithm::Es256, None, &p256_pem).unwrap();
    assert_eq!(key.verify(message, signature.as_ref()), Ok(()));
}

#[test]
fn sets_leave_out_what_cannot_be_used() {
    let named = |id: &str, changes: &Value| with(with(rfc_ec_key(), &json!({"kid": id})), changes);
    let parse = |keys: Value| KeySet::parse(json!({ "keys": keys }).to_string().as_bytes());
    let oct = json!({ "kty": "oct", "alg": "HS256", "k": HS256_SECRET });

    let set = parse(json!([named("a", &json!({})), named("b", &json!({"use": "enc"})), {"kty": "new"}, named("c", &json!({"d": "AA"}))])).unwrap();
    assert_eq!(set.keys().iter().map(VerifyKey::id).collect::<Vec<_>>(), [Some("a")]);
    let skipped: Vec<_> =
        set.skipped().iter().map(|skipped| (skipped.position, skipped.id.as_deref(), &skipped.reason)).collect();
    let unsupported = KeyError::Unsupported("new".to_owned());
    assert_eq!(
        skipped,
        [(1, Some("b"), &KeyError::OtherUse), (2, None, &unsupported), (3, Some("c"), &KeyError::Private)]
    );

    for (name, keys, expect) in [
        (
            "two keys of one name",
            json!([named("a", &json!({})), named("a", &json!({}))]),
            KeyError::DuplicateId("a".to_owned()),
        ),
        (
            "a name that a broken key has too",
            json!([named("a", &json!({})), named("a", &json!({"d": "AA"}))]),
            KeyError::DuplicateId("a".to_owned()),
        ),
        ("secret and public", json!([named("a", &json!({})), oct]), KeyError::Mixed),
        ("nothing", json!([]), KeyError::Empty),
        ("nothing usable", json!([{"kty": "new"}]), KeyError::Empty),
        ("no list", json!({}), KeyError::Malformed("keys")),
        ("too many", json!(vec![json!({}); 65]), KeyError::TooMany(64)),
    ] {
        assert_eq!(parse(keys).map(|_| ()), Err(expect), "{name}");
    }
    for text in ["", "[]", "{}", r#"{"keys":[],"keys":[]}"#] {
        assert!(matches!(KeySet::parse(text.as_bytes()), Err(KeyError::Malformed(_))), "{text}");
    }
}

#[test]
fn finds_the_key_a_header_names_and_no_other() {
    let key = |id: Option<&str>| VerifyKey::from_jwk(&with(rfc_ec_key(), &json!({ "kid": id }))).unwrap();
    let ed = json!({ "kty": "OKP", "crv": "Ed25519", "x": ED25519_PUBLIC, "kid": "e" });
    let describe = |set: &KeySet, id: Option<&str>, algorithm| match set.find(id, algorithm) {
        Candidates::Named(key) => format!("named {}", key.id().unwrap()),
        Candidates::None => "none".to_owned(),
        Candidates::OtherAlgorithm => "other algorithm".to_owned(),
        Candidates::Unnamed(keys) => format!("unnamed {}", keys.len()),
    };
    let named = KeySet::new([key(Some("a")), key(Some("b")), VerifyKey::from_jwk(&ed).unwrap()]).unwrap();
    let unnamed = KeySet::new([key(None), key(Some("a"))]).unwrap();
    let many = KeySet::new((0..5).map(|_| key(None))).unwrap();
    for (set, id, algorithm, expect) in [
        (&named, Some("a"), Algorithm::Es256, "named a"),
        (&named, Some("c"), Algorithm::Es256, "none"),
        (&named, Some(""), Algorithm::Es256, "none"),
        (&named, Some("e"), Algorithm::Es256, "other algorithm"),
        (&named, None, Algorithm::Es256, "unnamed 2"),
        (&named, None, Algorithm::EdDsa, "unnamed 1"),
        (&named, None, Algorithm::Hs256, "none"),
        (&unnamed, Some("a"), Algorithm::Es256, "named a"),
        (&unnamed, Some("x"), Algorithm::Es256, "unnamed 1"),
        (&many, None, Algorithm::Es256, "none"),
    ] {
        assert_eq!(describe(set, id, algorithm), expect, "{id:?} {algorithm}");
    }
    assert_ne!(named.epoch(), unnamed.epoch());
}

#[test]
fn no_secret_is_printed() {
    let secret = Secret::new([0x5a; 32]);
    let key = VerifyKey::hmac(Algorithm::Hs256, Some("k"), &secret).unwrap();
    let signer = Signer::hmac("k", &secret).unwrap();
    assert_eq!(format!("{key:?}"), r#"VerifyKey { algorithm: Hs256, id: Some("k"), .. }"#);
    assert_eq!(format!("{signer:?}"), r#"Signer { algorithm: Hs256, id: "k", .. }"#);
    assert_eq!(signer.public_jwk(), None);
}
