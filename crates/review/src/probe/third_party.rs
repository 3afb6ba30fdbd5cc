//! Third parties: whether the API passes on what a partner answers without looking at it.

use async_trait::async_trait;
use serde_json::Value;

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::finding::{Label, Site};
use crate::likeness::texts;
use crate::partner::HostilePartner;
use crate::plan::{Mode, Plan, count};
use crate::probe::Probe;
use crate::row::Row;
use crate::rule;
use crate::scope::SendError;
use crate::surface::{Endpoint, Surface};

/// The probe.
#[derive(Debug)]
pub(crate) struct ThirdParty;

#[async_trait]
impl Probe for ThirdParty {
    fn id(&self) -> &'static str {
        "unsafe-consumption"
    }

    fn row(&self) -> Row {
        Row::UnsafeConsumption
    }

    fn estimate(&self, plan: &Plan) -> u32 {
        count(plan.surface.endpoints.iter().filter(|endpoint| endpoint.is_third_party).count() * 3)
    }

    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
        let Some(partner) = &context.plan.partner else {
            docket.skip("the reviewer does not play the API's partner in this plan");
            return Ok(());
        };
        for endpoint in context.surface().endpoints.iter().filter(|one| one.is_third_party && !one.is_limited()) {
            if endpoint.is_read() || context.plan.mode > Mode::Safe {
                let result = relay(context, docket, endpoint, partner).await;
                partner.turn_honest();
                result?;
            }
        }
        Ok(())
    }
}

async fn relay(
    context: &Context<'_>,
    docket: &mut Docket,
    endpoint: &Endpoint,
    partner: &HostilePartner,
) -> Result<(), SendError> {
    let served = context.memory.served(&endpoint.id).next();
    let sample = || (context.surface().sample_values(endpoint), context.caller(endpoint));
    let (values, session) = served.map_or_else(sample, |served| (served.values.clone(), served.session));
    let call = context.call(endpoint, &values, context.surface().sample_body(endpoint), session);
    let marker = context.marker();
    let mut trail = Trail::default();
    let asked = partner.hits();
    let control = context.send(&mut trail, Label::Control, &call).await?;
    if !control.is_success() || partner.hits() == asked || control.text.contains(&marker) {
        docket.skip(format!("`{}` does not ask the partner that the reviewer plays", endpoint.id));
        return Ok(());
    }
    partner.turn_hostile(&marker);
    let answer = context.send(&mut trail, Label::Attack, &call).await?;
    let reached = answer.json().filter(|_| answer.is_success());
    let carried = reached.map(|body| carried(context.surface(), endpoint, body, &marker)).unwrap_or_default();
    let site = Site { operation: &endpoint.id, insertion: "partner" };
    match carried.first() {
        Some(first) => {
            let summary = format!("a hostile partner's answer reaches the caller: {first}");
            docket.prove(&rule::PARTNER_TRUSTED, site, summary, trail);
        }
        None => {
            let reason = format!("a hostile partner leads to {}", answer.meaning().as_u16());
            docket.withstand(&rule::PARTNER_TRUSTED, site, reason, trail);
        }
    }
    Ok(())
}

/// What of the hostile answer came through.
fn carried(surface: &Surface, endpoint: &Endpoint, body: &Value, marker: &str) -> Vec<String> {
    let mut carried = Vec::new();
    let mut found = Vec::new();
    texts(body, &mut found);
    if found.iter().any(|text| text.contains(marker) && text.contains('<')) {
        carried.push("markup in a text".to_owned());
    }
    let members = body.as_object().into_iter().flatten();
    carried
        .extend(members.clone().filter(|(name, _)| name.contains(marker)).map(|_| "an undeclared property".to_owned()));
    let Some(form) = endpoint.success("application/json") else { return carried };
    let declared = surface.properties(&form.schema);
    for (name, value) in members {
        let schema =
            declared.iter().find(|(known, _)| known == name).map_or(&Value::Null, |(_, one)| surface.resolve(one));
        let minimum = schema.get("minimum").and_then(Value::as_f64);
        if let Some((minimum, value)) = minimum.zip(value.as_f64())
            && value < minimum
        {
            carried.push(format!("`{name}` below its minimum"));
        }
    }
    carried
}
