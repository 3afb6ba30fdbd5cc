//! What ends with an account, or with a sign-in that something surer takes the place of.

use std::sync::Mutex;

use async_trait::async_trait;
use palisade::account::Tokens;
use palisade::core::id::ClientId;
use palisade::session::ending::{KnownBy, Next};
use palisade::token::algorithm::Algorithm;
use palisade::token::issue::{Issuer, OneKey};
use palisade::token::jwks::{KeySet, StaticKeys};
use palisade::token::jwt::Rules;
use palisade::token::opaque::OpaqueTokens;
use palisade::token::refresh::{RefreshKeys, RefreshSettings, RefreshTokens};
use palisade::token::sign::Signer;
use palisade_core::id::SessionHandle;
use palisade_core::port::access_token::{AccessHash, KeptAccess, Which};
use palisade_core::port::account::Replaced;
use palisade_core::port::refresh::{Family, FamilyId, Grace, Kept, Outcome, Presented, Whose};
use palisade_core::port::session::{Ended, NewSession, Opened, Renewal, Renewed, Session, SessionHash, Touched};
use palisade_core::port::{AccessTokenStore, RefreshStore};

use super::*;

/// What somebody does a moment before anything new is written.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Meanwhile {
    /// Disables the account, and ends all that is found.
    Disabled,
    /// Ends all that is found.
    Ended,
    /// Puts another password in place. What whoever does this has from then on is there already.
    Password,
    /// Signs in elsewhere, where the password gets a better hash.
    Rehashed,
}

/// A store of records in which something happens meanwhile.
struct Overtaken {
    records: Records,
    by: Arc<Mutex<Option<Meanwhile>>>,
}

impl Overtaken {
    async fn meanwhile(&self, user: &UserId, now: Timestamp) {
        let (accounts, by) = (&self.records.accounts, *self.by.lock().unwrap());
        let Some(by) = by else { return };
        if by == Meanwhile::Disabled {
            accounts.set_status(user, AccountStatus::Disabled, now).await.unwrap();
        }
        if [Meanwhile::Disabled, Meanwhile::Ended].contains(&by) {
            let (sessions, refresh) = (Some(&*self.records.sessions), Some(&*self.records.refresh));
            let known = KnownBy { sessions, refresh, access: Some(&*self.records.access_tokens), announced: None };
            known.end(user, Next::Never, now).await.unwrap();
        } else {
            self.records.another(by, user, now).await;
        }
    }
}

/// Puts another password in place, or another hash of the same.
trait Another {
    async fn another(&self, by: Meanwhile, user: &UserId, now: Timestamp);
}

impl Another for Records {
    async fn another(&self, by: Meanwhile, user: &UserId, now: Timestamp) {
        let account = self.accounts.find(user).await.unwrap().unwrap();
        let (kept, version) = (account.password.unwrap(), account.password_version);
        let replaced = match by {
            Meanwhile::Rehashed => self.accounts.rehash_password(user, version, &kept.hash).await,
            _ => self.accounts.replace_password(user, version, &kept, now).await,
        };
        assert!(matches!(replaced, Ok(Replaced::Done { .. })), "{replaced:?}");
    }
}

#[async_trait]
impl SessionStore for Overtaken {
    async fn open(&self, new: &NewSession, now: Timestamp) -> Result<Opened, StoreError> {
        self.meanwhile(&new.holder.user, now).await;
        self.records.sessions.open(new, now).await
    }

    async fn touch(&self, id: &SessionHash, now: Timestamp) -> Result<Touched, StoreError> {
        self.records.sessions.touch(id, now).await
    }

    async fn renew(&self, id: &SessionHash, renewal: &Renewal, now: Timestamp) -> Result<Renewed, StoreError> {
        self.records.sessions.renew(id, renewal, now).await
    }

    async fn end(&self, id: &SessionHash) -> Result<Ended, StoreError> {
        self.records.sessions.end(id).await
    }

    async fn end_one(&self, user: &UserId, session: &SessionHandle) -> Result<Ended, StoreError> {
        self.records.sessions.end_one(user, session).await
    }

