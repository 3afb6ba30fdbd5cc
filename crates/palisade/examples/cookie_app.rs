//! An application with a session cookie: requests that change something need a token that other sites cannot have.
//!
//! ```text
//! CSRF_KEY=$(openssl rand -base64 32) cargo run -p palisade --example cookie_app
//! curl -i http://127.0.0.1:3000/login -H 'Sec-Fetch-Site: cross-site' -d ''
//! ```
//!
//! That request is what another site's form makes a browser send, to sign its visitor in as somebody else: it is refused
//! although it carries no credential yet. A script of the own pages reads the token from the cookie `__Host-csrf` and
//! sends it back in the header `X-CSRF-Token`.

use std::net::SocketAddr;

use axum::Router;
use axum::response::{Html, IntoResponse};
use axum::routing::{get, post};
use palisade::Chain;
use palisade::cookie::{CookieError, SetCookie};
use palisade::core::secret::Secret;
use palisade::csrf::TokenKey;
use palisade::observe::JsonLines;
use palisade::preset::World;
use palisade_store::{clock::SystemClock, entropy::SystemEntropy, memory::MemoryCounters};

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let key = Secret::new(std::env::var("CSRF_KEY")?);
    let world = World::new(SystemClock, SystemEntropy, MemoryCounters::default(), JsonLines::new(std::io::stdout()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app(&key, &world)?.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}

/// The application. A real one would look the session up; here it only exists.
pub(crate) fn app(key: &Secret, world: &World) -> Result<Router, Failure> {
    let routes = Router::new()
        .route("/", get(home))
        .route("/login", get(form).post(sign_in))
        .route("/transfer", post(|| async { "transferred" }));
    let secured = Chain::browser_app()
        .csrf_tokens(TokenKey::derived(key)?, "__Host-sid")
        .login("/login")
        .readable_cookie("theme")
        .public("GET /")
        .public("GET /login")
        .public("POST /login")
        .public("POST /transfer")
        .protect(routes, world)?;
    Ok(secured)
}

/// A choice that scripts may read. That the cookie is safe otherwise is not this handler's to remember.
async fn home() -> Result<impl IntoResponse, Refused> {
    Ok((SetCookie::preference("theme", "dark")?, Html("<!doctype html><html lang=\"en\"><title>Home</title></html>")))
}

/// Who comes here without a session gets an id and a token for it, by the chain.
async fn form() -> Html<&'static str> {
    Html("<!doctype html><html lang=\"en\"><title>Sign in</title></html>")
}

/// A new session is a new id, and so the token of the visitor before it is worth nothing any more.
async fn sign_in() -> Result<impl IntoResponse, Refused> {
    Ok((SetCookie::session("sid", "a-random-id-of-the-session")?, "welcome"))
}

/// A cookie could not be made.
struct Refused;

impl From<CookieError> for Refused {
    fn from(_: CookieError) -> Self {
        Self
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> axum::response::Response {
        http::StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}
