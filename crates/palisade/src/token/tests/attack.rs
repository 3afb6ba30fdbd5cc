//! Every known way to make a verifier believe what it must not, in one table.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PSS_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;

use super::*;
use crate::token::jwt::TokenKind;

const GOOD_HEADER: &str = r#"{"alg":"ES256","typ":"at+jwt","kid":"k1"}"#;

fn parts(token: &str) -> (String, String, Vec<u8>) {
    let mut parts = token.split('.').map(str::to_owned);
    let (header, payload, signature) = (parts.next().unwrap(), parts.next().unwrap(), parts.next().unwrap());
    (header, payload, base64url::decode(&signature).unwrap())
}

/// The good claims without the closing brace, for members that a JSON library would not write.
fn open_claims() -> String {
    good_claims().to_string().trim_end_matches('}').to_owned()
}

/// The good claims with one of them written anew; `None` takes it out.
fn claims_with(name: &str, value: Option<&str>) -> String {
    let mut claims = good_claims();
    claims.as_object_mut().unwrap().remove(name);
    let rest = claims.to_string();
    match value {
        Some(value) => format!("{},\"{name}\":{value}}}", rest.trim_end_matches('}')),
        None => rest,
    }
}

/// `token` signed with HMAC under `secret`, which is how a public key is passed off as a shared one.
fn hmac_with(world: &World, secret: &[u8]) -> String {
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret);
    let header = base64url::encode(br#"{"alg":"HS256","typ":"at+jwt","kid":"k1"}"#);
    let message = format!("{header}.{}", parts(&world.token(|_| ())).1);
    let tag = aws_lc_rs::hmac::sign(&key, message.as_bytes());
    format!("{message}.{}", base64url::encode(tag.as_ref()))
}

fn der_signature(fixed: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let mut number: Vec<u8> = number.iter().copied().skip_while(|byte| *byte == 0).collect();
        if number.first().is_some_and(|byte| *byte >= 0x80) {
            number.insert(0, 0);
        }
        [&[2, u8::try_from(number.len()).unwrap()], number.as_slice()].concat()
    };
    let body = [integer(&fixed[..32]), integer(&fixed[32..])].concat();
    [&[0x30, u8::try_from(body.len()).unwrap()], body.as_slice()].concat()
}

