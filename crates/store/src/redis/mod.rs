//! Counters and used-up keys in Redis or Valkey, shared by any number of gateways.
//!
//! - Each call is one script, which the server runs alone: one round trip, and nothing comes between a question and its
//!   answer. A server that has forgotten the script, because it was restarted, is sent it again.
//! - Time is the server's ([`Moment`]), and so is expiry: whatever is over goes by itself.
//! - The connection is made anew in the background when it breaks; until it is back, calls fail. Every call has a deadline.
//! - A server that evicts keys when its memory is full (`maxmemory-policy` other than `noeviction`) would forget that a
//!   key was used; one that is restarted without persistence does forget. Cluster and Sentinel are not spoken.

mod counter;
mod once;

use std::time::Duration;

use palisade_core::port::StoreError;
use palisade_core::secret::Secret;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::io::tcp::TcpSettings;
use redis::{
    Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, FromRedisValue, IntoConnectionInfo as _, RedisError,
    Script, ScriptInvocation, TlsCertificates,
};

use crate::OpenError;
use crate::moment::Moment;
use crate::open::{Place, within};
use crate::trust::is_here;

/// Counters and used-up keys in one database of a server.
///
/// ```no_run
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use palisade_store::{Place, redis::RedisStore};
///
/// let store = RedisStore::open(&Place::new("redis://127.0.0.1:6379/0")).await?;
/// # let _ = store;
/// # Ok::<(), palisade_store::OpenError>(()) }).unwrap();
/// ```
pub struct RedisStore {
    connection: ConnectionManager,
    acquire: Script,
    take: Script,
    moment: Moment,
    patience: Duration,
}

impl RedisStore {
    /// Connects, and fails if the server does not answer, refuses the password, or knows no scripts.
    pub async fn open(place: &Place) -> Result<Self, OpenError> {
        let failed = |error: RedisError| OpenError::Server { url: place.shown(), reason: error.to_string() };
        let info = place.url.as_str().into_connection_info().map_err(failed)?;
        // A peer that has vanished without a word is noticed by the system, not only by each call's deadline.
        let tcp = TcpSettings::default().set_nodelay(true);
        #[cfg(any(target_os = "linux", target_os = "android", target_os = "fuchsia"))]
        let tcp = tcp.set_user_timeout(VANISHED);
        let mut settings = info.redis_settings().clone();
        if let Some(user) = &place.user {
            settings = settings.set_username(user);
        }
        if let Some(password) = &place.password {
            settings = settings.set_password(place.text_of(password)?);
        }
        let info = info.set_tcp_settings(tcp).set_redis_settings(settings);
        let client = client(place, info)?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECTING))
            .set_response_timeout(Some(CONNECTING))
            .set_number_of_retries(1)
            .set_min_delay(Duration::from_millis(20))
            .set_max_delay(Duration::from_millis(200));
        let mut connection = ConnectionManager::new_with_config(client, config).await.map_err(failed)?;
        let (acquire, take) = (Script::new(include_str!("acquire.lua")), Script::new(include_str!("take.lua")));
        acquire.load_async(&mut connection).await.map_err(failed)?;
        take.load_async(&mut connection).await.map_err(failed)?;
        Ok(Self { connection, acquire, take, moment: place.moment, patience: place.patience })
    }
}

impl RedisStore {
    /// Runs a script.
    async fn call<T: FromRedisValue>(&self, call: &ScriptInvocation<'_>) -> Result<T, StoreError> {
        let mut connection = self.connection.clone();
        within(self.patience, call.invoke_async(&mut connection)).await?.map_err(|error| store_error(&error))
    }
}

impl std::fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedisStore").field("moment", &self.moment).finish_non_exhaustive()
    }
}

/// What connects: over TLS with what the place says about it, and without it only to this machine.
fn client(place: &Place, info: ConnectionInfo) -> Result<Client, OpenError> {
    let failed = |error: RedisError| OpenError::Server { url: place.shown(), reason: error.to_string() };
    let trust = &place.trust;
    match info.addr() {
        ConnectionAddr::Tcp(host, _) if !is_here(host) && !trust.danger_cleartext => Err(place.unprotected()),
        ConnectionAddr::TcpTls { insecure: true, .. } => Err(place.unprotected()),
        ConnectionAddr::TcpTls { .. } => {
            let shown = |(chain, key): &(Vec<u8>, Secret)| ClientTlsConfig {
                client_cert: chain.clone(),
                client_key: key.expose().to_vec(),
            };
            let certificates =
                TlsCertificates { client_tls: trust.identity.as_ref().map(shown), root_cert: trust.ca.clone() };
            Client::build_with_tls(info, certificates).map_err(failed)
        }
        _ => Client::open(info).map_err(failed),
    }
}

/// How long connecting may take, with TLS and sign-in; and any one answer, if its caller is more patient.
const CONNECTING: Duration = Duration::from_secs(2);

/// After how long without an acknowledgement a connection is given up.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "fuchsia"))]
const VANISHED: Duration = Duration::from_secs(3);

/// The driver's error as the ports spell it.
fn store_error(error: &RedisError) -> StoreError {
    let reason = error.to_string();
    if error.code() == Some("DAMAGED") { StoreError::Damaged { reason } } else { StoreError::Unreachable { reason } }
}
