//! What the limits on size do, as tables.

use std::io::Write as _;
use std::sync::Mutex;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use http::Response;

use super::*;
use crate::stage::End;
use crate::testing::{assert_stage, head, refusal_with_body};

#[tokio::test]
async fn follows_the_table() {
    use DenialCode::*;
    let limits = Size { max_uri: 20, max_headers: 60, max_header_count: 3, ..Size::default() };
    let size = Size { max_body: PerRoute::same(4), ..limits };
    let long = format!("GET /{}", "a".repeat(30));
    let wide = format!("GET /\nx-a: {}", "a".repeat(60));
    for (request, body, expect) in [
        ("GET /a?b=c", "", None),
        (long.as_str(), "", Some(UriTooLong)),
        (wide.as_str(), "", Some(HeadersTooLarge)),
        ("GET /\na: 1\nb: 2\nc: 3", "", None),
        ("GET /\na: 1\nb: 2\nc: 3\nc: 4", "", Some(HeadersTooLarge)),
        ("POST /\ncontent-length: 4", "1234", None),
        ("POST /\ncontent-length: 5", "12345", Some(BodyTooLarge)),
        // CVE-2026-44456: a body without a declared length went around the limit.
        ("POST /", "12345", Some(BodyTooLarge)),
        ("POST /\ncontent-encoding: gzip", "1", Some(CodingUndeclared)),
        ("POST /\ncontent-encoding: identity", "1", None),
        ("POST /\ncontent-encoding: identity\ncontent-encoding: identity", "1", Some(CodingUndeclared)),
        ("POST /\ncontent-encoding:", "1", Some(CodingUndeclared)),
    ] {
        assert_eq!(refusal_with_body(&size, &mut head(request), body).await, expect, "{request}");
    }
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn zlib(plain: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// A backend that keeps what it is sent, and answers whatever happens.
#[derive(Default)]
struct Keeps(Mutex<Vec<u8>>);

impl End for Keeps {
    fn serve<'a>(&'a self, _: &'a mut Head, body: Body) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            if let Ok(bytes) = body::read(body, StageId::Forward).await {
                self.0.lock().unwrap().extend_from_slice(&bytes);
            }
            Ok(Response::new(Body::empty()))
        })
    }
}

/// What reaches the backend of an encoded body that arrives in pieces, or the refusal.
async fn sent(size: &Size, head: &mut Head, body: &[u8]) -> Result<Vec<u8>, DenialCode> {
    let pieces: Vec<_> =
        body.chunks(1000).map(|piece| Ok::<_, axum_core::Error>(Bytes::copy_from_slice(piece))).collect();
    let keeps = Keeps::default();
    let body = Body::from_stream(futures_util::stream::iter(pieces));
    match size.wrap(head, body, Next::new(&[], &keeps)).await {
        Ok(_) => Ok(keeps.0.into_inner().unwrap()),
        Err(crate::stage::Stop::Deny(denial)) => Err(denial.code()),
        Err(stop) => panic!("{stop:?}"),
    }
}

