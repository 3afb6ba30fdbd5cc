//! Sessions under attack: planted ids, kept ids, old ids, foreign forms, and a store that is gone.

#[path = "../../examples/session_app.rs"]
#[expect(dead_code, reason = "the test calls the application and not its `main`")]
mod session_app;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::HeaderMap;
use palisade::extract::{Principal, Refusal};
use palisade::session::{SessionSettings, Sessions};
use palisade_core::denial::DenialCode;
use palisade_core::event::{EventKind, SecurityEvent};
use palisade_core::id::{SessionHandle, UserId};
use palisade_core::port::session::{
    Concurrency, Ended, Holder, NewSession, Opened, Renewal, Renewed, Session, SessionHash, Touched, WhenFull,
};
use palisade_core::port::{SessionStore, StoreError};
use palisade_core::principal::{Assurance, Level};
use palisade_core::secret::Secret;
use palisade_core::time::Timestamp;
use palisade_store::memory::MemorySessions;

use self::session_app::App;
use crate::world::{Answer, Stand, ask, assert_refused, parse};

const MINUTE: Duration = Duration::from_secs(60);

struct Site {
    stand: Stand,
    sessions: Sessions,
    app: Router,
}

impl Site {
    fn new(settings: SessionSettings) -> Self {
        Self::keeping_in(MemorySessions::default(), settings)
    }

    fn keeping_in(store: impl SessionStore, settings: SessionSettings) -> Self {
        let stand = Stand::new();
        let sessions = Sessions::new(store, &stand.world, settings);
        let secret = |text: &str| Arc::new(Secret::new(text));
        let state = App { sessions: sessions.clone(), password: secret("pw"), code: secret("123456") };
        let routes = session_app::routes()
            .route("/sessions", get(list))
            .route("/sessions/{session}/end", post(end_one))
            .route("/password", post(change_password));
        let app = session_app::app(routes, state, &stand.world).unwrap();
        Self { stand, sessions, app }
    }

    /// Asks from the own pages.
    async fn ask(&self, request: &str, cookie: Option<&str>) -> Answer {
        self.stand.kept.take();
        let (line, body) = request.split_once("\n\n").unwrap_or((request, ""));
        let cookie = cookie.map(|id| format!("\ncookie: theme=dark; __Host-session={id}")).unwrap_or_default();
        ask(&self.app, parse(&format!("{line}\nhost: a\nsec-fetch-site: same-origin{cookie}\n\n{body}"))).await
    }

    async fn sign_in(&self, cookie: Option<&str>) -> Answer {
        self.ask("POST /login\n\npw", cookie).await
    }

    /// Signs Alice in on a new device, and gives its id.
    async fn alice(&self) -> String {
        id(&self.sign_in(None).await).unwrap()
    }

    /// Somebody else's id.
    async fn other(&self, user: &str) -> String {
        let holder = Holder::new(UserId::new(user), Assurance::new(Level::Aal1, self.sessions.now()));
        self.sessions.start(holder, &HeaderMap::new()).await.unwrap().id().unwrap().expose().to_owned()
    }

    async fn me(&self, id: &str) -> Option<String> {
        let answer = self.ask("GET /me", Some(id)).await;
        answer.status.is_success().then_some(answer.text)
    }

    fn events(&self) -> Vec<SecurityEvent> {
        self.stand.kept.take()
    }

    fn kinds(&self) -> Vec<EventKind> {
        self.events().iter().map(|event| event.kind).collect()
    }
}

impl Default for Site {
    fn default() -> Self {
        Self::new(SessionSettings::default())
    }
}

async fn list(State(app): State<App>, who: Principal) -> Result<Json<Vec<String>>, Refusal> {
    let sessions = app.sessions.list(&UserId::new(who.subject().id().unwrap())).await?;
    Ok(Json(sessions.iter().map(|session| session.handle.to_string()).collect()))
}

async fn end_one(State(app): State<App>, who: Principal, Path(session): Path<String>) -> Result<Response, Refusal> {
    let own = UserId::new(who.subject().id().unwrap());
    let ended = app.sessions.end_one(&own, &SessionHandle::new(session)).await?;
    Ok((Sessions::noted(&ended), "ended").into_response())
}

async fn change_password(State(app): State<App>, who: Principal, headers: HeaderMap) -> Result<Response, Refusal> {
    let own = UserId::new(who.subject().id().unwrap());
    let changed = app.sessions.credential_changed(&headers, &own).await?;
    Ok((app.sessions.cookie(changed.id()), changed.noted(), "changed").into_response())
}

