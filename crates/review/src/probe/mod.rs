//! A probe is one kind of attack with its controls: it proves a weakness, or says why it could not.

mod authn;
mod consumption;
mod craft;
mod flow;
mod function_auth;
mod guessing;
mod injection;
mod inventory;
mod misconfig;
mod object_auth;
mod property;
mod ssrf;
mod third_party;
mod verbose;
mod xss;

use async_trait::async_trait;

use crate::context::Context;
use crate::docket::Docket;
use crate::plan::Plan;
use crate::row::Row;
use crate::scope::SendError;

/// One kind of attack.
#[async_trait]
pub(crate) trait Probe: Send + Sync {
    /// Its name in reports.
    fn id(&self) -> &'static str;

    /// What it is about.
    fn row(&self) -> Row;

    /// How many requests it makes at most, roughly.
    fn estimate(&self, plan: &Plan) -> u32;

    /// Attacks. Everything it changes it puts back, as far as the API lets it.
    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError>;
}

/// Every probe, in the order in which they do each other the least harm: what reads first, what may lock us out last.
pub(crate) fn all() -> [&'static dyn Probe; 14] {
    [
        &function_auth::FunctionAuth,
        &authn::Authn,
        &consumption::Consumption,
        &misconfig::Misconfig,
        &inventory::Inventory,
        &object_auth::ObjectAuth,
        &property::Property,
        &flow::Flow,
        &ssrf::Ssrf,
        &third_party::ThirdParty,
        &injection::Injection,
        &xss::Xss,
        &verbose::Verbose,
        &guessing::Guessing,
    ]
}
