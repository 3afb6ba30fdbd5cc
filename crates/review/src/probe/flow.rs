//! Business flow: whether somebody can do more often what is limited, or ask for less than nothing.

use async_trait::async_trait;
use http::Method;
use palisade_core::operation::LimitBy;
use serde_json::Value;

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::exchange::Answer;
use crate::finding::{Label, Site};
use crate::plan::{Mode, Plan, count};
use crate::probe::Probe;
use crate::probe::point::{Base, Point, Spot, changes_credentials, is_final, plain, points};
use crate::row::Row;
use crate::rule;
use crate::scope::SendError;
use crate::surface::Endpoint;

/// The probe.
#[derive(Debug)]
pub(crate) struct Flow;

#[async_trait]
impl Probe for Flow {
    fn id(&self) -> &'static str {
        "business-flow"
    }

    fn row(&self) -> Row {
        Row::BusinessFlow
    }

    fn estimate(&self, plan: &Plan) -> u32 {
        let limits = plan.surface.endpoints.iter().filter_map(allowed);
        let posts = plan.surface.endpoints.iter().filter(|one| one.method == Method::POST).count();
        count(limits.map(|requests| requests + BEYOND).sum::<usize>() + posts * 3)
    }

    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
        let may = |endpoint: &&Endpoint| context.plan.mode > Mode::Safe || endpoint.is_read();
        for endpoint in context.surface().endpoints.iter().filter(may) {
            if let Some(requests) = allowed(endpoint) {
                repeat(context, docket, endpoint, requests).await?;
            }
        }
        if context.plan.mode > Mode::Safe {
            let writes = |one: &&Endpoint| {
                one.method == Method::POST
                    && !one.is_limited()
                    && !is_final(one)
                    && !changes_credentials(context.surface(), one)
            };
            for endpoint in context.surface().endpoints.iter().filter(writes) {
                if is_once(endpoint) {
                    again(context, docket, endpoint).await?;
                }
                for point in points(context, endpoint).iter().filter(|point| is_amount(context, point)) {
                    negative(context, docket, point).await?;
                }
            }
        }
        Ok(())
    }
}

/// How often each principal may call the operation, when that is few enough to try.
fn allowed(endpoint: &Endpoint) -> Option<usize> {
    let limit = endpoint.limit_by(LimitBy::Principal)?;
    usize::try_from(limit.requests).ok().filter(|requests| *requests <= MAXIMUM)
}

async fn repeat(
    context: &Context<'_>,
    docket: &mut Docket,
    endpoint: &Endpoint,
    requests: usize,
) -> Result<(), SendError> {
    // Somebody whose budget is untouched, so that the first call is a control.
    let is_used = |session: &usize| context.memory.served(&endpoint.id).any(|served| served.session == Some(*session));
    let eligible = context.eligible(endpoint);
    let Some(session) = eligible.iter().find(|session| !is_used(session)).or(eligible.first()).copied() else {
        docket.skip(format!("no identity may call `{}`", endpoint.id));
        return Ok(());
    };
    let values = context.values_of(endpoint, session).into_iter().next().unwrap_or_default();
    let call = context.call(endpoint, &values, context.surface().sample_body(endpoint), Some(session));
    let site = Site { operation: &endpoint.id, insertion: "flow" };
    let mut trail = Trail::default();
    for number in 1..=requests + BEYOND {
        let label = if number <= requests { Label::Control } else { Label::Attack };
        let answer = context.send(&mut trail, label, &call).await?;
        if answer.is_success() {
            continue;
        }
        if number == 1 {
            docket.skip(format!("`{}` is answered with {} the first time", endpoint.id, answer.meaning().as_u16()));
        } else {
            let reason = format!("call {number} is answered with {}", answer.meaning().as_u16());
            docket.withstand(&rule::FLOW_UNBOUNDED, site, reason, trail);
        }
        return Ok(());
    }
    let summary = format!(
        "{} calls {} times what the contract allows {requests} times",
        context.name(Some(session)),
        requests + BEYOND
    );
    docket.prove(&rule::FLOW_UNBOUNDED, site, summary, trail);
    Ok(())
}

/// Whether something is given away that nobody gets twice, by the name of the operation.
fn is_once(endpoint: &Endpoint) -> bool {
    let path = plain(&endpoint.template);
    ["coupon", "voucher", "redeem", "giftcard", "promo", "bonus", "claim", "referral", "vote"]
        .iter()
        .any(|word| path.contains(word))
}

/// Does the same three times, and looks whether it counts each time.
async fn again(context: &Context<'_>, docket: &mut Docket, endpoint: &Endpoint) -> Result<(), SendError> {
    let site = Site { operation: &endpoint.id, insertion: "flow" };
    let base = Base::of(context, endpoint);
    let mut trail = Trail::default();
    let mut answers: Vec<Value> = Vec::new();
    for number in 1..=3 {
        let label = if number == 1 { Label::Control } else { Label::Attack };
        let answer = context.send(&mut trail, label, &base.call(context, endpoint)).await?;
        let Some(body) = answer.json().filter(|_| answer.is_success()) else {
            let reason = format!("using it again is answered with {}", answer.meaning().as_u16());
            docket.withstand(&rule::FLOW_REPEATED, site, reason, trail);
            return Ok(());
        };
        answers.push(body.clone());
    }
    // An answer that says the same each time may have changed nothing.
    if let Some(name) = moved(&answers) {
        let summary = format!("what is given once is given three times: `{name}` moves by the same amount each time");
        docket.prove(&rule::FLOW_REPEATED, site, summary, trail);
    } else {
        docket.withstand(&rule::FLOW_REPEATED, site, "using it again changes nothing", trail);
    }
    Ok(())
}

