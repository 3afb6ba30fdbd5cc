//! What a stage on its own does with requests, and the rules that every stage keeps.

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::Response;
use palisade_core::problem::{Dialect, render};
use palisade_core::stage::{StageId, StageKind};

use super::request;
use crate::body::Body;
use crate::stage::{End, Head, Next, Outcome, Stage, Stop, Verdict};

/// The head of a request written as [`request`] reads it.
///
/// ```
/// let head = palisade::testing::head("GET /orders?limit=5\nhost: a");
/// assert_eq!(head.parts.uri.query(), Some("limit=5"));
/// ```
pub fn head(text: &str) -> Head {
    Head::new(request(text).into_parts().0)
}

/// The rules that every stage keeps: it survives odd requests, and what it refuses it refuses under its own name, with
/// an answer that shows none of the evidence. For stages that you write yourself, as a test of their own:
///
/// ```
/// palisade::testing::assert_stage(&palisade::stage::csrf::Csrf::default());
/// ```
pub fn assert_stage(stage: &dyn Stage) {
    let long = format!("GET /{}", "x".repeat(9000));
    let odd = [
        "GET /",
        "OPTIONS *",
        "CONNECT host:1",
        "POST http://u@h:1/a?b#c\ncontent-type: application/json\ncontent-length: 99999999999",
        "PUT /%2e%2e/%00?%zz\nhost: \nhost: a\norigin: null\ncookie: a\ncookie: b",
        "DELETE /a/b\nauthorization: Bearer\nx-forwarded-for: ,,, 1.2.3.4, ::\nauthorization: Basic x",
        "PATCH /evidence-marker?evidence-marker\norigin: evidence-marker\nhost: evidence-marker@x\nupgrade: websocket",
        "QUERY /é\nsec-fetch-site: cross-site\naccess-control-request-method: X\norigin: https://x",
        &long,
    ];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let _inside = runtime.enter();
    for request in odd {
        let Ok(mut head) = std::panic::catch_unwind(|| head(request)) else { continue };
        let Some(outcome) = answer(stage, &mut head, "evidence-marker").now_or_never() else { continue };
        if let Err(Stop::Deny(denial)) = outcome {
            assert_eq!(denial.stage(), stage.id(), "{request}");
            for dialect in Dialect::ALL {
                let answer = render(&denial, dialect, &head.facts.request_id);
                let whole = format!("{:?} {}", answer.headers(), String::from_utf8_lossy(answer.body()));
                assert!(!whole.contains("evidence-marker"), "{request}: {whole}");
            }
        }
    }
}

/// What comes back from a stage in front of a backend that reads the whole body and answers 200.
///
/// ```
/// use palisade::{core::denial::DenialCode, settings::PerRoute, stage::{Stop, size::Size}, testing::{answer, head}};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let stage = Size { max_body: PerRoute::same(4), ..Size::default() };
/// assert!(answer(&stage, &mut head("POST /"), "1234").await.is_ok());
/// let Err(Stop::Deny(denial)) = answer(&stage, &mut head("POST /"), "12345").await else { panic!() };
/// assert_eq!(denial.code(), DenialCode::BodyTooLarge);
/// # });
/// ```
pub async fn answer(stage: &dyn Stage, head: &mut Head, body: &str) -> Outcome {
    through(stage, head, Body::from_stream(chunks(body)), &Reader).await
}

/// What comes back from a stage in front of this end of a chain.
pub(crate) async fn through(stage: &dyn Stage, head: &mut Head, body: Body, end: &dyn End) -> Outcome {
    if stage.id().kind() == StageKind::Wrap {
        return stage.wrap(head, body, Next::new(&[], end)).await;
    }
    match stage.check(head) {
        Verdict::Now(result) => result?,
        Verdict::Later(waiting) => waiting.await?,
    }
    end.serve(head, body).await
}

fn chunks(body: &str) -> impl futures_util::Stream<Item = Result<bytes::Bytes, axum_core::Error>> + Send + 'static {
    let chunks: Vec<_> = body.as_bytes().chunks(2).map(|part| Ok(bytes::Bytes::copy_from_slice(part))).collect();
    futures_util::stream::iter(chunks)
}

struct Reader;
impl End for Reader {
    fn serve<'a>(&'a self, _: &'a mut Head, body: Body) -> BoxFuture<'a, Outcome> {
        Box::pin(async move {
            crate::body::read(body, StageId::Forward).await?;
            Ok(Response::new(Body::from("ok")))
        })
    }
}
