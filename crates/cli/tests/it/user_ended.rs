//! `palisade user disable` and `passwd`: what somebody had before ends, at every process that reads the store.

use std::sync::Arc;
use std::time::Duration;

use palisade::core::id::{ClientId, SessionHandle, UserId};
use palisade::core::port::Clock as _;
use palisade::core::port::refresh::Grant;
use palisade::core::port::session::{Holder, NewSession, SessionHash};
use palisade::core::principal::{Assurance, Level};
use palisade::core::secret::Secret;
use palisade::token::algorithm::Algorithm;
use palisade::token::error::TokenError;
use palisade::token::issue::{Access, Issuer, OneKey};
use palisade::token::jwks::{KeySet, StaticKeys};
use palisade::token::jwt::{Rules, Verifier};
use palisade::token::refresh::{RefreshKeys, RefreshToken, RefreshTokens};
use palisade::token::revocation::Revocations;
use palisade::token::revocation_feed::RevocationFeed;
use palisade::token::sign::Signer;
use palisade_store::Place;
use palisade_store::clock::SystemClock;
use palisade_store::entropy::SystemEntropy;
use palisade_store::records::Records;
use palisade_testkit::dir::TempDir;
use palisade_testkit::server::Postgres;

use super::shell::{palisade, palisade_reads};

const ISSUER: &str = "https://id.example.com";
const AUDIENCE: &str = "https://api.example.com";

/// A service beside the command, in the same store.
struct Service {
    records: Records,
    issuer: Issuer,
    verifier: Verifier,
    feed: RevocationFeed,
}

impl Service {
    async fn open(store: &str) -> Self {
        let place = Place { patience: Duration::from_secs(30), ..Place::new(store) };
        let (records, clock) = (Records::open(&place).await.unwrap(), Arc::new(SystemClock));
        let signer = Arc::new(Signer::generate_es256("k").unwrap());
        let keys = Arc::new(StaticKeys::new(KeySet::new([signer.verify_key().unwrap()]).unwrap()));
        let entropy = Arc::new(SystemEntropy);
        let issuer = Issuer::new(ISSUER, AUDIENCE, Arc::new(OneKey(signer)), clock.clone(), entropy);
        let revocations = Arc::<Revocations>::default();
        let rules = Rules::new(ISSUER, AUDIENCE, [Algorithm::Es256]).unwrap();
        let verifier = Verifier::new(rules, keys, clock.clone()).with_revocations(Arc::clone(&revocations));
        let feed = RevocationFeed::new(Arc::clone(&records.revocations), revocations, clock);
        Self { records, issuer, verifier, feed }
    }

    /// Signs somebody in twice: gives an access token, and leaves a session and a family in the store.
    async fn sign_in(&self, user: &UserId, number: u8) -> String {
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
        let keys = RefreshKeys::new("k", &Secret::new([7; 32])).unwrap();
        let refresh = RefreshTokens::new(Arc::clone(&self.records.refresh), keys, clock, entropy);
        let grant = Grant::new(ClientId::new("app"), user.clone());
        let token = refresh.begin(grant.clone()).await.unwrap();
        let family = RefreshToken::parse(token.expose()).unwrap().family().to_string();
        let now = SystemClock.now();
        let session = NewSession {
            id: SessionHash([number; 32]),
            handle: SessionHandle::new(number.to_string()),
            holder: Holder::new(user.clone(), Assurance::new(Level::Aal1, now)),
            idle: Duration::from_secs(600),
            absolute: Duration::from_secs(600),
            limit: None,
            replaces: None,
        };
        self.records.sessions.open(&session, now).await.unwrap();
        let access = Access { session: Some(&family), ..Access::of(&grant) };
        self.issuer.issue(&access, None).unwrap().access.expose().to_owned()
    }

    /// How many sessions and families somebody has.
    async fn kept(&self, user: &UserId) -> (usize, usize) {
        let now = SystemClock.now();
        let sessions = self.records.sessions.list(user, now).await.unwrap();
        (sessions.len(), self.records.refresh.list(user, now).await.unwrap().len())
    }

    async fn refuses(&self, token: &str) -> bool {
        self.feed.catch_up().await.unwrap();
        matches!(self.verifier.verify(token).await, Err(TokenError::Revoked))
    }
}

fn ends_what_was_before(store: &str) {
    let dir = TempDir::new();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let user = |name: &str| {
        let added = palisade(&dir, &format!("user add --store {store} {name} --no-password"));
        assert_eq!(added.code, 0, "{}", added.stderr);
        UserId::new(added.stdout.trim_end())
    };
    let (alice, bob) = (user("alice"), user("bob"));
    let service = runtime.block_on(Service::open(store));
    for (number, command) in
        [(1, "disable alice"), (2, "disable alice"), (3, "passwd alice --issuer"), (4, "disable alice --issuer")]
    {
        let (hers, his) = runtime
            .block_on(async { (service.sign_in(&alice, number).await, service.sign_in(&bob, number + 100).await) });
        assert!(!runtime.block_on(service.refuses(&hers)), "{command}");
        let named = command.contains("--issuer");
        let command = command.replace("--issuer", &format!("--issuer {ISSUER}"));
        let done = palisade_reads(&dir, &format!("user {command} --store {store}"), b"a boat full of green tea");
        assert_eq!(done.code, 0, "{}", done.stderr);
        let told = "; ended: 1 sessions, 1 families of refresh tokens";
        let rest = if named { ", and the access tokens of https://id.example.com\n" } else { "; their access tokens " };
        assert!(done.stderr.contains(&format!("{told}{rest}")), "{command}: {}", done.stderr);
        assert_eq!(runtime.block_on(service.kept(&alice)), (0, 0), "{command}");
        assert_eq!(runtime.block_on(service.refuses(&hers)), named, "{command}");
        assert!(!runtime.block_on(service.refuses(&his)), "{command}: only hers");
    }
    assert_eq!(runtime.block_on(service.kept(&bob)), (4, 4));
}

#[test]
fn what_was_before_ends_in_a_file() {
    let dir = TempDir::new();
    ends_what_was_before(&format!("sqlite:{}", dir.path().join("records.db").display()));
}

#[test]
fn what_was_before_ends_in_a_database() {
    ends_what_was_before(&Postgres::start().url());
}