    async fn end_all(&self, user: &UserId, except: Option<&SessionHandle>) -> Result<Vec<SessionHandle>, StoreError> {
        self.records.sessions.end_all(user, except).await
    }

    async fn list(&self, user: &UserId, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        self.records.sessions.list(user, now).await
    }
}

#[async_trait]
impl RefreshStore for Overtaken {
    async fn begin(&self, family: &Family, now: Timestamp) -> Result<(), StoreError> {
        self.meanwhile(&family.grant.subject, now).await;
        self.records.refresh.begin(family, now).await
    }

    async fn find(&self, id: FamilyId) -> Result<Option<Family>, StoreError> {
        self.records.refresh.find(id).await
    }

    async fn redeem(&self, id: FamilyId, presented: Presented, now: Timestamp) -> Result<Outcome, StoreError> {
        self.records.refresh.redeem(id, presented, now).await
    }

    async fn note_used(&self, id: FamilyId, generation: u32) -> Result<(), StoreError> {
        self.records.refresh.note_used(id, generation).await
    }

    async fn revoke(&self, whose: Whose<'_>, now: Timestamp) -> Result<u64, StoreError> {
        self.records.refresh.revoke(whose, now).await
    }

    async fn list(&self, subject: &UserId, now: Timestamp) -> Result<Vec<Kept>, StoreError> {
        self.records.refresh.list(subject, now).await
    }
}

#[async_trait]
impl AccessTokenStore for Overtaken {
    async fn keep(&self, token: &KeptAccess, now: Timestamp) -> Result<(), StoreError> {
        self.meanwhile(&UserId::new(&*token.subject), now).await;
        self.records.access_tokens.keep(token, now).await
    }

    async fn find(&self, hash: &AccessHash) -> Result<Option<KeptAccess>, StoreError> {
        self.records.access_tokens.find(hash).await
    }

    async fn revoke(&self, which: Which<'_>) -> Result<u64, StoreError> {
        self.records.access_tokens.revoke(which).await
    }
}

/// The reasons for which a sign-in was refused, as the events say.
fn refusals(answer: &Answer) -> Vec<String> {
    let refused = answer.events.iter().filter(|event| event.kind == EventKind::SignInRefused);
    let reasons = refused.flat_map(|event| event.evidence.iter().filter(|(fact, _)| *fact == "reason"));
    reasons.map(|(_, reason)| reason.to_owned()).collect()
}

/// What meanwhile, the reason of the refusal, and how many sessions there are then: one is from before.
const CASES: [(Meanwhile, Option<&str>, usize); 3] = [
    (Meanwhile::Disabled, Some("account-disabled"), 0),
    (Meanwhile::Password, Some("password-changed"), 1),
    (Meanwhile::Rehashed, None, 2),
];

#[tokio::test]
async fn a_session_that_was_overtaken_while_it_was_opened_ends_and_nobody_has_signed_in() {
    for (meanwhile, refused, left) in CASES {
        let by = Arc::new(Mutex::new(None));
        let store = |records: &Records| {
            Arc::new(Overtaken { records: records.clone(), by: Arc::clone(&by) }) as Arc<dyn SessionStore>
        };
        let site = Site::of_sessions_in(store, SessionSettings::default()).await;
        let body = json!({"name": "alice", "password": GOOD});
        let alice = UserId::new("u-alice");
        let open = async || site.records.sessions.list(&alice, site.test.world.clock.now()).await.unwrap().len();
        let phone = site.ask("POST /auth/sign-in", "", "", &body).await;
        assert_eq!((phone.status.as_u16(), open().await), (200, 1));
        *by.lock().unwrap() = Some(meanwhile);
        let laptop = site.ask("POST /auth/sign-in", "", "", &body).await;
        let code = refused.map(|_| "credential-invalid");
        assert_eq!((laptop.code().as_deref(), refusals(&laptop)), (code, Vec::from_iter(refused.map(str::to_owned))));
        assert_eq!(kinds(&laptop).contains(&EventKind::SignedIn), refused.is_none(), "{laptop:?}");
        assert_eq!(kinds(&laptop).contains(&EventKind::SessionEnded), refused.is_some(), "{laptop:?}");
        assert_eq!((cookie(&laptop, "__Host-session").is_some(), open().await), (refused.is_none(), left));
    }
}

