//! Redirects and headers: whether a value sends a browser elsewhere, or adds headers to an answer.

use async_trait::async_trait;
use http::Uri;

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::exchange::Answer;
use crate::finding::{Label, Site};
use crate::plan::{Plan, count};
use crate::probe::Probe;
use crate::probe::point::{Point, all_points};
use crate::row::Row;
use crate::rule;
use crate::scope::SendError;

/// The probe.
#[derive(Debug)]
pub(crate) struct Redirect;

#[async_trait]
impl Probe for Redirect {
    fn id(&self) -> &'static str {
        "redirect"
    }

    fn row(&self) -> Row {
        Row::Misconfiguration
    }

    fn estimate(&self, plan: &Plan) -> u32 {
        count(plan.surface.endpoints.len())
    }

    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
        let points = all_points(context);
        for point in points.iter().filter(|point| point.is_text(context.surface()) && point.spot.is_plain()) {
            if point.is_named(&WORDS) {
                leave(context, docket, point).await?;
            }
            if point.endpoint.is_read() && (point.is_named(&WORDS) || point.is_named(&HEADED)) {
                split(context, docket, point).await?;
            }
        }
        Ok(())
    }
}

/// A browser would go to the host that the value names.
async fn leave(context: &Context<'_>, docket: &mut Docket, point: &Point<'_>) -> Result<(), SendError> {
    let insertion = point.insertion();
    let site = Site { operation: &point.endpoint.id, insertion: &insertion };
    let own = context.client.host();
    for (address, host) in [
        (format!("https://{EVIL}/"), EVIL.to_owned()),
        (format!("//{EVIL}/"), EVIL.to_owned()),
        (format!("https://{own}.{EVIL}/"), format!("{own}.{EVIL}")),
        (format!("https://{own}@{EVIL}/"), EVIL.to_owned()),
    ] {
        let mut trail = Trail::default();
        let answer = context.send(&mut trail, Label::Attack, &point.text(context, &address)).await?;
        if !leads_to(&answer, &host) {
            let reason = format!("a foreign address is answered with {}", answer.meaning().as_u16());
            docket.withstand(&rule::REDIRECT_OPEN, site, reason, trail);
            continue;
        }
        let seed = context.send(&mut trail, Label::Control, &point.text(context, "/")).await?;
        if !leads_to(&seed, &host) {
            let summary = format!("`{}` sends the browser to any host", point.name);
            docket.prove(&rule::REDIRECT_OPEN, site, summary, trail);
            return Ok(());
        }
    }
    Ok(())
}

fn leads_to(answer: &Answer, host: &str) -> bool {
    let Some(location) = answer.header("location").filter(|_| answer.status.is_redirection()) else { return false };
    let absolute = if location.starts_with("//") { format!("https:{location}") } else { location.to_owned() };
    absolute.parse::<Uri>().is_ok_and(|uri| uri.host() == Some(host))
}

/// A line break in the value begins a header of its own.
async fn split(context: &Context<'_>, docket: &mut Docket, point: &Point<'_>) -> Result<(), SendError> {
    let insertion = point.insertion();
    let site = Site { operation: &point.endpoint.id, insertion: &insertion };
    let mark = context.marker();
    let mut trail = Trail::default();
    let attack = point.text(context, &format!("/{mark}\r\nx-{mark}: {mark}"));
    let answer = context.send(&mut trail, Label::Attack, &attack).await?;
    if answer.header(&format!("x-{mark}")) == Some(mark.as_str()) {
        let summary = format!("a line break in `{}` begins a header of its own", point.name);
        docket.prove(&rule::HEADER_INJECTED, site, summary, trail);
    } else {
        let reason = format!("a line break is answered with {}", answer.meaning().as_u16());
        docket.withstand(&rule::HEADER_INJECTED, site, reason, trail);
    }
    Ok(())
}

const EVIL: &str = "evil.example";
const WORDS: [&str; 13] = [
    "callback", "continue", "dest", "forward", "goto", "link", "next", "out", "redir", "return", "target", "uri", "url",
];
const HEADED: [&str; 5] = ["filename", "lang", "locale", "name", "theme"];
