//! Inventory: whether the server knows more than the contract does: older versions, debug pages, other methods.

use std::collections::BTreeSet;

use async_trait::async_trait;
use http::Method;

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::exchange::{Answer, Call};
use crate::finding::{Label, Site};
use crate::plan::{Plan, count};
use crate::probe::Probe;
use crate::probe::point::Base;
use crate::row::Row;
use crate::rule;
use crate::scope::SendError;
use crate::surface::{Endpoint, Surface};

/// The probe.
#[derive(Debug)]
pub(crate) struct Inventory;

#[async_trait]
impl Probe for Inventory {
    fn id(&self) -> &'static str {
        "inventory"
    }

    fn row(&self) -> Row {
        Row::Inventory
    }

    fn estimate(&self, plan: &Plan) -> u32 {
        count(candidates(&plan.surface).len() * 2 + 1 + plan.surface.endpoints.len())
    }

    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
        verbs(context, docket).await?;
        let mut controls = Trail::default();
        let nowhere = Call::get(format!("/{}", context.marker()));
        if context.send(&mut controls, Label::Control, &nowhere).await?.is_success() {
            docket.skip("a path that cannot exist is served, so that nothing can be told from it");
            return Ok(());
        }
        for path in candidates(context.surface()) {
            let mut trail = controls.clone();
            let mut answer = context.send(&mut trail, Label::Attack, &Call::get(path.clone())).await?;
            // It exists, and wants to know who asks.
            if matches!(answer.meaning().as_u16(), 401 | 403)
                && answer.blocked_by().is_none()
                && let Some(session) = context.sessions.first()
            {
                let call = Call::get(path.clone()).with_credential(session.credential());
                answer = context.send(&mut trail, Label::Attack, &call).await?;
            }
            let operation = format!("{} {path}", Method::GET);
            let site = Site { operation: &operation, insertion: "path" };
            if !holds_something(&answer) {
                let reason = format!("undeclared paths are answered with {}", answer.meaning().as_u16());
                docket.withstand(&rule::OPERATION_UNDECLARED, site, reason, trail);
                continue;
            }
            // A wildcard route serves anything below it, and proves nothing.
            let beside = Call::get(format!("{path}{}", context.marker()));
            if context.send(&mut trail, Label::Verify, &beside).await?.is_success() {
                continue;
            }
            if is_description(&path, &answer) {
                let summary = format!("`{path}` describes the API to anybody: is that meant?");
                docket.ask(&rule::OPERATION_UNDECLARED, site, summary, trail);
                continue;
            }
            let summary = format!("`{path}` is served, and the contract does not know it");
            docket.prove(&rule::OPERATION_UNDECLARED, site, summary, trail);
        }
        Ok(())
    }
}

/// Asks each path which methods it has. What `Allow` names beyond the contract is asked for with an empty body, and is
/// there when it is answered otherwise than a method that is not.
async fn verbs(context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
    let surface = context.surface();
    let mut templates: Vec<&Endpoint> = Vec::new();
    for endpoint in surface.endpoints.iter().filter(|one| !one.is_limited()) {
        if !templates.iter().any(|known| known.template == endpoint.template) {
            templates.push(endpoint);
        }
    }
    for endpoint in templates.into_iter().take(MAXIMUM_PATHS) {
        let path = Base::of(context, endpoint).call(context, endpoint).path;
        let declared = |method: &str| {
            // `Allow` may name the methods of every path that fits, such as those of `/users/{name}` at `/users/search`.
            let mut same = surface.endpoints.iter().filter(|one| {
                one.template == endpoint.template || matches(&one.template, path.split('?').next().unwrap_or_default())
            });
            matches!(method, "HEAD" | "OPTIONS") || same.any(|one| one.method.as_str() == method)
        };
        let mut trail = Trail::default();
        let session = (0..context.sessions.len()).next();
        let ask = |method: Method| {
            let mut call = Call::new(method, path.clone());
            call.credential =
                session.and_then(|at| context.sessions.get(at)).map(|one| one.credential()).unwrap_or_default();
            call
        };
        let options = context.send(&mut trail, Label::Control, &ask(Method::OPTIONS)).await?;
        let allowed = options.header("allow").unwrap_or_default().to_ascii_uppercase();
        let hidden = allowed.split(',').map(str::trim).filter(|method| !method.is_empty() && !declared(method));
        // Only what can be asked for without an effect is asked for.
        for method in hidden.filter(|method| ["GET", "TRACE"].contains(method)) {
            let Ok(method) = method.parse::<Method>() else { continue };
            let Ok(unknown) = Method::from_bytes(b"PLSD") else { continue };
            let none = context.send(&mut trail, Label::Control, &ask(unknown)).await;
            let answer = context.send(&mut trail, Label::Attack, &ask(method.clone())).await?;
            let operation = format!("{method} {}", endpoint.template);
            let site = Site { operation: &operation, insertion: "method" };
            let is_there = holds_something(&answer) && none.is_ok_and(|none| !none.is_success());
            if is_there {
                let summary = format!("`{operation}` is served, and the contract does not know it");
                docket.prove(&rule::OPERATION_UNDECLARED, site, summary, trail.clone());
            }
        }
        for method in allowed
            .split(',')
            .map(str::trim)
            .filter(|method| ["DELETE", "PATCH", "PUT"].contains(method) && !declared(method))
        {
            let operation = format!("{method} {}", endpoint.template);
            let site = Site { operation: &operation, insertion: "method" };
            let summary = format!("`{operation}` is said to be allowed, and the contract does not know it");
            docket.suspect(&rule::OPERATION_UNDECLARED, site, summary, trail.clone());
        }
    }
    Ok(())
}