/// The name of a number that moves by the same amount from answer to answer. A number of an object moves by one.
fn moved(answers: &[Value]) -> Option<String> {
    let [first, second, third] = answers else { return None };
    let mut numbers = Vec::new();
    leaves(first, "", &mut numbers);
    numbers.into_iter().find_map(|(path, name)| {
        let at = |body: &Value| body.pointer(&path).and_then(Value::as_f64);
        let (first, second, third) = (at(first)?, at(second)?, at(third)?);
        let is_even = (second - first - (third - second)).abs() < 1e-6 && (second - first).abs() > 1e-6;
        let is_value = VALUES.iter().any(|word| plain(&name).contains(word));
        (is_even && is_value).then_some(name)
    })
}

fn leaves(value: &Value, path: &str, found: &mut Vec<(String, String)>) {
    for (name, member) in value.as_object().into_iter().flatten() {
        let path = format!("{path}/{name}");
        if member.is_number() { found.push((path, name.clone())) } else { leaves(member, &path, found) }
    }
}

fn is_amount(context: &Context<'_>, point: &Point<'_>) -> bool {
    let is_counted = ["quantity", "qty", "amount", "price", "count", "points"].iter().any(|word| {
        point.plain_name() == *word || point.plain_name().starts_with(word) || point.plain_name().ends_with(word)
    });
    let is_counted = is_counted && !point.plain_name().ends_with("account");
    point.spot == Spot::Body && point.is_number(context.surface()) && is_counted && point.base.session.is_some()
}

/// Asks for less than nothing, and looks whether the service counts with it.
async fn negative(context: &Context<'_>, docket: &mut Docket, point: &Point<'_>) -> Result<(), SendError> {
    let insertion = point.insertion();
    let site = Site { operation: &point.endpoint.id, insertion: &insertion };
    let mut trail = Trail::default();
    let control = context.send(&mut trail, Label::Control, &point.call(context, &point.seed)).await?;
    let word = context.send(&mut trail, Label::Control, &point.text(context, "many")).await?;
    if !control.is_success() {
        docket.skip(format!("`{}` does not serve an ordinary amount", point.endpoint.id));
        return Ok(());
    }
    let answer = context.send(&mut trail, Label::Attack, &point.call(context, &Value::from(-1))).await?;
    let computed = |body: &Value| {
        let mut numbers = Vec::new();
        leaves(body, "", &mut numbers);
        numbers.into_iter().find_map(|(path, name)| {
            let value = body.pointer(&path)?.as_f64()?;
            let is_other = plain(&name) != point.plain_name() && VALUES.iter().any(|word| plain(&name).contains(word));
            (value < 0.0 && is_other).then_some(name)
        })
    };
    let below = answer.json().filter(|_| answer.is_success()).and_then(computed);
    let below = below.filter(|_| control.json().is_some_and(|body| computed(body).is_none()));
    // Who takes a word as well may not look at the value at all.
    if below.is_none()
        && !word.is_success()
        && let Some(name) = turned(context, point, &answer, &mut trail).await?
    {
        let summary = format!("a negative `{}` is counted with: `{name}` moves the other way", point.name);
        docket.prove(&rule::AMOUNT_UNCHECKED, site, summary, trail);
        return Ok(());
    }
    match below {
        Some(name) => {
            let summary = format!("a negative `{}` is counted with: `{name}` is below nothing", point.name);
            docket.prove(&rule::AMOUNT_UNCHECKED, site, summary, trail);
        }
        None => {
            let reason = format!("a negative amount is answered with {}", answer.meaning().as_u16());
            docket.withstand(&rule::AMOUNT_UNCHECKED, site, reason, trail);
        }
    }
    Ok(())
}

/// The name of a number that an ordinary amount moves one way, and a negative one just as far the other way.
async fn turned(
    context: &Context<'_>,
    point: &Point<'_>,
    served: &Answer,
    trail: &mut Trail,
) -> Result<Option<String>, SendError> {
    if !served.is_success() {
        return Ok(None);
    }
    let Some(amount) = point.seed_text().parse::<f64>().ok().filter(|amount| *amount > 0.0) else { return Ok(None) };
    let less = if point.seed.is_i64() {
        point.seed.as_i64().map_or(Value::Null, |whole| Value::from(-whole))
    } else {
        Value::from(-amount)
    };
    let mut bodies = Vec::new();
    let (same, label) = (point.seed.clone(), Label::Control);
    for (value, label) in [(same.clone(), label), (same, label), (less.clone(), Label::Attack), (less, Label::Verify)] {
        let answer = context.send(trail, label, &point.call(context, &value)).await?;
        let Some(body) = answer.json().filter(|_| answer.is_success()) else { return Ok(None) };
        bodies.push(body.clone());
    }
    let [first, second, third, fourth] = bodies.as_slice() else { return Ok(None) };
    let mut numbers = Vec::new();
    leaves(first, "", &mut numbers);
    Ok(numbers.into_iter().find_map(|(path, name)| {
        let at = |body: &Value| body.pointer(&path).and_then(Value::as_f64);
        let (first, second, third, fourth) = (at(first)?, at(second)?, at(third)?, at(fourth)?);
        let (forth, back, again) = (second - first, third - second, fourth - third);
        let is_turned =
            (forth + back).abs() < 1e-6 && (back - again).abs() < 1e-6 && (forth.abs() - amount).abs() < 1e-6;
        let is_value = plain(&name) != point.plain_name() && VALUES.iter().any(|word| plain(&name).contains(word));
        (is_turned && is_value).then_some(name)
    }))
}

const VALUES: [&str; 10] = ["amount", "balance", "cents", "cost", "credit", "points", "price", "sum", "total", "votes"];
const BEYOND: usize = 3;
const MAXIMUM: usize = 30;
