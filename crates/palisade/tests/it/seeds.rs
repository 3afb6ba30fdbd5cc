//! Inputs that attackers send: the seeds of the fuzz targets, run by every build and not only by the fuzzer.
//!
//! The invariants are those of `fuzz/fuzz_targets`; a seed of which more is known has its verdict in its name.

use std::path::Path;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue, Request};
use palisade::body::BodyFault;
use palisade::body::inflate::{Bounds, Coding, Inflate};
use palisade::cookie::{CookieSettings, Cookies};
use palisade::token::dpop::{Asked, Dpop};
use palisade::token::error::TokenError;
use palisade::token::{algorithm::Algorithm, jwks::KeySet, jwks::StaticKeys, jwt::Rules, jwt::Verifier, sign::Signer};
use palisade_core::canon::{host::CanonicalHost, path::CanonicalPath, query};
use palisade_core::id::KeyThumbprint;
use palisade_store::memory::MemoryOnce;
use palisade_testkit::clock::TestClock;
use tower::ServiceExt as _;

use crate::world::Stand;

/// Name and content of each seed of a target.
fn seeds(target: &str) -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let named = |path: std::path::PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned())
    };
    let found: Vec<_> = files.map(named).collect();
    assert!(found.len() >= 5, "`{target}` has seeds");
    found
}

#[test]
fn cookies_are_plain_when_read_and_safe_when_set() {
    for (name, text) in seeds("cookie") {
        let Ok(value) = HeaderValue::from_bytes(text.as_bytes()) else { panic!("{name} is no header") };
        let headers: HeaderMap = [(COOKIE, value.clone())].into_iter().collect();
        let cookies = Cookies::of(&headers);
        for (cookie, _) in cookies.iter() {
            let same = cookies.iter().filter(|(other, _)| *other == cookie).count();
            assert!(same == 1 || cookies.get(cookie).is_none(), "{name}");
        }
        let settings = CookieSettings::default();
        let Some(once) = settings.corrected(&value) else { continue };
        assert_eq!(settings.corrected(&once).as_ref(), Some(&once), "{name}");
        let safe = String::from_utf8_lossy(once.as_bytes()).to_ascii_lowercase();
        assert!(["secure", "httponly", "samesite="].iter().all(|attribute| safe.contains(attribute)), "{name}: {safe}");
    }
}

#[test]
fn compressed_bodies_are_decoded_whole_or_refused() {
    for (name, _) in seeds("inflate") {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/inflate");
        let encoded = std::fs::read(folder.join(&name)).unwrap();
        let coding = if encoded.starts_with(&[0x1f]) { Coding::Gzip } else { Coding::Deflate };
        for piece in [1, 61, encoded.len()] {
            let (mut inflate, mut length) = (Inflate::new(coding, Bounds { max: 1 << 20, ratio: 100 }), 0);
            let decoded = encoded.chunks(piece).try_for_each(|piece| {
                let mut input = Bytes::copy_from_slice(piece);
                while let Some(decoded) = inflate.step(&mut input)? {
                    length += decoded.len();
                }
                Ok::<(), BodyFault>(())
            });
            assert_eq!(decoded.and_then(|()| inflate.finish()).is_ok(), name.starts_with("kept"), "{name} by {piece}");
            assert!(length <= 1 << 20);
        }
    }
}

#[test]
fn paths_hosts_and_queries_are_canonical_or_refused() {
    for (name, text) in seeds("canon") {
        let path = CanonicalPath::parse(&text);
        if let Ok(path) = &path {
            assert_eq!(CanonicalPath::parse(path.as_str()).as_ref(), Ok(path), "{name}");
            let plain = path.as_str().bytes().all(|byte| byte.is_ascii_graphic() && !b"\\;?#".contains(&byte));
            let dots = path.as_str().split('/').any(|segment| matches!(segment, "." | ".."));
            assert!(plain && !dots && !path.as_str().contains("//"), "{name}: {path}");
        }
        if let Ok(host) = CanonicalHost::parse(&text) {
            assert_eq!(CanonicalHost::parse(&host.to_string()), Ok(host), "{name}");
        }
        if query::check(&text).is_ok() {
            assert!(query::pairs(&text).all(|(key, value)| !key.contains('\0') && !value.contains('\0')), "{name}");
        }
        match name.split_once('-').unwrap().0 {
            "refused" => assert!(path.is_err(), "{name}"),
            "kept" => assert!(path.is_ok(), "{name}: {path:?}"),
            _ => {}
        }
    }
}

#[tokio::test]
async fn no_token_of_an_attacker_is_believed() {
    let rules = Rules::new("https://id.example.com", "https://api.example.com", [Algorithm::Es256]).unwrap();
    let keys = KeySet::new([Signer::generate_es256("2026-11").unwrap().verify_key().unwrap()]).unwrap();
    let verifier = Verifier::new(rules, Arc::new(StaticKeys::new(keys)), Arc::new(TestClock::default()));
    for (name, token) in seeds("jwt") {
        let error = verifier.verify(token.trim_end()).await.unwrap_err();
        assert!(!matches!(error, TokenError::KeysUnavailable(_)), "{name}");
    }
}

#[tokio::test]
async fn no_proof_of_an_attacker_counts() {
    let dpop = Dpop::new(Arc::new(MemoryOnce::default()), Arc::new(TestClock::default()));
    let key = KeyThumbprint::new("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    let asked = Asked { method: "GET", url: "https://api.example.com/orders", token: "token", key: &key };
    for (name, proof) in seeds("dpop") {
        assert!(dpop.verify(&proof, &asked).await.is_err(), "{name}");
    }
}

#[tokio::test]
async fn no_head_of_an_attacker_reaches_a_handler() {
    let stand = Stand::new();
    let app = stand.app(|preset| preset);
    for (name, text) in seeds("head") {
        // What is no HTTP at all is refused before it gets here.
        let Some(request) = request(&text) else { continue };
        let Ok(response) = app.clone().oneshot(request).await;
        assert!(response.status().is_client_error(), "{name}: {}", response.status());
        assert_eq!(response.headers()["x-content-type-options"], "nosniff", "{name}");
    }
}

fn request(text: &str) -> Option<Request<Body>> {
    let mut lines = text.lines();
    let (method, uri) = lines.next()?.split_once(' ')?;
    let mut request = Request::builder().method(method).uri(uri);
    for line in lines.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        request = request.header(name, value.trim());
    }
    request.body(Body::empty()).ok()
}

#[test]
fn hashes_of_passwords_are_read_or_refused_and_never_run_beyond_bounds() {
    for (name, text) in seeds("phc") {
        let read = palisade::credential::password::StoredHash::parse(&text);
        assert_eq!(read.is_ok(), name != "huge", "{name}: {read:?}");
    }
}
