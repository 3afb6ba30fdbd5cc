//! Resource consumption: whether a page can be larger than the contract allows.

use async_trait::async_trait;
use serde_json::Value;

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::finding::{Label, Site};
use crate::likeness::longest_list;
use crate::plan::{Plan, count};
use crate::probe::Probe;
use crate::row::Row;
use crate::rule;
use crate::scope::SendError;
use crate::surface::{Endpoint, Place, Surface};

/// The probe.
#[derive(Debug)]
pub(crate) struct Consumption;

#[async_trait]
impl Probe for Consumption {
    fn id(&self) -> &'static str {
        "page-size"
    }

    fn row(&self) -> Row {
        Row::ResourceConsumption
    }

    fn estimate(&self, plan: &Plan) -> u32 {
        count(plan.surface.endpoints.iter().map(|endpoint| sizes(&plan.surface, endpoint).len() * 2).sum())
    }

    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
        for endpoint in &context.surface().endpoints {
            for size in sizes(context.surface(), endpoint) {
                page(context, docket, endpoint, size).await?;
            }
        }
        Ok(())
    }
}

async fn page(
    context: &Context<'_>,
    docket: &mut Docket,
    endpoint: &Endpoint,
    size: Size<'_>,
) -> Result<(), SendError> {
    let Size { name, maximum } = size;
    let mut trail = Trail::default();
    let values = context.surface().sample_values(endpoint);
    let session = context.caller(endpoint);
    let largest = values.clone().with_query(name, &maximum.to_string());
    let control = context.send(&mut trail, Label::Control, &context.call(endpoint, &largest, None, session)).await?;
    let allowed = control.json().filter(|_| control.is_success()).and_then(longest_list);
    match allowed {
        Some(length) if length <= maximum => {}
        _ => {
            docket.skip(format!("`{}` does not serve a page of the size that it declares", endpoint.id));
            return Ok(());
        }
    }
    let beyond = values.with_query(name, &maximum.saturating_mul(FACTOR).to_string());
    let answer = context.send(&mut trail, Label::Attack, &context.call(endpoint, &beyond, None, session)).await?;
    let length = answer.json().filter(|_| answer.is_success()).and_then(longest_list);
    let insertion = format!("query/{name}");
    let site = Site { operation: &endpoint.id, insertion: &insertion };
    match length {
        Some(length) if length > maximum => {
            let summary = format!("a page holds {length} items, though `{name}` is {maximum} at most");
            docket.prove(&rule::PAGE_UNBOUNDED, site, summary, trail);
        }
        Some(_) if allowed < Some(maximum) => {
            docket.skip(format!("there are too few items to fill a page of `{}`", endpoint.id));
        }
        _ => {
            let reason = format!("a page too large is answered with {}", answer.meaning().as_u16());
            docket.withstand(&rule::PAGE_UNBOUNDED, site, reason, trail);
        }
    }
    Ok(())
}

/// A query parameter that asks for a number of items.
#[derive(Clone, Copy)]
struct Size<'e> {
    name: &'e str,
    /// The most that may be asked for.
    maximum: usize,
}

fn sizes<'e>(surface: &Surface, endpoint: &'e Endpoint) -> Vec<Size<'e>> {
    let queries = endpoint.parameters.iter().filter(|parameter| parameter.place == Place::Query);
    let size = queries.filter_map(|parameter| {
        let name = parameter.name.to_ascii_lowercase();
        let maximum = surface.resolve(&parameter.schema).get("maximum").and_then(Value::as_u64)?;
        let is_size = WORDS.iter().any(|word| name.contains(word));
        let size = Size { name: &parameter.name, maximum: usize::try_from(maximum).ok()? };
        (is_size && endpoint.is_read()).then_some(size)
    });
    size.collect()
}

const WORDS: [&str; 7] = ["count", "limit", "max", "per_page", "perpage", "size", "top"];
/// Far beyond, but not so far that an honest mistake becomes an outage.
const FACTOR: usize = 8;
