//! Counters and used-up keys in PostgreSQL, shared by any number of gateways.
//!
//! - Time is the server's ([`Moment`]).
//! - Used-up keys are one statement. Counters are a transaction that locks its keys in one order, reads, takes the pure
//!   steps and writes: exact, and as fast as the database commits. Limits on busy routes belong into Redis.
//! - A commit is as durable as the server makes it; counters do not wait for the disk (`synchronous_commit = off`).
//! - Each new row removes up to two that are over, so the tables hold about as many rows as there are live keys.
//! - The schema only moves forward. That of a newer version is refused.

mod access_token;
mod account;
mod api_key;
mod counter;
mod factor;
mod key;
mod migration;
mod once;
mod refresh;
mod revocation;
mod session;

use std::str::FromStr as _;
use std::time::Duration;

use palisade_core::time::Timestamp;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{ConnectOptions as _, PgConnection, PgPool};

use crate::OpenError;
use crate::moment::Moment;
use crate::open::Place;
use crate::trust::is_here;

/// Counters and used-up keys in one database.
///
/// ```no_run
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use palisade_store::{Place, postgres::PostgresStore};
///
/// let store = PostgresStore::open(&Place::new("postgres://palisade@db.example.com/palisade")).await?;
/// # let _ = store;
/// # Ok::<(), palisade_store::OpenError>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct PostgresStore {
    pool: PgPool,
    moment: Moment,
    patience: Duration,
}

impl PostgresStore {
    /// Connects and brings the schema to this version.
    pub async fn open(place: &Place) -> Result<Self, OpenError> {
        let failed = |error: sqlx::Error| OpenError::Server { url: place.shown(), reason: error.to_string() };
        let mut options = PgConnectOptions::from_str(&place.url).map_err(failed)?.disable_statement_logging();
        if let Some(user) = &place.user {
            options = options.username(user);
        }
        if let Some(password) = &place.password {
            options = options.password(place.text_of(password)?);
        }
        options = protected(place, options)?;
        let options =
            options.application_name("palisade").options([("lock_timeout", "2s"), ("statement_timeout", "5s")]);
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(place.patience.max(CONNECTING))
            .connect_with(options)
            .await
            .map_err(failed)?;
        let store = Self { pool, moment: place.moment, patience: place.patience };
        migration::apply(&store, &place.shown()).await?;
        Ok(store)
    }

    /// Lets go of all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// The present moment: that of the server, unless the caller names it.
    async fn moment(&self, connection: &mut PgConnection, now: Timestamp) -> Result<Timestamp, sqlx::Error> {
        if let Some(named) = self.moment.named(now) {
            return Ok(named);
        }
        let millis: i64 = sqlx::query_scalar(NOW).fetch_one(connection).await?;
        Ok(Timestamp::from_millis(u64::try_from(millis).unwrap_or_default()))
    }
}

/// What goes to another machine is encrypted, and the server proves its name. A URL that says less is refused: what the
/// driver does by itself is to go on in the clear with a server that wants it so.
fn protected(place: &Place, mut options: PgConnectOptions) -> Result<PgConnectOptions, OpenError> {
    let trust = &place.trust;
    if let Some(ca) = &trust.ca {
        options = options.ssl_root_cert_from_pem(ca.clone());
    }
    if let Some((chain, key)) = &trust.identity {
        options = options.ssl_client_cert_from_pem(chain).ssl_client_key_from_pem(key.expose());
    }
    let says = ["sslmode=", "ssl-mode="].iter().any(|name| place.url.contains(name));
    let wants_proof = trust.ca.is_some() || trust.identity.is_some();
    if !says && (wants_proof || !is_local(&options)) {
        options = options.ssl_mode(PgSslMode::VerifyFull);
    }
    let is_proven = matches!(options.get_ssl_mode(), PgSslMode::VerifyFull);
    if is_proven || is_local(&options) || trust.danger_cleartext { Ok(options) } else { Err(place.unprotected()) }
}

fn is_local(options: &PgConnectOptions) -> bool {
    options.get_socket().is_some() || options.get_host().starts_with('/') || is_here(options.get_host())
}

const NOW: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";

/// How many connections one gateway has.
const CONNECTIONS: u32 = 8;

/// How long a connection is waited for at least, with TLS and sign-in.
const CONNECTING: Duration = Duration::from_secs(2);
