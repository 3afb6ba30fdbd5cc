//! The routes of sign-in as strangers, owners and thieves use them.

#[path = "../../examples/accounts.rs"]
#[expect(dead_code, reason = "the test calls the application and not its `main`")]
mod example;

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use palisade::Chain;
use palisade::account::{Accounts, Delivery, Ticket};
use palisade::core::secret::Secret;
use palisade::credential::factors::{FactorSettings, SecondFactors};
use palisade::credential::password::{Cost, HashSettings, Hasher};
use palisade::credential::sign_in::{DeviceKey, SignIn, SignInParts, SignInSettings};
use palisade::credential::totp::Totp;
use palisade::crypto::envelope::Envelope;
use palisade::extract::Principal;
use palisade::session::{SessionSettings, Sessions};
use palisade::testing::{Answer, TestClient, TestWorld};
use palisade::token::revocation_feed::RevocationFeed;
use palisade_core::event::EventKind;
use palisade_core::id::UserId;
use palisade_core::port::account::AccountStatus;
use palisade_core::port::revocation::{Revoked, RevokedAt};
use palisade_core::port::session::{Concurrency, WhenFull};
use palisade_core::port::{RevocationLog, SessionStore, StoreError};
use palisade_core::time::Timestamp;
use palisade_store::Place;
use palisade_store::memory::MemoryRevocations;
use palisade_store::records::Records;
use serde_json::{Value, json};

mod ended;

const GOOD: &str = "a boat full of green tea";

struct Site {
    test: TestWorld,
    records: Records,
    app: Router,
}

impl Site {
    /// The application of the example, with two people.
    async fn of_tokens() -> Self {
        Self::new(|records, hasher, test| example::app(records, hasher, &test.world, Delivery::Cookie).unwrap()).await
    }

    /// The same routes with sessions in a cookie.
    async fn of_sessions(settings: SessionSettings) -> Self {
        Self::of_sessions_in(|records| Arc::clone(&records.sessions), settings).await
    }

    /// The same with sessions in another store.
    async fn of_sessions_in(store: impl FnOnce(&Records) -> Arc<dyn SessionStore>, settings: SessionSettings) -> Self {
        Self::new(|records, hasher, test| {
            let (clock, entropy) = (Arc::clone(&test.world.clock), Arc::clone(&test.world.entropy));
            let (accounts, counters) = (Arc::clone(&records.accounts), Arc::clone(&test.world.counters));
            let devices = DeviceKey::new(&Secret::new([7; 32]), Duration::from_secs(86_400)).unwrap();
            let parts = SignInParts { accounts: Arc::clone(&accounts), counters, hasher, devices, clock, entropy };
            let sessions = Sessions::shared(store(records), &test.world, settings);
            let sign_in = SignIn::new(SignInSettings::default(), parts);
            let envelope = Envelope::new("k", &Secret::new([9; 32])).unwrap();
            let factors = FactorSettings::new("Acme");
            let factors = SecondFactors::new(Arc::clone(&records.factors), &test.world, envelope, factors);
            let accounts = Accounts::new(accounts, sign_in, Ticket::Session(sessions)).under("/auth");
            let accounts = accounts.second_factors(factors, None, &Secret::new([8; 32])).unwrap();
            let me = get(|who: Principal| async move { who.subject().to_string() });
            let routes = Router::new().route("/me", me).merge(accounts.routes());
            Chain::browser_app().accounts(&accounts).protect(routes, &test.world).unwrap()
        })
        .await
    }

    async fn new(app: impl FnOnce(&Records, Arc<Hasher>, &TestWorld) -> Router) -> Self {
        let test = TestWorld::new();
        let records = Records::open(&Place::new("memory:")).await.unwrap();
        let settings = HashSettings { cost: Cost::danger_for_tests(), ..HashSettings::default() };
        let hasher = Arc::new(Hasher::new(settings, Arc::clone(&test.world.entropy)).unwrap());
        for name in ["alice", "bob"] {
            example::register(&records, &hasher, name, GOOD, &test.world).await.unwrap();
        }
        let app = app(&records, hasher, &test);
        Self { test, records, app }
    }

