//! SQL injection: whether text becomes part of a statement.
//!
//! The proof is a pair: a condition that is true changes nothing, one that is false does, twice with other numbers, and
//! the same words without the quote that leaves the literal make no difference to each other. An error is a proof only
//! if the database speaks in it, and only when a lone quote is sent.

use async_trait::async_trait;
use serde_json::Value;

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::exchange::Answer;
use crate::finding::{Label, Site};
use crate::likeness::longest_list;
use crate::plan::{Plan, count};
use crate::probe::Probe;
use crate::probe::delay::delayed;
use crate::probe::point::{Point, Spot, all_points, plain, without_echo_of};
use crate::row::Row;
use crate::rule;
use crate::scope::SendError;
use crate::surface::{Endpoint, Surface};

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
        count(plan.surface.endpoints.iter().map(|endpoint| texts(&plan.surface, endpoint) * 18).sum())
    }

    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
        for point in all_points(context).iter().filter(|point| is_candidate(context.surface(), point)) {
            let mut outcome = inject(context, docket, point).await?;
            if outcome == Outcome::Open {
                outcome = error(context, docket, point).await?;
            }
            if outcome != Outcome::Settled {
                delayed(context, docket, point).await?;
            }
        }
        Ok(())
    }
}

/// How many texts an operation takes, roughly.
fn texts(surface: &Surface, endpoint: &Endpoint) -> usize {
    let body = endpoint.body.as_ref().map_or(0, |body| surface.properties(&body.schema).len());
    endpoint.parameters.len() + body
}

fn is_candidate(surface: &Surface, point: &Point<'_>) -> bool {
    let is_secret = matches!(point.plain_name().as_str(), "password" | "passwd" | "newpassword");
    let is_changed = matches!(point.endpoint.method.as_str(), "PATCH" | "PUT") && point.spot != Spot::Body;
    let is_numeric = point.is_number(surface) && point.spot != Spot::Body;
    // What the protocol itself reads is seldom what a statement is made of.
    let is_protocol = !point.spot.is_plain() && point.is_named(&PROTOCOL);
    !is_changed && !is_secret && !is_protocol && (point.is_text(surface) || is_numeric)
}

/// Whether anything is left to try at a point.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Answers say nothing of conditions; only their time might.
    Blind,
    Open,
    Settled,
}

/// What is compared: the whole answer to a read, without an echo of what was sent; of a change only its status, for its
/// answer has new ids.
fn sign(point: &Point<'_>, answer: &Answer, sent: &str) -> String {
    if (point.endpoint.is_read() || is_search(point.endpoint)) && answer.is_success() {
        return without_echo_of(point, answer, sent);
    }
    answer.meaning().to_string()
}

/// Whether something is posted only to be looked for.
fn is_search(endpoint: &Endpoint) -> bool {
    let last = endpoint.template.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    ["filter", "find", "lookup", "query", "search"].iter().any(|word| last.contains(word))
}

