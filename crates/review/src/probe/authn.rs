//! Authentication: whether an operation is served to nobody in particular, or to anybody with some text for a token.

use async_trait::async_trait;
use http::Method;
use serde_json::Value;

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::exchange::{Answer, Call, Credential};
use crate::finding::{Label, Site};
use crate::likeness::{ALIKE, is_same_success};
use crate::plan::{Mode, Plan, count};
use crate::probe::Probe;
use crate::probe::point::{Base, changes_credentials, is_final, plain};
use crate::row::Row;
use crate::rule;
use crate::scope::SendError;
use crate::surface::{Access, Endpoint, Surface, Values};
use crate::throwaway::is_registration;

/// The probe.
#[derive(Debug)]
pub(crate) struct Authn;

#[async_trait]
impl Probe for Authn {
    fn id(&self) -> &'static str {
        "authentication"
    }

    fn row(&self) -> Row {
        Row::Authentication
    }

    fn estimate(&self, plan: &Plan) -> u32 {
        let protected = plan.surface.endpoints.iter().filter(|one| one.is_read() && !one.is_public).count();
        count(protected * 3 + plan.surface.endpoints.len() * 2)
    }

    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
        let controls = protected_reads(context);
        for control in &controls {
            without_token(context, docket, control).await?;
        }
        if context.plan.mode > Mode::Safe {
            // Anybody may make an account, unless the contract says otherwise.
            let is_entrance =
                |one: &Endpoint| one.access == Access::Unstated && is_registration(context.surface(), one);
            let makes = |one: &&Endpoint| {
                one.method == Method::POST
                    && !one.is_public
                    && !is_entrance(one)
                    && !one.is_limited()
                    && !is_final(one)
                    && !changes_credentials(context.surface(), one)
            };
            for endpoint in context.surface().endpoints.iter().filter(makes) {
                making(context, docket, endpoint).await?;
            }
        }
        if !declares_security(context.surface()) {
            undeclared(context, docket).await?;
        }
        if controls.is_empty() {
            docket.skip("no protected read was served to anybody");
        }
        Ok(())
    }
}

/// A protected read that was served.
pub(crate) struct Control<'c> {
    pub(crate) endpoint: &'c Endpoint,
    values: Values,
    pub(crate) session: usize,
}

impl Control<'_> {
    pub(crate) fn call(&self, context: &Context<'_>, credential: Credential) -> Call {
        context.call(self.endpoint, &self.values, None, None).with_credential(credential)
    }

    /// What the session signs with, with another token in place of its own.
    pub(crate) fn signed(&self, context: &Context<'_>, token: &str, shown: &str) -> Credential {
        context.sessions.get(self.session).map_or(Credential::None, |session| session.with_token(token, shown))
    }

    pub(crate) fn valid(&self, context: &Context<'_>) -> Call {
        context.call(self.endpoint, &self.values, None, Some(self.session))
    }
}

pub(crate) fn protected_reads<'c>(context: &Context<'c>) -> Vec<Control<'c>> {
    let mut controls = Vec::new();
    for endpoint in
        context.surface().endpoints.iter().filter(|one| one.is_read() && !one.is_public && !one.is_limited())
    {
        let served =
            context.memory.served(&endpoint.id).find_map(|served| Some((served.values.clone(), served.session?)));
        if let Some((values, session)) = served {
            controls.push(Control { endpoint, values, session });
        }
    }
    controls
}

async fn without_token(context: &Context<'_>, docket: &mut Docket, control: &Control<'_>) -> Result<(), SendError> {
    let mut trail = Trail::default();
    let valid = context.send(&mut trail, Label::Control, &control.valid(context)).await?;
    let none = context.send(&mut trail, Label::Attack, &control.call(context, Credential::None)).await?;
    let site = Site { operation: &control.endpoint.id, insertion: AUTHORIZATION };
    let is_served = is_alike(&valid, &none);
    // A service that refuses nobody and looks at the header all the same may believe anything in it.
    let garbage = control.call(context, control.signed(context, "garbage", "garbage"));
    if is_served || is_alike(&valid, &context.send(&mut trail, Label::Attack, &garbage).await?) {
        let how = if is_served { "without a credential" } else { "to anybody who sends some text as a token" };
        let summary = format!("the operation is served {how}, though the contract asks for a credential");
        docket.prove(&rule::AUTHENTICATION_MISSING, site, summary, trail);
    } else {
        let reason = format!("a request without a token is answered with {}", none.meaning().as_u16());
        docket.withstand(&rule::AUTHENTICATION_MISSING, site, reason, trail);
    }
    Ok(())
}