    fn client(&self) -> TestClient {
        self.test.client(self.app.clone())
    }

    /// Asks from a page of the same site, with these cookies and, where it is not empty, this token.
    async fn ask(&self, line: &str, cookie: &str, token: &str, body: &Value) -> Answer {
        let mut request = format!("{line}\nsec-fetch-site: same-origin\nuser-agent: a test");
        if !cookie.is_empty() {
            request += &format!("\ncookie: {cookie}");
        }
        if !token.is_empty() {
            request += &format!("\nauthorization: Bearer {token}");
        }
        if !body.is_null() {
            request += &format!("\ncontent-type: application/json\n\n{body}");
        }
        self.client().ask(&request).await
    }

    async fn sign_in(&self, name: &str) -> SignedIn {
        let answer = self.ask("POST /sign-in", "", "", &json!({"name": name, "password": GOOD})).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        SignedIn::of(&answer)
    }

    async fn refresh(&self, cookie: &str) -> Answer {
        self.ask("POST /refresh", cookie, "", &json!({})).await
    }
}

/// What a browser has after an answer.
#[derive(Clone, Debug, PartialEq)]
struct SignedIn {
    access: String,
    refresh: String,
}

impl SignedIn {
    fn of(answer: &Answer) -> Self {
        let access = answer.json()["access_token"].as_str().unwrap().to_owned();
        Self { access, refresh: cookie(answer, "__Host-refresh").unwrap() }
    }
}

/// A cookie that an answer sets, as the browser sends it back.
fn cookie(answer: &Answer, name: &str) -> Option<String> {
    let mut set = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    let found = set.find(|text| text.starts_with(&format!("{name}=")))?;
    assert!(found.contains("; Path=/; Secure; HttpOnly; SameSite="), "{found}");
    Some(found.split(';').next().unwrap().to_owned())
}

fn kinds(answer: &Answer) -> Vec<EventKind> {
    answer.events.iter().map(|event| event.kind).filter(|kind| *kind != EventKind::Access).collect()
}

#[tokio::test]
async fn a_password_becomes_tokens_that_are_refreshed() {
    let site = Site::of_tokens().await;
    let first = site.sign_in("alice").await;
    assert_eq!(site.ask("GET /me", "", &first.access, &Value::Null).await.text, "user:u-alice");
    // Five minutes later the access token is over, and the refresh token gives another.
    site.test.clock.advance(Duration::from_secs(400));
    assert_eq!(
        site.ask("GET /me", "", &first.access, &Value::Null).await.code().as_deref(),
        Some("credential-invalid")
    );
    let answer = site.refresh(&first.refresh).await;
    assert_eq!(kinds(&answer), [EventKind::TokenIssued]);
    let second = SignedIn::of(&answer);
    assert_ne!(second.refresh, first.refresh);
    assert_eq!(site.ask("GET /me", "", &second.access, &Value::Null).await.text, "user:u-alice");
    assert!(answer.json().get("refresh_token").is_none(), "scripts must not see it");
}

#[tokio::test]
async fn a_refresh_token_that_is_used_again_ends_the_sign_in_and_leaves_the_winners_cookie() {
    let site = Site::of_tokens().await;
    let first = site.sign_in("alice").await;
    let second = SignedIn::of(&site.refresh(&first.refresh).await);
    assert_eq!(SignedIn::of(&site.refresh(&first.refresh).await).refresh, second.refresh, "two tabs at once");
    site.test.clock.advance(Duration::from_secs(60));
    let stolen = site.refresh(&first.refresh).await;
    assert_eq!((stolen.code().as_deref(), stolen.header("set-cookie")), (Some("credential-invalid"), None));
    assert!(kinds(&stolen).contains(&EventKind::TokenReuseDetected), "{:?}", kinds(&stolen));
    assert_eq!(site.refresh(&second.refresh).await.code().as_deref(), Some("credential-invalid"), "for both");
}

