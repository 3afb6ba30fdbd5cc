//! Transport: what a target in TLS shows as its certificate, what it speaks that is broken, and what browsers are told.

use async_trait::async_trait;

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::finding::{Label, Site};
use crate::plan::Plan;
use crate::probe::Probe;
use crate::probe::point::Base;
use crate::row::Row;
use crate::rule;
use crate::scope::{Offer, SendError, Worth};

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
        6
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
        let site = Site { operation: &endpoint.id, insertion: "tls" };
        for offer in Offer::VERSIONS.into_iter().chain(Offer::SUITES) {
            let name = offer.name();
            let is_version = Offer::VERSIONS.contains(&offer);
            let rule = if is_version { &rule::TLS_OUTDATED } else { &rule::TLS_WEAK };
            if !context.client.speaks(offer).await? {
                docket.withstand(rule, site, format!("{name} is refused"), trail.clone());
                continue;
            }
            let summary = format!("the server goes on with a handshake in {name}");
            // Attacks on chained blocks need a library that lets itself be timed.
            match offer {
                Offer::Unauthenticated => docket.suspect(rule, site, summary, trail.clone()),
                Offer::Tls10 | Offer::Tls11 | Offer::Unforward => docket.prove(rule, site, summary, trail.clone()),
            }
        }
        let site = Site { operation: &endpoint.id, insertion: "tls/certificate" };
        match context.client.certificate().await? {
            Worth::Nothing { why } => {
                let summary = format!("the certificate proves nothing: {why}");
                docket.prove(&rule::CERTIFICATE_INVALID, site, summary, trail.clone());
            }
            Worth::Good { days: Some(days) } if days < SOON => {
                let reason = "the certificate is good".to_owned();
                docket.withstand(&rule::CERTIFICATE_INVALID, site, reason, trail.clone());
                let summary = format!("the certificate ends in {days} days: is somebody going to renew it?");
                docket.ask(&rule::CERTIFICATE_EXPIRING, site, summary, trail.clone());
            }
            Worth::Good { .. } => {
                docket.withstand(&rule::CERTIFICATE_INVALID, site, "the certificate is good", trail.clone());
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

/// In days: authorities renew a third of the time before the end, and the shortest lives are some weeks.
const SOON: i64 = 21;