/// Makes something as nobody in particular. An error that is answered with success has another form.
async fn making(context: &Context<'_>, docket: &mut Docket, endpoint: &Endpoint) -> Result<(), SendError> {
    let base = Base::of(context, endpoint);
    if base.session.is_none() {
        return Ok(());
    }
    let mut trail = Trail::default();
    let valid = context.send(&mut trail, Label::Control, &base.call(context, endpoint)).await?;
    if !valid.is_success() {
        return Ok(());
    }
    let nobody = Base { session: None, ..base };
    let answer = context.send(&mut trail, Label::Attack, &nobody.call(context, endpoint)).await?;
    let site = Site { operation: &endpoint.id, insertion: AUTHORIZATION };
    let names =
        |answer: &Answer| answer.json().and_then(Value::as_object).map(|body| body.keys().cloned().collect::<Vec<_>>());
    let is_same = names(&valid) == names(&answer) && (names(&valid).is_some() || valid.text == answer.text);
    if answer.meaning() == valid.meaning() && is_same {
        let summary = "the operation is done without a credential, though the contract asks for one".to_owned();
        docket.prove(&rule::AUTHENTICATION_MISSING, site, summary, trail);
    } else {
        let reason = format!("a request without a token is answered with {}", answer.meaning().as_u16());
        docket.withstand(&rule::AUTHENTICATION_MISSING, site, reason, trail);
    }
    Ok(())
}

/// Whether the contract says anywhere who may call what.
fn declares_security(surface: &Surface) -> bool {
    let operations = surface.endpoints.iter().filter_map(|endpoint| {
        let item = surface.root.get("paths")?.get(&endpoint.template)?;
        surface.resolve(item).get(endpoint.method.as_str().to_ascii_lowercase())?.get("security")
    });
    surface.root.get("security").is_some() || operations.count() > 0
}

/// Reads of a contract that is silent: what shows an account of the reviewer's to nobody in particular, while an
/// operation beside it asks for a credential, is forgotten rather than public.
async fn undeclared(context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
    let mut answers = Vec::new();
    for endpoint in context.surface().endpoints.iter().filter(|one| one.is_read() && !one.is_limited()) {
        let nobody = Base { session: None, ..Base::of(context, endpoint) };
        let mut trail = Trail::default();
        let answer = context.send(&mut trail, Label::Attack, &nobody.call(context, endpoint)).await?;
        answers.push((endpoint, answer, trail));
    }
    let is_closed = answers.iter().any(|(_, answer, _)| matches!(answer.meaning().as_u16(), 401 | 403));
    for (endpoint, answer, trail) in answers.into_iter().filter(|(_, answer, _)| answer.is_success()) {
        let site = Site { operation: &endpoint.id, insertion: AUTHORIZATION };
        let held = answer.json().map(sensitive).unwrap_or_default();
        if let Some(name) = held.first().filter(|_| is_closed) {
            let summary = format!("nobody in particular reads `{name}`, while other operations ask for a credential");
            docket.prove(&rule::AUTHENTICATION_MISSING, site, summary, trail);
        } else if is_closed {
            docket.withstand(&rule::AUTHENTICATION_MISSING, site, "what is open holds nothing personal", trail);
        }
    }
    Ok(())
}

/// The names of texts in an answer that nobody publishes.
fn sensitive(value: &Value) -> Vec<String> {
    match value {
        Value::Array(list) => list.iter().take(MAXIMUM_ITEMS).flat_map(sensitive).collect(),
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, member)| {
                let words = ["password", "passwd", "ssn", "secret", "phone", "iban", "cardnumber", "salary", "balance"];
                let is_one = !member.is_null() && words.iter().any(|word| plain(name).contains(word));
                if is_one { vec![name.clone()] } else { sensitive(member) }
            })
            .collect(),
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

pub(crate) fn is_alike(control: &Answer, answer: &Answer) -> bool {
    is_same_success(control, answer, ALIKE)
}

const MAXIMUM_ITEMS: usize = 5;
pub(crate) const AUTHORIZATION: &str = "header/authorization";
