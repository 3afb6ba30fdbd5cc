//! An application signs people in behind the gateway, and the gateway knows its sessions.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response};
use palisade::observe::Kept;
use palisade::preset::World;
use palisade::session::{SessionSettings, Sessions};
use palisade::token::identity;
use palisade::token::jwks::{KeySet, StaticKeys};
use palisade::token::jwt::Verifier;
use palisade_core::denial::DenialCode;
use palisade_core::id::UserId;
use palisade_core::port::Clock;
use palisade_core::port::session::Holder;
use palisade_core::principal::{Assurance, Level};
use palisade_core::time::Timestamp;
use palisade_store::Place;
use palisade_store::clock::SystemClock;
use palisade_store::entropy::SystemEntropy;
use palisade_store::memory::MemoryCounters;
use palisade_store::records::Records;
use palisade_testkit::clock::TestClock;
use palisade_testkit::dir::TempDir;
use palisade_testkit::upstream::Upstream;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use super::harness::Site;
use super::wire::Answer;

const CONTRACT: &str = r##"
openapi: 3.1.0
info: { title: App, version: "1" }
security: [{ session: [] }]
paths:
  /session:
    post: { operationId: signIn, security: [], responses: { "204": { description: Done. } } }
    delete: { operationId: signOut, responses: { "204": { description: Done. } } }
  /me:
    get: { operationId: getMe, responses: { "204": { description: Done. } } }
    post: { operationId: changeMe, responses: { "204": { description: Done. } } }
components:
  securitySchemes: { session: { type: apiKey, in: cookie, name: __Host-session } }
"##;

/// The routes on which the application signs in and out give it the cookie, all others do not.
fn policy(url: &str, max_age: &str) -> String {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
    format!(
        r#"version = 1
[listen.main]
address = "127.0.0.1:0"
[upstream.app]
url = "{{upstream}}"
[contract.app]
openapi = "openapi.yaml"
[route.door]
path = "/session"
upstream = "app"
contract = "app"
authenticate = ["sessions.app"]
credentials = "forward"
csrf = {{ login_paths = ["/session"] }}
[route.app]
path = "/**"
upstream = "app"
contract = "app"
authenticate = ["sessions.app"]
[sessions.app]
{max_age}
[store.records]
url = "{url}"
[present]
sign_key = "file:{fixtures}/identity.key.pem"
plain_headers = false
[events]
output = "file:events.jsonl"
"#
    )
}

async fn sessions(url: &str, clock: Arc<dyn Clock>) -> Sessions {
    let store = Records::open(&Place::new(url)).await.unwrap().sessions;
    let counters = Arc::new(MemoryCounters::default());
    let (entropy, events) = (Arc::new(SystemEntropy), Arc::new(Kept::default()));
    Sessions::shared(store, &World { clock, entropy, counters, events, once: None }, SessionSettings::aal1())
}

fn alice(sessions: &Sessions) -> Holder {
    Holder::new(UserId::new("alice"), Assurance::new(Level::Aal1, sessions.now()))
}

/// An application that believes everybody who they say they are.
async fn app(sessions: Sessions) -> Upstream {
    let act = async move |sessions: Sessions, request: Request<Bytes>| {
        let response = Response::builder().status(204);
        let headers = request.headers();
        let response = match (request.method(), request.uri().path()) {
            (&Method::POST, "/session") => {
                let started = sessions.start(alice(&sessions), headers).await.unwrap();
                response.header("set-cookie", sessions.cookie(started.id()).unwrap().text())
            }
            (&Method::DELETE, "/session") => {
                sessions.end(headers).await.unwrap();
                response.header("set-cookie", sessions.settings().cookie.removal().text())
            }
            _ => response,
        };
        response.body(Bytes::new()).unwrap()
    };
    Upstream::start(move |request| block_in_place(|| Handle::current().block_on(act(sessions.clone(), request)))).await
}

/// The id that an answer sets.
fn id(answer: &Answer) -> String {
    let cookie = answer.header("set-cookie").strip_prefix("__Host-session=").unwrap();
    cookie.split_once(';').unwrap().0.to_owned()
}

/// A file for the records, and its URL.
fn records() -> (TempDir, String) {
    let dir = TempDir::new();
    let url = format!("sqlite:{}", dir.path().join("records.db").display());
    (dir, url)
}

