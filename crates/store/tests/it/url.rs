//! Which URLs open a store, and what is said about the others.

use palisade_store::{OpenError, open};
use palisade_testkit::dir::TempDir;

/// What is said when the URL is of no kind that there is.
const MEMORY_OR: &str = "write `memory:`, `sqlite:PATH`, `redis://HOST:PORT/DB` or `postgres://USER@HOST:PORT/DB`";

#[tokio::test]
async fn refuses_what_names_no_store_and_says_what_to_write() {
    for (url, expect) in [
        ("", MEMORY_OR),
        ("memory", MEMORY_OR),
        ("memory:x", MEMORY_OR),
        ("redis:127.0.0.1", MEMORY_OR),
        ("sqlite:", "write a path after `sqlite:`"),
        ("sqlite://a.db", "write `sqlite:palisade.db` or `sqlite:/var/lib/palisade.db`, without `//`"),
        ("sqlite::memory:", "write `memory:`"),
        ("sqlite:a.db?mode=ro", "the path of a store takes no parameters"),
    ] {
        let error = open(url).await.unwrap_err();
        assert!(matches!(error, OpenError::Unknown { .. }), "{url}: {error:?}");
        assert_eq!(error.to_string(), format!("`{url}` names no store: {expect}"));
    }
}

#[tokio::test]
async fn opens_memory_and_files() {
    let dir = TempDir::new();
    assert!(open("memory:").await.is_ok());
    assert!(open(&format!("sqlite:{}/a.db", dir.path().display())).await.is_ok());
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_is_named() {
    let dir = TempDir::new();
    let text = dir.write("text.db", "this is not a database, and long enough to be one.".repeat(20));
    for path in [dir.path().join("missing/a.db"), dir.path().to_owned(), text] {
        let path = path.display().to_string();
        let error = open(&format!("sqlite:{path}")).await.unwrap_err();
        assert!(matches!(&error, OpenError::File { path: named, .. } if *named == path), "{error:?}");
    }
}
