//! Proofs of possession: the example of RFC 9449, and every way for a proof not to count.

use palisade_core::id::KeyThumbprint;
use palisade_core::port::once::OnceKey;
use palisade_core::port::{OnceStore, StoreError};
use palisade_store::memory::MemoryOnce;

use super::*;
use crate::token::dpop::{Asked, Dpop, ProofError};
use crate::token::jwk;

/// The example of section 7.1.
const EXAMPLE: &str = concat!(
    "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJo",
    "RjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJq",
    "dGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNv",
    "dXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqz",
    "hrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA",
);
const EXAMPLE_TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
const EXAMPLE_KEY: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

fn verify(dpop: &Dpop, proof: &str, asked: &Asked<'_>) -> Result<Option<String>, String> {
    dpop.verify(proof, asked).now_or_never().unwrap().map_err(|error| error.reason().to_owned())
}

fn at(secs: u64) -> Dpop {
    Dpop::new(Arc::new(MemoryOnce::default()), Still::at(secs))
}

#[test]
fn rfc_9449_7_1() {
    let key = KeyThumbprint::new(EXAMPLE_KEY);
    let url = "https://resource.example.org/protectedresource";
    let asked = Asked { method: "GET", url, token: EXAMPLE_TOKEN, key: &key };
    let dpop = at(1_562_262_618);
    assert_eq!(verify(&dpop, EXAMPLE, &asked), Ok(None));
    assert_eq!(verify(&dpop, EXAMPLE, &asked), Err("proof_replayed".to_owned()));
    for (asked, expect) in [
        (Asked { method: "POST", ..asked }, "proof_for_other_method"),
        (Asked { url: "https://resource.example.org/", ..asked }, "proof_for_other_target"),
        (Asked { url: "http://resource.example.org/protectedresource", ..asked }, "proof_for_other_target"),
        (Asked { token: "another", ..asked }, "proof_for_other_token"),
        (Asked { key: &KeyThumbprint::new("another"), ..asked }, "proof_of_other_key"),
    ] {
        assert_eq!(verify(&dpop, EXAMPLE, &asked), Err(expect.to_owned()), "{asked:?}");
    }
    for (now, expect) in [
        (1_562_262_607, Err("proof_not_yet_valid")),
        (1_562_262_608, Ok(None)),
        (1_562_262_677, Ok(None)),
        (1_562_262_678, Err("proof_too_old")),
    ] {
        assert_eq!(verify(&at(now), EXAMPLE, &asked), expect.map_err(str::to_owned), "at {now}");
    }
}

