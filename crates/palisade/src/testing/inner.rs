//! What this crate's own tests need beside: principals, operations, backends that fail, and stores that nobody reaches.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
#[cfg(feature = "contract")]
use http::Response;
use palisade_core::denial::DenialCode;
use palisade_core::id::{OperationId, UserId};
use palisade_core::operation::{AccessRule, Lifecycle, Operation, Safety};
use palisade_core::port::counter::Ask;
use palisade_core::port::{Clock, CounterStore, Entropy, StoreError};
use palisade_core::principal::{Assurance, Level, Principal, Subject};
use palisade_core::time::Timestamp;

#[cfg(feature = "contract")]
use super::head;
use super::{answer, through};
use crate::body::Body;
use crate::facts::{OperationMatch, TextParameters};
use crate::stage::{End, Head, Outcome, Stage, Stop, Verdict};
use crate::token::jwks::{KeySet, KeySource, KeySourceError};

/// A signed-in person.
pub(crate) fn user(id: &str) -> Principal {
    Principal::establish(Subject::User(UserId::new(id)), Assurance::new(Level::Aal1, Timestamp::default()))
}

/// An operation with these rules.
pub(crate) fn operation(access: AccessRule) -> OperationMatch {
    let operation = Operation {
        id: OperationId::new("test"),
        safety: Safety::Safe,
        access,
        limits: Box::default(),
        lifecycle: Lifecycle::Active,
    };
    OperationMatch {
        operation: Arc::new(operation),
        parameters: TextParameters::default(),
        #[cfg(feature = "contract")]
        contract: None,
    }
}

/// How a stage that only looks stops the request.
pub(crate) fn stop(stage: &dyn Stage, head: &mut Head) -> Option<Stop> {
    match stage.check(head) {
        Verdict::Now(result) => result.err(),
        Verdict::Later(_) => panic!("the stage waits; use `answer`"),
    }
}

/// The code with which a stage that only looks refuses.
pub(crate) fn refusal(stage: &dyn Stage, head: &mut Head) -> Option<DenialCode> {
    stop(stage, head).and_then(code)
}

fn code(stop: Stop) -> Option<DenialCode> {
    match stop {
        Stop::Answer(_) => None,
        Stop::Deny(denial) => Some(denial.code()),
    }
}

/// The code with which a stage refuses a request with a body.
pub(crate) async fn refusal_with_body(stage: &dyn Stage, head: &mut Head, body: &str) -> Option<DenialCode> {
    answer(stage, head, body).await.err().and_then(code)
}

/// The code with which a stage gives up a backend that never answers.
pub(crate) async fn refusal_of_pending(stage: &dyn Stage, head: &mut Head) -> Option<DenialCode> {
    through(stage, head, Body::empty(), &Never).await.err().and_then(code)
}

/// What comes back from a stage in front of a backend that panics.
pub(crate) async fn answer_of_panic(stage: &dyn Stage, head: &mut Head, words: &'static str) -> Outcome {
    through(stage, head, Body::empty(), &Panics(words)).await
}

struct Never;
impl End for Never {
    fn serve<'a>(&'a self, _: &'a mut Head, _: Body) -> BoxFuture<'a, Outcome> {
        Box::pin(std::future::pending())
    }
}

struct Panics(&'static str);
impl End for Panics {
    fn serve<'a>(&'a self, _: &'a mut Head, _: Body) -> BoxFuture<'a, Outcome> {
        let words = self.0;
        Box::pin(async move { panic!("{words}") })
    }
}

/// A clock that stands still.
pub(crate) struct FixedClock(pub(crate) u64);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0)
    }
}

/// The same byte over and over.
pub(crate) struct FixedEntropy(pub(crate) u8);

impl Entropy for FixedEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(self.0);
    }
}

/// A store that nobody can reach.
pub(crate) struct Unreachable;

#[async_trait]
impl CounterStore for Unreachable {
    async fn acquire_all(&self, _: &mut [Ask<'_>], _: Timestamp) -> Result<(), StoreError> {
        Err(StoreError::Unreachable { reason: "evidence-marker".to_owned() })
    }
}

/// An issuer whose keys cannot be had.
pub(crate) struct NoKeys;

#[async_trait]
impl KeySource for NoKeys {
    fn current(&self) -> Option<Arc<KeySet>> {
        None
    }

    async fn keys(&self) -> Result<Arc<KeySet>, KeySourceError> {
        Err(KeySourceError::new("evidence-marker"))
    }

    async fn refresh(&self) -> Result<Arc<KeySet>, KeySourceError> {
        self.keys().await
    }
}

/// What comes back from a stage in front of a backend that gives this answer.
#[cfg(feature = "contract")]
pub(crate) async fn answer_with(stage: &dyn Stage, head: &mut Head, response: Response<Body>) -> Outcome {
    through(stage, head, Body::empty(), &Says(std::sync::Mutex::new(Some(response)))).await
}

#[cfg(feature = "contract")]
struct Says(std::sync::Mutex<Option<Response<Body>>>);
#[cfg(feature = "contract")]
impl End for Says {
    fn serve<'a>(&'a self, _: &'a mut Head, _: Body) -> BoxFuture<'a, Outcome> {
        let response = self.0.lock().unwrap().take().unwrap();
        Box::pin(std::future::ready(Ok(response)))
    }
}

/// The head of a request for an operation of a contract, as `operation` and `authorize` leave it.
#[cfg(feature = "contract")]
pub(crate) fn declared(contract: &str, request: &str) -> Head {
    use palisade_contract::{Contract, Found};

    let source = palisade_core::diagnostic::Source::new("openapi.yaml", contract);
    let loaded = Contract::compile(&source).unwrap();
    let mut head = head(request);
    let Found::Operation(found, path) = loaded.contract.find(&head.parts.method, head.parts.uri.path()) else {
        panic!("{request} is not declared")
    };
    let found = Arc::clone(found);
    head.facts.owners = found.operation.access.owner.response.clone();
    head.facts.owned = !head.facts.owners.is_empty() || !found.operation.access.owner.request.is_empty();
    let (operation, parameters) = (Arc::clone(&found.operation), TextParameters::default());
    let contract = Some(crate::facts::ContractMatch { operation: found, path });
    head.facts.operation = Some(OperationMatch { operation, parameters, contract });
    head
}
