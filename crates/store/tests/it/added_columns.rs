//! What a store in PostgreSQL does after somebody else has added to its tables.

use std::sync::atomic::AtomicU32;
use std::time::Duration;

use palisade_core::id::{ApiKeyId, ClientId, FactorId, SessionHandle, UserId};
use palisade_core::port::access_token::AccessHash;
use palisade_core::port::account::SignInName;
use palisade_core::port::refresh::{FamilyId, Grace, Presented, Turn};
use palisade_core::port::session::{Change, Renewal, SessionHash};
use palisade_core::port::{
    AccessTokenStore, AccountStore, ApiKeyStore, FactorStore, KeyStore, RefreshStore, RevocationLog, SessionStore,
    StoreError,
};
use palisade_core::time::Timestamp;
use palisade_store::postgres::PostgresStore;
use palisade_testkit::server::Postgres;
use palisade_testkit::store::family;

const NOW: Timestamp = Timestamp::from_secs(1_795_305_600);

/// Sends every statement that reads a row, and says which of them has failed.
async fn failed_reads(store: &PostgresStore) -> Vec<String> {
    let (user, client) = (UserId::new("u-1"), ClientId::new("c-1"));
    let name = SignInName::parse("u-1").unwrap();
    let (old, late) = (FamilyId::from_bytes(1_u128.to_be_bytes()), NOW.plus(Duration::from_secs(1)));
    let again = Presented { generation: 0, turn: Turn::Rotate, grace: Grace::default() };
    let renewal = Renewal { id: SessionHash([2; 32]), change: Change::default(), grace: Duration::from_secs(1) };
    let mut failed = Vec::new();
    let mut note = |what: &str, error: Option<StoreError>| failed.extend(error.map(|error| format!("{what}: {error}")));
    note("access token", AccessTokenStore::find(store, &AccessHash([1; 32])).await.err());
    note("account", AccountStore::find(store, &user).await.err());
    note("account by name", store.find_by_name(None, &name).await.err());
    note("accounts", AccountStore::list(store, None, 9).await.err());
    note("service accounts", store.accounts().await.err());
    note("key", ApiKeyStore::find(store, &ApiKeyId::new("k-1")).await.err());
    note("keys", ApiKeyStore::list(store, &client).await.err());
    note("factor", store.pending(&user, &FactorId::new("f-1"), NOW).await.err());
    note("factors", FactorStore::list(store, &user).await.err());
    note("signing keys", KeyStore::list(store, "access").await.err());
    note("family", RefreshStore::find(store, old).await.err());
    // Of a token that was used before: not the way of one statement.
    note("refresh", store.redeem(old, again, late).await.err());
    note("families", RefreshStore::list(store, &user, NOW).await.err());
    note("revocations", store.after(0, NOW).await.err());
    note("session", store.touch(&SessionHash([1; 32]), NOW).await.err());
    note("renewal", store.renew(&SessionHash([1; 32]), &renewal, NOW).await.err());
    note("end", store.end_one(&user, &SessionHandle::new("s-1")).await.err());
    note("sessions", SessionStore::list(store, &user, NOW).await.err());
    failed
}

/// A server refuses a prepared statement whose rows have other columns by now than when it was prepared.
#[tokio::test]
async fn columns_that_another_process_adds_to_a_database_harm_nothing() {
    let (server, count) = (Postgres::start(), AtomicU32::new(0));
    let store = crate::server::postgres(&server, &count).await;
    RefreshStore::begin(&store, &family(1, "s", "u-1"), NOW).await.unwrap();
    for _ in 0..ROUNDS {
        assert_eq!(failed_reads(&store).await, Vec::<String>::new());
    }
    let add = "DO $$ DECLARE t record; BEGIN
                 FOR t IN SELECT schemaname s, tablename n FROM pg_tables WHERE tablename LIKE 'palisade%' LOOP
                   EXECUTE format('ALTER TABLE %I.%I ADD COLUMN more text', t.s, t.n);
                 END LOOP;
               END $$";
    super::server::execute(&server, add).await;
    for _ in 0..ROUNDS {
        assert_eq!(failed_reads(&store).await, Vec::<String>::new());
    }
}

/// A statement goes over any of several connections, and each prepares for itself.
const ROUNDS: u32 = 20;
