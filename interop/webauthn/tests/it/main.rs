//! Two authenticators that others have written register and sign in; what attackers make of them is refused.

mod vectors;

use std::sync::Arc;

use palisade::core::id::{FactorId, UserId};
use palisade::core::port::factor::Advanced;
use palisade::core::port::{Clock as _, FactorStore};
use palisade::core::principal::Level;
use palisade::core::secret::Secret;
use palisade::credential::factors::{FactorSettings, SecondFactors};
use palisade::credential::passkeys::{Begun, PasskeyAdded, PasskeyVerified, Passkeys};
use palisade::credential::webauthn::LibraryVerifier;
use palisade::crypto::envelope::Envelope;
use palisade::testing::TestWorld;
use palisade_store::memory::MemoryFactors;
use passkey::authenticator::{Authenticator, UiHint, UserCheck, UserValidationMethod};
use passkey::client::{Client, DefaultClientData};
use passkey::crypto::rust_crypto::RustCryptoBackend;
use passkey::types::Passkey;
use passkey::types::ctap2::{Aaguid, Ctap2Error};
use serde_json::{Value, json};
use url::Url;
use webauthn_authenticator_rs::WebauthnAuthenticator as _;
use webauthn_authenticator_rs::softpasskey::SoftPasskey;

const ORIGIN: &str = "https://app.example.com";

struct Desk {
    test: TestWorld,
    store: Arc<MemoryFactors>,
    passkeys: Passkeys,
}

impl Desk {
    fn new() -> Self {
        let test = TestWorld::new();
        let seal = Envelope::new("2026-11", &Secret::new([7; 32])).unwrap();
        let store = Arc::new(MemoryFactors::default());
        let shared = Arc::clone(&store) as Arc<dyn FactorStore>;
        let factors = SecondFactors::new(shared, &test.world, seal, FactorSettings::new("Acme"));
        let passkeys = Passkeys::new(factors, LibraryVerifier::new(ORIGIN, "Acme").unwrap());
        Self { test, store, passkeys }
    }

    async fn begin_registration(&self, user: &UserId) -> (String, Value) {
        begun(self.passkeys.begin_registration(user, "alice@example.com").await.unwrap())
    }

    async fn begin_sign_in(&self, user: &UserId) -> (String, Value) {
        begun(self.passkeys.begin_sign_in(user).await.unwrap())
    }

    async fn register(&self, user: &UserId, key: &mut impl Browser) -> PasskeyAdded {
        let (ceremony, options) = self.begin_registration(user).await;
        let answer = key.create(ORIGIN, options).await.unwrap();
        self.passkeys.finish_registration(user, &ceremony, &answer, "my key").await.unwrap()
    }

    async fn finish(&self, user: &UserId, ceremony: &str, answer: &str) -> PasskeyVerified {
        self.passkeys.finish_sign_in(user, ceremony, answer).await.unwrap()
    }

    async fn sign_in(&self, user: &UserId, key: &mut impl Browser) -> PasskeyVerified {
        let (ceremony, options) = self.begin_sign_in(user).await;
        let answer = key.get(ORIGIN, options).await.unwrap();
        self.finish(user, &ceremony, &answer).await
    }
}

fn begun(begun: Begun) -> (String, Value) {
    let Begun::Begun { ceremony, options } = begun else { panic!("{begun:?}") };
    (ceremony, options)
}

fn alice() -> UserId {
    UserId::new("alice")
}

/// A browser with an authenticator; `None` where it refuses by itself.
trait Browser {
    async fn create(&mut self, origin: &str, options: Value) -> Option<String>;
    async fn get(&mut self, origin: &str, options: Value) -> Option<String>;
}

/// That of webauthn-authenticator-rs. It counts its signatures.
struct Soft(SoftPasskey);

impl Browser for Soft {
    async fn create(&mut self, origin: &str, options: Value) -> Option<String> {
        let made = self.0.do_registration(Url::parse(origin).unwrap(), serde_json::from_value(options).unwrap());
        made.ok().map(|made| serde_json::to_string(&made).unwrap())
    }

    async fn get(&mut self, origin: &str, options: Value) -> Option<String> {
        let made = self.0.do_authentication(Url::parse(origin).unwrap(), serde_json::from_value(options).unwrap());
        made.ok().map(|made| serde_json::to_string(&made).unwrap())
    }
}

/// That of 1Password. It does not count.
struct Password(Client<Option<Passkey>, Present, RustCryptoBackend, public_suffix::PublicSuffixList, ()>);

struct Present;

#[async_trait::async_trait]
impl UserValidationMethod for Present {
    type PasskeyItem = Passkey;

    async fn check_user<'a>(&self, _: UiHint<'a, Passkey>, _: bool, _: bool) -> Result<UserCheck, Ctap2Error> {
        Ok(UserCheck { presence: true, verification: true })
    }

    fn is_verification_enabled(&self) -> Option<bool> {
        Some(true)
    }

    fn is_presence_enabled(&self) -> bool {
        true
    }
}

impl Browser for Password {
    async fn create(&mut self, origin: &str, options: Value) -> Option<String> {
        let options = serde_json::from_value(options).unwrap();
        let made = self.0.register(&Url::parse(origin).unwrap(), options, DefaultClientData).await;
        made.ok().map(|made| serde_json::to_string(&made).unwrap())
    }

    async fn get(&mut self, origin: &str, options: Value) -> Option<String> {
        let options = serde_json::from_value(options).unwrap();
        let made = self.0.authenticate(&Url::parse(origin).unwrap(), options, DefaultClientData).await;
        made.ok().map(|made| serde_json::to_string(&made).unwrap())
    }
}

