//! The test vectors of Web Authentication level 3 (section 16): what they register and prove is verified to the byte, and
//! what Palisade asks for beyond the standard is asked of them as well.
//!
//! `vectors.json` has the values of the standard. The challenges are put where those of the ceremony stand.

use palisade::credential::webauthn::{Asserted, LibraryVerifier, Registered, Verifier as _, WebauthnRefused};
use passkey_types::encoding::base64url;
use serde_json::{Value, json};

use super::alice;

/// How the state spells it that the authenticator need not verify its user.
const LENIENT: Option<&str> = Some("discouraged");

fn vectors() -> Vec<Value> {
    serde_json::from_str(include_str!("vectors.json")).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    let hex = value.as_str().unwrap();
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn encoded(value: &Value) -> String {
    base64url(&bytes(value))
}

fn verifier() -> LibraryVerifier {
    LibraryVerifier::new("https://example.org", "Vectors").unwrap()
}

/// The state of a ceremony with the challenge of a vector and, perhaps, another policy than ours.
fn with_challenge(state: &[u8], challenge: &Value, policy: Option<&str>) -> Vec<u8> {
    let mut state: Value = serde_json::from_slice(state).unwrap();
    let inner = state.as_object_mut().unwrap().values_mut().next().unwrap();
    assert!(inner["challenge"].is_string() && inner["policy"] == "required", "{inner}");
    inner["challenge"] = encoded(challenge).into();
    if let Some(policy) = policy {
        inner["policy"] = policy.into();
    }
    serde_json::to_vec(&state).unwrap()
}

fn register(vector: &Value, policy: Option<&str>) -> Result<Registered, WebauthnRefused> {
    let verifier = verifier();
    let begun = verifier.begin_registration(&alice(), "alice", &[])?;
    let (made, id) = (&vector["registration"], encoded(&vector["credential_id"]));
    let state = with_challenge(&begun.state, &made["challenge"], policy);
    let response = json!({
        "clientDataJSON": encoded(&made["client_data"]),
        "attestationObject": encoded(&made["attestation_object"]),
    });
    let answer = json!({"id": id, "rawId": id, "type": "public-key", "response": response, "extensions": {}});
    verifier.finish_registration(&state, &answer.to_string())
}

fn prove(vector: &Value, key: &Registered, policy: Option<&str>) -> Result<Asserted, WebauthnRefused> {
    let (verifier, own) = (verifier(), [key.data.clone()]);
    let begun = verifier.begin_assertion(&own)?;
    let (made, id) = (&vector["authentication"], encoded(&vector["credential_id"]));
    let state = with_challenge(&begun.state, &made["challenge"], policy);
    let response = json!({
        "clientDataJSON": encoded(&made["client_data"]),
        "authenticatorData": encoded(&made["authenticator_data"]),
        "signature": encoded(&made["signature"]),
        "userHandle": null,
    });
    let answer = json!({"id": id, "rawId": id, "type": "public-key", "response": response, "extensions": {}});
    verifier.finish_assertion(&state, &answer.to_string(), &own)
}

/// The same with the last byte of a value changed.
fn changed(vector: &Value, part: &str, name: &str) -> Value {
    let mut vector = vector.clone();
    let hex = vector[part][name].as_str().unwrap();
    let (rest, last) = hex.split_at(hex.len() - 2);
    let last = u8::from_str_radix(last, 16).unwrap() ^ 1;
    vector[part][name] = format!("{rest}{last:02x}").into();
    vector
}

/// The vectors with proofs, each with whether its user was verified when it was registered.
fn proven() -> Vec<(Value, bool)> {
    let mut found = vectors();
    found.retain(|vector| vector.get("authentication").is_some());
    // The flags stand behind the hash of the relying party's id, which begins the authenticator's data.
    let party = bytes(&found[0]["authentication"]["authenticator_data"])[..32].to_vec();
    let is_verified = |vector: &Value| {
        let object = bytes(&vector["registration"]["attestation_object"]);
        let at = object.windows(32).position(|window| window == party).unwrap();
        object[at + 32] & 4 != 0
    };
    found.into_iter().map(|vector| (vector.clone(), is_verified(&vector))).collect()
}

#[test]
fn what_the_standard_registers_and_proves_is_verified() {
    let proven = proven();
    assert_eq!(proven.len(), 2);
    for (vector, _) in proven {
        let name = &vector["name"];
        let key = register(&vector, LENIENT).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(key.id, encoded(&vector["credential_id"]), "{name}");
        let proof = prove(&vector, &key, LENIENT).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((proof.id, proof.counter, proof.user_verified), (key.id, 0, false), "{name}");
    }
}

#[test]
fn a_changed_byte_is_refused() {
    for (vector, _) in proven() {
        let key = register(&vector, LENIENT).unwrap();
        for (part, value) in [
            ("registration", "challenge"),
            ("registration", "client_data"),
            ("authentication", "challenge"),
            ("authentication", "client_data"),
            ("authentication", "authenticator_data"),
            ("authentication", "signature"),
        ] {
            let forged = changed(&vector, part, value);
            let refused = match part {
                "registration" => register(&forged, LENIENT).map(drop),
                _ => prove(&forged, &key, LENIENT).map(drop),
            };
            assert!(refused.is_err(), "{}: {part} {value}", vector["name"]);
        }
    }
    // A key that vouches for itself signs what it says.
    let packed = &proven()[1].0;
    assert!(register(&changed(packed, "registration", "attestation_object"), LENIENT).is_err());
}

#[test]
fn an_authenticator_that_has_not_verified_its_user_is_not_enough_for_us() {
    let mut kinds = Vec::new();
    for (vector, verified) in proven() {
        let registered = register(&vector, None);
        assert_eq!(registered.is_ok(), verified, "{}: {registered:?}", vector["name"]);
        let key = register(&vector, LENIENT).unwrap();
        let refused = prove(&vector, &key, None).unwrap_err();
        assert!(refused.reason.contains("verified"), "{refused}");
        kinds.push(verified);
    }
    assert_eq!(kinds, [false, true]);
}

#[test]
fn what_was_made_in_a_frame_of_another_site_is_refused() {
    let framed: Vec<Value> = vectors().into_iter().filter(|vector| vector.get("authentication").is_none()).collect();
    assert_eq!(framed.len(), 2);
    for vector in framed {
        let refused = register(&vector, LENIENT).unwrap_err();
        assert!(refused.reason.contains("cross-origin"), "{}: {refused}", vector["name"]);
    }
}
