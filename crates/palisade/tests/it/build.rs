//! Chains put together by hand: what is refused when they are built, and that the order is not the builder's to choose.

use std::sync::{Arc, Mutex};

use axum::body::Body;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use palisade::Chain;
use palisade::chain::{ChainError, Guarded, ORDER, Permitted};
use palisade::facts::{OperationMatch, TextParameters};
use palisade::settings::PerRoute;
use palisade::stage::admit::Admit;
use palisade::stage::authorize::Authorize;
use palisade::stage::client::Client;
use palisade::stage::finish::Finish;
use palisade::stage::firewall::Firewall;
use palisade::stage::record::Record;
use palisade::stage::rescue::Rescue;
use palisade::stage::trace::Trace;
use palisade::stage::{Head, Next, Outcome, Stage, Stop, Verdict};
use palisade_core::denial::DenialCode;
use palisade_core::id::{OperationId, PolicyVersion};
use palisade_core::operation::{AccessRule, Audience, Lifecycle, Operation, Safety};
use palisade_core::policy::Policy;
use palisade_core::stage::{StageId, StageKind};
use proptest::prelude::{Just, Strategy as _, prop_assert_eq, proptest};
use tower::Service;
use tower::util::BoxCloneSyncService;

use crate::world::{Stand, ask, assert_refused, parse};

type App = Guarded<BoxCloneSyncService<Permitted<Request<Body>>, Response<Body>, Stop>>;

/// A stage to be tried in a chain that lets everything else pass.
pub(crate) enum Passing {
    Admit(Admit),
    Client(Client),
}

/// A chain with one stage, in which every operation is public.
pub(crate) fn hand_built(stand: &Stand, stage: Passing) -> App {
    let chain = outer(stand).with(Public).with(authorize());
    let chain = match stage {
        Passing::Admit(stage) => chain.with(stage),
        Passing::Client(stage) => chain.with(stage),
    };
    chain.build(served()).unwrap()
}

fn outer(stand: &Stand) -> Chain {
    let world = &stand.world;
    let record = Record::new(Arc::clone(&world.events), Arc::clone(&world.clock), PolicyVersion::new("test"));
    let trace = Trace::new(Arc::clone(&world.clock), Arc::clone(&world.entropy));
    Chain::new().with(Firewall).with(Rescue).with(Finish::default()).with(record).with(trace)
}

fn authorize() -> Authorize {
    Authorize::new(Arc::new(Policy::new(PolicyVersion::new("test"))), PerRoute::same(None))
}

/// A service behind a chain: it cannot be called without the permit in its hands.
fn served() -> BoxCloneSyncService<Permitted<Request<Body>>, Response<Body>, Stop> {
    let answer = |permitted: Permitted<Request<Body>>| async move {
        Ok(Response::new(Body::from(permitted.permit.policy().to_string())))
    };
    BoxCloneSyncService::new(tower::service_fn(answer))
}

/// Declares every operation public.
struct Public;

impl Stage for Public {
    fn id(&self) -> StageId {
        StageId::Operation
    }

    fn check<'a>(&'a self, head: &'a mut Head) -> Verdict<'a> {
        let operation = Operation {
            id: OperationId::new("everything"),
            safety: Safety::Safe,
            access: AccessRule { audience: Audience::Public, ..AccessRule::default() },
            limits: Box::default(),
            lifecycle: Lifecycle::Active,
        };
        let parameters = TextParameters::default();
        head.facts.operation = Some(OperationMatch { operation: Arc::new(operation), parameters, contract: None });
        Verdict::PASS
    }
}

/// Writes down that it ran, under any name.
struct Witness(StageId, Arc<Mutex<Vec<StageId>>>);

impl Stage for Witness {
    fn id(&self) -> StageId {
        self.0
    }

    fn check<'a>(&'a self, _: &'a mut Head) -> Verdict<'a> {
        self.1.lock().unwrap().push(self.0);
        Verdict::PASS
    }

    fn wrap<'a>(&'a self, head: &'a mut Head, body: Body, next: Next<'a>) -> BoxFuture<'a, Outcome> {
        self.1.lock().unwrap().push(self.0);
        next.run(head, body)
    }
}

