//! Belief is what the shop does with a token whose signature is not its own: each way to be taken in is one weakness.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::clock;
use crate::shop::Shop;
use crate::token::{Claims, claims_of, decode};
use crate::weakness::Weakness;

/// The claims of a token that a weakness makes the shop believe.
pub(crate) async fn believe(shop: &Shop, token: &str) -> Option<Claims> {
    let mut parts = token.split('.');
    let (header, claims, signature) = (parts.next()?, parts.next()?, parts.next()?);
    let (head, body) = (decode(header)?, decode(claims)?);
    if let Some(address) = head.get("jku").and_then(Value::as_str).filter(|_| shop.has(Weakness::TokenKeyFetched)) {
        // What comes back is no key of a kind that is understood; that it was asked for is the flaw.
        let _ = shop.fetcher.get(address.parse().ok()?).await;
    }
    if shop.has(Weakness::TokenUnverified) {
        return claims_of(&body);
    }
    if body.get("exp").and_then(Value::as_i64)? <= clock::now() {
        return None;
    }
    let algorithm = head.get("alg").and_then(Value::as_str)?;
    if shop.has(Weakness::TokenUnsigned) && algorithm.eq_ignore_ascii_case("none") {
        return claims_of(&body);
    }
    if algorithm != "HS256" {
        return None;
    }
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    let message = format!("{header}.{claims}");
    let is_signed = |secret: &[u8]| {
        hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, secret), message.as_bytes(), &signature).is_ok()
    };
    let brought = head.get("jwk").and_then(|key| URL_SAFE_NO_PAD.decode(key.get("k")?.as_str()?).ok());
    let kid = head.get("kid").and_then(Value::as_str).unwrap_or_default();
    let is_believed = shop.has(Weakness::TokenBlankSecret) && is_signed(b"")
        || shop.has(Weakness::TokenConfused) && is_signed(pem(shop).as_bytes())
        || shop.has(Weakness::TokenKeyFile) && kid.ends_with("/dev/null") && is_signed(b"")
        || shop.has(Weakness::TokenKeyBrought) && brought.is_some_and(|secret| is_signed(&secret));
    if is_believed { claims_of(&body) } else { None }
}

/// The public key as a verifier reads it from a file.
fn pem(shop: &Shop) -> String {
    let text = STANDARD.encode([&HEAD[..], shop.signer.point()].concat());
    let (first, second) = text.split_at_checked(64).unwrap_or((&text, ""));
    format!("-----BEGIN PUBLIC KEY-----\n{first}\n{second}\n-----END PUBLIC KEY-----\n")
}

/// What stands before the point of a key on P-256 (RFC 5480 section 2).
const HEAD: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