/// The id that an answer gives the browser.
fn id(answer: &Answer) -> Option<String> {
    let mut cookies = answer.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    let cookie = cookies.find_map(|cookie| cookie.strip_prefix("__Host-session="))?;
    let (id, attributes) = cookie.split_once("; ").unwrap();
    match attributes {
        "Path=/; Secure; HttpOnly; SameSite=Lax" => assert_eq!(id.len(), 43),
        "Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0" => assert_eq!(id, ""),
        other => panic!("{other}"),
    }
    Some(id.to_owned())
}

/// That a cookie is worth nothing any more, and that the browser is told to forget it.
async fn assert_dead(site: &Site, cookie: &str, reason: &str) {
    let answer = site.ask("GET /me", Some(cookie)).await;
    assert_eq!(id(&answer).as_deref(), Some(""), "{answer:?}");
    assert_eq!(answer.header("www-authenticate"), Some("Cookie cookie-name=\"__Host-session\""));
    let event = assert_refused(&answer, site.events(), DenialCode::CredentialInvalid);
    assert_eq!(event.evidence.iter().find(|(fact, _)| *fact == "reason"), Some(("reason", reason)));
}

#[tokio::test]
async fn who_signs_in_is_known_until_they_sign_out() {
    let site = Site::default();
    let answer = site.sign_in(None).await;
    assert_eq!(site.kinds(), [EventKind::SessionStarted, EventKind::Access]);
    let cookie = id(&answer).unwrap();
    assert_eq!(site.me(&cookie).await.as_deref(), Some("user:alice aal1"));
    assert_eq!(site.events().first().unwrap().who.to_string(), "user:alice");
    assert_eq!(site.ask("GET /me", None).await.code().as_deref(), Some("credential-missing"));
    let answer = site.ask("POST /logout", Some(&cookie)).await;
    assert_eq!((answer.text.as_str(), id(&answer).as_deref()), ("bye", Some("")));
    assert_dead(&site, &cookie, "session_unknown").await;
    assert_eq!(site.ask("POST /login\n\nguess", None).await.status, 403);
}

#[tokio::test]
async fn session_fixation_an_id_that_was_planted_is_never_adopted() {
    let site = Site::default();
    let planted = "A".repeat(43);
    assert_dead(&site, &planted, "session_unknown").await;
    assert_dead(&site, "chosen", "session_malformed").await;
    assert_dead(&site, "", "session_malformed").await;
    let given = id(&site.sign_in(Some(&planted)).await).unwrap();
    assert_ne!(given, planted);
    assert_dead(&site, &planted, "session_unknown").await;

    // The attacker's own session, planted in the victim's browser before she signs in, does not become hers.
    let attackers = site.other("mallory").await;
    let victims = id(&site.sign_in(Some(&attackers)).await).unwrap();
    assert_eq!(site.kinds(), [EventKind::SessionStarted, EventKind::SessionEnded, EventKind::Access]);
    assert_eq!(site.me(&victims).await.as_deref(), Some("user:alice aal1"));
    assert_dead(&site, &attackers, "session_unknown").await;
}

#[tokio::test]
async fn a_cookie_that_stands_twice_is_nobodys() {
    let site = Site::default();
    let (own, planted) = (site.alice().await, site.other("mallory").await);
    assert_dead(&site, &format!("{own}; __Host-session={planted}"), "session_malformed").await;
    let two = format!("GET /me\nauthorization: Bearer {}", site.stand.token(&serde_json::json!({})));
    assert_eq!(site.ask(&two, Some(&own)).await.code().as_deref(), Some("credential-invalid"));
}