fn witnesses(ids: &[StageId]) -> (Chain, Arc<Mutex<Vec<StageId>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let chain = ids.iter().fold(Chain::new(), |chain, id| chain.with(Witness(*id, Arc::clone(&seen))));
    (chain, seen)
}

/// All stages but the last, which is the service and not a stage.
fn stages() -> Vec<StageId> {
    ORDER.iter().copied().filter(|id| id.kind() != StageKind::Serve).collect()
}

proptest! {
    #[test]
    fn stages_run_in_the_one_order_however_they_are_added(ids in Just(stages()).prop_shuffle()) {
        let (chain, seen) = witnesses(&ids);
        prop_assert_eq!(chain.ids(), stages());
        let guarded = chain.build(served()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(ask(&guarded, parse("GET /\nhost: a")));
        prop_assert_eq!(seen.lock().unwrap().clone(), stages());
    }
}

#[test]
fn a_chain_that_would_protect_nothing_is_not_built() {
    for missing in [StageId::Rescue, StageId::Firewall, StageId::Authorize] {
        let ids: Vec<StageId> = stages().into_iter().filter(|id| *id != missing).collect();
        let error = witnesses(&ids).0.build(served()).unwrap_err();
        assert_eq!(error, ChainError::Missing { stage: missing });
        assert_eq!(error.to_string(), format!("the chain lacks the stage `{missing}`"));
    }
}

#[test]
fn two_settings_for_one_stage_are_refused() {
    for twice in stages() {
        let ids: Vec<StageId> = std::iter::once(twice).chain(stages()).collect();
        assert_eq!(witnesses(&ids).0.build(served()).unwrap_err(), ChainError::Repeated { stage: twice });
    }
    let stand = Stand::new();
    let error = stand.preset().chain(&stand.world).with(Admit::default()).build(served()).unwrap_err();
    assert_eq!(error.to_string(), "the chain has the stage `admit` twice");
}

/// Only the real `authorize` can leave a permit: a stage that merely claims its name lets nothing through.
#[tokio::test]
async fn a_request_without_a_permit_is_not_served() {
    let stand = Stand::new();
    let pretender = Witness(StageId::Authorize, Arc::default());
    let guarded = outer(&stand).with(Public).with(pretender).build(served()).unwrap();
    let answer = ask(&guarded, parse("GET /\nhost: a")).await;
    assert_refused(&answer, stand.kept.take(), DenialCode::Unpermitted);
}

#[tokio::test]
async fn a_permitted_request_brings_its_permit() {
    let stand = Stand::new();
    let answer = ask(&hand_built(&stand, Passing::Admit(Admit::new(1))), parse("GET /\nhost: a")).await;
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, "test"));
}

/// Headers that stages plan arrive without `finish` too.
#[tokio::test]
async fn a_plan_is_carried_out_without_finish() {
    let cors = palisade::stage::cors::Cors::default();
    let chain = Chain::new().with(Firewall).with(Rescue).with(Public).with(authorize()).with(cors);
    let leaky = tower::service_fn(|_: Permitted<Request<Body>>| async {
        Ok(Response::builder().header("access-control-allow-origin", "*").body(Body::empty()).unwrap())
    });
    let mut guarded = chain.build(leaky).unwrap();
    let Ok(answer) = guarded.call(parse("GET /\nhost: a\norigin: https://evil.example")).await;
    assert!(!answer.headers().contains_key("access-control-allow-origin"));
}

#[test]
fn what_weakens_a_chain_is_told() {
    use palisade::stage::inspect::{Inspect, Markup};
    let chain = Chain::new().with(Inspect::danger_by_route(PerRoute::same(Markup::Allow))).with(Firewall);
    assert_eq!(chain.dangers(), ["inspect: markup in free text passes on a route"]);
    let stand = Stand::new();
    assert_eq!(stand.preset().chain(&stand.world).dangers(), Vec::<String>::new());
}

#[test]
fn a_rule_for_no_route_is_a_mistake_and_not_silence() {
    let world = Stand::new().world;
    for name in ["get /users", "/users", "GET users", "GET/users", ""] {
        let app = axum::Router::new().route("/users", axum::routing::get(|| async {}));
        let error = Chain::api().roles(name, ["admin"]).protect(app, &world).unwrap_err();
        assert_eq!(error, ChainError::NotARoute { route: name.to_owned() });
    }
}