async fn inject(context: &Context<'_>, docket: &mut Docket, point: &Point<'_>) -> Result<Outcome, SendError> {
    let mut controls = Trail::default();
    let seed = point.seed_text();
    let control = context.send(&mut controls, Label::Control, &point.text(context, &seed)).await?;
    let insertion = point.insertion();
    let site = Site { operation: &point.endpoint.id, insertion: &insertion };
    let found = longest_list(control.json().unwrap_or(&Value::Null)) != Some(0);
    let expected = sign(point, &control, &seed);
    let mut ignored = 0;
    // A condition behind something that is found: true finds it still, false does not.
    for form in forms(context.surface(), point).filter(|_| control.is_success() && found) {
        let mut trail = controls.clone();
        let send = |left: u32, right: u32| form.write(&seed, left, right);
        let truth = context.send(&mut trail, Label::Attack, &point.text(context, &send(7, 7))).await?;
        if sign(point, &truth, &send(7, 7)) != expected {
            let reason = format!("a true condition is answered with {}", truth.meaning().as_u16());
            docket.withstand(&rule::SQL_INJECTED, site, reason, trail);
            continue;
        }
        let untruth = context.send(&mut trail, Label::Attack, &point.text(context, &send(7, 8))).await?;
        let false_sign = sign(point, &untruth, &send(7, 8));
        if false_sign == expected {
            docket.withstand(&rule::SQL_INJECTED, site, "a false condition is answered like a true one", trail);
            ignored += 1;
            if ignored > 1 {
                return Ok(Outcome::Blind);
            }
            continue;
        }
        let again = context.send(&mut trail, Label::Verify, &point.text(context, &send(31, 31))).await?;
        let never = context.send(&mut trail, Label::Verify, &point.text(context, &send(31, 13))).await?;
        let is_repeated =
            sign(point, &again, &send(31, 31)) == expected && sign(point, &never, &send(31, 13)) == false_sign;
        // Without its quote the text stays text, and true and false are only words.
        let inert = |left: u32, right: u32| form.inert(&seed, left, right);
        let word = context.send(&mut trail, Label::Control, &point.text(context, &inert(7, 7))).await?;
        let other = context.send(&mut trail, Label::Control, &point.text(context, &inert(7, 8))).await?;
        let are_words = sign(point, &word, &inert(7, 7)) == sign(point, &other, &inert(7, 8));
        if is_repeated && are_words {
            let summary = format!("`{}` is run as SQL: a true condition finds, a false one does not", point.name);
            docket.prove(&rule::SQL_INJECTED, site, summary, trail);
            return Ok(Outcome::Settled);
        }
        docket.withstand(&rule::SQL_INJECTED, site, "true and false conditions cannot be told apart reliably", trail);
    }
    widen(context, docket, point, site).await
}

/// A condition behind something that is not found: true finds something, false still does not. Only where nothing is
/// changed, for a condition that is always true would change everything.
async fn widen(
    context: &Context<'_>,
    docket: &mut Docket,
    point: &Point<'_>,
    site: Site<'_>,
) -> Result<Outcome, SendError> {
    if !point.endpoint.is_read() && !is_asking(&point.endpoint.template) || point.is_number(context.surface()) {
        return Ok(Outcome::Open);
    }
    let seed = context.marker();
    let mut controls = Trail::default();
    let control = context.send(&mut controls, Label::Control, &point.text(context, &seed)).await?;
    let expected = sign(point, &control, &seed);
    for (quote, tail) in [("'", " -- "), ("\"", " -- "), ("%'", " -- "), ("')", " -- ")] {
        let send = |left: u32, right: u32| format!("{seed}{quote} OR {left}={right}{tail}");
        let mut trail = controls.clone();
        let truth = context.send(&mut trail, Label::Attack, &point.text(context, &send(7, 7))).await?;
        let true_sign = sign(point, &truth, &send(7, 7));
        if !truth.is_success() || true_sign == expected {
            docket.withstand(&rule::SQL_INJECTED, site, "a condition that is always true finds nothing more", trail);
            continue;
        }
        let mut is_proved = true;
        for (left, right) in [(7, 8), (31, 31), (31, 13)] {
            let answer = context.send(&mut trail, Label::Verify, &point.text(context, &send(left, right))).await?;
            let sign = sign(point, &answer, &send(left, right));
            // A sign-in has a new token in every answer.
            let is_same = if left == right { sign == true_sign } else { sign == expected };
            is_proved &= is_same;
        }
        if is_proved {
            let summary = format!("`{}` is run as SQL: a condition that is always true finds everything", point.name);
            docket.prove(&rule::SQL_INJECTED, site, summary, trail);
            return Ok(Outcome::Settled);
        }
        docket.withstand(&rule::SQL_INJECTED, site, "true and false conditions cannot be told apart reliably", trail);
    }
    Ok(Outcome::Open)
}

/// Operations that write nothing although they are posted to.
fn is_asking(template: &str) -> bool {
    let path = plain(template);
    ["login", "signin", "search", "query", "lookup", "find", "check"].iter().any(|word| path.contains(word))
}

