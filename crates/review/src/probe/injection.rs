//! SQL injection: whether text becomes part of a statement.
//!
//! The proof is a pair: a condition that is true changes nothing, one that is false does, twice with other numbers, and
//! the same words without the quote that leaves the literal make no difference to each other. An error is a proof only
//! if the database speaks in it.

use async_trait::async_trait;
use http::Method;
use serde_json::Value;

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::exchange::{Answer, Call};
use crate::finding::{Label, Site};
use crate::memory::longest_list;
use crate::plan::{Mode, Plan, count};
use crate::probe::Probe;
use crate::row::Row;
use crate::rule;
use crate::scope::SendError;
use crate::surface::{Endpoint, Place, Surface, Values};

/// The probe.
#[derive(Debug)]
pub(crate) struct Injection;

#[async_trait]
impl Probe for Injection {
    fn id(&self) -> &'static str {
        "sql-injection"
    }

    fn row(&self) -> Row {
        Row::Injection
    }

    fn estimate(&self, plan: &Plan) -> u32 {
        count(plan.surface.endpoints.iter().map(|endpoint| points(&plan.surface, endpoint).len() * 12).sum())
    }

    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
        for endpoint in &context.surface().endpoints {
            if endpoint.is_read() || context.plan.mode > Mode::Safe {
                for point in points(context.surface(), endpoint) {
                    inject(context, docket, &point).await?;
                }
            }
        }
        Ok(())
    }
}

/// Where a text goes in.
struct Point<'p> {
    endpoint: &'p Endpoint,
    place: Spot,
    name: String,
    seed: String,
}

/// The kind of place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spot {
    Body,
    Path,
    Query,
}

impl Point<'_> {
    fn call(&self, context: &Context<'_>, text: &str) -> Call {
        let session = context.caller(self.endpoint);
        let own = session.and_then(|session| context.values_of(self.endpoint, session).into_iter().next());
        let mut values: Values = own.unwrap_or_else(|| context.surface().sample_values(self.endpoint));
        let mut body = context.surface().sample_body(self.endpoint);
        match self.place {
            Spot::Body => {
                if let Some(Value::Object(members)) = &mut body {
                    members.insert(self.name.clone(), Value::from(text));
                }
            }
            Spot::Path => values = values.with_path(&self.name, text),
            Spot::Query => values = values.with_query(&self.name, text),
        }
        context.call(self.endpoint, &values, body, session)
    }

    fn insertion(&self) -> String {
        let place = match self.place {
            Spot::Body => "body",
            Spot::Path => "path",
            Spot::Query => "query",
        };
        format!("{place}/{}", self.name)
    }

    /// What is compared: the whole answer to a read; of a change only whether it was made, for its answer has new ids.
    fn sign(&self, answer: &Answer) -> Option<String> {
        if !answer.is_success() {
            return None;
        }
        Some(if self.endpoint.is_read() { answer.text.clone() } else { answer.status.to_string() })
    }
}

async fn inject(context: &Context<'_>, docket: &mut Docket, point: &Point<'_>) -> Result<(), SendError> {
    let mut controls = Trail::default();
    let control = context.send(&mut controls, Label::Control, &point.call(context, &point.seed)).await?;
    let Some(expected) =
        point.sign(&control).filter(|_| longest_list(control.json().unwrap_or(&Value::Null)) != Some(0))
    else {
        docket.skip(format!("`{}` finds nothing with its own example", point.endpoint.id));
        return Ok(());
    };
    let insertion = point.insertion();
    let site = Site { operation: &point.endpoint.id, insertion: &insertion };
    for form in FORMS {
        let mut trail = controls.clone();
        let payload = |form: &Form, left: u32, right: u32| form.write(&point.seed, left, right);
        let truth = context.send(&mut trail, Label::Attack, &point.call(context, &payload(&form, 7, 7))).await?;
        if point.sign(&truth).as_ref() != Some(&expected) {
            let reason = format!("a true condition is answered with {}", truth.status.as_u16());
            docket.withstand(&rule::SQL_INJECTED, site, reason, trail);
            continue;
        }
        let untruth = context.send(&mut trail, Label::Attack, &point.call(context, &payload(&form, 7, 8))).await?;
        if point.sign(&untruth).as_ref() == Some(&expected) {
            docket.withstand(&rule::SQL_INJECTED, site, "a false condition is answered like a true one", trail);
            continue;
        }
        let again = context.send(&mut trail, Label::Verify, &point.call(context, &payload(&form, 31, 31))).await?;
        let never = context.send(&mut trail, Label::Verify, &point.call(context, &payload(&form, 31, 13))).await?;
        // Without its quote the text stays text, and true and false are only words.
        let inert = Form { close: "", ..form };
        let word = context.send(&mut trail, Label::Control, &point.call(context, &payload(&inert, 7, 7))).await?;
        let other = context.send(&mut trail, Label::Control, &point.call(context, &payload(&inert, 7, 8))).await?;
        let is_repeated = point.sign(&again).as_ref() == Some(&expected) && point.sign(&never) == point.sign(&untruth);
        if is_repeated && point.sign(&word) == point.sign(&other) {
            let summary = format!("`{}` is run as SQL: a true condition finds, a false one does not", point.name);
            docket.prove(&rule::SQL_INJECTED, site, summary, trail);
            break;
        }
        docket.withstand(&rule::SQL_INJECTED, site, "true and false conditions cannot be told apart reliably", trail);
    }
    if point.endpoint.is_read() { error(context, docket, point).await } else { Ok(()) }
}

