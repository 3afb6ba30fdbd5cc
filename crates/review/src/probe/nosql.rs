//! NoSQL injection: whether a value may be an operator of the query instead of a text.
//!
//! The proof is a pair of operators: what is unequal to nonsense finds, what is equal to the same nonsense does not, and
//! so does the nonsense itself. A service that takes any object for "no condition" answers both alike.

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::exchange::{Answer, Call};
use crate::finding::{Label, Site};
use crate::likeness::longest_list;
use crate::plan::{Plan, count};
use crate::probe::Probe;
use crate::probe::point::{Point, Spot, all_points, without_echo};
use crate::row::Row;
use crate::rule;
use crate::scope::SendError;

/// The probe.
#[derive(Debug)]
pub(crate) struct NoSql;

#[async_trait]
impl Probe for NoSql {
    fn id(&self) -> &'static str {
        "nosql-injection"
    }

    fn row(&self) -> Row {
        Row::Injection
    }

    fn estimate(&self, plan: &Plan) -> u32 {
        count(plan.surface.endpoints.len() * 6)
    }

    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
        for point in all_points(context).iter().filter(|point| point.is_text(context.surface())) {
            // A change for whatever is not equal to nonsense would change everything.
            let asks = point.endpoint.is_read() || point.endpoint.method == http::Method::POST;
            match point.spot {
                Spot::Body | Spot::Query if asks => operators(context, docket, point).await?,
                _ => {}
            }
            if point.endpoint.is_read() && point.spot.is_plain() {
                script(context, docket, point).await?;
            }
        }
        Ok(())
    }
}

async fn operators(context: &Context<'_>, docket: &mut Docket, point: &Point<'_>) -> Result<(), SendError> {
    let insertion = point.insertion();
    let site = Site { operation: &point.endpoint.id, insertion: &insertion };
    let nonsense = context.marker();
    let mut trail = Trail::default();
    let attack = context.send(&mut trail, Label::Attack, &with_operator(context, point, "$ne", &nonsense)).await?;
    if !finds(&attack) {
        let reason = format!("an operator is answered with {}", attack.meaning().as_u16());
        docket.withstand(&rule::NOSQL_INJECTED, site, reason, trail);
        return Ok(());
    }
    let plain = context.send(&mut trail, Label::Control, &point.text(context, &nonsense)).await?;
    let equal = context.send(&mut trail, Label::Control, &with_operator(context, point, "$eq", &nonsense)).await?;
    let listed = context.send(&mut trail, Label::Verify, &with_operator(context, point, "$gt", "")).await?;
    let differs =
        |answer: &Answer| !finds(answer) || without_echo(answer, &nonsense) != without_echo(&attack, &nonsense);
    let is_operator = !finds(&plain) && !finds(&equal) && differs(&equal) && finds(&listed);
    if is_operator {
        let summary = format!("`{}` may be an operator: unequal to nonsense finds, equal to it does not", point.name);
        docket.prove(&rule::NOSQL_INJECTED, site, summary, trail);
    } else {
        docket.withstand(&rule::NOSQL_INJECTED, site, "operators make no difference", trail);
    }
    Ok(())
}

/// Text that leaves a literal of a script (`$where`).
async fn script(context: &Context<'_>, docket: &mut Docket, point: &Point<'_>) -> Result<(), SendError> {
    let insertion = point.insertion();
    let site = Site { operation: &point.endpoint.id, insertion: &insertion };
    let nonsense = context.marker();
    let write = |left: u32, right: u32| format!("{nonsense}' || '{left}'=='{right}");
    let mut trail = Trail::default();
    let truth = context.send(&mut trail, Label::Attack, &point.text(context, &write(7, 7))).await?;
    if !finds(&truth) {
        let reason = format!("a true condition is answered with {}", truth.meaning().as_u16());
        docket.withstand(&rule::NOSQL_INJECTED, site, reason, trail);
        return Ok(());
    }
    let untruth = context.send(&mut trail, Label::Verify, &point.text(context, &write(7, 8))).await?;
    let again = context.send(&mut trail, Label::Verify, &point.text(context, &write(31, 31))).await?;
    let plain = context.send(&mut trail, Label::Control, &point.text(context, &nonsense)).await?;
    if !finds(&untruth) && finds(&again) && !finds(&plain) {
        let summary = format!("`{}` is run as a script of the query: a true condition finds everything", point.name);
        docket.prove(&rule::NOSQL_INJECTED, site, summary, trail);
    } else {
        docket.withstand(&rule::NOSQL_INJECTED, site, "true and false conditions are answered alike", trail);
    }
    Ok(())
}

fn with_operator(context: &Context<'_>, point: &Point<'_>, operator: &str, value: &str) -> Call {
    if point.spot != Spot::Query {
        return point.call(context, &json!({ operator: value }));
    }
    let mut base = point.base.clone();
    base.values.query.retain(|(name, _)| *name != point.name);
    base.values = base.values.with_query(&format!("{}[{operator}]", point.name), value);
    base.call(context, point.endpoint)
}

/// Whether an answer shows something: a success that is not an empty list or object.
fn finds(answer: &Answer) -> bool {
    let is_empty = match answer.json() {
        Some(Value::Null) => true,
        Some(body) => longest_list(body) == Some(0) || body.as_object().is_some_and(serde_json::Map::is_empty),
        None => answer.text.trim().is_empty(),
    };
    answer.is_success() && !is_empty
}