#[tokio::test]
async fn tokens_that_were_overtaken_while_they_were_made_end_and_nobody_has_signed_in() {
    for (meanwhile, refused, left) in CASES {
        let by = Arc::new(Mutex::new(None));
        let site = Site::new(|records, hasher, test| {
            let overtaken = Overtaken { records: records.clone(), by: Arc::clone(&by) };
            let mut records = records.clone();
            records.refresh = Arc::new(overtaken);
            example::app(&records, hasher, &test.world, Delivery::Cookie).unwrap()
        })
        .await;
        let phone = site.sign_in("alice").await;
        let alice = UserId::new("u-alice");
        let open = async || site.records.refresh.list(&alice, site.test.world.clock.now()).await.unwrap().len();
        let me = async || site.ask("GET /me", "", &phone.access, &Value::Null).await.status.as_u16();
        assert_eq!((open().await, me().await), (1, 200));
        *by.lock().unwrap() = Some(meanwhile);
        let laptop = site.ask("POST /sign-in", "", "", &json!({"name": "alice", "password": GOOD})).await;
        let code = refused.map(|_| "credential-invalid");
        assert_eq!((laptop.code().as_deref(), refusals(&laptop)), (code, Vec::from_iter(refused.map(str::to_owned))));
        assert_eq!(kinds(&laptop).contains(&EventKind::SignedIn), refused.is_none(), "{laptop:?}");
        let has = (laptop.json().get("access_token").is_some(), cookie(&laptop, "__Host-refresh").is_some());
        assert_eq!(has, (refused.is_none(), refused.is_none()), "{meanwhile:?}");
        let expect = if meanwhile == Meanwhile::Disabled { 401 } else { 200 };
        assert_eq!((open().await, me().await), (left, expect), "{meanwhile:?}: what it had before");
    }
}

#[tokio::test]
async fn a_second_factor_is_worth_nothing_after_the_password_it_belongs_to() {
    for (meanwhile, expect) in [(Meanwhile::Password, Some("password-changed")), (Meanwhile::Rehashed, None)] {
        let site = Site::of_sessions(SessionSettings::default()).await;
        let (secret, _) = Browser::with_password(&site).await.1.unwrap().enroll().await;
        site.test.clock.advance(Duration::from_secs(60));
        let half = Browser::with_password(&site).await.0.json();
        site.records.another(meanwhile, &UserId::new("u-alice"), site.test.world.clock.now()).await;
        let body = json!({"pending": half["pending"]});
        let ask = site.ask("POST /auth/sign-in/passkey", "", "", &body).await;
        assert_eq!(ask.code().as_deref(), Some(expect.map_or("object-unknown", |_| "credential-invalid")));
        let body = json!({"pending": half["pending"], "factor": {"totp": site.code(&secret)}});
        let shown = site.ask("POST /auth/sign-in/factor", "", "", &body).await;
        assert_eq!(
            (shown.status.as_u16(), refusals(&shown).first().map(String::as_str)),
            (if expect.is_some() { 401 } else { 200 }, expect),
            "{shown:?}"
        );
        assert_eq!(kinds(&shown).contains(&EventKind::SignedIn), expect.is_none());
    }
}

