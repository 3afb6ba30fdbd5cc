//! Codes: whether a short code that proves something can be tried at any rate, and whether messages can be asked for so.

use async_trait::async_trait;
use http::{Method, StatusCode};
use serde_json::Value;

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::exchange::Payload;
use crate::finding::{Label, Site};
use crate::plan::{Mode, Plan, count};
use crate::probe::Probe;
use crate::probe::account_named::names_under;
use crate::probe::enumeration::{is_name, is_reset};
use crate::probe::point::{Point, Spot, changes_credentials, places, points};
use crate::row::Row;
use crate::rule;
use crate::scope::SendError;
use crate::surface::Endpoint;
use crate::throwaway::Throwaway;

/// The probe.
#[derive(Debug)]
pub(crate) struct Code;

#[async_trait]
impl Probe for Code {
    fn id(&self) -> &'static str {
        "code-guessing"
    }

    fn row(&self) -> Row {
        Row::ResourceConsumption
    }

    fn estimate(&self, plan: &Plan) -> u32 {
        let checks = plan.surface.endpoints.iter().filter(|one| is_check(one)).count();
        count(checks.min(MAXIMUM_CHECKS)) * ATTEMPTS
    }

    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
        if context.plan.mode == Mode::Safe {
            docket.skip("a safe run guesses no codes");
            return Ok(());
        }
        let checks = context.surface().endpoints.iter().filter(|one| is_check(one) && !one.is_limited());
        for endpoint in checks.take(MAXIMUM_CHECKS) {
            // What sets a new password is tried on an account that nobody will miss.
            let is_of_account = changes_credentials(context.surface(), endpoint);
            let account = match is_of_account {
                true => Throwaway::make(context, &mut Trail::default(), Label::Control, &[]).await?,
                false => None,
            };
            if is_of_account && account.is_none() {
                docket.skip("no account could be made whose code could be guessed");
                continue;
            }
            if let Some(account) = &account {
                order(context, endpoint, account).await?;
            }
            let points = if is_of_account { places(context, endpoint) } else { points(context, endpoint) };
            if let Some(point) = points.iter().find(|point| point.spot == Spot::Body && point.is_named(&CODES)) {
                guess(context, docket, point, account.as_ref()).await?;
            }
        }
        Ok(())
    }
}

/// Whether an operation compares a code that somebody was sent, or has chosen.
fn is_check(endpoint: &Endpoint) -> bool {
    let path = endpoint.template.to_ascii_lowercase();
    endpoint.method == Method::POST && CHECKS.iter().any(|word| path.contains(word))
}

/// Has a code sent to the account, so that there is one to be guessed.
async fn order(context: &Context<'_>, check: &Endpoint, account: &Throwaway) -> Result<(), SendError> {
    for endpoint in context.surface().endpoints.iter().filter(|one| is_reset(one) && one.id != check.id) {
        let values = context.surface().sample_values(endpoint);
        let body = context.surface().sample_body(endpoint).map(|body| named(body, account));
        context.send(&mut Trail::default(), Label::Control, &context.call(endpoint, &values, body, None)).await?;
    }
    Ok(())
}

/// A body about an account.
fn named(mut body: Value, account: &Throwaway) -> Value {
    for (property, value) in body.as_object_mut().into_iter().flatten() {
        if is_name(property)
            && value.is_string()
            && let Some(name) = names_under(account.names(), property).into_iter().next()
        {
            *value = Value::from(name);
        }
    }
    body
}

async fn guess(
    context: &Context<'_>,
    docket: &mut Docket,
    point: &Point<'_>,
    account: Option<&Throwaway>,
) -> Result<(), SendError> {
    let insertion = point.insertion();
    let site = Site { operation: &point.endpoint.id, insertion: &insertion };
    let is_number = point.is_number(context.surface());
    let mut trail = Trail::default();
    let mut first: Option<(StatusCode, String)> = None;
    for number in 0..ATTEMPTS {
        let is_shown = number < 2 || number + 2 >= ATTEMPTS;
        let mut unseen = Trail::default();
        let code = 1_301 + number * 211;
        let value = if is_number { Value::from(code) } else { Value::from(code.to_string()) };
        let mut call = point.call(context, &value);
        if let (Some(account), Some(Payload::Json(body))) = (account, &mut call.body) {
            *body = named(std::mem::take(body), account);
            call = call.with_credential(account.session.credential());
        }
        let answer = context.send(if is_shown { &mut trail } else { &mut unseen }, Label::Attack, &call).await?;
        let text = answer.text.to_ascii_lowercase();
        let is_closed = CLOSED.iter().any(|word| text.contains(word));
        if answer.is_success() {
            docket.skip(format!("`{}` takes any code", point.endpoint.id));
            return Ok(());
        }
        if is_closed || matches!(answer.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::LOCKED) {
            let reason = format!("code {} is answered with {}", number + 1, answer.status.as_u16());
            docket.withstand(&rule::REQUESTS_UNBOUNDED, site, reason, if is_shown { trail } else { unseen });
            return Ok(());
        }
        let is_compared = WRONG.iter().any(|word| text.contains(word))
            && !matches!(answer.status, StatusCode::UNPROCESSABLE_ENTITY | StatusCode::NOT_FOUND)
            && !answer.status.is_server_error();
        let seen = (answer.status, answer.text);
        if !is_compared || first.as_ref().is_some_and(|first| *first != seen) {
            docket.skip(format!("`{}` does not say that a code is wrong", point.endpoint.id));
            return Ok(());
        }
        first.get_or_insert(seen);
    }
    let summary = format!("{ATTEMPTS} wrong values of `{}` in a row are answered, and none is slowed down", point.name);
    // A wrong code may be refused before it is compared, or the code may end after a few guesses without a word.
    docket.suspect(&rule::REQUESTS_UNBOUNDED, site, summary, trail);
    Ok(())
}

const ATTEMPTS: u32 = 25;
const MAXIMUM_CHECKS: usize = 3;
const CHECKS: [&str; 10] =
    ["2fa", "activate", "check-code", "confirm", "mfa", "otp", "pin", "reset", "verification", "verify"];
const CLOSED: [&str; 7] = ["attempts", "blocked", "exceeded", "expired", "locked", "too many", "try again"];
const CODES: [&str; 4] = ["code", "otp", "passcode", "pin"];
const WRONG: [&str; 5] = ["incorrect", "invalid", "mismatch", "not match", "wrong"];
