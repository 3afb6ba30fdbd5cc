//! Bodies and queries that attackers send: the seeds of fuzz targets, run by every build. The verdict on each is in its
//! name, and what is kept says the same when it is written anew.

use std::path::Path;

use http::{HeaderMap, HeaderValue, Method};
use palisade_contract::{Contract, ContractOperation};

use crate::support::{contract, only, operation};

/// The contract of a target, and name and content of its seeds.
fn target(name: &str) -> (Contract, Vec<(String, Vec<u8>)>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let source = std::fs::read_to_string(folder.join(format!("fuzz_targets/{name}.rs"))).unwrap();
    let yaml = source.split("r#\"").nth(1).unwrap().split("\"#").next().unwrap();
    let files = std::fs::read_dir(folder.join("seeds").join(name)).unwrap().map(|entry| entry.unwrap().path());
    let named = |path: std::path::PathBuf| {
        (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap())
    };
    let seeds: Vec<_> = files.map(named).collect();
    assert!(seeds.len() >= 5, "`{name}` has seeds");
    (contract(yaml), seeds)
}

fn bodies(name: &str, media: &'static str) {
    let (contract, seeds) = target(name);
    let operation: &ContractOperation = only(&contract);
    let media = HeaderValue::from_static(media);
    for (seed, body) in seeds {
        let found = operation.check_body(Some(&media), &body);
        assert_eq!(found.is_ok(), seed.starts_with("kept-"), "{name}/{seed}: {found:?}");
        let Ok(payload) = found else { continue };
        let Some(canonical) = payload.canonical else { continue };
        let again = operation.check_body(Some(canonical.content_type.as_ref().unwrap_or(&media)), &canonical.bytes);
        let again = again.unwrap().value.or_else(|| serde_json::from_slice(&canonical.bytes).ok());
        assert_eq!(again, payload.value.or_else(|| serde_json::from_slice(&body).ok()), "{name}/{seed}");
    }
}

#[test]
fn json_has_one_reading() {
    bodies("json", "application/json");
}

#[test]
fn xml_is_a_document_that_fetches_nothing() {
    bodies("xml", "application/xml");
}

#[test]
fn multipart_has_one_reading() {
    bodies("multipart", "multipart/form-data; boundary=B");
}

#[test]
fn queries_have_one_reading() {
    let (contract, seeds) = target("query");
    let (operation, path) = operation(&contract, &Method::GET, "/");
    for (seed, query) in seeds {
        let query = String::from_utf8(query).unwrap();
        let found = operation.check_parameters(&path, Some(&query), &HeaderMap::new());
        assert_eq!(found.is_ok(), seed.starts_with("kept-"), "{seed}: {found:?}");
        let Ok(given) = found else { continue };
        let Some(canonical) = given.canonical_query() else { continue };
        let again = operation.check_parameters(&path, Some(canonical), &HeaderMap::new()).unwrap();
        assert!(again.iter().eq(given.iter()) && again.canonical_query().is_none(), "{seed}: {canonical}");
    }
}
