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
        // What goes over a network is encrypted, and the server proves who it is, unless the URL says otherwise.
        if !place.url.contains("sslmode=") && !is_local(&options) {
            options = options.ssl_mode(PgSslMode::VerifyFull);
        }
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

fn is_local(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    options.get_socket().is_some()
        || host.starts_with('/')
        || host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

const NOW: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";

/// How many connections one gateway has.
const CONNECTIONS: u32 = 8;

/// How long a connection is waited for at least, with TLS and sign-in.
const CONNECTING: Duration = Duration::from_secs(2);
