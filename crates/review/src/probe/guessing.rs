//! Guessing: whether passwords can be tried at any rate. It runs last, because it may close the door behind itself.

use async_trait::async_trait;
use http::Method;
use palisade_core::operation::LimitBy;
use serde_json::Value;

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::finding::{Label, Site};
use crate::login::SignIn;
use crate::plan::{Mode, Plan};
use crate::probe::Probe;
use crate::probe::throwaway::Throwaway;
use crate::row::Row;
use crate::rule;
use crate::scope::SendError;

/// The probe.
#[derive(Debug)]
pub(crate) struct Guessing;

#[async_trait]
impl Probe for Guessing {
    fn id(&self) -> &'static str {
        "password-guessing"
    }

    fn row(&self) -> Row {
        Row::ResourceConsumption
    }

    fn estimate(&self, plan: &Plan) -> u32 {
        sign_in(plan).map_or(0, |login| attempts(plan, &login) + 4)
    }

    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
        let Some(login) = sign_in(context.plan) else {
            docket.skip("no identity signs in with a password");
            return Ok(());
        };
        if context.plan.mode == Mode::Safe {
            docket.skip("a safe run guesses no passwords");
            return Ok(());
        }
        // A real account may be locked by this, so that only a full run uses one; one of our own may be.
        let mut made = Trail::default();
        let own = Throwaway::make(context, &mut made, Label::Control, &[]).await?;
        let login = own.as_ref().map_or(login, |own| own.login.clone());
        let is_real = context.plan.mode == Mode::Full || own.is_some();
        let Some(body) = wrong(&login.body, &context.marker(), is_real) else {
            docket.skip("it is not clear which property of the sign-in is the password");
            return Ok(());
        };
        let call = login.call(&body);
        let attempts = attempts(context.plan, &login);
        let path = &login.path;
        let declared =
            context.surface().endpoints.iter().find(|one| one.template == *path && one.method == Method::POST);
        let operation = declared.map_or(path.as_str(), |endpoint| &endpoint.id);
        let site = Site { operation, insertion: "body" };
        let mut trail = Trail::default();
        for number in 1..=attempts {
            // The first and the last attempts tell the story; the rest would only fill the report.
            let is_shown = number <= 2 || number + 2 > attempts;
            let mut unseen = Trail::default();
            let answer = context.send(if is_shown { &mut trail } else { &mut unseen }, Label::Attack, &call).await?;
            if login.is_served(&answer) {
                docket.skip("a wrong password is accepted, so that nothing can be guessed");
                return Ok(());
            }
            if answer.turns_away() {
                let trail = if is_shown { trail } else { unseen };
                let reason = format!("guess {number} is answered with {}", answer.meaning().as_u16());
                docket.withstand(&rule::GUESSING_UNBOUNDED, site, reason, trail);
                return Ok(());
            }
        }
        if let Some(own) = &own {
            let right = login.call(&own.login.body);
            let answer = context.send(&mut trail, Label::Verify, &right).await?;
            if !login.is_served(&answer) {
                docket.withstand(&rule::GUESSING_UNBOUNDED, site, "the account is closed after wrong passwords", trail);
                return Ok(());
            }
        }
        trail.repeat(attempts);
        let summary = format!("{attempts} wrong passwords in a row are answered, and none is slowed down");
        if is_real {
            docket.prove(&rule::GUESSING_UNBOUNDED, site, summary, trail);
        } else {
            docket.suspect(&rule::GUESSING_UNBOUNDED, site, summary, trail);
        }
        Ok(())
    }
}

fn sign_in(plan: &Plan) -> Option<SignIn> {
    plan.identities.iter().find_map(|identity| identity.login.sign_in())
}

/// A little more than the contract allows.
fn attempts(plan: &Plan, login: &SignIn) -> u32 {
    let declared = plan.surface.endpoints.iter().find(|one| one.template == login.path && one.method == Method::POST);
    let limit = declared.and_then(|endpoint| endpoint.limit_by(LimitBy::Client));
    limit.map_or(UNDECLARED, |limit| limit.requests.saturating_add(5)).min(MAXIMUM)
}

/// The same sign-in with a wrong password, and for a full run with the right name.
fn wrong(body: &Value, marker: &str, is_real: bool) -> Option<Value> {
    let is_password =
        |name: &str| ["pass", "pwd", "secret", "pin"].iter().any(|word| name.to_ascii_lowercase().contains(word));
    let mut members = body.as_object()?.clone();
    let mut found = false;
    for (name, value) in &mut members {
        if is_password(name) {
            found = true;
        } else if is_real || !value.is_string() {
            continue;
        }
        *value = Value::from(marker);
    }
    found.then_some(Value::Object(members))
}

const MAXIMUM: u32 = 60;
const UNDECLARED: u32 = 30;
