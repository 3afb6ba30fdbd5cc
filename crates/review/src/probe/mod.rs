//! A probe is one kind of attack with its controls: it proves a weakness, or says why it could not.

mod account;
mod account_named;
mod action;
mod authn;
mod claims;
mod code;
mod consumption;
mod cookie;
mod craft;
mod defects;
mod delay;
mod enumeration;
mod evaluation;
mod flow;
mod forgery;
mod function_auth;
mod gift;
mod guessing;
mod holding;
mod injection;
mod inventory;
mod ldap;
mod lifecycle;
mod misconfig;
mod naming;
mod nosql;
mod object_auth;
mod object_named;
mod pattern;
pub(crate) mod point;
mod property;
mod redirect;
mod secret;
mod sibling;
mod ssrf;
mod third_party;
mod transport;
mod traversal;
mod verbose;
mod xss;
mod xxe;

pub(crate) use point::with_own_password;

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
pub(crate) fn all() -> Vec<&'static dyn Probe> {
    vec![
        &function_auth::FunctionAuth,
        &authn::Authn,
        &forgery::Forgery,
        &consumption::Consumption,
        &misconfig::Misconfig,
        &cookie::Cookie,
        &transport::Transport,
        &inventory::Inventory,
        &defects::Defects,
        &object_auth::ObjectAuth,
        &object_named::ObjectNamed,
        &property::Property,
        &flow::Flow,
        &ssrf::Ssrf,
        &third_party::ThirdParty,
        // Before what sends bare line breaks, which make an answer that nobody can read where headers can be split.
        &redirect::Redirect,
        &injection::Injection,
        &nosql::NoSql,
        &ldap::Ldap,
        &evaluation::Command,
        &evaluation::Template,
        &traversal::Traversal,
        &xxe::Xxe,
        &xss::Xss,
        &verbose::Verbose,
        &account::Registration,
        &account::Takeover,
        &account_named::AccountNamed,
        &account_named::Ascent,
        &lifecycle::Lifecycle,
        &enumeration::Enumeration,
        &code::Code,
        &guessing::Guessing,
        &pattern::Pattern,
    ]
}
