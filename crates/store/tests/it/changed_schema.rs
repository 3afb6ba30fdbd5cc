//! What a SQLite store does while somebody else changes the schema of its file, and after that was taken back.

use palisade_core::id::UserId;
use palisade_core::port::refresh::{FamilyId, Grace, Presented, Turn, Whose};
use palisade_core::port::{RefreshStore, SessionStore};
use palisade_core::time::Timestamp;
use palisade_store::sqlite::SqliteStore;
use palisade_testkit::dir::TempDir;
use palisade_testkit::store::family;

const NOW: Timestamp = Timestamp::from_secs(1_795_305_600);

/// Does a bit of everything, and says what has failed.
async fn failures(store: &SqliteStore, number: u128) -> Vec<String> {
    let mut failed = Vec::new();
    let mut note = |what, error: Option<String>| failed.extend(error.map(|error| format!("{what}: {error}")));
    let (kept, new) = (FamilyId::from_bytes(number.to_be_bytes()), family(1000 + number, "s", "u-1"));
    let rotate = Presented { generation: 0, turn: Turn::Rotate, grace: Grace::default() };
    // Nothing at all would be worse than an error: what is revoked, locked or disabled would be taken for unknown.
    note(
        "find",
        match store.find(kept).await {
            Ok(found) => found.is_none().then(|| "nothing".to_owned()),
            Err(error) => Some(error.to_string()),
        },
    );
    note("begin", store.begin(&new, NOW).await.err().map(|error| error.to_string()));
    note(
        "list",
        match RefreshStore::list(store, &UserId::new("u-1"), NOW).await {
            Ok(list) => list.is_empty().then(|| "nothing".to_owned()),
            Err(error) => Some(error.to_string()),
        },
    );
    note("redeem", store.redeem(kept, rotate, NOW).await.err().map(|error| error.to_string()));
    note("revoke", store.revoke(Whose::Family(kept), NOW).await.err().map(|error| error.to_string()));
    note("end", store.end_all(&UserId::new("nobody"), None).await.err().map(|error| error.to_string()));
    failed
}

#[tokio::test]
async fn a_schema_that_was_changed_and_changed_back_is_used_again_at_once() {
    let trigger = |when: &str, how: &str| {
        format!("CREATE TRIGGER no BEFORE {when} ON refresh BEGIN SELECT RAISE({how}, 'no'); END")
    };
    let mut changes = vec![
        ("ALTER TABLE refresh RENAME TO other".to_owned(), "ALTER TABLE other RENAME TO refresh"),
        (
            "ALTER TABLE refresh RENAME COLUMN salt TO pepper".to_owned(),
            "ALTER TABLE refresh RENAME COLUMN pepper TO salt",
        ),
        ("ALTER TABLE refresh ADD COLUMN more TEXT".to_owned(), "ALTER TABLE refresh DROP COLUMN more"),
    ];
    for when in ["INSERT", "UPDATE"] {
        for how in ["ABORT", "FAIL", "ROLLBACK"] {
            changes.push((trigger(when, how), "DROP TRIGGER no"));
        }
    }
    for (change, back) in changes {
        let dir = TempDir::new();
        let path = dir.path().join("palisade.db").display().to_string();
        let store = SqliteStore::open_durable(&path).await.unwrap();
        for number in 1..=3 {
            store.begin(&family(number, "s", "u-1"), NOW).await.unwrap();
        }
        assert_eq!(failures(&store, 1).await, Vec::<String>::new(), "{change}");
        super::file::execute(&path, &change).await;
        let during = failures(&store, 2).await;
        assert_eq!(during.is_empty(), change.contains("ADD COLUMN"), "{change}: {during:?}");
        super::file::execute(&path, back).await;
        assert_eq!(failures(&store, 3).await, Vec::<String>::new(), "{change}");
    }
}