/// One quote breaks the statement, two are a quote in a text, and the answer to one is the database's.
async fn error(context: &Context<'_>, docket: &mut Docket, point: &Point<'_>) -> Result<Outcome, SendError> {
    let insertion = point.insertion();
    let site = Site { operation: &point.endpoint.id, insertion: &insertion };
    let seed = point.seed_text();
    let speaks = |answer: &Answer| SPEECH.iter().find(|word| answer.text.contains(**word));
    for quote in ["'", "\""] {
        let mut trail = Trail::default();
        let attack = point.text(context, &format!("{seed}{quote}"));
        let answer = context.send(&mut trail, Label::Attack, &attack).await?;
        let Some(word) = speaks(&answer) else {
            let reason = format!("a quote is answered with {}", answer.meaning().as_u16());
            docket.withstand(&rule::SQL_ERROR, site, reason, trail);
            continue;
        };
        // Text that the service shows for anything it does not like is no statement that broke.
        let whole = point.text(context, &format!("{seed}{quote}{quote}"));
        let whole = context.send(&mut trail, Label::Control, &whole).await?;
        let other = context.send(&mut trail, Label::Control, &point.text(context, &format!("{seed}-"))).await?;
        if whole.text.contains(word) || other.text.contains(word) {
            docket.withstand(&rule::SQL_ERROR, site, "other values are answered with the same words", trail);
            continue;
        }
        let summary = format!("a quote in `{}` breaks the statement, and the answer shows it", point.name);
        docket.prove(&rule::SQL_ERROR, site, summary, trail);
        return Ok(Outcome::Settled);
    }
    Ok(Outcome::Open)
}

/// How a condition is put behind a literal: what closes it, and what makes the rest of the statement harmless.
#[derive(Clone, Copy)]
struct Form {
    close: &'static str,
    /// The quote of the values of the condition, where the rest of the statement closes the last one.
    balance: Option<char>,
}

impl Form {
    fn write(&self, seed: &str, left: u32, right: u32) -> String {
        let close = self.close;
        match self.balance {
            Some(quote) => format!("{seed}{close} AND {quote}{left}{quote}={quote}{right}"),
            None => format!("{seed}{close} AND {left}={right} -- "),
        }
    }

    /// The same without what closes the literal; for a number, which nothing closes, without the space.
    fn inert(&self, seed: &str, left: u32, right: u32) -> String {
        if self.close.is_empty() {
            format!("{seed}xAND{left}x{right}")
        } else {
            Self { close: "", ..*self }.write(seed, left, right)
        }
    }
}

fn forms(surface: &Surface, point: &Point<'_>) -> impl Iterator<Item = Form> + use<> {
    let is_number = point.is_number(surface) || point.seed_text().parse::<u64>().is_ok();
    let is_text = point.is_text(surface);
    let text = TEXTS.into_iter().filter(move |_| is_text);
    NUMBER.into_iter().filter(move |_| is_number).chain(text)
}

const PROTOCOL: [&str; 9] =
    ["accept", "authorization", "content", "csrf", "etag", "idempotency", "ifmatch", "ifnonematch", "token"];
const NUMBER: [Form; 1] = [Form { close: "", balance: None }];
const TEXTS: [Form; 6] = [
    Form { close: "'", balance: None },
    Form { close: "%'", balance: None },
    Form { close: "')", balance: None },
    Form { close: "%')", balance: None },
    Form { close: "'", balance: Some('\'') },
    Form { close: "\"", balance: Some('"') },
];
const SPEECH: [&str; 22] = [
    "SQL syntax",
    "SQLSTATE",
    "near \"",
    "near \\\"",
    "ORA-0",
    "PG::",
    "unrecognized token",
    "unterminated quoted string",
    "Unclosed quotation mark",
    "sqlite3.",
    "SQLITE_ERROR",
    "SqliteError",
    "sqlalchemy.exc",
    "psycopg2.",
    "syntax error at or near",
    "syntax error at end of input",
    "mysql_fetch",
    "MySqlException",
    "ER_PARSE_ERROR",
    "java.sql.SQL",
    "System.Data.SqlClient",
    "code: 1, message:",
];
