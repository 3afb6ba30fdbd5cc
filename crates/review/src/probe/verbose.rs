//! Verbose errors: whether a failure shows how the service works.

use async_trait::async_trait;

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::exchange::{Call, Payload};
use crate::finding::{Label, Site};
use crate::plan::{Mode, Plan, count};
use crate::probe::Probe;
use crate::probe::point::{Base, changes_credentials, is_final, points};
use crate::row::Row;
use crate::rule;
use crate::scope::SendError;
use crate::surface::Endpoint;

/// The probe.
#[derive(Debug)]
pub(crate) struct Verbose;

#[async_trait]
impl Probe for Verbose {
    fn id(&self) -> &'static str {
        "verbose-errors"
    }

    fn row(&self) -> Row {
        Row::Misconfiguration
    }

    fn estimate(&self, plan: &Plan) -> u32 {
        let with_body = plan.surface.endpoints.iter().filter(|one| one.body.is_some()).count().min(MAXIMUM_ENDPOINTS);
        count(with_body * 2 + MAXIMUM_READS * MAXIMUM_POINTS)
    }

    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
        let endpoints = || context.surface().endpoints.iter().filter(|endpoint| !endpoint.is_limited());
        let is_harmless = |one: &Endpoint| !is_final(one) && !changes_credentials(context.surface(), one);
        // No body here is valid, so that nothing is written; a safe run still sends nothing but reads.
        let with_body =
            endpoints().filter(|one| one.body.is_some() && context.plan.mode > Mode::Safe && is_harmless(one));
        for endpoint in with_body.take(MAXIMUM_ENDPOINTS) {
            let base = Base { body: None, ..Base::of(context, endpoint) };
            for body in ["{\"", "[[]]"] {
                let call = base.call(context, endpoint);
                let call = call.with_body(Payload::Raw("application/json", body.to_owned()));
                provoke(context, docket, Site { operation: &endpoint.id, insertion: "body" }, &call).await?;
            }
        }
        for endpoint in endpoints().filter(|endpoint| endpoint.is_read()).take(MAXIMUM_READS) {
            for point in points(context, endpoint).iter().filter(|point| point.spot.is_plain()).take(MAXIMUM_POINTS) {
                let insertion = point.insertion();
                let site = Site { operation: &endpoint.id, insertion: &insertion };
                provoke(context, docket, site, &point.text(context, "'\"%00[")).await?;
            }
        }
        Ok(())
    }
}

async fn provoke(context: &Context<'_>, docket: &mut Docket, site: Site<'_>, call: &Call) -> Result<(), SendError> {
    let mut trail = Trail::default();
    let answer = context.send(&mut trail, Label::Attack, call).await?;
    // An article about stack traces is no stack trace: the words must not be there in ordinary answers.
    let ordinary =
        context.memory.served(site.operation).filter_map(|served| served.body.as_ref()).map(ToString::to_string);
    let ordinary: String = ordinary.collect();
    let sign = SIGNS.iter().find(|sign| answer.text.contains(**sign) && !ordinary.contains(**sign));
    match sign.filter(|_| !answer.is_success()) {
        Some(sign) => {
            let summary = format!("a failure is answered with what only a log should hold (`{}`)", sign.trim());
            docket.prove(&rule::VERBOSE_ERROR, site, summary, trail);
        }
        None => {
            let reason = format!("nonsense is answered with {} and no detail", answer.meaning().as_u16());
            docket.withstand(&rule::VERBOSE_ERROR, site, reason, trail);
        }
    }
    Ok(())
}

const MAXIMUM_ENDPOINTS: usize = 12;
const MAXIMUM_READS: usize = 12;
const MAXIMUM_POINTS: usize = 2;
const SIGNS: [&str; 29] = [
    "Exception in thread",
    "werkzeug.debugger",
    "Werkzeug Debugger",
    "sqlalchemy.exc.",
    "django.core",
    "at Object.<anonymous>",
    "at Module._compile",
    "(node:internal",
    "    at ",
    "Cannot read properties of undefined",
    "System.NullReferenceException",
    "com.fasterxml.jackson",
    "stack backtrace",
    "stacktrace",
    "Stack trace:",
    "Traceback (most recent call last)",
    "panicked at",
    "goroutine 1 [",
    "\n   at ",
    "\tat ",
    ".java:",
    ".py\", line",
    "node_modules/",
    "SQL statement",
    "SQL syntax",
    "SQLSTATE",
    "sqlite3.",
    "ORA-0",
    "PG::",
];
