//! Server-side request forgery: whether the API fetches what a caller names.
//!
//! The proof is a path that only this request has named, asked for at the reviewer's own sink. Controls: the sink can
//! be reached, and a path that was never sent is not asked for.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::exchange::{Call, Payload};
use crate::finding::{Label, Site};
use crate::plan::{Mode, Plan, count};
use crate::probe::Probe;
use crate::row::Row;
use crate::rule;
use crate::scope::SendError;
use crate::surface::{Endpoint, Place, Surface};

/// The probe.
#[derive(Debug)]
pub(crate) struct Ssrf;

#[async_trait]
impl Probe for Ssrf {
    fn id(&self) -> &'static str {
        "server-side-request-forgery"
    }

    fn row(&self) -> Row {
        Row::ServerSideRequestForgery
    }

    fn estimate(&self, plan: &Plan) -> u32 {
        count(plan.surface.endpoints.iter().map(|endpoint| points(&plan.surface, endpoint).len()).sum())
    }

    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
        let own = format!("/{}", context.marker());
        if context.client.touch(&context.sink, &own).await.is_err() || !context.sink.has_seen(&own) {
            docket.skip("the reviewer's own sink cannot be reached");
            return Ok(());
        }
        for endpoint in context.surface().endpoints.iter().filter(|endpoint| !endpoint.is_limited()) {
            if endpoint.is_read() || context.plan.mode > Mode::Safe {
                for point in points(context.surface(), endpoint) {
                    call_back(context, docket, endpoint, &point).await?;
                }
            }
        }
        Ok(())
    }
}

async fn call_back(
    context: &Context<'_>,
    docket: &mut Docket,
    endpoint: &Endpoint,
    point: &Point,
) -> Result<(), SendError> {
    let (token, unused) = (format!("/{}", context.marker()), format!("/{}", context.marker()));
    let url = format!("http://{}{token}", context.sink.address());
    let mut trail = Trail::default();
    let answer = context.send(&mut trail, Label::Attack, &aimed(context, endpoint, point, &url)).await?;
    let patience = if answer.is_success() { PATIENCE } else { SHORT_PATIENCE };
    let arrived = context.sink.sees(&token, patience).await;
    let insertion = point.insertion();
    let site = Site { operation: &endpoint.id, insertion: &insertion };
    if arrived && !context.sink.has_seen(&unused) {
        let summary = "the API fetched an address inside the network, named by the caller".to_owned();
        docket.prove(&rule::REQUEST_FORGED, site, summary, trail);
    } else {
        let reason = format!("an inner address is answered with {}, and not fetched", answer.status.as_u16());
        docket.withstand(&rule::REQUEST_FORGED, site, reason, trail);
    }
    Ok(())
}

fn aimed(context: &Context<'_>, endpoint: &Endpoint, point: &Point, url: &str) -> Call {
    let mut values = context.surface().sample_values(endpoint);
    let mut body = context.surface().sample_body(endpoint);
    match point {
        Point::Body(name) => {
            if let Some(Value::Object(members)) = &mut body {
                members.insert(name.clone(), Value::from(url));
            }
        }
        Point::Query(name) => values = values.with_query(name, url),
    }
    let mut call = context.call(endpoint, &values, None, context.caller(endpoint));
    call.body = body.map(Payload::Json);
    call
}

/// Where a URL goes in.
enum Point {
    Body(String),
    Query(String),
}

impl Point {
    fn insertion(&self) -> String {
        match self {
            Self::Body(name) => format!("body/{name}"),
            Self::Query(name) => format!("query/{name}"),
        }
    }
}

fn points(surface: &Surface, endpoint: &Endpoint) -> Vec<Point> {
    let queries = endpoint.parameters.iter().filter(|one| one.place == Place::Query && surface.is_url(&one.schema));
    let mut points: Vec<Point> = queries.map(|parameter| Point::Query(parameter.name.clone())).collect();
    if let Some(body) = &endpoint.body {
        let urls = surface.properties(&body.schema).into_iter().filter(|(_, schema)| surface.is_url(schema));
        points.extend(urls.map(|(name, _)| Point::Body(name.to_owned())));
    }
    points
}

/// For an API that fetches after it has answered.
const PATIENCE: Duration = Duration::from_secs(1);
const SHORT_PATIENCE: Duration = Duration::from_millis(200);