#[test]
fn rejects_every_proof_that_proves_nothing() {
    let (caller, clock) = (Signer::generate_es256("c").unwrap(), Still::at(NOW));
    let jwk = caller.public_jwk().unwrap();
    let key = jwk::thumbprint(&jwk).unwrap();
    let (url, token) = ("https://api.example.com/orders", "a-token");
    let asked = Asked { method: "GET", url, token, key: &key };
    let hash = base64url::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, token.as_bytes()).as_ref());
    let claims = json!({"htm": "GET", "htu": url, "iat": NOW, "jti": "1", "ath": hash});
    let dpop = Dpop::new(Arc::new(MemoryOnce::default()), clock);
    let header = |change: Value| {
        let mut header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": public_only(&jwk)});
        header.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        caller.seal(header.to_string().as_bytes(), claims.to_string().as_bytes()).unwrap()
    };
    let claim = |change: Value| {
        let mut claims = claims.clone();
        claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        caller.sign_proof(&claims).unwrap()
    };
    let shared = json!({"kty": "oct", "alg": "HS256", "k": HS256_SECRET});
    let mut private = public_only(&jwk);
    private["d"] = "AA".into();
    let stranger = public_only(&Signer::generate_es256("s").unwrap().public_jwk().unwrap());
    let twin = |member: &str| {
        let text = claims.to_string();
        let bent = format!("{},{member}}}", text.trim_end_matches('}'));
        let header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": public_only(&jwk)}).to_string();
        caller.seal(header.as_bytes(), bent.as_bytes()).unwrap()
    };
    for (name, proof, expect) in [
        ("rejects_token_as_proof", caller.sign("at+jwt", &claims).unwrap(), "malformed"),
        ("rejects_other_typ", header(json!({"typ": "at+jwt"})), "type_mismatch"),
        ("rejects_missing_typ", header(json!({"typ": "JWT"})), "type_mismatch"),
        ("rejects_none", header(json!({"alg": "none"})), "algorithm_forbidden"),
        ("rejects_hmac", header(json!({"alg": "HS256", "jwk": shared})), "header_key_forbidden"),
        ("rejects_public_key_as_secret", header(json!({"alg": "HS256"})), "header_key_forbidden"),
        ("rejects_other_algorithm", header(json!({"alg": "EdDSA"})), "header_key_forbidden"),
        ("rejects_private_key", header(json!({"jwk": private})), "header_key_forbidden"),
        ("rejects_key_for_encryption", header(json!({"jwk": with_use(&jwk)})), "header_key_forbidden"),
        ("rejects_key_address", header(json!({"jku": "https://evil.example/jwks"})), "header_key_forbidden"),
        ("rejects_certificate", header(json!({"x5c": ["MIIB"]})), "header_key_forbidden"),
        ("rejects_crit", header(json!({"crit": ["exp"]})), "critical_header"),
        ("rejects_key_text", header(json!({"jwk": "x"})), "header_key_forbidden"),
        ("rejects_stranger's_key", header(json!({"jwk": stranger})), "proof_of_other_key"),
        ("rejects_missing_method", claim(json!({"htm": null})), "proof_claim_invalid"),
        ("rejects_lower_case_method", claim(json!({"htm": "get"})), "proof_for_other_method"),
        ("rejects_missing_target", claim(json!({"htu": null})), "proof_claim_invalid"),
        ("rejects_path_as_target", claim(json!({"htu": "/orders"})), "proof_claim_invalid"),
        (
            "rejects_user_in_target",
            claim(json!({"htu": "https://api.example.com@evil.example/orders"})),
            "proof_claim_invalid",
        ),
        ("rejects_longer_target", claim(json!({"htu": format!("{url}/1")})), "proof_for_other_target"),
        ("rejects_other_port", claim(json!({"htu": "https://api.example.com:8443/orders"})), "proof_for_other_target"),
        ("rejects_missing_time", claim(json!({"iat": null})), "proof_claim_invalid"),
        ("rejects_time_as_text", claim(json!({"iat": NOW.to_string()})), "proof_claim_invalid"),
        ("rejects_huge_time", claim(json!({"iat": u64::MAX})), "proof_claim_invalid"),
        ("rejects_missing_hash", claim(json!({"ath": null})), "proof_claim_invalid"),
        (
            "rejects_other_hash",
            claim(json!({"ath": "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"})),
            "proof_for_other_token",
        ),
        ("rejects_missing_id", claim(json!({"jti": null})), "proof_claim_invalid"),
        ("rejects_empty_id", claim(json!({"jti": ""})), "proof_claim_invalid"),
        ("rejects_long_id", claim(json!({"jti": "a".repeat(257)})), "proof_claim_invalid"),
        ("rejects_claim_twice", twin("\"htm\":\"POST\""), "malformed"),
        ("rejects_empty", String::new(), "malformed"),
        ("rejects_megabyte", "a".repeat(1 << 20), "too_long"),
    ] {
        assert_eq!(verify(&dpop, &proof, &asked), Err(expect.to_owned()), "{name}");
    }
    assert_eq!(verify(&dpop, &claim(json!({})), &asked), Ok(None), "none of them used the id up");
}

fn public_only(jwk: &Value) -> Value {
    let mut jwk = jwk.clone();
    jwk.as_object_mut().unwrap().retain(|name, _| ["kty", "crv", "x", "y"].contains(&name.as_str()));
    jwk
}

fn with_use(jwk: &Value) -> Value {
    let mut jwk = public_only(jwk);
    jwk["use"] = "enc".into();
    jwk
}

#[test]
fn a_proof_is_remembered_as_long_as_it_could_be_used() {
    let (caller, clock) = (Signer::generate_es256("c").unwrap(), Still::at(NOW));
    let key = jwk::thumbprint(&caller.public_jwk().unwrap()).unwrap();
    let hash = base64url::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, b"t").as_ref());
    let asked = Asked { method: "GET", url: "https://a.example/", token: "t", key: &key };
    // Made by a clock that is as far ahead as is allowed, so that it lives longest.
    let claims = json!({"htm": "GET", "htu": "https://a.example", "iat": NOW + 10, "jti": "1", "ath": hash});
    let proof = caller.sign_proof(&claims).unwrap();
    let dpop = Dpop::new(Arc::new(MemoryOnce::default()), clock.clone());
    assert_eq!(verify(&dpop, &proof, &asked), Ok(None));
    for (now, expect) in [(NOW + 69, "proof_replayed"), (NOW + 70, "proof_too_old")] {
        clock.set(now);
        assert_eq!(verify(&dpop, &proof, &asked), Err(expect.to_owned()), "at {now}");
    }
}

/// A store that nobody can reach.
struct Gone;

#[async_trait::async_trait]
impl OnceStore for Gone {
    async fn take(
        &self,
        _: &OnceKey,
        _: std::time::Duration,
        _: Timestamp,
    ) -> Result<palisade_core::port::once::Taken, StoreError> {
        Err(StoreError::Unreachable { reason: "down".to_owned() })
    }
}

#[test]
fn a_proof_that_may_have_been_used_does_not_count() {
    let key = KeyThumbprint::new(EXAMPLE_KEY);
    let url = "https://resource.example.org/protectedresource";
    let asked = Asked { method: "GET", url, token: EXAMPLE_TOKEN, key: &key };
    let dpop = Dpop::new(Arc::new(Gone), Still::at(1_562_262_618));
    let outcome = dpop.verify(EXAMPLE, &asked).now_or_never().unwrap();
    assert!(matches!(outcome, Err(ProofError::Unavailable(_))), "{outcome:?}");
}