#[tokio::test]
async fn a_body_is_decoded_where_the_route_accepts_it() {
    use Coding::{Deflate, Gzip};
    use DenialCode::*;
    let plain = b"hello hello hello hello";
    let (gz, zl) = (gzip(plain), zlib(plain));
    let bomb = gzip(&vec![0; 1 << 20]);
    let large = gzip(&vec![b'a'; 1000]);
    let noise: Vec<u8> = (0..2000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    for (accept, coding, body, expect) in [
        (&[Gzip][..], "gzip", &gz, Ok(&plain[..])),
        (&[Gzip], "GZip", &gz, Ok(plain)),
        (&[Gzip], "x-gzip", &gz, Ok(plain)),
        (&[Gzip, Deflate], "deflate", &zl, Ok(plain)),
        (&[Gzip], "deflate", &zl, Err(CodingUndeclared)),
        (&[Gzip], "br", &gz, Err(CodingUndeclared)),
        (&[Gzip], "gzip, gzip", &gz, Err(CodingUndeclared)),
        (&[Gzip], "gzip\ncontent-encoding: gzip", &gz, Err(CodingUndeclared)),
        (&[Gzip], "gzip\ncontent-encoding: identity", &gz, Err(CodingUndeclared)),
        (&[Gzip], "identity, gzip", &gz, Err(CodingUndeclared)),
        (&[Gzip, Deflate], "gzip", &zl, Err(CodingInvalid)),
        (&[Gzip], "gzip", &gz[..gz.len() - 1].to_vec(), Err(CodingInvalid)),
        (&[Gzip], "gzip", &[&gz[..], b"more"].concat(), Err(CodingInvalid)),
        (&[Gzip], "gzip", &plain.to_vec(), Err(CodingInvalid)),
        (&[Gzip], "gzip", &bomb, Err(CodingExcessive)),
        (&[Gzip], "gzip", &large, Ok(&[b'a'; 1000])),
    ] {
        let size =
            Size { accept: PerRoute::same(accept.to_vec()), max_body: PerRoute::same(2 << 20), ..Size::default() };
        let mut head = head(&format!("POST /\ncontent-encoding: {coding}"));
        assert_eq!(sent(&size, &mut head, body).await, expect.map(<[u8]>::to_vec), "{accept:?} {coding}");
    }
    let size = Size { accept: PerRoute::same(vec![Gzip]), max_body: PerRoute::same(999), ..Size::default() };
    let request = || head("POST /\ncontent-encoding: gzip");
    assert_eq!(sent(&size, &mut request(), &large).await, Err(BodyTooLarge), "decoded it is longer");
    assert_eq!(sent(&size, &mut request(), &gzip(&noise)).await, Err(BodyTooLarge), "encoded it is longer already");
}

#[tokio::test]
async fn what_is_behind_sees_nothing_of_the_coding() {
    let size = Size { accept: PerRoute::same(vec![Coding::Gzip]), ..Size::default() };
    let encoded = gzip(b"hello");
    let mut request = head(&format!(
        "POST /\ncontent-encoding: gzip\ncontent-length: {}\ncontent-digest: sha-256=:x:\nx-kept: 1",
        encoded.len()
    ));
    assert_eq!(sent(&size, &mut request, &encoded).await, Ok(b"hello".to_vec()));
    assert_eq!(request.parts.headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-kept"]);
    // A request without a body has nothing to decode.
    let (mut request, keeps) = (head("GET /\ncontent-encoding: gzip"), Keeps::default());
    assert!(size.wrap(&mut request, Body::empty(), Next::new(&[], &keeps)).await.is_ok());
}

#[tokio::test]
async fn the_answer_says_what_would_be_understood() {
    for (accept, expect) in [(vec![], "identity"), (vec![Coding::Gzip, Coding::Deflate], "gzip, deflate, identity")] {
        let size = Size { accept: PerRoute::same(accept), ..Size::default() };
        let mut request = head("POST /\ncontent-encoding: br");
        assert_eq!(refusal_with_body(&size, &mut request, "x").await, Some(DenialCode::CodingUndeclared));
        let mut headers = http::HeaderMap::new();
        request.plan.apply(&mut headers);
        assert_eq!(headers[ACCEPT_ENCODING], expect);
    }
}

#[test]
fn behaves_as_a_stage() {
    assert_stage(&Size::default());
    assert_stage(&Size { accept: PerRoute::same(vec![Coding::Gzip, Coding::Deflate]), ..Size::default() });
}

#[tokio::test]
async fn an_endless_body_is_not_counted_unless_it_says_where_it_ends() {
    let size = Size {
        endless: PerRoute::same(true),
        max_body: PerRoute::same(2000),
        accept: PerRoute::same(vec![Coding::Gzip]),
        ..Size::default()
    };
    let long = vec![7; 5000];
    assert_eq!(sent(&size, &mut head("POST /"), &long).await, Ok(long.clone()));
    let mut marked = head("POST /");
    assert!(sent(&size, &mut marked, &long).await.is_ok());
    assert_eq!(marked.parts.extensions.get(), Some(&LongestWhole(2000)), "whoever holds it whole is told");
    for head_of_bounded in ["POST /\ncontent-length: 5000", "POST /\ncontent-encoding: gzip"] {
        let body = if head_of_bounded.contains("gzip") { gzip(&long) } else { long.clone() };
        let refused = sent(&size, &mut head(head_of_bounded), &body).await;
        assert_eq!(refused, Err(DenialCode::BodyTooLarge), "{head_of_bounded}");
    }
}
