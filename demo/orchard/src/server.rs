//! The server opens the database, plants the seed and serves the routes until it is told to stop.

use std::error::Error;
use std::fmt::{self, Display};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::http::Uri;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::fetcher::Fetcher;
use crate::routes;
use crate::seed;
use crate::shop::Shop;
use crate::store::Store;
use crate::throttle::Throttle;
use crate::token::Signer;
use crate::weakness::Weaknesses;

/// How a shop is opened.
///
/// ```
/// use orchard::{Database, Settings, Weaknesses};
///
/// let settings = Settings {
///     weaknesses: Weaknesses::none(),
///     database: Database::Memory,
///     partner: "http://127.0.0.1:9001".to_owned(),
/// };
/// assert_eq!(settings.weaknesses.iter().count(), 0);
/// ```
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which weaknesses are on.
    pub weaknesses: Weaknesses,
    /// Where the data is.
    pub database: Database,
    /// The base URL of the shipping partner, plain HTTP. Nobody need be there until a quote is asked for.
    pub partner: String,
}

/// Where the shop keeps its data. Whatever was there is replaced by the seed.
///
/// ```
/// let file = orchard::Database::File("orchard.sqlite".into());
/// assert_ne!(file, orchard::Database::Memory);
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Database {
    /// A file, made if missing.
    File(PathBuf),
    /// Memory, gone when the shop stops.
    Memory,
}

/// A running shop. Dropping it stops it at once; [`stop`](Self::stop) lets requests finish.
#[derive(Debug)]
pub struct Orchard {
    shop: Arc<Shop>,
    address: SocketAddr,
    closing: oneshot::Sender<()>,
    tasks: JoinSet<()>,
}

/// Opens the shop behind a listener.
///
/// # Errors
///
/// When the database cannot be opened or filled, the signing key cannot be made, the listener has no address, or the
/// partner is not a plain HTTP URL.
pub async fn start(listener: TcpListener, settings: Settings) -> Result<Orchard, StartError> {
    let address = listener.local_addr().map_err(|error| StartError::new("the listener has no address", error))?;
    let partner = base_url(&settings.partner)?;
    let file = match &settings.database {
        Database::File(file) => Some(file.as_path()),
        Database::Memory => None,
    };
    let store = Store::open(file).await.map_err(|error| StartError::new("the database could not be opened", error))?;
    seed::plant(&store).await.map_err(|failure| {
        StartError::new("the database could not be filled", std::io::Error::other(format!("{failure:?}")))
    })?;
    let signer = Signer::generate().map_err(|error| StartError::new("the signing key could not be made", error))?;

    let shop = Arc::new(Shop {
        store,
        signer,
        throttle: Throttle::default(),
        fetcher: Fetcher::new(),
        partner,
        weaknesses: settings.weaknesses,
    });
    let (closing, closed) = oneshot::channel::<()>();
    let server = axum::serve(listener, routes::router(&shop)).with_graceful_shutdown(async move {
        // A dropped sender is as good a reason to close as a message.
        let _ = closed.await;
    });
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        // The loop of axum ends only when it was told to.
        let _ = server.await;
    });
    Ok(Orchard { shop, address, closing, tasks })
}

impl Orchard {
    /// The address the shop listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Puts the data back as it was at the start, and forgets failed logins. Tokens stay valid.
    ///
    /// If the database fails, what is left of it answers 500.
    pub async fn reset(&self) {
        self.shop.throttle.clear();
        // INVARIANT: the seed drops every table first, so a failure cannot leave the attacked data in place unnoticed.
        let _ = seed::plant(&self.shop.store).await;
    }

    /// Takes no more requests, waits a moment for those being served, and closes the database.
    pub async fn stop(self) {
        let Self { shop, closing, mut tasks, .. } = self;
        // A receiver that is gone means that the server has ended by itself.
        let _ = closing.send(());
        if timeout(PATIENCE, tasks.join_next()).await.is_err() {
            tasks.shutdown().await;
        }
        // A request that outlives the patience may hold the connection; dropping the pool closes it later.
        let _ = timeout(PATIENCE, shop.store.close()).await;
    }
}

/// Why the shop did not open.
///
/// ```
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use orchard::{Database, Settings, Weaknesses};
///
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// let partner = "ftp://partner.example".to_owned();
/// let settings = Settings { weaknesses: Weaknesses::none(), database: Database::Memory, partner };
/// let error = orchard::start(listener, settings).await.unwrap_err();
/// assert_eq!(error.to_string(), "the partner must be a plain HTTP URL");
/// # Ok(())
/// # }
/// # tokio::runtime::Runtime::new().unwrap().block_on(run()).unwrap();
/// ```
#[derive(Debug)]
pub struct StartError {
    reason: &'static str,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl StartError {
    fn new(reason: &'static str, source: impl Error + Send + Sync + 'static) -> Self {
        Self { reason, source: Some(Box::new(source)) }
    }
}

impl Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason)
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let source: &(dyn Error + 'static) = self.source.as_deref()?;
        Some(source)
    }
}

fn base_url(text: &str) -> Result<Uri, StartError> {
    let uri: Uri = text.parse().map_err(|error| StartError::new(PARTNER, error))?;
    if uri.scheme_str() == Some("http") && uri.host().is_some() {
        Ok(uri)
    } else {
        Err(StartError { reason: PARTNER, source: None })
    }
}

const PARTNER: &str = "the partner must be a plain HTTP URL";
const PATIENCE: Duration = Duration::from_secs(2);
