//! LDAP injection: whether text becomes part of a directory's filter.
//!
//! The proof is a pair, as for SQL: a condition that every entry meets changes nothing, one that none meets finds nothing,
//! each in two forms, and the same words without parentheses make no difference to each other. A parenthesis that is not
//! closed is a proof only if the directory speaks in the answer.

use async_trait::async_trait;

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::exchange::Answer;
use crate::finding::{Label, Site};
use crate::plan::{Plan, count};
use crate::probe::Probe;
use crate::probe::point::{Point, all_points, plain, without_echo_of};
use crate::row::Row;
use crate::rule;
use crate::scope::SendError;
use crate::surface::{Endpoint, Place};

/// The probe.
#[derive(Debug)]
pub(crate) struct Ldap;

#[async_trait]
impl Probe for Ldap {
    fn id(&self) -> &'static str {
        "ldap-injection"
    }

    fn row(&self) -> Row {
        Row::Injection
    }

    fn estimate(&self, plan: &Plan) -> u32 {
        let named = |endpoint: &Endpoint| {
            let queries = endpoint.parameters.iter().filter(|one| one.place != Place::Header);
            queries.filter(|one| is_name(&plain(&one.name))).count()
        };
        count(plan.surface.endpoints.iter().map(named).sum::<usize>() * 4)
    }

    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
        let surface = context.surface();
        let is_candidate = |point: &&Point<'_>| {
            let asks = point.endpoint.is_read() || is_asking(&point.endpoint.template);
            asks && point.spot.is_plain() && point.is_text(surface) && is_name(&point.plain_name())
        };
        for point in all_points(context).iter().filter(is_candidate) {
            if !filter(context, docket, point).await? {
                error(context, docket, point).await?;
            }
        }
        Ok(())
    }
}

fn is_name(name: &str) -> bool {
    NAMES.iter().any(|word| name.contains(word))
}

fn is_asking(template: &str) -> bool {
    let path = plain(template);
    ["login", "signin", "search", "query", "lookup", "find", "check"].iter().any(|word| path.contains(word))
}

/// A condition behind what is found; whether it was proved.
async fn filter(context: &Context<'_>, docket: &mut Docket, point: &Point<'_>) -> Result<bool, SendError> {
    let insertion = point.insertion();
    let site = Site { operation: &point.endpoint.id, insertion: &insertion };
    let seed = point.seed_text();
    let mut trail = Trail::default();
    let control = context.send(&mut trail, Label::Control, &point.text(context, &seed)).await?;
    if !control.is_success() || seed.is_empty() {
        return Ok(false);
    }
    let expected = sign(point, &control, &seed);
    let nonsense = context.marker();
    let truth = format!("{seed})(objectClass=*");
    let answer = context.send(&mut trail, Label::Attack, &point.text(context, &truth)).await?;
    if sign(point, &answer, &truth) != expected {
        let reason = format!("a true condition is answered with {}", answer.meaning().as_u16());
        docket.withstand(&rule::LDAP_INJECTED, site, reason, trail);
        return Ok(false);
    }
    let mut is_proved = true;
    for (text, is_true) in [
        (format!("{seed})(objectClass={nonsense}"), false),
        (format!("{seed})(!(objectClass={nonsense})"), true),
        (format!("{seed})(!(objectClass=*)"), false),
    ] {
        let answer = context.send(&mut trail, Label::Verify, &point.text(context, &text)).await?;
        is_proved &= (sign(point, &answer, &text) == expected) == is_true;
    }
    let mut words = Vec::new();
    for text in [format!("{seed}objectClass=*"), format!("{seed}objectClass={nonsense}")] {
        let answer = context.send(&mut trail, Label::Control, &point.text(context, &text)).await?;
        words.push(sign(point, &answer, &text));
    }
    if is_proved && words.windows(2).all(|pair| pair.first() == pair.last()) {
        let summary =
            format!("`{}` is part of a directory's filter: a true condition finds, a false one does not", point.name);
        docket.prove(&rule::LDAP_INJECTED, site, summary, trail);
        return Ok(true);
    }
    docket.withstand(&rule::LDAP_INJECTED, site, "true and false conditions are answered alike", trail);
    Ok(false)
}

/// A parenthesis too many breaks the filter, and the answer is the directory's.
async fn error(context: &Context<'_>, docket: &mut Docket, point: &Point<'_>) -> Result<(), SendError> {
    let insertion = point.insertion();
    let site = Site { operation: &point.endpoint.id, insertion: &insertion };
    let seed = point.seed_text();
    let mut trail = Trail::default();
    let answer = context.send(&mut trail, Label::Attack, &point.text(context, &format!("{seed}))"))).await?;
    let Some(word) = SPEECH.iter().find(|word| answer.text.contains(**word)) else {
        let reason = format!("a parenthesis is answered with {}", answer.meaning().as_u16());
        docket.withstand(&rule::LDAP_INJECTED, site, reason, trail);
        return Ok(());
    };
    // Escaped as a filter wants it, it is only a letter.
    let escaped = context.send(&mut trail, Label::Control, &point.text(context, &format!("{seed}\\29\\29"))).await?;
    let other = context.send(&mut trail, Label::Control, &point.text(context, &format!("{seed}-"))).await?;
    if escaped.text.contains(word) || other.text.contains(word) {
        docket.withstand(&rule::LDAP_INJECTED, site, "other values are answered with the same words", trail);
        return Ok(());
    }
    let summary = format!("a parenthesis in `{}` breaks the directory's filter, and the answer shows it", point.name);
    docket.prove(&rule::LDAP_INJECTED, site, summary, trail);
    Ok(())
}

fn sign(point: &Point<'_>, answer: &Answer, sent: &str) -> String {
    if answer.is_success() { without_echo_of(point, answer, sent) } else { answer.meaning().to_string() }
}

const NAMES: [&str; 16] = [
    "cn",
    "department",
    "employee",
    "filter",
    "group",
    "login",
    "mail",
    "member",
    "name",
    "phone",
    "query",
    "search",
    "sn",
    "uid",
    "unit",
    "user",
];
const SPEECH: [&str; 9] = [
    "Bad search filter",
    "FILTER_ERROR",
    "InvalidSearchFilter",
    "LDAPException",
    "LDAPInvalidFilterError",
    "Unbalanced parenthesis",
    "javax.naming.",
    "ldap_search",
    "malformed filter",
];
