//! Server-side request forgery: whether the API fetches what a caller names.
//!
//! The proof is a path that only this request has named, asked for at the reviewer's own sink. Controls: the sink can
//! be reached, and a path that was never sent is not asked for.

use std::time::Duration;

use async_trait::async_trait;

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::finding::{Label, Site};
use crate::plan::{Plan, count};
use crate::probe::Probe;
use crate::probe::point::{Point, all_points, plain};
use crate::row::Row;
use crate::rule;
use crate::scope::SendError;
use crate::surface::{Endpoint, Surface};

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
        count(plan.surface.endpoints.iter().map(|endpoint| candidates(&plan.surface, endpoint) * 5).sum())
    }

    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
        let own = format!("/{}", context.marker());
        if context.client.touch(&context.sink, &own).await.is_err() || !context.sink.has_seen(&own) {
            docket.skip("the reviewer's own sink cannot be reached");
            return Ok(());
        }
        for point in all_points(context).iter().filter(|point| is_fetched(context.surface(), point)) {
            call_back(context, docket, point).await?;
        }
        Ok(())
    }
}

async fn call_back(context: &Context<'_>, docket: &mut Docket, point: &Point<'_>) -> Result<(), SendError> {
    let insertion = point.insertion();
    let site = Site { operation: &point.endpoint.id, insertion: &insertion };
    let port = context.sink.address().port();
    // The address as it is, and as a list of forbidden hosts may not know it.
    for host in ["127.0.0.1", "localhost", "2130706433", "127.1", "0.0.0.0"] {
        let (token, unused) = (format!("/{}", context.marker()), format!("/{}", context.marker()));
        let written =
            if is_authority(point) { format!("{host}:{port}{token}") } else { format!("http://{host}:{port}{token}") };
        let mut trail = Trail::default();
        let answer = context.send(&mut trail, Label::Attack, &point.text(context, &written)).await?;
        let patience = if answer.is_success() { PATIENCE } else { SHORT_PATIENCE };
        let arrived = context.sink.sees(&token, patience).await;
        if arrived && !context.sink.has_seen(&unused) {
            let summary = "the API fetched an address inside the network, named by the caller".to_owned();
            docket.prove(&rule::REQUEST_FORGED, site, summary, trail);
            return Ok(());
        }
        let reason = format!("an inner address is answered with {}, and not fetched", answer.meaning().as_u16());
        docket.withstand(&rule::REQUEST_FORGED, site, reason, trail);
        // What takes the address and asks nobody does so for every spelling.
        if answer.is_success() {
            break;
        }
    }
    look_up(context, docket, point).await
}

/// A name that only our name server knows, and that leads inside: where nothing gets out, the look-up shows.
async fn look_up(context: &Context<'_>, docket: &mut Docket, point: &Point<'_>) -> Result<(), SendError> {
    let Some(names) = &context.plan.name_server else { return Ok(()) };
    let insertion = point.insertion();
    let site = Site { operation: &point.endpoint.id, insertion: &insertion };
    let (name, unused) = (names.name(&context.marker()), names.name(&context.marker()));
    let token = format!("/{}", context.marker());
    let port = context.sink.address().port();
    let written =
        if is_authority(point) { format!("{name}:{port}{token}") } else { format!("http://{name}:{port}{token}") };
    let mut trail = Trail::default();
    let answer = context.send(&mut trail, Label::Attack, &point.text(context, &written)).await?;
    let patience = if answer.is_success() { PATIENCE } else { SHORT_PATIENCE };
    if !names.hears(&name, patience).await || names.has_heard(&unused) {
        let reason = format!("a name of ours is answered with {}, and not looked up", answer.meaning().as_u16());
        docket.withstand(&rule::REQUEST_FORGED, site, reason, trail);
    } else if context.sink.sees(&token, SHORT_PATIENCE).await {
        let summary = "the API fetched an address inside the network, by a name of the caller's".to_owned();
        docket.prove(&rule::REQUEST_FORGED, site, summary, trail);
    } else if answer.is_success() {
        // Whoever looks a name up to judge where it leads would have refused this one.
        let summary =
            "the API looked a name of the caller's up, which leads inside the network, and took it".to_owned();
        docket.prove(&rule::REQUEST_FORGED, site, summary, trail);
    } else {
        let summary = "the API looks up names that the caller gives; it refused this one".to_owned();
        docket.suspect(&rule::REQUEST_FORGED, site, summary, trail);
    }
    Ok(())
}

/// Whether a value is fetched, by its type, its example or its name.
fn is_fetched(surface: &Surface, point: &Point<'_>) -> bool {
    let is_address = surface.is_url(point.schema) || point.seed_text().starts_with("http");
    let is_text = point.is_text(surface) && point.spot.is_plain();
    is_address || is_text && point.is_named(&NAMES) || is_text && is_authority(point)
}

/// Whether a host is asked for, and not a whole address.
fn is_authority(point: &Point<'_>) -> bool {
    let name = point.plain_name();
    ["host", "hostname", "domain", "server"].contains(&name.as_str()) && !point.seed_text().contains("://")
}

fn candidates(surface: &Surface, endpoint: &Endpoint) -> usize {
    let named = |name: &str| NAMES.iter().any(|word| plain(name).contains(word));
    let queries = endpoint.parameters.iter().filter(|one| surface.is_url(&one.schema) || named(&one.name)).count();
    let body = endpoint.body.as_ref().map(|body| surface.properties(&body.schema)).unwrap_or_default();
    queries + body.into_iter().filter(|(name, schema)| surface.is_url(schema) || named(name)).count()
}

/// For an API that fetches after it has answered.
const PATIENCE: Duration = Duration::from_secs(1);
const SHORT_PATIENCE: Duration = Duration::from_millis(200);
const NAMES: [&str; 16] = [
    "avatar", "callback", "endpoint", "feed", "fetch", "href", "image", "import", "link", "logo", "picture", "proxy",
    "uri", "url", "webhook", "website",
];
