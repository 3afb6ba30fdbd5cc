//! The writings of a public key that a verifier may hold, and may take for a secret; and what is sealed for its owner.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

/// A key of a key set.
pub(crate) struct PublicKey {
    jwk: Value,
    /// Its algorithm and its bits (RFC 5280 section 4.1.2.7).
    spki: Vec<u8>,
    /// Its bits alone, where it is one of RSA (RFC 8017 appendix A.1.1).
    pkcs1: Option<Vec<u8>>,
}

impl PublicKey {
    /// Reads a key of a key set. `None` for kinds that tokens are seldom signed with.
    pub(crate) fn read(jwk: &Value) -> Option<Self> {
        let part = |name: &str| URL_SAFE_NO_PAD.decode(jwk.get(name)?.as_str()?).ok();
        let (spki, pkcs1) = match jwk.get("kty").and_then(Value::as_str)? {
            "EC" if jwk.get("crv").is_some_and(|curve| curve == "P-256") => {
                let point = [vec![4], part("x")?, part("y")?].concat();
                ([EC_P256.to_vec(), point].concat(), None)
            }
            "RSA" => {
                let number = |bytes: Vec<u8>| {
                    let sign = if bytes.first().is_some_and(|byte| *byte >= 0x80) { vec![0] } else { Vec::new() };
                    der(2, &[sign, bytes].concat())
                };
                let pair = der(0x30, &[number(part("n")?), number(part("e")?)].concat());
                let bits = der(3, &[vec![0], pair.clone()].concat());
                (der(0x30, &[RSA.to_vec(), bits].concat()), Some(pair))
            }
            _ => return None,
        };
        Some(Self { jwk: jwk.clone(), spki, pkcs1 })
    }

    /// How verifiers hold it: the likeliest first. The end of a text is where writings differ most.
    pub(crate) fn writings(&self) -> Vec<Vec<u8>> {
        let mut writings = Vec::new();
        let pkcs1 = self.pkcs1.iter().map(|key| ("RSA PUBLIC KEY", key));
        let keys: Vec<_> = std::iter::once(("PUBLIC KEY", &self.spki)).chain(pkcs1).collect();
        for (name, key) in &keys {
            let text = pem(name, key);
            writings.push(text.trim_end().as_bytes().to_vec());
            writings.push(text.into_bytes());
        }
        writings.extend(keys.into_iter().map(|(_, key)| key.clone()));
        writings.push(self.jwk.to_string().into_bytes());
        writings
    }

    /// Claims that only the owner of the private key can read, and that nobody has signed (RFC 7516 section 7.1).
    pub(crate) fn sealed(&self, claims: &Map<String, Value>) -> Vec<String> {
        self.pkcs1.as_ref().map_or_else(Vec::new, |_| {
            let ways = [("RSA-OAEP", &OAEP_SHA1_MGF1SHA1), ("RSA-OAEP-256", &OAEP_SHA256_MGF1SHA256)];
            let sealed = ways.into_iter().filter_map(|(name, way)| {
                let key = OaepPublicEncryptingKey::new(PublicEncryptingKey::from_der(&self.spki).ok()?).ok()?;
                let mut room = vec![0; key.ciphertext_size()];
                let wrapped = key.encrypt(way, &CONTENT_KEY, &mut room, None).ok()?;
                let mut header = json!({ "alg": name, "enc": "A256GCM" });
                if let (Some(kid), Some(header)) = (self.jwk.get("kid"), header.as_object_mut()) {
                    header.insert("kid".to_owned(), kid.clone());
                }
                encrypted(&header, wrapped, claims)
            });
            sealed.collect()
        })
    }
}

/// Claims under a key of zeros that both sides are said to have (RFC 7518 section 4.5).
pub(crate) fn sealed_with_nothing(claims: &Map<String, Value>) -> Option<String> {
    encrypted(&json!({ "alg": "dir", "enc": "A256GCM" }), &[], claims)
}

/// An encrypted token in its five parts.
fn encrypted(header: &Value, wrapped: &[u8], claims: &Map<String, Value>) -> Option<String> {
    let header = URL_SAFE_NO_PAD.encode(header.to_string());
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &CONTENT_KEY).ok()?);
    let mut text = Value::Object(claims.clone()).to_string().into_bytes();
    let nonce = Nonce::assume_unique_for_key(NONCE);
    let tag = key.seal_in_place_separate_tag(nonce, Aad::from(header.as_bytes()), &mut text).ok()?;
    let parts: Vec<String> =
        [wrapped, &NONCE, &text, tag.as_ref()].iter().map(|part| URL_SAFE_NO_PAD.encode(part)).collect();
    Some(format!("{header}.{}", parts.join(".")))
}

/// A text for a key (RFC 7468).
fn pem(name: &str, key: &[u8]) -> String {
    let text = STANDARD.encode(key);
    let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN {name}-----\n{}\n-----END {name}-----\n", lines.join("\n"))
}

/// One value with its tag and length (X.690 section 8.1).
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let bytes: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    let mut head = vec![tag];
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => head.push(short),
        _ => {
            head.push(0x80 | u8::try_from(bytes.len()).unwrap_or_default());
            head.extend(bytes);
        }
    }
    head.extend(content);
    head
}

/// What the token is encrypted with need not be secret: everybody may know what an attacker sends.
const CONTENT_KEY: [u8; 32] = [0; 32];
const NONCE: [u8; 12] = [7; 12];
/// The algorithm and the curve of a key on P-256, and the head of its bits.
const EC_P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// The algorithm of an RSA key.
const RSA: [u8; 15] = [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_keys_are_written_as_verifiers_hold_them() {
        let zeros = URL_SAFE_NO_PAD.encode([0; 32]);
        let texts = |jwk: Value| -> Vec<String> {
            let writings = PublicKey::read(&jwk).unwrap().writings();
            writings.iter().map(|one| String::from_utf8_lossy(one).into_owned()).collect()
        };
        let curve = texts(json!({ "kty": "EC", "crv": "P-256", "x": zeros, "y": zeros }));
        assert!(
            curve[0].starts_with("-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE"),
            "{}",
            curve[0]
        );
        assert_eq!((curve.len(), format!("{}\n", curve[0])), (4, curve[1].clone()));
        let modulus = URL_SAFE_NO_PAD.encode([0xff; 256]);
        let rsa = texts(json!({ "kty": "RSA", "n": modulus, "e": "AQAB" }));
        let starts = |at: usize, text: &str| assert!(rsa[at].starts_with(text), "{}", rsa[at]);
        starts(1, "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA");
        starts(3, "-----BEGIN RSA PUBLIC KEY-----\nMIIBCgKCAQEA");
        starts(6, "{\"kty\":\"RSA\"");
        assert!(PublicKey::read(&json!({ "kty": "oct" })).is_none());
    }
}
