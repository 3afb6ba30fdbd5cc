//! Whatever the head of a request says, the chain answers, and nobody without a credential reaches a handler.
#![no_main]

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};

use http::{HeaderName, HeaderValue, Request, Response};
use libfuzzer_sys::fuzz_target;
use palisade::Chain;
use palisade::body::Body;
use palisade::chain::{Guarded, Permitted};
use palisade::facts::{OperationMatch, TextParameters};
use palisade::settings::PerRoute;
use palisade::stage::authorize::Authorize;
use palisade::stage::client::Client;
use palisade::stage::cors::Cors;
use palisade::stage::csrf::Csrf;
use palisade::stage::finish::Finish;
use palisade::stage::firewall::Firewall;
use palisade::stage::present::Present;
use palisade::stage::rescue::Rescue;
use palisade::stage::size::Size;
use palisade::stage::{Head, Stage, Stop, Verdict};
use palisade_core::canon::path::CanonicalPath;
use palisade_core::id::{OperationId, PolicyVersion};
use palisade_core::operation::{AccessRule, Audience, Lifecycle, Operation, Safety};
use palisade_core::policy::Policy;
use palisade_core::stage::StageId;
use tower_service::Service as _;

static CHAIN: LazyLock<Guarded<Handler>> = LazyLock::new(|| {
    let policy = Arc::new(Policy::new(PolicyVersion::new("fuzz")));
    let chain =
        Chain::new().with(Rescue).with(Finish::default()).with(Client::default()).with(Firewall).with(Size::default());
    let chain = chain.with(Cors::default()).with(Csrf::default()).with(Declared).with(Present::default());
    match chain.with(Authorize::new(policy, PerRoute::same(None))).build(Handler) {
        Ok(guarded) => guarded,
        Err(error) => panic!("{error}"),
    }
});

/// `/public` is for everyone, all else needs a credential, and nobody here can have one.
struct Declared;

impl Stage for Declared {
    fn id(&self) -> StageId {
        StageId::Operation
    }

    fn check<'a>(&'a self, head: &'a mut Head) -> Verdict<'a> {
        let public = head.facts.path.as_ref().is_some_and(|path| path.as_str() == "/public");
        let audience = if public { Audience::Public } else { Audience::Authenticated };
        let operation = Operation {
            id: OperationId::new("any"),
            safety: Safety::of(&head.parts.method),
            access: AccessRule { audience, ..AccessRule::default() },
            limits: Box::default(),
            lifecycle: Lifecycle::Active,
        };
        let parameters = TextParameters::default();
        head.facts.operation = Some(OperationMatch { operation: Arc::new(operation), parameters, contract: None });
        Verdict::PASS
    }
}

#[derive(Clone)]
struct Handler;

impl tower_service::Service<Permitted<Request<Body>>> for Handler {
    type Response = Response<Body>;
    type Error = Stop;
    type Future = Ready<Result<Response<Body>, Stop>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Stop>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, permitted: Permitted<Request<Body>>) -> Self::Future {
        let request = permitted.request;
        assert_eq!(request.uri().path(), "/public", "nobody gets anywhere else");
        assert!(request.uri().authority().is_none());
        assert!(CanonicalPath::parse(request.uri().path()).is_ok_and(|path| path.as_str() == request.uri().path()));
        for name in ["connection", "upgrade", "palisade-subject", "palisade-roles", "x-original-url"] {
            assert!(!request.headers().contains_key(name), "{name} does not go on");
        }
        ready(Ok(Response::new(Body::empty())))
    }
}

fuzz_target!(|text: &str| {
    let Some(request) = read(text) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let answer: Result<Response<Body>, Infallible> = runtime.block_on(CHAIN.clone().call(request));
    let Ok(answer) = answer;
    for name in ["content-security-policy", "x-content-type-options", "cache-control"] {
        assert!(answer.headers().contains_key(name), "{name} is on every answer");
    }
    assert!(!answer.headers().contains_key("access-control-allow-origin"));
});

/// A request line and headers, one on each line.
fn read(text: &str) -> Option<Request<Body>> {
    let mut lines = text.lines();
    let (method, uri) = lines.next()?.split_once(' ')?;
    let mut request = Request::builder().method(method).uri(uri);
    for line in lines {
        let (name, value) = line.split_once(':')?;
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        request = request.header(name, HeaderValue::from_str(value.trim()).ok()?);
    }
    request.body(Body::empty()).ok()
}
