//! Stored scripts: whether text that one caller stores becomes markup in a page that another opens.

use async_trait::async_trait;
use http::Method;
use serde_json::Value;

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::exchange::{Answer, Call};
use crate::finding::{Label, Site};
use crate::plan::{Mode, Plan, count};
use crate::probe::Probe;
use crate::probe::craft::{reader_of, with_property};
use crate::probe::point::{self, all_points};
use crate::row::Row;
use crate::rule;
use crate::scope::SendError;
use crate::surface::{Endpoint, Surface, Values};

/// The probe.
#[derive(Debug)]
pub(crate) struct Xss;

#[async_trait]
impl Probe for Xss {
    fn id(&self) -> &'static str {
        "stored-script"
    }

    fn row(&self) -> Row {
        Row::Injection
    }

    fn estimate(&self, plan: &Plan) -> u32 {
        let pages = pages(&plan.surface).count();
        let points: usize = plan.surface.endpoints.iter().map(|one| free_texts(&plan.surface, one).len()).sum();
        let reads: usize =
            plan.surface.endpoints.iter().filter(|one| one.is_read()).map(|one| one.parameters.len()).sum();
        count(reads * 2 + points * (2 + 2 * pages))
    }

    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
        reflect(context, docket).await?;
        if pages(context.surface()).next().is_none() {
            docket.skip("the contract has no page (`text/html`)");
            return Ok(());
        }
        if context.plan.mode == Mode::Safe {
            docket.skip("a safe run stores nothing");
            return Ok(());
        }
        for endpoint in &context.surface().endpoints {
            for name in free_texts(context.surface(), endpoint) {
                store(context, docket, endpoint, name).await?;
            }
        }
        Ok(())
    }
}

/// Sends markup to every read, and looks whether it comes back as markup of a page.
async fn reflect(context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
    for point in all_points(context).iter().filter(|point| point.endpoint.is_read() && point.spot.is_plain()) {
        if !point.is_text(context.surface()) {
            continue;
        }
        let insertion = point.insertion();
        let site = Site { operation: &point.endpoint.id, insertion: &insertion };
        let payload = format!("<img src=x onerror={}>", context.marker());
        let mut trail = Trail::default();
        let answer = context.send(&mut trail, Label::Attack, &point.text(context, &payload)).await?;
        let is_page = answer.media_type() == Some("text/html");
        if !is_page || !answer.text.contains(&payload) {
            let reason = format!("markup is answered with {}, and not as a page", answer.meaning().as_u16());
            docket.withstand(&rule::SCRIPT_REFLECTED, site, reason, trail);
            continue;
        }
        let plain = context.send(&mut trail, Label::Control, &point.text(context, &context.marker())).await?;
        if plain.text.contains("<img src=x onerror=") || forbids_scripts(&answer) {
            let summary = format!("`{}` comes back as markup; only a policy stops its scripts", point.name);
            docket.suspect(&rule::SCRIPT_REFLECTED, site, summary, trail);
        } else {
            let summary = format!("a script in `{}` runs for whoever opens the address", point.name);
            docket.prove(&rule::SCRIPT_REFLECTED, site, summary, trail);
        }
    }
    Ok(())
}

/// Where a text is stored.
struct Spot<'s> {
    endpoint: &'s Endpoint,
    name: String,
    values: Values,
    session: Option<usize>,
}

impl Spot<'_> {
    fn call(&self, context: &Context<'_>, text: Value) -> Call {
        let body = with_property(context, self.endpoint, &self.name, text);
        context.call(self.endpoint, &self.values, Some(body), self.session)
    }

    /// What a change replaces, so that it can be put back.
    async fn original(&self, context: &Context<'_>) -> Result<Option<Value>, SendError> {
        if self.endpoint.method == Method::POST {
            return Ok(None);
        }
        let Some(reader) = reader_of(context, self.endpoint) else { return Ok(None) };
        let answer = context.client.send(&context.call(reader, &self.values, None, self.session)).await?;
        Ok(answer.json().and_then(|body| body.get(&self.name)).cloned())
    }
}

