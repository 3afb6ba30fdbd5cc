//! Project Wycheproof's vectors for JSON Web Signatures and Keys: what nobody here thought of.
//!
//! See `tests/data/wycheproof/NOTICE` for where they come from. A vector on which we differ stands in a list, with why.

use palisade::token::jwk::VerifyKey;
use palisade::token::jwks::{Candidates, KeySet};
use palisade::token::jws::Unverified;
use serde_json::Value;

const SIGNATURES: &str = include_str!("../data/wycheproof/json_web_signature_test.json");
const KEYS: &str = include_str!("../data/wycheproof/json_web_key_test.json");

/// Algorithms that are left out here: what nothing is signed with cannot be asked for.
const UNSUPPORTED: &[&str] = &["RS384", "RS512", "PS384", "PS512", "ES512"];

/// Vectors on which we differ although we have the algorithm.
const DIFFERENT: &[(u64, &str)] = &[
    (346, "is signed with PS384 by a key for PS256, and is marked valid; RFC 8725 section 3.1 forbids it"),
    (347, "is signed with ES512 by a key for `ES521`, which no algorithm is called"),
    (350, "as 346"),
    (351, "as 347"),
    (367, "byte for byte the token of vector 357, which is marked valid"),
    (370, "byte for byte the token of vector 357, which is marked valid"),
    (372, "has a `?` within its base64url, and is marked valid"),
    (373, "has a `?` within its base64url, and is marked valid"),
];

#[test]
fn signatures_are_judged_as_wycheproof_judges_them() {
    let (mut judged, mut unsupported, mut differing) = (0, 0, Vec::new());
    for group in groups(SIGNATURES) {
        let jwk = group.get("public").unwrap_or(&group["private"]);
        let key = VerifyKey::from_jwk(jwk);
        let foreign = jwk["alg"].as_str().filter(|alg| UNSUPPORTED.contains(alg));
        for test in group["tests"].as_array().unwrap() {
            let (id, token) = (test["tcId"].as_u64().unwrap(), test["jws"].as_str().unwrap());
            let verified = Unverified::parse(token).ok().zip(key.as_ref().ok());
            let accepted = verified.is_some_and(|(token, key)| token.verify(key).is_ok());
            if foreign.is_some() {
                assert!(!accepted, "{id} is signed with an algorithm that we do not have");
                unsupported += 1;
            } else if accepted == (test["result"] == "valid") {
                judged += 1;
            } else {
                differing.push(id);
            }
        }
    }
    assert_eq!(differing, DIFFERENT.iter().map(|(id, _)| *id).collect::<Vec<_>>());
    assert_eq!(judged + unsupported + differing.len(), 401);
}

/// Sets on which we differ.
const DIFFERENT_SETS: &[(u64, &str)] = &[(14, "needs HS384"), (15, "needs HS512")];

#[test]
fn sets_of_keys_are_judged_as_wycheproof_judges_them() {
    let mut differing = Vec::new();
    for group in groups(KEYS) {
        let set = group.get("public").unwrap_or(&group["private"]).to_string();
        let set = KeySet::parse(set.as_bytes());
        for test in group["tests"].as_array().unwrap() {
            let token = Unverified::parse(test["jws"].as_str().unwrap());
            let accepted = token.is_ok_and(|token| set.as_ref().is_ok_and(|set| is_signed(set, &token)));
            if accepted != (test["result"] == "valid") {
                differing.push(test["tcId"].as_u64().unwrap());
            }
        }
    }
    assert_eq!(differing, DIFFERENT_SETS.iter().map(|(id, _)| *id).collect::<Vec<_>>());
}

fn is_signed(set: &KeySet, token: &Unverified<'_>) -> bool {
    let header = token.header();
    match set.find(header.key_id.as_deref(), header.algorithm) {
        Candidates::Named(key) => token.verify(key).is_ok(),
        Candidates::Unnamed(keys) => keys.into_iter().any(|key| token.verify(key).is_ok()),
        Candidates::None | Candidates::OtherAlgorithm => false,
    }
}

fn groups(text: &str) -> Vec<Value> {
    let mut file: Value = serde_json::from_str(text).unwrap();
    let Value::Array(groups) = file["testGroups"].take() else { panic!("no groups") };
    groups
}