#[tokio::test]
async fn a_refresh_that_was_overtaken_keeps_no_opaque_access_token() {
    let by = Arc::new(Mutex::new(None));
    let site = Site::new(|records, hasher, test| {
        let (clock, entropy) = (Arc::clone(&test.world.clock), Arc::clone(&test.world.entropy));
        let signer = Arc::new(Signer::generate_es256("2026-11").unwrap());
        let issuer = Issuer::new("https://id", "https://api", Arc::new(OneKey(signer)), clock, entropy);
        let overtaken = Overtaken { records: records.clone(), by: Arc::clone(&by) };
        let mut records = records.clone();
        records.access_tokens = Arc::new(overtaken);
        let format = (Delivery::Cookie, Format::Opaque);
        let accounts = issued_accounts(&records, hasher, test, issuer, format, Grace::default());
        Chain::api().accounts(&accounts).protect(accounts.routes(), &test.world).unwrap()
    })
    .await;
    let mut last = site.sign_in("alice").await.refresh;
    for (meanwhile, status) in [(None, 200), (Some(Meanwhile::Ended), 401)] {
        *by.lock().unwrap() = meanwhile;
        let answer = site.refresh(&last).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(kinds(&answer).contains(&EventKind::TokenIssued), status == 200);
        last = cookie(&answer, "__Host-refresh").unwrap_or_default();
    }
    assert_eq!(site.records.access_tokens.revoke(Which::Subject("u-alice")).await.unwrap(), 0, "none is left");
}

#[derive(Clone, Copy, PartialEq)]
enum Format {
    Opaque,
    Signed,
}

/// The routes of sign-in with tokens and second factors.
fn two_factors(records: &Records, hasher: Arc<Hasher>, test: &TestWorld, delivery: Delivery, grace: Grace) -> Accounts {
    let (clock, entropy) = (Arc::clone(&test.world.clock), Arc::clone(&test.world.entropy));
    let signer = Arc::new(Signer::generate_es256("2026-11").unwrap());
    let issuer = Issuer::new("https://id", "https://api", Arc::new(OneKey(signer)), clock.clone(), entropy.clone());
    issued_accounts(records, hasher, test, issuer, (delivery, Format::Signed), grace)
}

fn issued_accounts(
    records: &Records,
    hasher: Arc<Hasher>,
    test: &TestWorld,
    issuer: Issuer,
    (delivery, format): (Delivery, Format),
    grace: Grace,
) -> Accounts {
    let (clock, entropy) = (Arc::clone(&test.world.clock), Arc::clone(&test.world.entropy));
    let keys = RefreshKeys::new("2026-11", &Secret::new([7; 32])).unwrap();
    let settings = RefreshSettings { grace, ..RefreshSettings::default() };
    let refresh = RefreshTokens::new(Arc::clone(&records.refresh), keys, clock.clone(), entropy.clone());
    let feed = RevocationFeed::new(Arc::clone(&records.revocations), Arc::default(), clock.clone());
    let tokens = Tokens::new(issuer, refresh.with_settings(settings), ClientId::new("phone"), delivery);
    let tokens = tokens.revoking(Arc::new(feed));
    let opaque = OpaqueTokens::new(Arc::clone(&records.access_tokens), "https://id");
    let ticket = Ticket::Tokens(if format == Format::Opaque { tokens.opaque(opaque) } else { tokens });
    let devices = DeviceKey::new(&Secret::new([7; 32]), Duration::from_secs(86_400)).unwrap();
    let (accounts, counters) = (Arc::clone(&records.accounts), Arc::clone(&test.world.counters));
    let parts = SignInParts { accounts: Arc::clone(&accounts), counters, hasher, devices, clock, entropy };
    let envelope = Envelope::new("k", &Secret::new([9; 32])).unwrap();
    let settings = FactorSettings::new("Acme");
    let factors = SecondFactors::new(Arc::clone(&records.factors), &test.world, envelope, settings);
    let accounts = Accounts::new(accounts, SignIn::new(SignInSettings::default(), parts), ticket);
    accounts.second_factors(factors, None, &Secret::new([8; 32])).unwrap()
}

