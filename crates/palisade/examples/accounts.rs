//! Sign-in with a password, an access token of five minutes, and a refresh token that works once.
//!
//! ```text
//! PASSWORD='a boat full of green tea' cargo run -p palisade --features accounts --example accounts
//! curl -i http://127.0.0.1:3000/sign-in -H 'Sec-Fetch-Site: same-origin' -H 'Content-Type: application/json' \
//!      -d '{"name":"alice","password":"a boat full of green tea"}'
//! curl -i http://127.0.0.1:3000/me -H "Authorization: Bearer $ACCESS_TOKEN"
//! curl -i http://127.0.0.1:3000/refresh -H 'Sec-Fetch-Site: same-origin' -H 'Content-Type: application/json' \
//!      -H "Cookie: __Host-refresh=$REFRESH_TOKEN" -d '{}'
//! ```
//!
//! The refresh token is in a cookie that no script can read. The same one twice within ten seconds gives the same
//! answer, because two tabs may ask at once; later it ends the whole sign-in, because somebody has stolen it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use palisade::Chain;
use palisade::account::{Accounts, Delivery, Ticket, Tokens};
use palisade::core::id::{ClientId, UserId};
use palisade::core::port::account::{NewAccount, NewPassword, SignInName, Strength};
use palisade::core::secret::Secret;
use palisade::credential::password::{HashSettings, Hasher, PasswordPolicy};
use palisade::credential::sign_in::{DeviceKey, SignIn, SignInParts, SignInSettings};
use palisade::extract::Principal;
use palisade::observe::JsonLines;
use palisade::preset::World;
use palisade::token::issue::{Issuer, OneKey};
use palisade::token::refresh::{RefreshKeys, RefreshTokens};
use palisade::token::revocation_feed::RevocationFeed;
use palisade::token::{algorithm::Algorithm, jwks::KeySet, jwks::StaticKeys, jwt::Rules, sign::Signer};
use palisade_store::{Place, clock::SystemClock, entropy::SystemEntropy, memory::MemoryCounters, records::Records};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const ISSUER: &str = "http://127.0.0.1:3000";

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let world = World::new(SystemClock, SystemEntropy, MemoryCounters::default(), JsonLines::new(std::io::stdout()));
    // `sqlite:accounts.db` or `postgres://...` outlive the process.
    let records = Records::open(&Place::new("memory:")).await?;
    let hasher = Arc::new(Hasher::new(HashSettings::default(), Arc::clone(&world.entropy))?);
    register(&records, &hasher, "alice", &std::env::var("PASSWORD")?, &world).await?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    let app = app(&records, hasher, &world, Delivery::Cookie)?;
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}

/// An account whose password is its only factor.
pub(crate) async fn register(
    records: &Records,
    hasher: &Hasher,
    name: &str,
    password: &str,
    world: &World,
) -> Result<(), Failure> {
    let (password, strength) = PasswordPolicy::default().check(password, Strength::Alone, &[name])?;
    let password = Some(NewPassword { hash: hasher.hash(&password).await?, strength });
    let name = SignInName::parse(name).ok_or("this is no name to sign in with")?;
    let account = NewAccount { password, ..NewAccount::new(UserId::new(format!("u-{}", name.as_str())), name) };
    records.accounts.register(&account, world.clock.now()).await?;
    Ok(())
}

pub(crate) fn app(
    records: &Records,
    hasher: Arc<Hasher>,
    world: &World,
    delivery: Delivery,
) -> Result<Router, Failure> {
    // A program that is to be restarted reads these three from where it keeps its secrets.
    let signer = Arc::new(Signer::generate_es256("2026-11")?);
    let (mut device, mut refresh) = ([0; 32], [0; 32]);
    world.entropy.fill(&mut device);
    world.entropy.fill(&mut refresh);

    let (clock, entropy) = (Arc::clone(&world.clock), Arc::clone(&world.entropy));
    let keys = StaticKeys::new(KeySet::new([signer.verify_key()?])?);
    let issuer = Issuer::new(ISSUER, ISSUER, Arc::new(OneKey(signer)), Arc::clone(&clock), Arc::clone(&entropy));
    let families = RefreshKeys::new("2026-11", &Secret::new(refresh))?;
    let refresh = RefreshTokens::new(Arc::clone(&records.refresh), families, Arc::clone(&clock), Arc::clone(&entropy));
    // Whoever signs out is out at once. Where several processes share the records, each runs its feed: `feed.run`.
    let feed = RevocationFeed::new(Arc::clone(&records.revocations), Arc::default(), Arc::clone(&clock));
    let tokens = Tokens::new(issuer, refresh, ClientId::new("web"), delivery).revoking(Arc::new(feed));
    let ticket = Ticket::Tokens(tokens);

    let remembered = Duration::from_secs(180 * 86_400);
    let devices = DeviceKey::new(&Secret::new(device), remembered).ok_or("the key is too short")?;
    let (accounts, counters) = (Arc::clone(&records.accounts), Arc::clone(&world.counters));
    let parts = SignInParts { accounts: Arc::clone(&accounts), counters, hasher, devices, clock, entropy };
    let accounts = Accounts::new(accounts, SignIn::new(SignInSettings::default(), parts), ticket);

    let me = get(|who: Principal| async move { who.subject().to_string() });
    let rules = Rules::new(ISSUER, ISSUER, [Algorithm::Es256])?;
    let routes = Router::new().route("/me", me).merge(accounts.routes());
    Ok(Chain::api().bearer(rules, keys).accounts(&accounts).protect(routes, world)?)
}
