//! Authentication: whether a token is believed without being verified, or is not needed at all.
//!
//! The control is a protected read with a valid token, which neither nobody nor garbage gets. A mutant is believed when
//! it gets the same answer as the valid token.

use async_trait::async_trait;
use serde_json::Value;

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::exchange::{Answer, Call, Credential};
use crate::finding::{Label, Site};
use crate::memory::likeness;
use crate::plan::{Plan, count};
use crate::probe::Probe;
use crate::row::Row;
use crate::rule::{self, Rule};
use crate::scope::SendError;
use crate::surface::{Endpoint, Values};
use crate::token::{Jwt, UNSIGNED};

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
        count(protected * 2 + 12)
    }

    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
        let mut controls = protected_reads(context);
        for control in &controls {
            without_token(context, docket, control).await?;
        }
        // The answer to a read by id tells best whose token was believed.
        controls.sort_by_key(|control| (control.endpoint.owner.request.is_empty(), !control.endpoint.is_owned()));
        match controls.first() {
            Some(control) => with_mutants(context, docket, control).await,
            None => {
                docket.skip("no protected read was served to anybody");
                Ok(())
            }
        }
    }
}

/// A protected read that was served.
struct Control<'c> {
    endpoint: &'c Endpoint,
    values: Values,
    session: usize,
}

impl Control<'_> {
    fn call(&self, context: &Context<'_>, credential: Credential) -> Call {
        context.call(self.endpoint, &self.values, None, None).with_credential(credential)
    }

    fn valid(&self, context: &Context<'_>) -> Call {
        context.call(self.endpoint, &self.values, None, Some(self.session))
    }
}

fn protected_reads<'c>(context: &Context<'c>) -> Vec<Control<'c>> {
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
    if is_alike(&valid, &none) {
        let summary = "the operation is served without a credential, though the contract asks for one".to_owned();
        docket.prove(&rule::AUTHENTICATION_MISSING, site, summary, trail);
    } else {
        let reason = format!("a request without a token is answered with {}", none.status.as_u16());
        docket.withstand(&rule::AUTHENTICATION_MISSING, site, reason, trail);
    }
    Ok(())
}

async fn with_mutants(context: &Context<'_>, docket: &mut Docket, control: &Control<'_>) -> Result<(), SendError> {
    let Some(session) = context.sessions.get(control.session) else { return Ok(()) };
    let Some(jwt) = Jwt::read(&session.token) else {
        docket.skip("the token is not a JSON web token, so nothing in it can be changed");
        return Ok(());
    };
    let mut controls = Trail::default();
    let valid = context.send(&mut controls, Label::Control, &control.valid(context)).await?;
    for (token, shown) in [(None, ""), (Some("garbage"), "garbage")] {
        let credential = token.map_or(Credential::None, |token| session.with_token(token, shown));
        let refused = context.send(&mut controls, Label::Control, &control.call(context, credential)).await?;
        if refused.is_success() || !valid.is_success() {
            docket.skip(format!("`{}` does not tell a valid token from none", control.endpoint.id));
            return Ok(());
        }
    }
    let shown = |suffix: &str| format!("{}_{suffix}", session.placeholder);
    let mut mutants: Vec<(&Rule, String, String, &str)> = UNSIGNED
        .iter()
        .map(|spelling| (&rule::TOKEN_UNSIGNED, jwt.unsigned(spelling), shown("UNSIGNED"), "without a signature"))
        .collect();
    mutants.push((&rule::TOKEN_FORGED, jwt.flipped(), shown("FLIPPED"), "with a wrong signature"));
    mutants.push((&rule::TOKEN_EXPIRED, jwt.expired(), shown("EXPIRED"), "that expired in 1970"));
    let mut proved: Vec<&str> = Vec::new();
    for (rule, token, shown, how) in mutants {
        if proved.contains(&rule.slug) {
            continue;
        }
        let mut trail = controls.clone();
        let attack = control.call(context, session.with_token(&token, &shown));
        let answer = context.send(&mut trail, Label::Attack, &attack).await?;
        let site = Site { operation: &control.endpoint.id, insertion: AUTHORIZATION };
        if is_alike(&valid, &answer) {
            proved.push(rule.slug);
            docket.prove(rule, site, format!("a token {how} is believed"), trail);
        } else {
            let reason = format!("a token {how} is answered with {}", answer.status.as_u16());
            docket.withstand(rule, site, reason, trail);
        }
    }
    for_another(context, docket, control.endpoint).await
}

/// Reads what is a victim's with the attacker's token, made out to the victim.
async fn for_another(context: &Context<'_>, docket: &mut Docket, endpoint: &Endpoint) -> Result<(), SendError> {
    let Some((victim, attacker)) = context.peers(endpoint).into_iter().next() else { return Ok(()) };
    let Some(values) = context.values_of(endpoint, victim).into_iter().next() else { return Ok(()) };
    let Some((owner, forger)) = context.sessions.get(victim).zip(context.sessions.get(attacker)) else { return Ok(()) };
    let Some((jwt, subject)) = Jwt::read(&forger.token).zip(owner.claim("sub")) else { return Ok(()) };
    let mut trail = Trail::default();
    let control = context.call(endpoint, &values, None, Some(victim));
    let valid = context.send(&mut trail, Label::Control, &control).await?;
    let token = forger.with_token(&jwt.for_subject(&subject), &format!("{}_FOR_ANOTHER", forger.placeholder));
    let attack = context.call(endpoint, &values, None, None).with_credential(token);
    let answer = context.send(&mut trail, Label::Attack, &attack).await?;
    let site = Site { operation: &endpoint.id, insertion: AUTHORIZATION };
    if is_alike(&valid, &answer) {
        let summary = format!("{} becomes {} by writing another subject into the token", forger.name, owner.name);
        docket.prove(&rule::TOKEN_SUBJECT, site, summary, trail);
    } else {
        let reason = format!("a token with another subject is answered with {}", answer.status.as_u16());
        docket.withstand(&rule::TOKEN_SUBJECT, site, reason, trail);
    }
    Ok(())
}

fn is_alike(control: &Answer, answer: &Answer) -> bool {
    let same = |left: &Value, right: &Value| likeness(left, right) >= 90;
    let is_same = match (control.json(), answer.json()) {
        (Some(left), Some(right)) => same(left, right) || left == right,
        _ => control.text == answer.text,
    };
    control.is_success() && answer.is_success() && is_same
}

const AUTHORIZATION: &str = "header/authorization";