async fn store(context: &Context<'_>, docket: &mut Docket, endpoint: &Endpoint, name: String) -> Result<(), SendError> {
    let session = context.caller(endpoint);
    let own = session.and_then(|session| context.values_of(endpoint, session).into_iter().next());
    let values = own.unwrap_or_else(|| context.surface().sample_values(endpoint));
    let spot = Spot { endpoint, name, values, session };
    let payload = format!("<img src=x onerror={}>", context.marker());
    let mut trail = Trail::default();
    let original = spot.original(context).await?;
    let attack = spot.call(context, Value::from(payload.as_str()));
    let stored = context.send(&mut trail, Label::Attack, &attack).await?;
    let insertion = format!("body/{}", spot.name);
    let site = Site { operation: &endpoint.id, insertion: &insertion };
    if !stored.is_success() {
        let reason = format!("a text with markup is answered with {}", stored.meaning().as_u16());
        docket.withstand(&rule::SCRIPT_STORED, site, reason, trail);
        return Ok(());
    }
    let mut is_shown = false;
    for page in pages(context.surface()) {
        let answer = context.send(&mut trail, Label::Verify, &open(context, page, &spot.values)).await?;
        if answer.media_type() != Some("text/html") || !answer.text.contains(&payload) {
            continue;
        }
        is_shown = true;
        if forbids_scripts(&answer) {
            let summary = format!("`{}` becomes markup in `{}`; only a policy stops its scripts", spot.name, page.id);
            docket.suspect(&rule::MARKUP_STORED, site, summary, trail.clone());
        } else {
            let summary = format!("a script in `{}` runs for whoever opens `{}`", spot.name, page.id);
            docket.prove(&rule::SCRIPT_STORED, site, summary, trail.clone());
        }
    }
    if let Some(original) = original {
        context.send(&mut trail, Label::Restore, &spot.call(context, original)).await?;
    }
    if !is_shown {
        docket.withstand(&rule::SCRIPT_STORED, site, "no page shows the text as markup", trail);
    }
    Ok(())
}

/// The page of the same object, where they share a parameter.
fn open(context: &Context<'_>, page: &Endpoint, values: &Values) -> Call {
    let mut own = context.surface().sample_values(page);
    for parameter in page.path_parameters() {
        if let Some(value) = values.in_path(&parameter.name) {
            own = own.with_path(&parameter.name, value);
        }
    }
    context.call(page, &own, None, context.caller(page))
}

fn pages(surface: &Surface) -> impl Iterator<Item = &Endpoint> {
    surface.endpoints.iter().filter(|one| one.is_read() && !one.is_limited() && one.success("text/html").is_some())
}

fn free_texts(surface: &Surface, endpoint: &Endpoint) -> Vec<String> {
    if endpoint.is_limited()
        || point::changes_credentials(surface, endpoint)
        || !matches!(endpoint.method, Method::PATCH | Method::POST | Method::PUT)
    {
        return Vec::new();
    }
    let Some(body) = &endpoint.body else { return Vec::new() };
    let free = surface.properties(&body.schema).into_iter().filter(|(_, schema)| surface.is_free_text(schema));
    free.map(|(name, _)| name.to_owned()).collect()
}

/// Whether a content security policy keeps inline scripts from running (CSP level 3, section 6.7.3).
fn forbids_scripts(answer: &Answer) -> bool {
    let Some(policy) = answer.header("content-security-policy") else { return false };
    let directive = |name: &str| {
        policy
            .split(';')
            .map(str::trim)
            .find(|one| one.split(' ').next().is_some_and(|key| key.eq_ignore_ascii_case(name)))
    };
    ["script-src-attr", "script-src", "default-src"]
        .iter()
        .find_map(|name| directive(name))
        .is_some_and(|directive| !directive.contains("'unsafe-inline'"))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, StatusCode};

    use super::*;

    #[test]
    fn a_policy_forbids_scripts_unless_it_says_otherwise() {
        let check = |policy: &'static str, expect: bool| {
            let headers =
                HeaderMap::from_iter([(http::header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy))]);
            assert_eq!(forbids_scripts(&Answer::new(StatusCode::OK, headers, b"")), expect, "{policy}");
        };
        check("default-src 'none'", true);
        check("default-src 'none'; script-src 'unsafe-inline'", false);
        check("script-src 'self'; script-src-attr 'unsafe-inline'", false);
        check("Script-Src 'self'", true);
        check("frame-ancestors 'none'", false);
        check("", false);
    }
}
