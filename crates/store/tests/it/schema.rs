//! What every earlier version has written is kept by this one, and what it did not have is there.

use std::fs;
use std::path::Path;

use palisade_core::id::UserId;
use palisade_core::time::Timestamp;
use palisade_store::records::Records;
use palisade_testkit::dir::TempDir;
use palisade_testkit::server::Postgres;
use palisade_testkit::store::family;

const NOW: Timestamp = Timestamp::from_secs(1_795_305_600);

/// The steps of a kind of store, the first one first: what was released stands in these files and is never edited.
fn steps(kind: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(kind).join("migrations");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for (file, number) in files.iter().zip(1..) {
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with(&format!("{number:04}_")), "{name} is not the step {number}");
    }
    files.iter().map(|file| fs::read_to_string(file).unwrap()).collect()
}

/// That every port answers, and what is written stays.
async fn every_record_is_kept(url: &str) {
    let (user, place) = (UserId::new("u-1"), crate::server::patient(url));
    Records::open(&place).await.unwrap().refresh.begin(&family(1, "s", "u-1"), NOW).await.unwrap();
    let records = Records::open(&place).await.unwrap();
    assert_eq!(records.refresh.list(&user, NOW).await.unwrap().len(), 1, "{url}");
    let hash = palisade_core::port::access_token::AccessHash([1; 32]);
    assert!(records.access_tokens.find(&hash).await.unwrap().is_none(), "{url}");
    assert!(records.accounts.find(&user).await.unwrap().is_none(), "{url}");
    assert!(records.api_keys.accounts().await.unwrap().is_empty(), "{url}");
    assert_eq!(records.factors.list(&user).await.unwrap().codes, 0, "{url}");
    assert!(records.keys.list("access").await.unwrap().is_empty(), "{url}");
    assert!(records.revocations.after(0, NOW).await.unwrap().is_empty(), "{url}");
    assert!(records.sessions.list(&user, NOW).await.unwrap().is_empty(), "{url}");
}

#[tokio::test]
async fn a_file_of_every_earlier_version_is_brought_forward() {
    let steps = steps("sqlite");
    for version in 1..=steps.len() {
        let dir = TempDir::new();
        let path = dir.path().join("old.db").display().to_string();
        super::file::execute(&path, "CREATE TABLE schema_version (version INTEGER NOT NULL PRIMARY KEY) STRICT").await;
        for (step, number) in steps.iter().zip(1..=version) {
            super::file::execute(&path, step).await;
            super::file::execute(&path, &format!("INSERT INTO schema_version VALUES ({number})")).await;
        }
        super::file::execute(&path, "INSERT INTO once VALUES ('1:p:k', 9999999999999)").await;
        every_record_is_kept(&format!("sqlite:{path}")).await;
        let kept = "SELECT count(*) FROM once WHERE key = '1:p:k'";
        assert_eq!(super::file::scalar(&path, kept).await, 1, "from version {version}");
        let latest = super::file::scalar(&path, "SELECT max(version) FROM schema_version").await;
        assert_eq!(usize::try_from(latest), Ok(steps.len()), "from version {version}");
    }
}

#[tokio::test]
async fn a_database_of_every_earlier_version_is_brought_forward() {
    let (steps, server) = (steps("postgres"), Postgres::start());
    for version in 1..=steps.len() {
        let numbers = (1..=version).map(|number| format!("INSERT INTO palisade_schema_version VALUES ({number});"));
        let made = format!(
            "CREATE SCHEMA v{version}; SET search_path = v{version};
             CREATE TABLE palisade_schema_version (version bigint PRIMARY KEY); {} {}
             INSERT INTO palisade_tally VALUES ('kept', 1, 2, 3, 4);",
            numbers.collect::<String>(),
            steps[..version].join("\n"),
        );
        super::server::execute(&server, &made).await;
        every_record_is_kept(&format!("{}?options=-csearch_path%3Dv{version}", server.url())).await;
        // A division by zero unless what was there is there, and the version is the latest.
        let kept = "(SELECT count(*) FROM palisade_tally WHERE key = 'kept')";
        let latest = format!("(SELECT (max(version) = {})::int FROM palisade_schema_version)", steps.len());
        super::server::execute(&server, &format!("SET search_path = v{version}; SELECT 1 / ({kept} * {latest})")).await;
    }
}