fn soft() -> Soft {
    Soft(SoftPasskey::new(true))
}

fn password() -> Password {
    Password(Client::new(Authenticator::new(Aaguid::new_empty(), None, Present, RustCryptoBackend)))
}

async fn registers_and_signs_in(mut key: impl Browser) {
    let desk = Desk::new();
    assert!(matches!(desk.passkeys.begin_sign_in(&alice()).await.unwrap(), Begun::NoFactor));
    let added = desk.register(&alice(), &mut key).await;
    let PasskeyAdded::Added(id, Some(codes)) = added else { panic!("{added:?}") };
    assert_eq!(codes.expose().count(), 10);
    for _ in 0..3 {
        let verified = desk.sign_in(&alice(), &mut key).await;
        let PasskeyVerified::Verified(by, assurance) = verified else { panic!("{verified:?}") };
        assert_eq!((by, assurance.level, assurance.at), (id.clone(), Level::Aal2, desk.test.clock.now()));
    }
}

#[tokio::test]
async fn the_authenticator_of_webauthn_rs_registers_and_signs_in() {
    registers_and_signs_in(soft()).await;
}

#[tokio::test]
async fn the_authenticator_of_1password_registers_and_signs_in() {
    registers_and_signs_in(password()).await;
}

/// The page of another origin hands the challenge on, as a phishing proxy does.
async fn a_look_alike_origin_is_refused(mut key: impl Browser, origin: &str) -> usize {
    let desk = Desk::new();
    desk.register(&alice(), &mut key).await;
    let mut answered = 0;
    let host = Url::parse(origin).unwrap().domain().unwrap().to_owned();
    for relying_party in ["app.example.com".to_owned(), host] {
        let (ceremony, mut options) = desk.begin_sign_in(&alice()).await;
        options["publicKey"]["rpId"] = json!(relying_party);
        if let Some(answer) = key.get(origin, options).await {
            answered += 1;
            let verified = desk.finish(&alice(), &ceremony, &answer).await;
            assert!(matches!(verified, PasskeyVerified::Refused(_)), "{origin} as {relying_party}: {verified:?}");
        }
    }
    answered
}

#[tokio::test]
async fn look_alike_origins_and_subdomains_are_refused() {
    let origins =
        ["https://evil.app.example.com", "https://app.example.com:8443", "https://app.example.com.evil.example"];
    let mut answered = 0;
    for origin in origins {
        answered += a_look_alike_origin_is_refused(soft(), origin).await;
        answered += a_look_alike_origin_is_refused(password(), origin).await;
    }
    assert!(answered >= 4, "the browsers would have refused by themselves, and nothing was tested: {answered}");
}

#[tokio::test]
async fn a_replayed_assertion_is_refused() {
    let (desk, mut key) = (Desk::new(), soft());
    desk.register(&alice(), &mut key).await;
    let (ceremony, options) = desk.begin_sign_in(&alice()).await;
    let answer = key.get(ORIGIN, options).await.unwrap();
    assert!(matches!(desk.finish(&alice(), &ceremony, &answer).await, PasskeyVerified::Verified(..)));
    assert_eq!(desk.finish(&alice(), &ceremony, &answer).await, PasskeyVerified::Expired, "the same ceremony");
    let (another, _) = desk.begin_sign_in(&alice()).await;
    let replayed = desk.finish(&alice(), &another, &answer).await;
    assert!(matches!(replayed, PasskeyVerified::Refused(_)), "another ceremony: {replayed:?}");
    assert_eq!(desk.finish(&alice(), &another, &answer).await, PasskeyVerified::Expired, "which that has used up");
}

#[tokio::test]
async fn nobody_finishes_what_somebody_else_began() {
    let (desk, mut key) = (Desk::new(), soft());
    let bob = UserId::new("bob");
    let (ceremony, options) = desk.begin_registration(&alice()).await;
    let answer = key.create(ORIGIN, options).await.unwrap();
    let others = desk.passkeys.finish_registration(&bob, &ceremony, &answer, "").await.unwrap();
    assert!(matches!(others, PasskeyAdded::Expired), "{others:?}");
    assert_eq!(desk.finish(&alice(), &ceremony, &answer).await, PasskeyVerified::Expired, "nor for another purpose");
    let own = desk.passkeys.finish_registration(&alice(), &ceremony, &answer, "").await.unwrap();
    assert!(matches!(own, PasskeyAdded::Added(..)), "{own:?}");
    let (ceremony, options) = desk.begin_sign_in(&alice()).await;
    let answer = key.get(ORIGIN, options).await.unwrap();
    assert_eq!(desk.finish(&bob, &ceremony, &answer).await, PasskeyVerified::Expired);
    desk.test.clock.advance(std::time::Duration::from_secs(300));
    assert_eq!(desk.finish(&alice(), &ceremony, &answer).await, PasskeyVerified::Expired, "too late");
}

#[tokio::test]
async fn a_copied_key_is_found_by_its_counter() {
    let (desk, mut key) = (Desk::new(), soft());
    let PasskeyAdded::Added(id, _) = desk.register(&alice(), &mut key).await else { panic!() };
    assert!(matches!(desk.sign_in(&alice(), &mut key).await, PasskeyVerified::Verified(..)));
    let now = desk.test.clock.now();
    let copy = async |id: &FactorId| desk.store.advance(&alice(), id, 1_000, None, now).await.unwrap();
    assert_eq!(copy(&id).await, Advanced::Advanced, "the copy has signed a thousand times");
    assert_eq!(desk.sign_in(&alice(), &mut key).await, PasskeyVerified::Copied);
}