fn holds_something(answer: &Answer) -> bool {
    let is_readable = answer.media_type().is_some_and(|media| media.ends_with("json") || media.starts_with("text/"));
    answer.is_success() && is_readable && !matches!(answer.text.trim(), "" | "{}" | "[]" | "null")
}

/// Whether a path shows the contract itself, or a page that reads it: many publish it, and it holds nothing of anybody's.
fn is_description(path: &str, answer: &Answer) -> bool {
    let path = path.to_ascii_lowercase();
    let is_named = ["api-docs", "docs", "openapi", "redoc", "swagger"].iter().any(|word| path.contains(word));
    let starts = answer.text.trim_start();
    let is_contract = ["\"openapi\"", "\"swagger\"", "openapi:", "swagger:"].iter().any(|word| starts.contains(word))
        && answer.text.contains("paths");
    let is_page = starts.starts_with('<')
        && ["swagger", "redoc"].iter().any(|word| answer.text.to_ascii_lowercase().contains(word));
    is_named && (is_contract || is_page)
}

/// Undeclared paths worth asking for: siblings of declared ones in other versions, declared paths that have no GET,
/// and what frameworks leave behind.
fn candidates(surface: &Surface) -> Vec<String> {
    let declared: BTreeSet<&str> =
        surface.endpoints.iter().filter(|one| one.is_read()).map(|endpoint| endpoint.template.as_str()).collect();
    let mut paths = BTreeSet::new();
    for endpoint in &surface.endpoints {
        for stem in stems(&endpoint.template) {
            if let (before, Some(version), rest) = split_version(&stem) {
                for other in siblings(version) {
                    paths.insert(format!("{before}/{other}{rest}"));
                }
            }
            paths.insert(stem);
        }
    }
    let mut paths: Vec<String> = paths.into_iter().take(MAXIMUM_SIBLINGS).collect();
    paths.extend(WORDS.iter().map(|word| format!("/{word}")));
    paths.retain(|path| !declared.iter().any(|template| matches(template, path)));
    paths
}

/// The path up to its first parameter, and that of each collection on the way: `/v1/users/{id}` is `/v1/users`.
fn stems(template: &str) -> Vec<String> {
    let fixed: Vec<&str> = template.split('/').skip(1).take_while(|segment| !segment.contains('{')).collect();
    if fixed.len() < 2 { Vec::new() } else { vec![format!("/{}", fixed.join("/"))] }
}

/// What is before the first version in a path, the version, and what is after it.
fn split_version(path: &str) -> (&str, Option<&str>, &str) {
    let mut before = 0;
    for segment in path.split('/').skip(1) {
        let after = before + 1 + segment.len();
        if segment.strip_prefix('v').is_some_and(|number| number.parse::<u32>().is_ok()) {
            return (path.get(..before).unwrap_or_default(), Some(segment), path.get(after..).unwrap_or_default());
        }
        before = after;
    }
    (path, None, "")
}

fn siblings(version: &str) -> Vec<String> {
    let number = version.strip_prefix('v').and_then(|number| number.parse::<u32>().ok()).unwrap_or_default();
    let mut others = vec![format!("v{}", number.saturating_add(1)), "beta".to_owned(), "internal".to_owned()];
    if let Some(older) = number.checked_sub(1) {
        others.insert(0, format!("v{older}"));
    }
    others
}

fn matches(template: &str, path: &str) -> bool {
    let (template, path): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template.iter().zip(&path).all(|(known, asked)| known.contains('{') || known == asked)
}

const MAXIMUM_PATHS: usize = 25;
const MAXIMUM_SIBLINGS: usize = 80;
const WORDS: [&str; 44] = [
    ".env",
    ".git/config",
    ".git/HEAD",
    "_debug",
    "actuator",
    "actuator/env",
    "actuator/heapdump",
    "actuator/mappings",
    "admin",
    "api-docs",
    "api/swagger.json",
    "backup",
    "backup.sql",
    "config",
    "config.json",
    "console",
    "debug",
    "debug/pprof/",
    "debug/vars",
    "docs",
    "dump",
    "env",
    "env.json",
    "graphiql",
    "graphql",
    "info",
    "internal",
    "logs",
    "metrics",
    "openapi.json",
    "openapi.yaml",
    "phpinfo.php",
    "playground",
    "private",
    "server-status",
    "stats",
    "status",
    "swagger",
    "swagger-ui/",
    "swagger-ui.html",
    "swagger.json",
    "test",
    "trace",
    "version",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stems_end_before_parameters() {
        assert_eq!(stems("/v1/users/{id}/orders"), ["/v1/users"]);
        assert!(stems("/v1/{id}").is_empty());
    }

    #[test]
    fn versions_have_siblings() {
        assert_eq!(split_version("/v1/users"), ("", Some("v1"), "/users"));
        assert_eq!(split_version("/api/v2/users/v1"), ("/api", Some("v2"), "/users/v1"));
        assert_eq!(split_version("/vault/users"), ("/vault/users", None, ""));
        assert_eq!(siblings("v1"), ["v0", "v2", "beta", "internal"]);
        assert_eq!(siblings("v0"), ["v1", "beta", "internal"]);
    }
}