const SIGN_IN: &str = "POST /session\nsec-fetch-site: same-origin";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_signed_in_to_the_application_is_known_at_the_gateway_until_the_session_ends() {
    let (_dir, url) = records();
    let upstream = app(sessions(&url, Arc::new(SystemClock)).await).await;
    let site = Site::start_with(&policy(&url, ""), &upstream.url(), Some(CONTRACT)).await;
    let (nobody, planted) = (site.ask("GET /me").await, site.ask("POST /session\nsec-fetch-site: cross-site").await);
    let id = id(&site.ask(SIGN_IN).await);
    let cookie = format!("cookie: theme=dark; __Host-session={id}; lang=en");
    assert_eq!(site.ask(&format!("GET /me\n{cookie}")).await.status, 204);
    assert_eq!(site.ask(&format!("POST /me\nsec-fetch-site: same-origin\n{cookie}")).await.status, 204);
    let received = upstream.received();
    assert_eq!(received.len(), 3, "the rest was refused");
    let headers = received[1].headers();
    assert_eq!(headers["cookie"], "theme=dark; lang=en", "{headers:?}");
    let keys = KeySet::parse(&site.ask("GET /.well-known/palisade-identity-keys").await.body).unwrap();
    let rules = identity::rules("palisade", "app").unwrap();
    let verifier = Verifier::new(rules, Arc::new(StaticKeys::new(keys)), Arc::new(SystemClock));
    let claims = verifier.verify(headers["palisade-identity"].to_str().unwrap()).await.unwrap();
    assert_eq!(claims.subject(), "alice");
    let forged = site.ask(&format!("POST /me\nsec-fetch-site: cross-site\n{cookie}")).await;
    site.reloader.reload().await.unwrap();
    assert_eq!(site.ask(&format!("GET /me\n{cookie}")).await.status, 204, "after a reload");
    let signed_out = site.ask(&format!("DELETE /session\nsec-fetch-site: same-origin\n{cookie}")).await;
    assert_eq!(signed_out.status, 204, "{signed_out:?}");
    let ended = site.ask(&format!("GET /me\n{cookie}")).await;
    let log = site.finish().await;
    log.assert_refused(&nobody, DenialCode::CredentialMissing);
    log.assert_refused(&planted, DenialCode::CrossSiteRequest);
    log.assert_refused(&forged, DenialCode::CrossSiteRequest);
    assert_eq!(log.assert_refused(&ended, DenialCode::CredentialInvalid)["reason"], "session_unknown");
    assert!(ended.header("set-cookie").starts_with("__Host-session=; "), "{ended:?}");
}

/// Ids that are nearly one that opens a session, none of them twice.
fn near(id: &str) -> Vec<String> {
    let other = |character: char| if character == 'x' { 'y' } else { 'x' };
    let changed = (0..id.len()).map(|place| {
        id.char_indices().map(|(at, character)| if at == place { other(character) } else { character }).collect()
    });
    let cut = [0, 1, 10, 16, 21, 22, 32, 42].map(|length| id.chars().take(length).collect());
    let shaped = [
        id.to_ascii_uppercase(),
        id.to_ascii_lowercase(),
        format!("{id}="),
        format!("{id}A"),
        format!("{id}{id}"),
        format!("={id}"),
        format!(".{id}"),
        format!("%2e{id}"),
        id.chars().rev().collect(),
        format!("{id}; __Host-session={id}"),
        format!("{id}%00"),
        format!("{id}, {id}"),
        "' OR '1'='1".to_owned(),
    ];
    changed.chain(cut).chain(shaped).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_ids_that_are_nearly_right_open_nothing() {
    let (_dir, url) = records();
    let upstream = app(sessions(&url, Arc::new(SystemClock)).await).await;
    let site = Site::start_with(&policy(&url, ""), &upstream.url(), Some(CONTRACT)).await;
    let id = id(&site.ask(SIGN_IN).await);
    let mut refused = Vec::new();
    for form in near(&id) {
        let answer = site.ask(&format!("GET /me\ncookie: __Host-session={form}")).await;
        assert_eq!(answer.status, 401, "{form}: {answer:?}");
        refused.push(answer);
    }
    assert_eq!(refused.len(), 64);
    assert_eq!(site.ask(&format!("GET /me\ncookie: __Host-session={id}")).await.status, 204, "and the right one does");
    assert_eq!(upstream.received().len(), 2);
    let log = site.finish().await;
    for answer in &refused {
        log.assert_refused(answer, DenialCode::CredentialInvalid);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_gateway_may_want_sessions_to_be_younger_than_the_application_does() {
    let (_dir, url) = records();
    let earlier = Timestamp::from_millis(SystemClock.now().as_millis() - 2 * 3_600_000);
    let upstream = app(sessions(&url, Arc::new(TestClock::at(earlier))).await).await;
    let start = async |max_age| Site::start_with(&policy(&url, max_age), &upstream.url(), Some(CONTRACT)).await;
    let (lenient, strict) = (start("").await, start("max_age = \"1h\"").await);
    let id = id(&lenient.ask(SIGN_IN).await);
    let request = format!("GET /me\ncookie: __Host-session={id}");
    let refused = strict.ask(&request).await;
    assert_eq!(lenient.ask(&request).await.status, 204);
    let log = strict.finish().await;
    assert_eq!(log.assert_refused(&refused, DenialCode::CredentialInvalid)["reason"], "session_too_old");
    lenient.finish().await;
}