#[tokio::test]
async fn an_old_id_after_step_up_has_its_old_rights_for_seconds_and_then_none() {
    let site = Site::default();
    let old = site.alice().await;
    let refused = site.ask("POST /transfer", Some(&old)).await;
    let challenge = "Bearer error=\"insufficient_user_authentication\", acr_values=\"aal2\", max_age=300";
    assert_eq!(refused.header("www-authenticate"), Some(challenge), "RFC 9470: {refused:?}");
    assert_refused(&refused, site.events(), DenialCode::AssuranceInsufficient);

    site.stand.clock.advance(MINUTE);
    let stepped = site.ask("POST /step-up\n\n123456", Some(&old)).await;
    assert_eq!(site.kinds(), [EventKind::SessionRenewed, EventKind::Access]);
    let new = id(&stepped).unwrap();
    assert_eq!(site.ask("POST /transfer", Some(&new)).await.text, "paid by user:alice");
    let refused = site.ask("POST /transfer", Some(&old)).await;
    assert_eq!(refused.code().as_deref(), Some("assurance-insufficient"), "who stole the old id gained nothing");
    assert_eq!(site.me(&old).await.as_deref(), Some("user:alice aal1"), "a request under way arrives");
    let again = site.ask("POST /step-up\n\n123456", Some(&old)).await;
    assert_eq!((again.status.as_u16(), id(&again)), (200, None), "a session does not fork");
    site.stand.clock.advance(Duration::from_secs(10));
    assert_dead(&site, &old, "session_unknown").await;

    // Five minutes later the second factor is too old.
    site.stand.clock.advance(5 * MINUTE);
    assert_eq!(site.ask("POST /transfer", Some(&new)).await.code().as_deref(), Some("assurance-insufficient"));
    assert_eq!(site.me(&new).await.as_deref(), Some("user:alice aal2"));
}

#[tokio::test]
async fn login_csrf_another_sites_form_signs_nobody_in() {
    let site = Site::default();
    let own = site.alice().await;
    for from in ["sec-fetch-site: cross-site", "sec-fetch-site: same-site", "origin: https://evil.example"] {
        let answer = ask(&site.app, parse(&format!("POST /login\nhost: a\n{from}\n\npw"))).await;
        assert_eq!((answer.code().as_deref(), id(&answer)), (Some("cross-site-request"), None), "{from}");
        let cookie = format!("cookie: __Host-session={own}");
        let answer = ask(&site.app, parse(&format!("POST /password\nhost: a\n{from}\n{cookie}"))).await;
        assert_eq!(answer.code().as_deref(), Some("cross-site-request"), "{from}");
    }
    assert!(site.me(&own).await.is_some());
}

#[tokio::test]
async fn idle_timeout_ends_what_is_unused_and_absolute_timeout_what_is_used() {
    let site = Site::default();
    let (unused, used) = (site.alice().await, site.alice().await);
    let mut minutes = 0;
    while minutes < 12 * 60 {
        assert!(site.me(&used).await.is_some(), "after {minutes} minutes");
        if minutes == 40 {
            assert_dead(&site, &unused, "session_unused").await;
        }
        site.stand.clock.advance(20 * MINUTE);
        minutes += 20;
    }
    assert_dead(&site, &used, "session_too_old").await;
}

#[tokio::test]
async fn a_session_that_is_over_does_not_lock_its_user_out_of_the_way_back() {
    let site = Site::default();
    let old = site.alice().await;
    site.stand.clock.advance(31 * MINUTE);
    let answer = site.sign_in(Some(&old)).await;
    let new = id(&answer).unwrap();
    assert_eq!(answer.headers.get_all("set-cookie").iter().count(), 1, "nothing takes the new cookie away again");
    let kinds = site.kinds();
    assert!(
        kinds.contains(&EventKind::AuthenticationFailed) && kinds.contains(&EventKind::SessionStarted),
        "{kinds:?}"
    );
    assert!(site.me(&new).await.is_some());
}

#[tokio::test]
async fn a_concurrent_limit_refuses_or_signs_the_oldest_out() {
    let limited = |when_full| {
        let limit = Some(Concurrency { most: 2.try_into().unwrap(), when_full });
        Site::new(SessionSettings { limit, ..SessionSettings::default() })
    };
    let site = limited(WhenFull::Refuse);
    let (first, _second) = (site.alice().await, site.alice().await);
    let answer = site.sign_in(None).await;
    assert_eq!((answer.status.as_u16(), id(&answer)), (409, None));
    assert_eq!(site.kinds(), [EventKind::LimitExceeded, EventKind::Access]);
    assert_eq!(site.sign_in(Some(&first)).await.status, 200, "the same browser may sign in again");
    assert!(site.me(&site.other("bob").await).await.is_some());

    let site = limited(WhenFull::EvictOldest);
    let first = site.alice().await;
    site.stand.clock.advance(MINUTE);
    let second = site.alice().await;
    let third = site.alice().await;
    assert_eq!(site.kinds(), [EventKind::SessionStarted, EventKind::SessionEnded, EventKind::Access]);
    assert_dead(&site, &first, "session_unknown").await;
    assert!(site.me(&second).await.is_some() && site.me(&third).await.is_some());
}