#[tokio::test]
async fn a_step_up_ends_the_tokens_that_it_takes_the_place_of_however_they_travel() {
    for (delivery, format) in [
        (Delivery::Body, Format::Opaque),
        (Delivery::Body, Format::Signed),
        (Delivery::Cookie, Format::Opaque),
        (Delivery::Cookie, Format::Signed),
    ] {
        let site = Site::new(|records, hasher, test| {
            let (clock, entropy) = (Arc::clone(&test.world.clock), Arc::clone(&test.world.entropy));
            let signer = Arc::new(Signer::generate_es256("2026-11").unwrap());
            let keys = StaticKeys::new(KeySet::new([signer.verify_key().unwrap()]).unwrap());
            let issuer = Issuer::new("https://id", "https://api", Arc::new(OneKey(signer)), clock, entropy);
            let accounts = issued_accounts(records, hasher, test, issuer, (delivery, format), Grace::default());
            let rules = Rules::new("https://id", "https://api", [Algorithm::Es256]).unwrap();
            let me = get(|who: Principal| async move { who.subject().to_string() });
            let routes = Router::new().route("/me", me).merge(accounts.routes());
            let opaque = OpaqueTokens::new(Arc::clone(&records.access_tokens), "https://id");
            let chain = Chain::api().bearer(rules, keys).opaque_tokens("https://api", &opaque).unwrap();
            chain.accounts(&accounts).protect(routes, &test.world).unwrap()
        })
        .await;
        let access = |answer: &Answer| answer.json()["access_token"].as_str().unwrap().to_owned();
        let refresh = |answer: &Answer| match delivery {
            Delivery::Body => answer.json()["refresh_token"].as_str().unwrap().to_owned(),
            Delivery::Cookie => cookie(answer, "__Host-refresh").unwrap(),
        };
        let again = async |token: &str| match delivery {
            Delivery::Body => site.ask("POST /refresh", "", "", &json!({"refresh_token": token})).await,
            Delivery::Cookie => site.ask("POST /refresh", token, "", &json!({})).await,
        };
        let me = async |token: &str| site.ask("GET /me", "", token, &Value::Null).await.status.as_u16();

        let first = site.ask("POST /sign-in", "", "", &json!({"name": "alice", "password": GOOD})).await;
        let begun = site.ask("POST /factors/totp", "", &access(&first), &json!({"label": "phone"})).await.json();
        let secret = unbase32(begun["secret"].as_str().unwrap());
        let body = json!({"id": begun["id"], "code": site.code(&secret)});
        let confirmed = site.ask("POST /factors/totp/confirm", "", &access(&first), &body).await;
        assert_eq!(confirmed.status, 200, "{confirmed:?}");
        site.test.clock.advance(Duration::from_secs(60));
        let other = site.records.refresh.list(&UserId::new("u-alice"), site.test.world.clock.now()).await.unwrap();
        assert_eq!(other.len(), 1);

        let (old, token) = (refresh(&confirmed), access(&confirmed));
        assert_eq!(me(&token).await, 200);
        let body = json!({"factor": {"totp": site.code(&secret)}});
        // The cookie does not come along: the access token says what is replaced.
        let stepped = site.ask("POST /step-up", "", &token, &body).await;
        assert_eq!(stepped.status, 200, "{delivery:?} {stepped:?}");
        assert_eq!((me(&token).await, me(&access(&stepped)).await), (401, 200), "{delivery:?}");
        assert_eq!(again(&old).await.code().as_deref(), Some("credential-invalid"), "{delivery:?}");
        assert_eq!(again(&refresh(&stepped)).await.status, 200, "{delivery:?}");
        let left = site.records.refresh.list(&UserId::new("u-alice"), site.test.world.clock.now()).await.unwrap();
        assert_eq!(left.len(), 1, "{delivery:?}");
    }
}

#[tokio::test]
async fn a_grace_that_lasts_until_a_token_is_used_is_told_of_as_a_danger() {
    let site = Site::of_tokens().await;
    let settings = HashSettings { cost: Cost::danger_for_tests(), ..HashSettings::default() };
    let hasher = Arc::new(Hasher::new(settings, Arc::clone(&site.test.world.entropy)).unwrap());
    for (grace, dangers) in [(Grace::default(), 0), (Grace::default().danger_until_used(), 1)] {
        let accounts = two_factors(&site.records, Arc::clone(&hasher), &site.test, Delivery::Body, grace);
        assert_eq!(accounts.dangers().len(), dangers);
        let told = Chain::api().accounts(&accounts).chain(&site.test.world).dangers();
        assert_eq!(told.len(), dangers, "{told:?}");
        assert!(told.iter().all(|danger| danger.starts_with("accounts: ") && danger.contains("refresh token")));
    }
}