#[tokio::test]
async fn of_64_refreshes_at_once_all_get_the_one_successor() {
    let site = Arc::new(Site::of_tokens().await);
    let first = site.sign_in("alice").await.refresh;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let (site, first) = (Arc::clone(&site), first.clone());
        tasks.spawn(async move { SignedIn::of(&site.refresh(&first).await).refresh });
    }
    let successors: BTreeSet<String> = tasks.join_all().await.into_iter().collect();
    assert_eq!(successors.len(), 1);
}

#[tokio::test]
async fn an_answer_does_not_tell_which_accounts_exist() {
    let site = Site::of_tokens().await;
    let disabled = UserId::new("u-bob");
    let now = site.test.world.clock.now();
    site.records.accounts.set_status(&disabled, AccountStatus::Disabled, now).await.unwrap();
    let mut answers = BTreeSet::new();
    let long = "x".repeat(20_000);
    for (name, password, reason) in [
        ("alice", "a boat full of black tea", "wrong"),
        ("bob", GOOD, "account-disabled"),
        ("nobody", GOOD, "unknown"),
        ("alice", "", "wrong"),
        ("alice", &long, "too-long"),
        (" ", GOOD, "no-name"),
    ] {
        let answer = site.ask("POST /sign-in", "", "", &json!({"name": name, "password": password})).await;
        let event = answer.events.iter().find(|event| event.kind == EventKind::SignInRefused);
        let event = event.unwrap_or_else(|| panic!("{name} {reason}: {answer:?}"));
        assert!(event.evidence.iter().any(|fact| fact == ("reason", reason)), "{name}: {event:?}");
        let mut problem = answer.json();
        problem.as_object_mut().unwrap().remove("request_id");
        let names: Vec<&str> = answer.headers.keys().map(|name| name.as_str()).collect();
        answers.insert(format!("{} {problem} {names:?}", answer.status));
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
}

#[tokio::test]
async fn a_foreign_page_signs_nobody_in_and_refreshes_nothing() {
    let site = Site::of_tokens().await;
    let refresh = site.sign_in("alice").await.refresh;
    for (path, body) in
        [("/sign-in", json!({"name": "alice", "password": GOOD})), ("/refresh", json!({})), ("/sign-out", json!({}))]
    {
        let request =
            format!("POST {path}\nsec-fetch-site: cross-site\ncookie: {refresh}\ncontent-type: application/json");
        let answer = site.client().ask(&format!("{request}\n\n{body}")).await;
        assert_eq!(answer.code().as_deref(), Some("cross-site-request"), "{path}");
    }
    // What a form of a foreign page could send is not even read.
    let form = "POST /sign-in\nsec-fetch-site: same-origin\ncontent-type: text/plain\n\n{\"name\":\"alice\"}";
    assert_eq!(site.client().ask(form).await.code().as_deref(), Some("media-type-undeclared"));
}

#[tokio::test]
async fn a_client_that_is_no_browser_keeps_its_refresh_token_itself() {
    let site = Site::new(|records, hasher, test| example::app(records, hasher, &test.world, Delivery::Body).unwrap());
    let site = site.await;
    let ask = async |path: &str, body: Value| {
        site.client().ask(&format!("POST {path}\ncontent-type: application/json\n\n{body}")).await
    };
    let first = ask("/sign-in", json!({"name": "alice", "password": GOOD})).await;
    assert_eq!(cookie(&first, "__Host-refresh"), None);
    let token = |answer: &Answer| answer.json()["refresh_token"].as_str().unwrap().to_owned();
    let second = ask("/refresh", json!({"refresh_token": token(&first)})).await;
    assert_eq!(second.status, 200, "{second:?}");
    assert_eq!(ask("/refresh", json!({})).await.code().as_deref(), Some("credential-missing"));
    assert_eq!(ask("/refresh", json!({"refresh_token": 7})).await.code().as_deref(), Some("payload-invalid"));
    assert_eq!(ask("/sign-out", json!({"refresh_token": token(&second)})).await.status, 204);
    assert_eq!(
        ask("/refresh", json!({"refresh_token": token(&second)})).await.code().as_deref(),
        Some("credential-invalid")
    );
}

#[tokio::test]
async fn somebody_sees_and_ends_where_they_are_signed_in_and_nobody_elses() {
    let site = Site::of_tokens().await;
    let (phone, laptop, bob) = (site.sign_in("alice").await, site.sign_in("alice").await, site.sign_in("bob").await);
    let list = async |who: &SignedIn| {
        let answer = site.ask("GET /sessions", &who.refresh, &who.access, &Value::Null).await.json();
        let list = answer["sessions"].as_array().unwrap().clone();
        let id = |entry: &Value| entry["id"].as_str().unwrap().to_owned();
        let own = list.iter().filter(|entry| entry["current"] == true).map(id).collect::<Vec<_>>();
        (own, list.iter().filter(|entry| entry["current"] == false).map(id).collect::<Vec<_>>())
    };
    let (own, others) = list(&laptop).await;
    assert_eq!((own.len(), others.len()), (1, 1));
    let theirs = list(&bob).await.0.remove(0);
    for id in [theirs.as_str(), "00000000000000000000000000000000", "x"] {
        let answer = site.ask(&format!("DELETE /sessions/{id}"), "", &laptop.access, &Value::Null).await;
        assert_eq!(answer.code().as_deref(), Some("object-unknown"), "{id}");
    }
    let ended = site.ask(&format!("DELETE /sessions/{}", others[0]), "", &laptop.access, &Value::Null).await;
    assert_eq!((ended.status.as_u16(), kinds(&ended)), (204, vec![EventKind::TokenRevoked]));
    assert_eq!(site.refresh(&phone.refresh).await.status, 401);
    let out = site.ask("POST /sign-out", &laptop.refresh, "", &json!({})).await;
    assert_eq!((out.status.as_u16(), cookie(&out, "__Host-refresh").as_deref()), (204, Some("__Host-refresh=")));
    assert_eq!(site.refresh(&laptop.refresh).await.status, 401);
    assert_eq!(site.refresh(&bob.refresh).await.status, 200);
}

impl Site {
    /// Ends a sign-in, and gives what the one who has ended it has from then on.
    async fn end(&self, how: &str, laptop: &SignedIn) -> Option<SignedIn> {
        let site = self;
        let now = site.test.world.clock.now();
        let answer = match how {
            "sign-out" => site.ask("POST /sign-out", &laptop.refresh, "", &json!({})).await,
            "the list" => {
                let list = site.ask("GET /sessions", "", &laptop.access, &Value::Null).await.json();
                let own = list["sessions"].as_array().unwrap().iter().find(|entry| entry["current"] == true).unwrap();
                let line = format!("DELETE /sessions/{}", own["id"].as_str().unwrap());
                site.ask(&line, "", &laptop.access, &Value::Null).await
            }
            "another password" => {
                let body = json!({"current": GOOD, "new": "a cup full of black tea"});
                let answer = site.ask("POST /password", &laptop.refresh, &laptop.access, &body).await;
                assert_eq!(answer.status, 200, "{answer:?}");
                return Some(SignedIn::of(&answer));
            }
            "reuse" => {
                assert_eq!(site.refresh(&laptop.refresh).await.status, 200);
                site.test.clock.advance(Duration::from_secs(60));
                site.refresh(&laptop.refresh).await
            }
            "a disabled account" => {
                let alice = UserId::new("u-alice");
                site.records.accounts.set_status(&alice, AccountStatus::Disabled, now).await.unwrap();
                site.refresh(&laptop.refresh).await
            }
            how => panic!("{how}"),
        };
        assert!([204, 401].contains(&answer.status.as_u16()), "{how}: {answer:?}");
        None
    }
}

#[tokio::test]
async fn an_access_token_ends_with_the_sign_in_that_it_comes_from() {
    for (how, everywhere) in [
        ("sign-out", false),
        ("the list", false),
        ("another password", true),
        ("reuse", false),
        ("a disabled account", true),
    ] {
        let site = Site::of_tokens().await;
        let (phone, laptop, bob) =
            (site.sign_in("alice").await, site.sign_in("alice").await, site.sign_in("bob").await);
        let me = async |who: &SignedIn| site.ask("GET /me", "", &who.access, &Value::Null).await.status.as_u16();
        assert_eq!((me(&phone).await, me(&laptop).await), (200, 200), "{how}");
        let next = site.end(how, &laptop).await;
        assert_eq!(me(&laptop).await, 401, "{how}");
        assert_eq!(me(&phone).await, if everywhere { 401 } else { 200 }, "{how}");
        assert_eq!(me(&bob).await, 200, "{how}");
        if let Some(next) = next {
            assert_eq!(me(&next).await, 200, "{how}: who has changed it stays signed in");
        }
        // Whoever else reads the log hears of it.
        let (log, clock) = (Arc::clone(&site.records.revocations), Arc::clone(&site.test.world.clock));
        let elsewhere = RevocationFeed::new(log, Arc::default(), clock);
        assert!(elsewhere.catch_up().await.unwrap() > 0 && !elsewhere.revocations().is_empty(), "{how}");
    }
}

/// A log that does not answer while it is cut off.
#[derive(Default)]
struct Cut {
    log: MemoryRevocations,
    is_cut: AtomicBool,
}

#[async_trait::async_trait]
impl RevocationLog for Cut {
    async fn append(&self, revoked: &Revoked, now: Timestamp) -> Result<u64, StoreError> {
        match self.is_cut.load(Ordering::SeqCst) {
            true => Err(StoreError::Unreachable { reason: "connection refused".to_owned() }),
            false => self.log.append(revoked, now).await,
        }
    }

    async fn after(&self, place: u64, now: Timestamp) -> Result<Vec<RevokedAt>, StoreError> {
        self.log.after(place, now).await
    }
}

#[tokio::test]
async fn whoever_signs_out_while_the_log_is_cut_off_is_told_so_and_can_try_again() {
    let log = Arc::new(Cut::default());
    let site = Site::new(|records, hasher, test| {
        let mut records = records.clone();
        records.revocations = log.clone();
        example::app(&records, hasher, &test.world, Delivery::Cookie).unwrap()
    })
    .await;
    let alice = site.sign_in("alice").await;
    let out = async || site.ask("POST /sign-out", &alice.refresh, "", &json!({})).await;
    log.is_cut.store(true, Ordering::SeqCst);
    assert_eq!(out().await.code().as_deref(), Some("unavailable"));
    assert_eq!(site.ask("GET /me", "", &alice.access, &Value::Null).await.status, 401, "here it holds");
    log.is_cut.store(false, Ordering::SeqCst);
    assert_eq!(log.after(0, site.test.world.clock.now()).await.unwrap(), []);
    assert_eq!(out().await.status, 204);
    assert_eq!(log.after(0, site.test.world.clock.now()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn whoever_is_disabled_gets_no_more_tokens() {
    let site = Site::of_tokens().await;
    let alice = site.sign_in("alice").await;
    let (id, now) = (UserId::new("u-alice"), site.test.world.clock.now());
    site.records.accounts.set_status(&id, AccountStatus::Disabled, now).await.unwrap();
    let answer = site.refresh(&alice.refresh).await;
    assert_eq!((answer.status.as_u16(), answer.header("set-cookie")), (401, None));
    site.records.accounts.set_status(&id, AccountStatus::Active, now).await.unwrap();
    assert_eq!(site.refresh(&alice.refresh).await.status, 401, "the family has ended");
}

#[tokio::test]
async fn a_changed_password_ends_the_other_sessions_and_says_which_rule_a_bad_one_breaks() {
    let site = Site::of_sessions(SessionSettings::default()).await;
    let sign_in = async |password: &str| {
        site.ask("POST /auth/sign-in", "", "", &json!({"name": "alice", "password": password})).await
    };
    let session = |answer: &Answer| cookie(answer, "__Host-session").unwrap();
    let (phone, laptop) = (session(&sign_in(GOOD).await), session(&sign_in(GOOD).await));
    let change = async |body: Value| site.ask("POST /auth/password", &laptop, "", &body).await;
    let short = change(json!({"current": GOOD, "new": "green tea"})).await;
    assert_eq!(short.code().as_deref(), Some("payload-invalid"));
    assert!(short.text.contains("/body/new") && short.text.contains("15 characters"), "{}", short.text);
    let wrong = change(json!({"current": "a boat full of black tea", "new": "a cup full of black tea"})).await;
    assert_eq!(wrong.code().as_deref(), Some("credential-invalid"));
    let done = change(json!({"current": GOOD, "new": "a cup full of black tea"})).await;
    assert_eq!(done.status, 200, "{done:?}");
    assert!(kinds(&done).contains(&EventKind::PasswordChanged) && kinds(&done).contains(&EventKind::SessionEnded));
    let me = async |cookie: &str| site.ask("GET /me", cookie, "", &Value::Null).await.status.as_u16();
    assert_eq!((me(&session(&done)).await, me(&phone).await), (200, 401));
    assert_eq!(
        (sign_in(GOOD).await.status.as_u16(), sign_in("a cup full of black tea").await.status.as_u16()),
        (401, 200)
    );
}

#[tokio::test]
async fn the_limit_of_sessions_refuses_or_makes_room_as_it_is_set() {
    for (when_full, status, first) in [(WhenFull::Refuse, 409, 200), (WhenFull::EvictOldest, 200, 401)] {
        let limit = Some(Concurrency { most: NonZeroU32::MIN, when_full });
        let site = Site::of_sessions(SessionSettings { limit, ..SessionSettings::default() }).await;
        let body = json!({"name": "alice", "password": GOOD});
        let phone = site.ask("POST /auth/sign-in", "", "", &body).await;
        let laptop = site.ask("POST /auth/sign-in", "", "", &body).await;
        assert_eq!(laptop.status, status, "{laptop:?}");
        assert_eq!(laptop.code().is_some_and(|code| code == "sessions-exhausted"), status == 409);
        assert_eq!(kinds(&laptop).contains(&EventKind::SignedIn), status == 200);
        assert_eq!(kinds(&laptop).contains(&EventKind::SignInRefused), status == 409);
        let phone = cookie(&phone, "__Host-session").unwrap();
        assert_eq!(site.ask("GET /me", &phone, "", &Value::Null).await.status, first);
    }
}

/// Somebody in a browser, on a site of sessions.
struct Browser<'s> {
    site: &'s Site,
    session: String,
}

impl<'s> Browser<'s> {
    async fn post(&self, path: &str, body: Value) -> Answer {
        self.site.ask(&format!("POST /auth{path}"), &self.session, "", &body).await
    }

    /// Signs in with the password alone.
    async fn with_password(site: &'s Site) -> (Answer, Option<Self>) {
        let answer = site.ask("POST /auth/sign-in", "", "", &json!({"name": "alice", "password": GOOD})).await;
        let browser = cookie(&answer, "__Host-session").map(|session| Self { site, session });
        (answer, browser)
    }

    fn take(&mut self, answer: &Answer) {
        self.session = cookie(answer, "__Host-session").unwrap();
    }

    /// Enrolls an authenticator app, and gives its secret and the recovery codes.
    async fn enroll(&mut self) -> (Secret, Vec<String>) {
        let begun = self.post("/factors/totp", json!({"label": "phone"})).await.json();
        let secret = unbase32(begun["secret"].as_str().unwrap());
        let id = begun["id"].as_str().unwrap().to_owned();
        let wrong = self.post("/factors/totp/confirm", json!({"id": id, "code": "000000"})).await;
        assert_eq!(wrong.code().as_deref(), Some("credential-invalid"));
        let confirmed = self.post("/factors/totp/confirm", json!({"id": id, "code": self.site.code(&secret)})).await;
        assert_eq!(confirmed.status, 200, "{confirmed:?}");
        assert!(kinds(&confirmed).contains(&EventKind::FactorAdded));
        self.take(&confirmed);
        let codes = confirmed.json()["recovery_codes"].as_array().unwrap().clone();
        (secret, codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect())
    }
}

impl Site {
    /// What an authenticator app shows now.
    fn code(&self, secret: &Secret) -> String {
        Totp::default().code(secret, self.test.world.clock.now().as_secs() / 30)
    }
}

fn unbase32(text: &str) -> Secret {
    let digits = text.bytes().map(|byte| "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(char::from(byte)).unwrap());
    let bits: Vec<u8> =
        digits.flat_map(|digit| (0..5).rev().map(move |place| u8::from(digit >> place & 1 == 1))).collect();
    Secret::new(bits.chunks_exact(8).map(|bits| bits.iter().fold(0, |byte, bit| byte << 1 | bit)).collect::<Vec<u8>>())
}

#[tokio::test]
async fn a_second_factor_is_enrolled_and_asked_for_and_no_code_counts_twice() {
    let site = Site::of_sessions(SessionSettings::default()).await;
    let other = Browser::with_password(&site).await.1.unwrap();
    let mut browser = Browser::with_password(&site).await.1.unwrap();
    let (secret, codes) = browser.enroll().await;
    assert_eq!(codes.len(), 10);
    let me = async |cookie: &str| site.ask("GET /me", cookie, "", &Value::Null).await.status.as_u16();
    assert_eq!((me(&browser.session).await, me(&other.session).await), (200, 401), "the other sessions have ended");

    site.test.clock.advance(Duration::from_secs(60));
    let (half, session) = Browser::with_password(&site).await;
    assert_eq!((half.status.as_u16(), session.is_none(), half.header("set-cookie")), (202, true, None));
    assert_eq!(half.json()["factors"], json!(["totp", "recovery_code"]));
    let pending = half.json()["pending"].clone();
    let show = async |factor: Value| {
        site.ask("POST /auth/sign-in/factor", "", "", &json!({"pending": pending, "factor": factor})).await
    };
    let code = site.code(&secret);
    let bad = show(json!({"totp": "000000"})).await;
    assert_eq!((bad.code().as_deref(), bad.header("set-cookie")), (Some("credential-invalid"), None));
    let good = show(json!({"totp": code})).await;
    assert_eq!(good.status, 200, "{good:?}");
    assert!(kinds(&good).contains(&EventKind::SignedIn) && kinds(&good).contains(&EventKind::SessionStarted));
    assert_eq!(show(json!({"totp": code})).await.status, 401, "the same code again");
    let recovered = show(json!({"recovery_code": codes[0]})).await;
    assert!(recovered.status == 200 && kinds(&recovered).contains(&EventKind::RecoveryCodeUsed), "{recovered:?}");
    assert_eq!(show(json!({"recovery_code": codes[0]})).await.status, 401, "the same code again");
    assert_eq!(show(json!({"passkey": {"ceremony": "c", "answer": "{}"}})).await.status, 401, "there are none");
    assert_eq!(show(json!({"totp": code, "recovery_code": "x"})).await.code().as_deref(), Some("payload-invalid"));
    // What waits for the second factor does not wait for ever, and cannot be made.
    site.test.clock.advance(Duration::from_secs(300));
    assert_eq!(show(json!({"recovery_code": codes[1]})).await.status, 401);
    let made = json!({"pending": "e30.AAAA", "factor": {"recovery_code": codes[1]}});
    assert_eq!(site.ask("POST /auth/sign-in/factor", "", "", &made).await.status, 401);
}

#[tokio::test]
async fn factors_are_changed_by_somebody_who_has_just_shown_all_they_have() {
    let site = Site::of_sessions(SessionSettings::default()).await;
    let mut browser = Browser::with_password(&site).await.1.unwrap();
    site.test.clock.advance(Duration::from_secs(301));
    let late = browser.post("/factors/totp", json!({})).await;
    assert_eq!(late.code().as_deref(), Some("assurance-insufficient"), "signed in too long ago");
    assert!(late.header("www-authenticate").unwrap().contains("max_age=300"), "{late:?}");
    let mut browser_again = Browser::with_password(&site).await.1.unwrap();
    let (secret, _) = browser_again.enroll().await;
    // The session is one of the password alone: more factors, other codes or none need both.
    for (path, body) in [("/factors/totp", json!({})), ("/factors/codes", Value::Null)] {
        let answer = browser_again.post(path, body).await;
        assert_eq!(answer.code().as_deref(), Some("assurance-insufficient"), "{path}");
    }
    site.test.clock.advance(Duration::from_secs(30));
    let before = browser_again.session.clone();
    let stepped = browser_again.post("/step-up", json!({"factor": {"totp": site.code(&secret)}})).await;
    assert_eq!(stepped.status, 200, "{stepped:?}");
    browser_again.take(&stepped);
    assert_ne!(browser_again.session, before, "another id for other rights");
    let renewed = browser_again.post("/factors/codes", Value::Null).await;
    assert_eq!(renewed.json()["recovery_codes"].as_array().unwrap().len(), 10);
    let list = site.ask("GET /auth/factors", &browser_again.session, "", &Value::Null).await.json();
    assert_eq!((list["factors"][0]["label"].as_str(), list["recovery_codes"].as_u64()), (Some("phone"), Some(10)));
    let id = list["factors"][0]["id"].as_str().unwrap();
    let removed = site.ask(&format!("DELETE /auth/factors/{id}"), &browser_again.session, "", &Value::Null).await;
    assert!(removed.status == 200 && kinds(&removed).contains(&EventKind::FactorRemoved), "{removed:?}");
    browser.session = cookie(&removed, "__Host-session").unwrap();
    assert_eq!(Browser::with_password(&site).await.0.status, 200, "the password is enough again");
}

#[tokio::test]
async fn a_hundred_wrong_codes_in_a_row_disable_the_app_and_nothing_else() {
    let site = Site::of_sessions(SessionSettings::default()).await;
    let mut browser = Browser::with_password(&site).await.1.unwrap();
    let (secret, codes) = browser.enroll().await;
    // Every three minutes another code may be tried.
    let wait = || site.test.clock.advance(Duration::from_secs(180));
    let guess = async |browser: &Browser<'_>| {
        wait();
        let answer = browser.post("/step-up", json!({"factor": {"totp": "12345"}})).await;
        assert_eq!(answer.code().as_deref(), Some("credential-invalid"));
        kinds(&answer).contains(&EventKind::AuthenticatorDisabled)
    };
    let right = async |browser: &Browser<'_>| {
        wait();
        browser.post("/step-up", json!({"factor": {"totp": site.code(&secret)}})).await
    };
    for round in ["the right code forgets them", "in a row"] {
        for number in 1..100 {
            assert!(!guess(&browser).await, "{number}, {round}");
        }
        if round != "in a row" {
            let stepped = right(&browser).await;
            assert_eq!(stepped.status, 200, "{stepped:?}");
            browser.take(&stepped);
        }
    }
    assert!(guess(&browser).await, "the hundredth");
    assert_eq!(right(&browser).await.code().as_deref(), Some("credential-invalid"), "it comes too late");
    let half = Browser::with_password(&site).await.0.json();
    assert_eq!(half["factors"], json!(["recovery_code"]));
    let body = json!({"pending": half["pending"], "factor": {"recovery_code": codes[0]}});
    let recovered = site.ask("POST /auth/sign-in/factor", "", "", &body).await;
    assert_eq!(recovered.status, 200, "{recovered:?}");
    let browser = Browser { site: &site, session: cookie(&recovered, "__Host-session").unwrap() };
    // Whoever has nothing left that works is not let in by the password alone.
    site.records.factors.replace_codes(&UserId::new("u-alice"), &[]).await.unwrap();
    let stuck = Browser::with_password(&site).await.0;
    assert_eq!((stuck.status.as_u16(), stuck.header("set-cookie")), (202, None));
    assert_eq!(stuck.json()["factors"], json!([]));
    let list = site.ask("GET /auth/factors", &browser.session, "", &Value::Null).await.json();
    assert!(list["factors"][0]["disabled"].is_string(), "{list}");
    let id = list["factors"][0]["id"].as_str().unwrap();
    let removed = site.ask(&format!("DELETE /auth/factors/{id}"), &browser.session, "", &Value::Null).await;
    assert_eq!(removed.status, 200, "whoever has recovered removes it and enrolls another: {removed:?}");
}
