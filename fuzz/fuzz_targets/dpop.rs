//! No proof of possession counts that the holder of the key has not made, and no certificate makes its reader fail.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use palisade::credential::certificate::ClientCertificate;
use palisade::token::dpop::{Asked, Dpop};
use palisade_core::id::KeyThumbprint;
use palisade_core::port::Clock;
use palisade_core::time::Timestamp;
use palisade_store::memory::MemoryOnce;

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_795_305_600)
    }
}

static DPOP: LazyLock<Dpop> = LazyLock::new(|| Dpop::new(Arc::new(MemoryOnce::default()), Arc::new(Still)));

fuzz_target!(|bytes: &[u8]| {
    if let Some(certificate) = ClientCertificate::from_der(bytes) {
        assert!(!certificate.names().is_empty());
    }
    let Ok(proof) = std::str::from_utf8(bytes) else { return };
    let key = KeyThumbprint::new("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    let asked = Asked { method: "GET", url: "https://api.example.com/orders", token: "token", key: &key };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let error = runtime.block_on(DPOP.verify(proof, &asked)).expect_err("nobody here has the key");
    assert!(!error.reason().is_empty());
});
