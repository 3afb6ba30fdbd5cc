//! Function authorization: whether an operation for one role serves somebody without it, by its own path or another.

use async_trait::async_trait;
use http::Method;
use serde_json::Value;

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::exchange::{Answer, Call};
use crate::finding::{Label, Site};
use crate::likeness::is_same_success;
use crate::plan::{Mode, Plan, count};
use crate::probe::Probe;
use crate::probe::holding::is_privileged;
use crate::probe::point::{Base, plain};
use crate::probe::sibling;
use crate::row::Row;
use crate::rule;
use crate::scope::SendError;
use crate::surface::{Endpoint, Known, Surface};

/// The probe.
#[derive(Debug)]
pub(crate) struct FunctionAuth;

#[async_trait]
impl Probe for FunctionAuth {
    fn id(&self) -> &'static str {
        "function-authorization"
    }

    fn row(&self) -> Row {
        Row::FunctionAuthorization
    }

    fn estimate(&self, plan: &Plan) -> u32 {
        count(plan.surface.endpoints.iter().filter(|one| is_for_few(&plan.surface, one)).count() * 16)
    }

    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
        let surface = context.surface();
        let privileged = || surface.endpoints.iter().filter(|one| is_for_few(surface, one) && !one.is_limited());
        for endpoint in privileged().filter(|endpoint| endpoint.is_read()) {
            call(context, docket, endpoint).await?;
        }
        // What deletes is left alone: it cannot be tried twice, and not be put back.
        if context.plan.mode == Mode::Full {
            for endpoint in privileged().filter(|one| !one.is_read() && one.method != Method::DELETE) {
                call(context, docket, endpoint).await?;
            }
            for endpoint in surface.endpoints.iter().filter(|one| sibling::is_candidate(one)) {
                sibling::delete(context, docket, endpoint).await?;
            }
        }
        Ok(())
    }
}

/// Whether an operation is for a role: the contract says so, or its name does.
fn is_for_few(surface: &Surface, endpoint: &Endpoint) -> bool {
    if endpoint.is_public {
        return false;
    }
    let is_named = endpoint.template.split('/').any(|segment| {
        let segment = plain(segment);
        ["internal", "management", "manage", "staff", "superuser", "backoffice"].contains(&segment.as_str())
            || segment.starts_with("admin")
    });
    !endpoint.roles.is_empty() || is_named || is_said(surface, endpoint)
}

/// Whether the contract says in words, or by a tag, that only administrators may.
fn is_said(surface: &Surface, endpoint: &Endpoint) -> bool {
    let Some(item) = surface.root.get("paths").and_then(|paths| paths.get(&endpoint.template)) else { return false };
    let operation = surface.resolve(item).get(endpoint.method.as_str().to_ascii_lowercase());
    let tags = operation.and_then(|one| one.get("tags")).and_then(Value::as_array).into_iter().flatten();
    let is_for_few = |tag: &str| {
        let tag = plain(tag);
        tag.starts_with("admin") || ["backoffice", "staff", "superuser"].contains(&tag.as_str())
    };
    if tags.filter_map(Value::as_str).any(is_for_few) {
        return true;
    }
    let text = |name: &str| operation.and_then(|one| one.get(name)).and_then(Value::as_str).unwrap_or_default();
    let said = format!("{} {}", text("summary"), text("description")).to_ascii_lowercase();
    [
        "admin only",
        "admins only",
        "only admin",
        "administrators only",
        "only administrator",
        "(admin)",
        "requires admin",
        "admin role",
    ]
    .iter()
    .any(|words| said.contains(words))
        || plain(text("operationId")).starts_with("admin")
}

async fn call(context: &Context<'_>, docket: &mut Docket, endpoint: &Endpoint) -> Result<(), SendError> {
    let sessions = 0..context.sessions.len();
    let has_role = |at: &usize| match endpoint.roles.is_empty() {
        true => is_privileged(context, *at),
        false => context.eligible(endpoint).contains(at),
    };
    let (holder, stranger) = (sessions.clone().find(has_role), sessions.clone().find(|at| !has_role(at)));
    let (Some(holder), Some(stranger)) = (holder, stranger) else {
        docket.skip(format!("`{}` needs an identity with one of its roles, and one without", endpoint.id));
        return match stranger {
            Some(stranger) => ask(context, docket, endpoint, stranger).await,
            None => Ok(()),
        };
    };
    let base = Base::of(context, endpoint);
    let as_session = |session| Base { session, ..base.clone() }.call(context, endpoint);
    let mut trail = Trail::default();
    let control = context.send(&mut trail, Label::Control, &as_session(Some(holder))).await?;
    let anonymous = context.send(&mut trail, Label::Control, &as_session(None)).await?;
    if !control.is_success() || anonymous.is_success() {
        docket.skip(format!("`{}` does not tell its role from nobody", endpoint.id));
        return Ok(());
    }
    let answer = context.send(&mut trail, Label::Attack, &as_session(Some(stranger))).await?;
    let site = Site { operation: &endpoint.id, insertion: "header/authorization" };
    if is_alike(&control, &answer) {
        let summary = match endpoint.roles.as_slice() {
            [] => format!("{} is served what is for administrators", context.name(Some(stranger))),
            roles => {
                format!("{} is served what needs the role `{}`", context.name(Some(stranger)), roles.join("` or `"))
            }
        };
        // A name alone may mean something else.
        match endpoint.known {
            Known::Guessed => docket.suspect(&rule::FUNCTION_EXPOSED, site, summary, trail),
            Known::Declared | Known::Inferred => docket.prove(&rule::FUNCTION_EXPOSED, site, summary, trail),
        }
        return Ok(());
    }
    let reason = format!("somebody without the role is answered with {}", answer.meaning().as_u16());
    docket.withstand(&rule::FUNCTION_EXPOSED, site, reason, trail.clone());
    if matches!(answer.meaning().as_u16(), 401 | 403 | 404 | 405) && endpoint.is_read() {
        return other_ways(context, docket, endpoint, Ways { call: as_session(Some(stranger)), control, trail }).await;
    }
    Ok(())
}