#[test]
#[expect(clippy::too_many_lines, reason = "one table, so that the list of attacks can be read in one place")]
fn rejects_every_known_attack() {
    use TokenError as E;

    let world = World::new();
    let good = world.token(|_| ());
    assert!(world.verify(&good).is_ok());
    let (header, payload, signature) = parts(&good);
    let stranger = Signer::generate_es256("k1").unwrap();
    let seal = |header: &str| world.forged(header, &good_claims().to_string());
    let claim = |name: &str, value: &str| world.forged(GOOD_HEADER, &claims_with(name, Some(value)));
    let without = |name: &str| world.forged(GOOD_HEADER, &claims_with(name, None));
    let with_signature = |bytes: &[u8]| format!("{header}.{payload}.{}", base64url::encode(bytes));
    let jwk = stranger.public_jwk().unwrap();
    let public = world.signer.public_jwk().unwrap();
    let point = ["x", "y"].map(|name| base64url::decode(public[name].as_str().unwrap()).unwrap()).concat();
    let spki = [
        &b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04"[..],
        &point,
    ]
    .concat();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(&spki));

    let mut table: Vec<(String, String, TokenError)> = vec![];
    let mut row = |name: &str, token: String, expect: TokenError| table.push((name.to_owned(), token, expect));

    // No signature, or none worth the name.
    for alg in ["none", "None", "NONE", "nOnE", "NoNe", "nonE", "noNe", "nONE"] {
        let head = base64url::encode(format!(r#"{{"alg":"{alg}","typ":"at+jwt","kid":"k1"}}"#).as_bytes());
        row(&format!("rejects_{alg}"), format!("{head}.{payload}."), E::AlgorithmForbidden);
        row(&format!("rejects_{alg}_with_signature"), format!("{head}.{payload}.AAAA"), E::AlgorithmForbidden);
    }
    row("rejects_null_signature", format!("{header}.{payload}."), E::Malformed);
    row("rejects_stripped_signature", format!("{header}.{payload}"), E::Malformed);
    row("rejects_psychic_signature", with_signature(&[0; 64]), E::SignatureInvalid);
    row("rejects_der_signature", with_signature(&der_signature(&signature)), E::SignatureInvalid);
    row("rejects_short_signature", with_signature(&signature[..63]), E::SignatureInvalid);
    row("rejects_long_signature", with_signature(&[&signature[..], &[0]].concat()), E::SignatureInvalid);
    row("rejects_stranger's_signature", stranger.sign("at+jwt", &good_claims()).unwrap(), E::SignatureInvalid);
    row(
        "rejects_changed_payload",
        {
            let other = base64url::encode(claims_with("sub", Some("\"u-admin\"")).as_bytes());
            format!("{header}.{other}.{}", base64url::encode(&signature))
        },
        E::SignatureInvalid,
    );

    // The wrong algorithm, or a public key as a secret.
    for (name, secret) in [
        ("pem", pem.as_bytes()),
        ("pem_without_newline", pem.trim_end().as_bytes()),
        ("der", &spki),
        ("point", &point),
        ("jwk", public.to_string().as_bytes()),
        ("empty", b""),
        ("weak_word", b"secret"),
    ] {
        row(&format!("rejects_hmac_with_{name}_as_secret"), hmac_with(&world, secret), E::AlgorithmForbidden);
    }
    row("rejects_other_key's_algorithm", seal(r#"{"alg":"ES256","typ":"at+jwt","kid":"k2"}"#), E::AlgorithmMismatch);
    row("rejects_ed25519_name_on_ec_key", seal(r#"{"alg":"Ed25519","typ":"at+jwt","kid":"k1"}"#), E::AlgorithmMismatch);
    row("rejects_unknown_algorithm", seal(r#"{"alg":"RS512","typ":"at+jwt","kid":"k1"}"#), E::AlgorithmForbidden);
    row("rejects_algorithm_not_in_rules", seal(r#"{"alg":"RS256","typ":"at+jwt","kid":"k1"}"#), E::AlgorithmForbidden);
    row("rejects_lower_case_algorithm", seal(r#"{"alg":"es256","typ":"at+jwt","kid":"k1"}"#), E::AlgorithmForbidden);
    row("rejects_missing_algorithm", seal(r#"{"typ":"at+jwt","kid":"k1"}"#), E::Malformed);
    row("rejects_algorithm_list", seal(r#"{"alg":["ES256"],"typ":"at+jwt","kid":"k1"}"#), E::Malformed);

    // Keys that the token brings along.
    for (name, value) in [
        ("jwk", jwk.to_string()),
        ("jku", r#""https://attacker.example/jwks""#.to_owned()),
        ("jku", r#""https://id.example.com@attacker.example/jwks""#.to_owned()),
        ("jku", r#""https://id.example.com/redirect?to=//attacker.example""#.to_owned()),
        ("x5u", r#""https://attacker.example/chain.pem""#.to_owned()),
        ("x5c", r#"["MIIB"]"#.to_owned()),
        ("jwk", "null".to_owned()),
    ] {
        let head = format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"k1","{name}":{value}}}"#);
        let token = stranger.seal(head.as_bytes(), good_claims().to_string().as_bytes()).unwrap();
        row(&format!("rejects_{name}_{value}"), token, E::HeaderKeyForbidden);
    }
    for kid in
        ["../../../../dev/null", "/dev/null", "k1' UNION SELECT 'x", "k1 ", "K1", "k1\\u0000", "| id", "other-tenant"]
    {
        let head = format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"{kid}"}}"#);
        row(&format!("rejects_kid_{kid}"), seal(&head), E::KeyUnknown);
    }
    row("rejects_empty_kid", seal(r#"{"alg":"ES256","typ":"at+jwt","kid":""}"#), E::KeyUnknown);
    row("rejects_kid_list", seal(r#"{"alg":"ES256","typ":"at+jwt","kid":["k1"]}"#), E::Malformed);
    row("rejects_null_kid", seal(r#"{"alg":"ES256","typ":"at+jwt","kid":null}"#), E::Malformed);

    // Extensions.
    for extra in [
        r#""crit":["exp"],"exp":1"#,
        r#""crit":[]"#,
        r#""crit":["b64"],"b64":false"#,
        r#""b64":false"#,
        r#""b64":true"#,
    ] {
        let head = format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"k1",{extra}}}"#);
        row(&format!("rejects_{extra}"), seal(&head), E::CriticalHeader);
    }

    // The wrong kind.
    for typ in [
        r#""JWT""#,
        r#""dpop+jwt""#,
        r#""logout+jwt""#,
        r#""secevent+jwt""#,
        r#""at+jwt ""#,
        r#""application/at+jwt; x=y""#,
        r#""text/at+jwt""#,
        r#""""#,
    ] {
        let head = format!(r#"{{"alg":"ES256","typ":{typ},"kid":"k1"}}"#);
        row(&format!("rejects_typ_{typ}"), seal(&head), E::TypeMismatch);
    }
    row("rejects_missing_typ", seal(r#"{"alg":"ES256","kid":"k1"}"#), E::TypeMismatch);
    row("rejects_typ_number", seal(r#"{"alg":"ES256","typ":1,"kid":"k1"}"#), E::Malformed);

    // Members that two readers read differently.
    row("rejects_duplicate_algorithm", seal(r#"{"alg":"none","alg":"ES256","typ":"at+jwt","kid":"k1"}"#), E::Malformed);
    row(
        "rejects_duplicate_claim",
        world.forged(GOOD_HEADER, &format!("{},\"sub\":\"u-admin\"}}", open_claims())),
        E::Malformed,
    );
    row(
        "rejects_escaped_duplicate",
        world.forged(GOOD_HEADER, &format!("{},\"s\\u0075b\":\"u-admin\"}}", open_claims())),
        E::Malformed,
    );
    row("rejects_nested_duplicate", claim("act", r#"{"sub":"a","sub":"b"}"#), E::Malformed);
    row("rejects_deep_claims", claim("x", &format!("{}{}", "[".repeat(9), "]".repeat(9))), E::Malformed);
    row("rejects_empty_payload", world.forged(GOOD_HEADER, ""), E::Malformed);
    row("rejects_claims_list", world.forged(GOOD_HEADER, "[]"), E::Malformed);
    row("rejects_data_after_claims", world.forged(GOOD_HEADER, &format!("{} {{}}", good_claims())), E::Malformed);
    row("rejects_nested_token", world.forged(GOOD_HEADER, &good), E::Malformed);

    // Issuer, audience, subject.
    row("rejects_other_issuer", claim("iss", r#""https://evil.example""#), E::IssuerMismatch);
    row("rejects_issuer_with_slash", claim("iss", r#""https://id.example.com/""#), E::IssuerMismatch);
    row("rejects_issuer_in_capitals", claim("iss", r#""HTTPS://ID.EXAMPLE.COM""#), E::IssuerMismatch);
    row(
        "rejects_issuer_list",
        claim("iss", r#"["https://evil.example","https://id.example.com"]"#),
        E::ClaimInvalid("iss"),
    );
    row("rejects_issuer_number", claim("iss", "5"), E::ClaimInvalid("iss"));
    row("rejects_null_issuer", claim("iss", "null"), E::ClaimInvalid("iss"));
    row("rejects_missing_issuer", without("iss"), E::ClaimMissing("iss"));
    row("rejects_token_for_other_service", claim("aud", r#""https://other.example.com""#), E::AudienceMismatch);
    row(
        "rejects_token_for_other_services",
        claim("aud", r#"["https://a.example","https://b.example"]"#),
        E::AudienceMismatch,
    );
    row("rejects_audience_prefix", claim("aud", r#""https://api.example.com.evil.example""#), E::AudienceMismatch);
    row("rejects_no_audience_in_list", claim("aud", "[]"), E::AudienceMismatch);
    row("rejects_audience_number", claim("aud", "5"), E::ClaimInvalid("aud"));
    row("rejects_audience_object", claim("aud", r#"{"https://api.example.com":true}"#), E::ClaimInvalid("aud"));
    row("rejects_audience_mixed_list", claim("aud", r#"["https://api.example.com",5]"#), E::ClaimInvalid("aud"));
    row("rejects_missing_audience", without("aud"), E::ClaimMissing("aud"));
    row("rejects_missing_subject", without("sub"), E::ClaimMissing("sub"));
    row("rejects_empty_subject", claim("sub", r#""""#), E::ClaimInvalid("sub"));
    row("rejects_subject_number", claim("sub", "7"), E::ClaimInvalid("sub"));
    row("rejects_subject_with_newline", claim("sub", r#""a\nb""#), E::ClaimInvalid("sub"));
    row("rejects_long_subject", claim("sub", &format!("\"{}\"", "a".repeat(256))), E::ClaimInvalid("sub"));

    // Times.
    row("rejects_expired", claim("exp", &(NOW - 31).to_string()), E::Expired);
    row("rejects_expired_at_the_edge", claim("exp", &(NOW - 30).to_string()), E::Expired);
    row("rejects_missing_expiry", without("exp"), E::ClaimMissing("exp"));
    for value in [
        r#""1895305600""#,
        "-1",
        "-0.5",
        "1e308",
        "1e16",
        "1e20",
        "null",
        "true",
        "[1895305600]",
        "9007199254740993",
        "18446744073709551615",
        "18446744073709551616",
    ] {
        row(&format!("rejects_expiry_{value}"), claim("exp", value), E::ClaimInvalid("exp"));
        row(&format!("rejects_not_before_{value}"), claim("nbf", value), E::ClaimInvalid("nbf"));
        row(&format!("rejects_issued_{value}"), claim("iat", value), E::ClaimInvalid("iat"));
    }
    row("rejects_future_not_before", claim("nbf", &(NOW + 31).to_string()), E::NotYetValid);
    row("rejects_future_issued", claim("iat", &(NOW + 31).to_string()), E::NotYetValid);

    // Scopes and bindings.
    for value in ["5", "null", r#"["orders:read"]"#, r#""a\tb""#, r#""a\"b""#] {
        row(&format!("rejects_scope_{value}"), claim("scope", value), E::ClaimInvalid("scope"));
    }
    row(
        "rejects_dpop_token_as_bearer",
        claim("cnf", r#"{"jkt":"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}"#),
        E::ProofRequired,
    );
    row(
        "rejects_mtls_token_as_bearer",
        claim("cnf", r#"{"x5t#S256":"bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}"#),
        E::ProofRequired,
    );
    for cnf in [r#"{"jwk":{"kty":"EC"}}"#, r#"{"kid":"x"}"#, "{}", r#"{"jkt":"a","x5t#S256":"b"}"#] {
        row(&format!("rejects_unknown_binding_{cnf}"), claim("cnf", cnf), E::ProofRequired);
    }
    for cnf in ["5", "null", "[]", r#"{"jkt":5}"#, r#"{"jkt":"short"}"#] {
        row(&format!("rejects_broken_binding_{cnf}"), claim("cnf", cnf), E::ClaimInvalid("cnf"));
    }

    // Other shapes and spellings of the same token.
    row("rejects_encrypted_token", format!("{header}.AA.AA.AA.AA"), E::Malformed);
    row(
        "rejects_json_serialization",
        format!(r#"{{"payload":"{payload}","protected":"{header}","signature":"AA"}}"#),
        E::Malformed,
    );
    row("rejects_four_parts", format!("{good}.AA"), E::Malformed);
    row("rejects_empty", String::new(), E::Malformed);
    row("rejects_dots", "..".to_owned(), E::Malformed);
    row("rejects_trailing_dot", format!("{good}."), E::Malformed);
    row("rejects_scheme_inside", format!("Bearer {good}"), E::Malformed);
    for (name, junk) in [
        ("space", " "),
        ("newline", "\n"),
        ("tab", "\t"),
        ("padding", "="),
        ("two_paddings", "=="),
        ("nul", "\0"),
        ("plus", "+"),
    ] {
        row(&format!("rejects_{name}_after"), format!("{good}{junk}"), E::Malformed);
        row(&format!("rejects_{name}_before"), format!("{junk}{good}"), E::Malformed);
        row(&format!("rejects_{name}_in_payload"), good.replacen('.', &format!(".{junk}"), 1), E::Malformed);
    }
    row(
        "rejects_trailing_bits",
        {
            // 64 bytes leave four bits of the last letter unused.
            let (start, last) = good.split_at(good.len() - 1);
            format!("{start}{}", char::from(last.as_bytes()[0] + 1))
        },
        E::Malformed,
    );
    row("rejects_standard_alphabet", format!("{header}.{payload}.{}", "+/".repeat(43)), E::Malformed);
    row("rejects_two_megabytes", "a".repeat(2 << 20), E::TooLong);
    row("rejects_one_byte_too_many", format!("{good}{}", "a".repeat(8193 - good.len())), E::TooLong);

    for (name, token, expect) in table {
        assert_eq!(world.verify(&token).map(|claims| claims.subject().to_owned()), Err(expect), "{name}: {token:.400}");
    }
}

#[test]
fn rejects_public_key_as_secret_even_if_rules_allow_secrets() {
    let world = World::new();
    let keys = KeySet::new([world.signer.verify_key().unwrap()]).unwrap();
    let rules = Rules::new(ISSUER, AUDIENCE, [Algorithm::Hs256]).unwrap();
    let verifier = Verifier::new(rules, Arc::new(StaticKeys::new(keys)), world.clock.clone());
    let public = world.signer.public_jwk().unwrap().to_string();
    assert_eq!(verify(&verifier, &hmac_with(&world, public.as_bytes())), Err(TokenError::AlgorithmMismatch));
}

#[test]
fn rejects_one_rsa_padding_for_the_other() {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let spki = pair.public_key().as_der().unwrap();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(spki.as_ref()));
    let token = |alg: &str| {
        let header = format!(r#"{{"alg":"{alg}","typ":"at+jwt"}}"#);
        let payload = base64url::encode(good_claims().to_string().as_bytes());
        let message = format!("{}.{payload}", base64url::encode(header.as_bytes()));
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&RSA_PSS_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
        format!("{message}.{}", base64url::encode(&signature))
    };
    for (algorithm, alg, expect) in [
        (Algorithm::Ps256, "PS256", Ok(())),
        (Algorithm::Ps256, "RS256", Err(TokenError::AlgorithmMismatch)),
        (Algorithm::Rs256, "PS256", Err(TokenError::AlgorithmMismatch)),
        (Algorithm::Rs256, "RS256", Err(TokenError::SignatureInvalid)),
    ] {
        let key = VerifyKey::from_pem(algorithm, None, &pem).unwrap();
        let outcome = Unverified::parse(&token(alg)).unwrap().verify(&key).map(|_| ());
        assert_eq!(outcome, expect, "{alg} for a key for {algorithm}");
    }
}

#[test]
fn accepts_what_is_right() {
    let world = World::new();
    for (name, token) in [
        ("float expiry", world.token(|claims| claims["exp"] = json!(NOW as f64 + 0.5))),
        ("expiry within the leeway", world.token(|claims| claims["exp"] = json!(NOW - 29))),
        ("start within the leeway", world.token(|claims| claims["nbf"] = json!(NOW + 30))),
        ("no issue time", world.token(|claims| drop(claims.as_object_mut().unwrap().remove("iat")))),
        ("audience among others", world.token(|claims| claims["aud"] = json!(["x", AUDIENCE]))),
        ("no scope", world.token(|claims| drop(claims.as_object_mut().unwrap().remove("scope")))),
        ("no key id", world.forged(r#"{"alg":"ES256","typ":"at+jwt"}"#, &good_claims().to_string())),
        (
            "full media type",
            world.forged(r#"{"alg":"ES256","typ":"application/AT+jwt","kid":"k1"}"#, &good_claims().to_string()),
        ),
        (
            "x5t hint",
            world.forged(r#"{"alg":"ES256","typ":"at+jwt","kid":"k1","x5t":"AA"}"#, &good_claims().to_string()),
        ),
    ] {
        assert_eq!(world.verify(&token).map(|claims| claims.subject().to_owned()), Ok("u-alice".to_owned()), "{name}");
    }
}

#[test]
fn kinds_do_not_stand_in_for_each_other() {
    for (kind, typ, expect) in [
        (TokenKind::AccessToken, Some("at+jwt"), true),
        (TokenKind::AccessToken, Some("application/at+jwt"), true),
        (TokenKind::AccessToken, None, false),
        (TokenKind::Jwt, None, true),
        (TokenKind::Jwt, Some("jwt"), true),
        (TokenKind::Jwt, Some("at+jwt"), false),
        (TokenKind::Jwt, Some("logout+jwt"), false),
        (TokenKind::Other("logout+jwt".into()), Some("logout+jwt"), true),
        (TokenKind::Other("logout+jwt".into()), Some("JWT"), false),
        (TokenKind::Other("logout+jwt".into()), None, false),
    ] {
        assert_eq!(kind.accepts(typ), expect, "{kind:?} {typ:?}");
    }
}

/// The order of P-256.
const ORDER: [u8; 32] =
    *b"\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51";

#[test]
fn the_other_s_of_a_signature_is_another_token() {
    // ECDSA lets anybody turn s into n - s. RFC 7518 does not forbid it, so a token does not have one form only.
    let world = World::new();
    let good = world.token(|_| ());
    let (header, payload, mut signature) = parts(&good);
    let mut borrow = 0;
    for (digit, order) in signature[32..].iter_mut().zip(ORDER).rev() {
        let difference = i16::from(order) - i16::from(*digit) - borrow;
        borrow = i16::from(difference < 0);
        *digit = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    let twin = format!("{header}.{payload}.{}", base64url::encode(&signature));
    assert_ne!(good, twin);
    let (first, second) = (world.verify(&good).unwrap(), world.verify(&twin).unwrap());
    assert!(!Arc::ptr_eq(&first, &second));
}

#[derive(Clone, Debug)]
enum Edit {
    Delete(usize),
    Insert(usize, char),
    Replace(usize, char),
    SwapParts(usize, usize),
    Truncate(usize),
}

fn edits() -> impl Strategy<Value = Edit> {
    let letter =
        || prop_oneof![4 => "[A-Za-z0-9_-]", 1 => "[ -~]"].prop_map(|text: String| text.chars().next().unwrap());
    prop_oneof![
        any::<usize>().prop_map(Edit::Delete),
        (any::<usize>(), letter()).prop_map(|(at, letter)| Edit::Insert(at, letter)),
        (any::<usize>(), letter()).prop_map(|(at, letter)| Edit::Replace(at, letter)),
        (0usize..3, 0usize..3).prop_map(|(a, b)| Edit::SwapParts(a, b)),
        any::<usize>().prop_map(Edit::Truncate),
    ]
}

fn apply(token: &str, edit: &Edit) -> String {
    let mut letters: Vec<char> = token.chars().collect();
    let length = letters.len().max(1);
    match *edit {
        Edit::Delete(at) if !letters.is_empty() => drop(letters.remove(at % length)),
        Edit::Insert(at, letter) => letters.insert(at % length, letter),
        Edit::Replace(at, letter) if !letters.is_empty() => letters[at % length] = letter,
        Edit::SwapParts(a, b) => {
            let mut parts: Vec<&str> = token.split('.').collect();
            if a < parts.len() && b < parts.len() {
                parts.swap(a, b);
            }
            return parts.join(".");
        }
        Edit::Truncate(at) => letters.truncate(at % length),
        Edit::Delete(_) | Edit::Replace(_, _) => {}
    }
    letters.into_iter().collect()
}

proptest! {
    #[test]
    fn no_changed_token_verifies(edits in prop::collection::vec(edits(), 1..4)) {
        thread_local! { static WORLD: World = World::new(); }
        WORLD.with(|world| {
            let good = world.token(|_| ());
            let bent = edits.iter().fold(good.clone(), |token, edit| apply(&token, edit));
            prop_assert_eq!(world.verify(&bent).is_ok(), bent == good, "{}", bent);
            Ok(())
        })?;
    }

    #[test]
    fn never_panics(text in "[ -~]{0,200}", header in "[ -~]{0,60}", payload in "[ -~]{0,60}") {
        thread_local! { static WORLD: World = World::new(); }
        WORLD.with(|world| {
            prop_assert!(world.verify(&text).is_err());
            prop_assert!(world.verify(&world.forged(&header, &payload)).is_err());
            prop_assert!(world.verify(&world.forged(GOOD_HEADER, &payload)).is_err());
            Ok(())
        })?;
    }

    #[test]
    fn no_claim_of_any_type_panics(name in "iss|aud|sub|exp|nbf|iat|scope|scp|cnf", value in "-?[0-9]{1,25}(\\.[0-9]{1,5})?(e[0-9]{1,3})?|\"[ -!#-\\[\\]-~]{0,20}\"|\\[\\]|\\{\\}|null|true") {
        thread_local! { static WORLD: World = World::new(); }
        WORLD.with(|world| {
            let _ = world.verify(&world.forged(GOOD_HEADER, &claims_with(&name, Some(&value))));
        });
    }
}