#[tokio::test]
async fn a_session_revoked_by_its_user_ends_at_once_and_nobody_elses_does() {
    let site = Site::default();
    let (phone, laptop, bobs) = (site.alice().await, site.alice().await, site.other("bob").await);
    let mut sessions = Vec::new();
    for session in site.sessions.list(&UserId::new("alice")).await.unwrap() {
        sessions.push(session.handle.to_string());
    }
    let listed = site.ask("GET /sessions", Some(&laptop)).await.json();
    assert_eq!(listed, serde_json::json!(sessions));
    let ends = sessions.iter().map(|handle| format!("POST /sessions/{handle}/end")).collect::<Vec<_>>();
    for request in &ends {
        site.ask(request, Some(&bobs)).await;
    }
    assert!(site.me(&phone).await.is_some() && site.me(&laptop).await.is_some(), "Bob cannot end Alice's");
    for request in &ends {
        site.ask(request, Some(&laptop)).await;
    }
    assert!(site.me(&phone).await.is_none() && site.me(&laptop).await.is_none());
    assert!(site.me(&bobs).await.is_some());
}

#[tokio::test]
async fn sessions_revoked_by_an_administrator_end_at_once() {
    let site = Site::default();
    let (one, other, bobs) = (site.alice().await, site.alice().await, site.other("bob").await);
    assert_eq!(site.sessions.end_all(&UserId::new("alice"), None).await.unwrap().len(), 2);
    for id in [&one, &other] {
        assert_dead(&site, id, "session_unknown").await;
    }
    assert!(site.me(&bobs).await.is_some());
}

#[tokio::test]
async fn a_changed_password_ends_all_other_sessions_and_renews_its_own() {
    let site = Site::default();
    let (own, thiefs, bobs) = (site.alice().await, site.alice().await, site.other("bob").await);
    let answer = site.ask("POST /password", Some(&own)).await;
    assert_eq!(site.kinds(), [EventKind::SessionRenewed, EventKind::SessionEnded, EventKind::Access]);
    let new = id(&answer).unwrap();
    assert_dead(&site, &thiefs, "session_unknown").await;
    assert!(site.me(&new).await.is_some() && site.me(&bobs).await.is_some());
    site.stand.clock.advance(Duration::from_secs(10));
    assert_dead(&site, &own, "session_unknown").await;
}

/// A store that nobody can reach.
struct Down;

fn down<T>() -> Result<T, StoreError> {
    Err(StoreError::Unreachable { reason: "no route to 10.0.0.8".to_owned() })
}

#[async_trait]
impl SessionStore for Down {
    async fn open(&self, _: &NewSession, _: Timestamp) -> Result<Opened, StoreError> {
        down()
    }

    async fn touch(&self, _: &SessionHash, _: Timestamp) -> Result<Touched, StoreError> {
        down()
    }

    async fn renew(&self, _: &SessionHash, _: &Renewal, _: Timestamp) -> Result<Renewed, StoreError> {
        down()
    }

    async fn end(&self, _: &SessionHash) -> Result<Ended, StoreError> {
        down()
    }

    async fn end_one(&self, _: &UserId, _: &SessionHandle) -> Result<Ended, StoreError> {
        down()
    }

    async fn end_all(&self, _: &UserId, _: Option<&SessionHandle>) -> Result<Vec<SessionHandle>, StoreError> {
        down()
    }

    async fn list(&self, _: &UserId, _: Timestamp) -> Result<Vec<Session>, StoreError> {
        down()
    }
}

#[tokio::test]
async fn a_store_that_is_down_lets_nobody_in_and_signs_nobody_out() {
    let site = Site::keeping_in(Down, SessionSettings::default());
    let some = "A".repeat(43);
    for (request, cookie) in [("GET /me", Some(some.as_str())), ("POST /login\n\npw", None)] {
        let answer = site.ask(request, cookie).await;
        assert_eq!(id(&answer), None, "the cookie stays");
        let event = assert_refused(&answer, site.events(), DenialCode::Unavailable);
        assert!(event.evidence.iter().any(|(_, value)| value.contains("10.0.0.8")), "{event:?}");
    }
    assert_eq!(site.ask("POST /login\n\npw", Some(&some)).await.status, 503);
    assert_eq!(
        site.ask("GET /me", None).await.code().as_deref(),
        Some("credential-missing"),
        "who has none needs none"
    );
}
