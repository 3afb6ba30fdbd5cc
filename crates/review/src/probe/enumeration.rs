//! Enumeration: whether an answer tells which accounts exist.
//!
//! Known and unknown names are asked for in turn, twice each. What differs between the two kinds, and not within one,
//! tells them apart. A service that slows down or locks is left alone.

use async_trait::async_trait;
use http::Method;
use serde_json::Value;

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::exchange::{Answer, Call};
use crate::finding::{Label, Site};
use crate::login::{SignIn, is_password};
use crate::plan::{Mode, Plan};
use crate::probe::Probe;
use crate::probe::point::{plain, without_echo};
use crate::row::Row;
use crate::rule;
use crate::scope::SendError;
use crate::session::Session;
use crate::surface::{Access, Endpoint};

/// The probe.
#[derive(Debug)]
pub(crate) struct Enumeration;

#[async_trait]
impl Probe for Enumeration {
    fn id(&self) -> &'static str {
        "account-enumeration"
    }

    fn row(&self) -> Row {
        Row::Authentication
    }

    fn estimate(&self, _: &Plan) -> u32 {
        12
    }

    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
        if context.plan.mode == Mode::Safe {
            docket.skip("a safe run guesses no names");
            return Ok(());
        }
        let logins: Vec<SignIn> =
            context.plan.identities.iter().filter_map(|identity| identity.login.sign_in()).collect();
        let Some(first) = logins.first() else {
            docket.skip("no identity signs in with a name");
            return Ok(());
        };
        let known: Vec<String> = logins.iter().filter_map(|login| name_in(&login.body)).take(2).collect();
        let operation = endpoint_at(context, &first.path).map_or(first.path.clone(), |endpoint| endpoint.id.clone());
        let sign_in = |name: &str| first.call(&with_name(&first.body, name, Some("Wrong-0!wrong")));
        ask(context, docket, &operation, &known, &sign_in).await?;
        for endpoint in context.surface().endpoints.iter().filter(|one| is_reset(one) && !one.is_limited()) {
            let sample = context.surface().sample_body(endpoint).unwrap_or_default();
            let Some(known) = names_for(context, &sample) else { continue };
            let values = context.surface().sample_values(endpoint);
            let reset = |name: &str| context.call(endpoint, &values, Some(with_name(&sample, name, None)), None);
            ask(context, docket, &endpoint.id, &known, &reset).await?;
        }
        Ok(())
    }
}

async fn ask(
    context: &Context<'_>,
    docket: &mut Docket,
    operation: &str,
    known: &[String],
    call: &(dyn Fn(&str) -> Call + Sync),
) -> Result<(), SendError> {
    let site = Site { operation, insertion: "body" };
    let mut trail = Trail::default();
    let (mut yes, mut no) = (Vec::new(), Vec::new());
    let ends =
        known.first().and_then(|name| name.split_once('@')).map(|(_, host)| format!("@{host}")).unwrap_or_default();
    for at in 0..2 {
        let Some(name) = known.get(at).or(known.first()) else { return Ok(()) };
        let stranger = format!("{}{ends}", context.marker());
        for (name, label, answers) in [(name, Label::Attack, &mut yes), (&stranger, Label::Control, &mut no)] {
            let answer = context.send(&mut trail, label, &call(name)).await?;
            if matches!(answer.meaning().as_u16(), 423 | 429) || answer.meaning().is_server_error() {
                docket.withstand(&rule::ACCOUNT_ENUMERABLE, site, "names cannot be tried at will", trail);
                return Ok(());
            }
            answers.push(sign(&answer, name));
        }
    }
    let is_uniform = |signs: &[String]| signs.windows(2).all(|pair| pair.first() == pair.last());
    if is_uniform(&yes) && is_uniform(&no) && yes.first() != no.first() {
        let summary = "the answer tells whether an account exists".to_owned();
        docket.prove(&rule::ACCOUNT_ENUMERABLE, site, summary, trail);
    } else {
        docket.withstand(&rule::ACCOUNT_ENUMERABLE, site, "known and unknown names are answered alike", trail);
    }
    Ok(())
}

/// The status and the text, without the name, digits, and ids of the request.
fn sign(answer: &Answer, name: &str) -> String {
    let text: String = without_echo(answer, name).chars().filter(|one| !one.is_ascii_digit()).collect();
    let words = text.split(|one: char| !one.is_alphanumeric() && one != '_').filter(|word| word.len() < LONGEST_WORD);
    // A form is often answered with a redirection, which tells by where it leads.
    let place = answer.header("location").unwrap_or_default().replace(name, "");
    format!("{} {place} {}", answer.status.as_u16(), words.collect::<Vec<_>>().join(" "))
}

pub(crate) fn is_reset(endpoint: &Endpoint) -> bool {
    let path = plain(&endpoint.template);
    endpoint.method == Method::POST
        && ["forgot", "resetpassword", "passwordreset", "recover", "passwordforgot"]
            .iter()
            .any(|word| path.contains(word))
        && (endpoint.is_public || endpoint.access == Access::Unstated)
}

/// The names of two identities of the kind that a body has.
fn names_for(context: &Context<'_>, sample: &Value) -> Option<Vec<String>> {
    let property = sample.as_object()?.keys().find(|name| is_name(name))?;
    // Whose password is asked to be reset should be nobody's who was given.
    let mut sessions: Vec<usize> = (0..context.sessions.len()).collect();
    sessions.sort_by_key(|at| !context.sessions.get(*at).is_some_and(Session::is_throwaway));
    let known: Vec<String> = sessions
        .into_iter()
        .filter_map(|session| {
            let facts = crate::probe::holding::facts(context, session);
            facts.into_iter().find(|(name, _)| *name == plain(property)).map(|(_, value)| value)
        })
        .take(2)
        .collect();
    if known.is_empty() { None } else { Some(known) }
}

fn name_in(body: &Value) -> Option<String> {
    let members = body.as_object()?;
    members.iter().find(|(name, _)| is_name(name)).and_then(|(_, value)| value.as_str()).map(str::to_owned)
}

pub(crate) fn is_name(name: &str) -> bool {
    let name = plain(name);
    ["user", "email", "login", "name", "phone", "identifier"].iter().any(|word| name.contains(word))
}

pub(crate) fn with_name(body: &Value, name: &str, password: Option<&str>) -> Value {
    let mut body = body.clone();
    for (property, value) in body.as_object_mut().into_iter().flatten() {
        match password {
            Some(password) if is_password(property) => *value = Value::from(password),
            _ if is_name(property) && value.is_string() => *value = Value::from(name),
            _ => {}
        }
    }
    body
}

pub(crate) fn endpoint_at<'c>(context: &Context<'c>, path: &str) -> Option<&'c Endpoint> {
    context.surface().endpoints.iter().find(|one| one.template == path && one.method == Method::POST)
}

/// A longer one is an id or a token.
const LONGEST_WORD: usize = 24;