/// Asks whether it is meant that somebody is served, where nobody is given who surely may be.
async fn ask(context: &Context<'_>, docket: &mut Docket, endpoint: &Endpoint, session: usize) -> Result<(), SendError> {
    let base = Base::of(context, endpoint);
    let as_session = |session| Base { session, ..base.clone() }.call(context, endpoint);
    let mut trail = Trail::default();
    let anonymous = context.send(&mut trail, Label::Control, &as_session(None)).await?;
    let answer = context.send(&mut trail, Label::Attack, &as_session(Some(session))).await?;
    if answer.is_success() && !anonymous.is_success() {
        let site = Site { operation: &endpoint.id, insertion: "header/authorization" };
        let name = context.name(Some(session));
        let whose = match endpoint.roles.as_slice() {
            [] => "what seems to be for administrators".to_owned(),
            roles => format!("what needs the role `{}`", roles.join("` or `")),
        };
        let summary = format!("{name} is served {whose}, and no identity is given that has it: is that meant?");
        docket.ask(&rule::FUNCTION_EXPOSED, site, summary, trail);
    }
    Ok(())
}

/// What was refused, and what it is compared with.
struct Ways {
    call: Call,
    control: Answer,
    trail: Trail,
}

/// The same operation by another spelling of its path, or by headers that a service behind a proxy may believe.
async fn other_ways(
    context: &Context<'_>,
    docket: &mut Docket,
    endpoint: &Endpoint,
    ways: Ways,
) -> Result<(), SendError> {
    let Ways { call, control, trail } = ways;
    let path = call.path.clone();
    let (bare, query) =
        path.split_once('?').map_or((path.as_str(), String::new()), |(bare, query)| (bare, format!("?{query}")));
    let (above, last) = bare.rsplit_once('/').unwrap_or(("", bare));
    let mut variants: Vec<(String, Call)> = [
        ("path/slash", format!("{bare}/{query}")),
        ("path/case", format!("{}{query}", bare.to_ascii_uppercase())),
        ("path/double", format!("/{bare}{query}")),
        ("path/dot", format!("{above}/./{last}{query}")),
        ("path/semicolon", format!("{bare};{query}")),
        ("path/encoded", format!("{above}/%2e/{last}{query}")),
        ("path/json", format!("{bare}.json{query}")),
    ]
    .map(|(how, path)| (how.to_owned(), Call { path, ..call.clone() }))
    .into();
    for name in ["x-original-url", "x-rewrite-url"] {
        variants.push((
            format!("header/{name}"),
            Call { path: "/".to_owned(), ..call.clone() }.with_header(name, path.clone()),
        ));
    }
    for (name, value) in [
        ("x-forwarded-for", "127.0.0.1"),
        ("x-real-ip", "127.0.0.1"),
        ("x-role", "admin"),
        ("x-admin", "true"),
        ("x-user-role", "admin"),
    ] {
        variants.push((format!("header/{name}"), call.clone().with_header(name, value)));
    }
    for name in ["x-http-method-override", "x-method-override"] {
        let posted = Call { method: Method::POST, ..call.clone() };
        variants.push((format!("header/{name}"), posted.with_header(name, "GET")));
    }
    for (insertion, variant) in variants {
        let mut trail = trail.clone();
        let answer = context.send(&mut trail, Label::Attack, &variant).await?;
        let site = Site { operation: &endpoint.id, insertion: &insertion };
        if is_alike(&control, &answer) {
            let summary = format!("what is refused is served by another way in ({insertion})");
            docket.prove(&rule::FUNCTION_BYPASSED, site, summary, trail);
            return Ok(());
        }
        let reason = format!("another way in is answered with {}", answer.meaning().as_u16());
        docket.withstand(&rule::FUNCTION_BYPASSED, site, reason, trail);
    }
    Ok(())
}

/// Whether two answers are the same success. A counter that every call moves is the one difference that a change makes.
fn is_alike(control: &Answer, answer: &Answer) -> bool {
    is_same_success(control, answer, ALIKE)
}

const ALIKE: usize = 60;
