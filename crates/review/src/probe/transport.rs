//! Transport: whether a target in TLS speaks versions that are broken, and whether browsers are told to stay in TLS.

use async_trait::async_trait;

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::finding::{Label, Site};
use crate::plan::Plan;
use crate::probe::Probe;
use crate::probe::point::Base;
use crate::row::Row;
use crate::rule;
use crate::scope::{Outdated, SendError};

/// The probe.
#[derive(Debug)]
pub(crate) struct Transport;

#[async_trait]
impl Probe for Transport {
    fn id(&self) -> &'static str {
        "transport"
    }

    fn row(&self) -> Row {
        Row::Misconfiguration
    }

    fn estimate(&self, _: &Plan) -> u32 {
        3
    }

    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
        let is_served = |id: &str| context.memory.served(id).next().is_some();
        let mut reads = context.surface().endpoints.iter().filter(|one| one.is_read() && !one.is_limited());
        let Some(endpoint) = reads.find(|one| is_served(&one.id)).filter(|_| context.client.is_encrypted()) else {
            docket.skip("the target is not in TLS, or serves nothing");
            return Ok(());
        };
        let mut trail = Trail::default();
        let call = Base::of(context, endpoint).call(context, endpoint);
        // The same server speaks a version that is fine, and answers in it.
        let answer = context.send(&mut trail, Label::Control, &call).await?;
        for version in Outdated::ALL {
            let (name, site) = (version.name(), Site { operation: &endpoint.id, insertion: "tls" });
            if context.client.speaks(version).await? {
                let summary = format!("the server goes on with a handshake in {name}");
                docket.prove(&rule::TLS_OUTDATED, site, summary, trail.clone());
            } else {
                docket.withstand(&rule::TLS_OUTDATED, site, format!("{name} is refused"), trail.clone());
            }
        }
        let site = Site { operation: &endpoint.id, insertion: "header/strict-transport-security" };
        let age = answer.header("strict-transport-security").and_then(|value| {
            let mut parts = value.split(';').filter_map(|part| part.trim().split_once('='));
            parts.find(|(name, _)| name.eq_ignore_ascii_case("max-age"))?.1.trim_matches('"').parse::<u64>().ok()
        });
        if age.is_some_and(|age| age > 0) {
            docket.withstand(&rule::TLS_OPTIONAL, site, "browsers are told to stay in TLS", trail);
        } else {
            // It harms those only whose first request somebody else can change.
            let summary = "answers in TLS do not tell browsers to stay in TLS".to_owned();
            docket.suspect(&rule::TLS_OPTIONAL, site, summary, trail);
        }
        Ok(())
    }
}