/// One quote breaks the statement, two are a quote in a text, and the answer to one is the database's.
async fn error(context: &Context<'_>, docket: &mut Docket, point: &Point<'_>) -> Result<(), SendError> {
    let mut trail = Trail::default();
    let insertion = point.insertion();
    let site = Site { operation: &point.endpoint.id, insertion: &insertion };
    let broken = format!("{}'", point.seed);
    let answer = context.send(&mut trail, Label::Attack, &point.call(context, &broken)).await?;
    if !answer.status.is_server_error() || !SPEECH.iter().any(|word| answer.text.contains(word)) {
        let reason = format!("a quote is answered with {}", answer.status.as_u16());
        docket.withstand(&rule::SQL_ERROR, site, reason, trail);
        return Ok(());
    }
    let whole = context.send(&mut trail, Label::Control, &point.call(context, &format!("{}''", point.seed))).await?;
    if whole.status.is_server_error() {
        return Ok(());
    }
    let summary = format!("a quote in `{}` breaks the statement, and the answer shows it", point.name);
    docket.prove(&rule::SQL_ERROR, site, summary, trail);
    Ok(())
}

fn points<'s>(surface: &'s Surface, endpoint: &'s Endpoint) -> Vec<Point<'s>> {
    let mut points = Vec::new();
    if endpoint.is_limited() {
        return points;
    }
    if endpoint.is_read() {
        for parameter in endpoint.parameters.iter().filter(|one| surface.is_string(&one.schema)) {
            let place = match parameter.place {
                Place::Cookie | Place::Header => continue,
                Place::Path => Spot::Path,
                Place::Query => Spot::Query,
            };
            points.push(Point { endpoint, place, name: parameter.name.clone(), seed: surface.sample(parameter) });
        }
    } else if let Some((body, sample)) = endpoint.body.as_ref().zip(surface.sample_body(endpoint))
        && endpoint.method == Method::POST
    {
        for (name, schema) in surface.properties(&body.schema) {
            if surface.is_string(schema) && !surface.is_url(schema) {
                let seed = sample.get(name).and_then(Value::as_str).unwrap_or("a").to_owned();
                points.push(Point { endpoint, place: Spot::Body, name: name.to_owned(), seed });
            }
        }
    }
    points
}

/// How a condition is put behind a literal: what closes it, and what makes the rest of the statement harmless.
#[derive(Clone, Copy)]
struct Form {
    close: &'static str,
    tail: Tail,
}

#[derive(Clone, Copy)]
enum Tail {
    /// The rest opens a literal that is closed by the statement.
    Balance,
    /// The rest is a comment.
    Comment,
}

impl Form {
    fn write(&self, seed: &str, left: u32, right: u32) -> String {
        let close = self.close;
        match self.tail {
            Tail::Balance => format!("{seed}{close} AND '{left}'='{right}"),
            Tail::Comment => format!("{seed}{close} AND {left}={right} -- "),
        }
    }
}

const FORMS: [Form; 5] = [
    Form { close: "'", tail: Tail::Comment },
    Form { close: "%'", tail: Tail::Comment },
    Form { close: "')", tail: Tail::Comment },
    Form { close: "%')", tail: Tail::Comment },
    Form { close: "'", tail: Tail::Balance },
];
const SPEECH: [&str; 9] = [
    "SQL syntax",
    "SQLSTATE",
    "near \"",
    "ORA-0",
    "PG::",
    "unrecognized token",
    "unterminated quoted string",
    "sqlite",
    "Unclosed quotation mark",
];
