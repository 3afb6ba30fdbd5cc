//! No token is believed that the issuer has not signed, and none makes the verifier fail in another way.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use palisade::token::{algorithm::Algorithm, jwks::KeySet, jwks::StaticKeys, jwt::Rules, jwt::Verifier, sign::Signer};
use palisade_core::port::Clock;
use palisade_core::time::Timestamp;

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_795_305_600)
    }
}

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
    let signer = Signer::generate_es256("2026-11").expect("a key");
    let keys = KeySet::new([signer.verify_key().expect("its public half")]).expect("one key is a set");
    let rules = Rules::new("https://id.example.com", "https://api.example.com", [Algorithm::Es256]);
    Verifier::new(rules.expect("the rules are complete"), Arc::new(StaticKeys::new(keys)), Arc::new(Still))
});

fuzz_target!(|token: &str| {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let error = runtime.block_on(VERIFIER.verify(token)).expect_err("nobody else has the key");
    assert!(!error.is_unavailable() && !error.reason().is_empty());
});
