//! An application that people sign in to: sessions in a cookie, a second factor for what matters, sign-out.
//!
//! ```text
//! PASSWORD=secret CODE=123456 cargo run -p palisade --example session_app
//! curl -i http://127.0.0.1:3000/login -H 'Sec-Fetch-Site: same-origin' -d secret
//! ```
//!
//! The answer has the cookie `__Host-session`. With it `/me` answers; `/transfer` answers only after `/step-up`, which
//! gives the session another id, and the one before is worth nothing a few seconds later.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use palisade::Chain;
use palisade::core::id::UserId;
use palisade::core::operation::AccessRule;
use palisade::core::port::session::Holder;
use palisade::core::principal::{Assurance, Level};
use palisade::core::secret::Secret;
use palisade::extract::{Principal, Refusal};
use palisade::observe::JsonLines;
use palisade::preset::World;
use palisade::session::{SessionSettings, Sessions};
use palisade_store::memory::{MemoryCounters, MemorySessions};
use palisade_store::{clock::SystemClock, entropy::SystemEntropy};

/// What handlers share. One password and one code for the only user are enough for an example.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) sessions: Sessions,
    pub(crate) password: Arc<Secret>,
    pub(crate) code: Arc<Secret>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let world = World::new(SystemClock, SystemEntropy, MemoryCounters::default(), JsonLines::new(std::io::stdout()));
    let sessions = Sessions::new(MemorySessions::default(), &world, SessionSettings::default());
    let secret = |name| std::env::var(name).map(|text| Arc::new(Secret::new(text)));
    let state = App { sessions, password: secret("PASSWORD")?, code: secret("CODE")? };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app(routes(), state, &world)?.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}

pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/login", post(sign_in))
        .route("/step-up", post(step_up))
        .route("/transfer", post(|who: Principal| async move { format!("paid by {}", who.subject()) }))
        .route(
            "/me",
            get(|who: Principal| async move { format!("{} {}", who.subject(), who.assurance().level.as_str()) }),
        )
        .route("/logout", post(sign_out))
}

pub(crate) fn app(routes: Router<App>, state: App, world: &World) -> Result<Router, palisade::chain::ChainError> {
    let max_age = Some(Duration::from_secs(300));
    let two_factors = AccessRule { level: Level::Aal2, max_age, ..AccessRule::default() };
    Chain::browser_app()
        .sessions(&state.sessions)
        .login("/login")
        .public("POST /login")
        .rule("POST /transfer", two_factors, Vec::new())
        .protect(routes.with_state(state), world)
}

async fn sign_in(State(app): State<App>, headers: HeaderMap, password: String) -> Result<Response, Refusal> {
    if !app.password.matches(password.as_bytes()) {
        return Ok(StatusCode::FORBIDDEN.into_response());
    }
    let holder = Holder::new(UserId::new("alice"), Assurance::new(Level::Aal1, app.sessions.now()));
    let started = app.sessions.start(holder, &headers).await?;
    let status = if started.id().is_some() { StatusCode::OK } else { StatusCode::CONFLICT };
    Ok((status, app.sessions.cookie(started.id()), started.noted(), ()).into_response())
}

async fn step_up(State(app): State<App>, headers: HeaderMap, code: String) -> Result<Response, Refusal> {
    if !app.code.matches(code.as_bytes()) {
        return Ok(StatusCode::FORBIDDEN.into_response());
    }
    let changed = app.sessions.step_up(&headers, Assurance::new(Level::Aal2, app.sessions.now())).await?;
    Ok((app.sessions.cookie(changed.id()), changed.noted(), ()).into_response())
}

async fn sign_out(State(app): State<App>, headers: HeaderMap) -> Result<Response, Refusal> {
    let ended = app.sessions.end(&headers).await?;
    Ok((app.sessions.settings().cookie.removal(), Sessions::noted(&ended), "bye").into_response())
}
