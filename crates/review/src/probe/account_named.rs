//! Accounts named in bodies: whether a request that names somebody is believed, and whether it may raise who sends it.
//!
//! Services that take `username` beside what is to be changed, instead of the caller, change whoever is named. The probe
//! registers two accounts, lets one write a text into the other's, and looks at the other's. Where the body has a role,
//! one account names itself, and asks for what it has seen of those above it.

use async_trait::async_trait;
use http::Method;
use serde_json::{Map, Value};

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::exchange::Call;
use crate::finding::{Label, Site};
use crate::infer::is_power;
use crate::plan::{Plan, count};
use crate::probe::Probe;
use crate::probe::account::{own_values, shown};
use crate::probe::holding::names_account;
use crate::probe::point::{changes_credentials, is_final, plain};
use crate::row::Row;
use crate::rule;
use crate::scope::SendError;
use crate::surface::read::items;
use crate::surface::{Endpoint, Surface, Values};
use crate::throwaway::{Maker, Throwaway, is_registration};

/// Writes into another account.
#[derive(Debug)]
pub(crate) struct AccountNamed;

/// Raises itself.
#[derive(Debug)]
pub(crate) struct Ascent;

#[async_trait]
impl Probe for AccountNamed {
    fn id(&self) -> &'static str {
        "named-account"
    }

    fn row(&self) -> Row {
        Row::ObjectAuthorization
    }

    fn estimate(&self, plan: &Plan) -> u32 {
        count(plan.surface.endpoints.iter().filter(|one| is_change(&plan.surface, one)).count() * 14)
    }

    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
        let surface = context.surface();
        let targets = surface.endpoints.iter().filter(|one| is_change(surface, one));
        for endpoint in targets.filter(|_| can_register(context)) {
            write(context, docket, endpoint).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Probe for Ascent {
    fn id(&self) -> &'static str {
        "role-assignment"
    }

    fn row(&self) -> Row {
        Row::FunctionAuthorization
    }

    fn estimate(&self, plan: &Plan) -> u32 {
        count(plan.surface.endpoints.iter().filter(|one| role_in(&plan.surface, one).is_some()).count() * 12)
    }

    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
        for endpoint in context.surface().endpoints.iter().filter(|_| can_register(context)) {
            if let Some(role) = role_in(context.surface(), endpoint) {
                rise(context, docket, endpoint, role).await?;
            }
        }
        Ok(())
    }
}

fn can_register(context: &Context<'_>) -> bool {
    Maker::of(context).is_some()
}

/// Whether an operation writes, and may be tried by an account that nobody will miss.
fn is_write(surface: &Surface, endpoint: &Endpoint) -> bool {
    matches!(endpoint.method, Method::PATCH | Method::POST | Method::PUT)
        && !endpoint.is_public
        && !endpoint.is_limited()
        && !is_final(endpoint)
        && !changes_credentials(surface, endpoint)
        && !is_registration(surface, endpoint)
}

/// Whether it changes an account that only its body names.
fn is_change(surface: &Surface, endpoint: &Endpoint) -> bool {
    is_write(surface, endpoint)
        && endpoint.path_parameters().next().is_none()
        && account_in(surface, endpoint).is_some()
}

/// The property of a body that names an account.
pub(super) fn account_in<'s>(surface: &'s Surface, endpoint: &'s Endpoint) -> Option<&'s str> {
    let properties = surface.properties(&endpoint.body.as_ref()?.schema);
    let is_name = |name: &&str| NAMES.contains(&plain(name).as_str());
    properties.into_iter().filter(|(_, schema)| surface.is_string(schema)).map(|(name, _)| name).find(is_name)
}

/// What an account is called under a name, the likeliest first.
pub(super) fn names_under(names: &[(String, String)], property: &str) -> Vec<String> {
    let wanted = plain(property);
    let mut names: Vec<&(String, String)> = names.iter().collect();
    names.sort_by_key(|(name, _)| (*name != wanted, !wanted.ends_with(name.as_str())));
    names.into_iter().map(|(_, value)| value.clone()).collect()
}

/// The property that says what an account may do, of an operation that names an account in its path or its body.
fn role_in<'s>(surface: &'s Surface, endpoint: &'s Endpoint) -> Option<(&'s str, &'s Value)> {
    let is_named = account_in(surface, endpoint).is_some()
        || endpoint.path_parameters().last().is_some_and(|one| names_account(endpoint, one));
    let properties = surface.properties(&endpoint.body.as_ref()?.schema);
    let mut roles = properties.into_iter().filter(|(name, _)| ROLES.contains(&plain(name).as_str()));
    roles.next().filter(|_| is_named && is_write(surface, endpoint))
}

/// The operation's request about an account, by its owner or by somebody else, with one value more.
fn request(
    context: &Context<'_>,
    endpoint: &Endpoint,
    (values, name): (Values, &str),
    (property, value): (&str, &Value),
    caller: &Throwaway,
) -> Call {
    let mut body = match context.surface().sample_body(endpoint) {
        Some(Value::Object(members)) => members,
        _ => Map::new(),
    };
    if let Some(naming) = account_in(context.surface(), endpoint) {
        body.insert(naming.to_owned(), Value::from(name));
    }
    body.insert(property.to_owned(), value.clone());
    let call = context.call(endpoint, &values, Some(Value::Object(body)), None);
    call.with_credential(caller.session.credential())
}

/// What a property is in the records of an account.
fn member<'v>(records: &'v Value, name: &str) -> Option<&'v Value> {
    records.as_array()?.iter().find_map(|record| record.get(name))
}

/// One account writes into another, whose owner looks at it.
async fn write(context: &Context<'_>, docket: &mut Docket, endpoint: &Endpoint) -> Result<(), SendError> {
    let surface = context.surface();
    let Some((naming, body)) = account_in(surface, endpoint).zip(endpoint.body.as_ref()) else { return Ok(()) };
    let mut trail = Trail::default();
    let victim = Throwaway::make(context, &mut trail, Label::Control, &[]).await?;
    let attacker = Throwaway::make(context, &mut Trail::default(), Label::Control, &[]).await?;
    let Some((victim, attacker)) = victim.zip(attacker) else {
        docket.skip("no account could be made and signed in");
        return Ok(());
    };
    let before = shown(context, &mut trail, Label::Control, &victim).await?;
    let is_free = |(name, schema): &(&str, &Value)| {
        surface.is_free_text(schema)
            && !NAMES.contains(&plain(name).as_str())
            && !ROLES.contains(&plain(name).as_str())
            && member(&before, name).is_some()
    };
    let Some((property, _)) = surface.properties(&body.schema).into_iter().find(is_free) else {
        docket.skip(format!("nothing that `{}` changes can be read back", endpoint.id));
        return Ok(());
    };
    let marker = Value::from(context.marker());
    let insertion = format!("body/{naming}");
    let site = Site { operation: &endpoint.id, insertion: &insertion };
    let name = names_under(victim.names(), naming).into_iter().next().unwrap_or_default();
    let subject = (surface.sample_values(endpoint), name.as_str());
    let attack = request(context, endpoint, subject, (property, &marker), &attacker);
    let answer = context.send(&mut trail, Label::Attack, &attack).await?;
    let after = shown(context, &mut trail, Label::Verify, &victim).await?;
    if member(&after, property) == Some(&marker) {
        let summary = format!("anybody who registers changes `{property}` of the account that `{naming}` names");
        docket.prove(&rule::OBJECT_WRITTEN, site, summary, trail);
    } else {
        let reason = format!("naming another account is answered with {}", answer.meaning().as_u16());
        docket.withstand(&rule::OBJECT_WRITTEN, site, reason, trail);
    }
    Ok(())
}

/// An account asks for the roles that others have.
async fn rise(
    context: &Context<'_>,
    docket: &mut Docket,
    endpoint: &Endpoint,
    (role, schema): (&str, &Value),
) -> Result<(), SendError> {
    let mut trail = Trail::default();
    let Some(account) = Throwaway::make(context, &mut trail, Label::Control, &[]).await? else {
        docket.skip("no account could be made and signed in");
        return Ok(());
    };
    let before = shown(context, &mut trail, Label::Control, &account).await?;
    let Some(own) = member(&before, role).cloned() else {
        docket.skip(format!("nothing shows the `{role}` that `{}` sets", endpoint.id));
        return Ok(());
    };
    let insertion = format!("body/{role}");
    let site = Site { operation: &endpoint.id, insertion: &insertion };
    let naming = account_in(context.surface(), endpoint).unwrap_or(role);
    let name = names_under(account.names(), naming).into_iter().next().unwrap_or_default();
    let sample = context.surface().sample_values(endpoint);
    let values = own_values(context, endpoint, account.names()).into_iter().next().unwrap_or(sample);
    for Wanted { value, is_above } in wanted(context, role, schema, &own) {
        let mut trail = trail.clone();
        let attack = request(context, endpoint, (values.clone(), &name), (role, &value), &account);
        let answer = context.send(&mut trail, Label::Attack, &attack).await?;
        let after = shown(context, &mut trail, Label::Verify, &account).await?;
        if member(&after, role) != Some(&value) {
            let reason = format!("asking for another `{role}` is answered with {}", answer.meaning().as_u16());
            docket.withstand(&rule::FUNCTION_EXPOSED, site, reason, trail);
            continue;
        }
        let summary = format!("anybody who registers sets the own `{role}` to `{}`", plain_text(&value));
        if is_above {
            docket.prove(&rule::FUNCTION_EXPOSED, site, summary, trail);
            return Ok(());
        }
        docket.suspect(&rule::FUNCTION_EXPOSED, site, format!("{summary}; what that allows is not known"), trail);
    }
    Ok(())
}

/// A role to ask for.
struct Wanted {
    value: Value,
    /// Whether it is one that is not given to everybody.
    is_above: bool,
}

/// What is above an account: what its names say, and what those have whose roles are not those of everybody.
fn wanted(context: &Context<'_>, name: &str, schema: &Value, own: &Value) -> Vec<Wanted> {
    if let Value::Bool(is_set) = own {
        return if *is_set { Vec::new() } else { vec![Wanted { value: Value::Bool(true), is_above: true }] };
    }
    let mut found: Vec<Wanted> = Vec::new();
    let mut add = |value: &Value, is_above: bool| {
        let is_known = found.iter().any(|known| known.value == *value);
        if value != own && value.is_string() && !is_known {
            found.push(Wanted { value: value.clone(), is_above: is_above || is_power(&plain_text(value)) });
        }
    };
    let least = context.sessions.iter().find(|session| session.is_throwaway()).map(|session| &session.roles);
    let is_above =
        |at: usize| context.sessions.get(at).is_some_and(|one| least.is_some_and(|least| one.roles != *least));
    for served in context.memory.served.iter().filter(|served| served.session.is_some_and(is_above)) {
        // Who looks at an own record shows an own role.
        let value =
            served.body.as_ref().and_then(|body| body.get(name).or_else(|| body.pointer(&format!("/data/{name}"))));
        value.into_iter().for_each(|value| add(value, true));
    }
    items(context.surface().resolve(schema), "enum").for_each(|value| add(value, false));
    if own.is_string() {
        add(&Value::from("admin"), false);
    }
    found.sort_by_key(|wanted| !wanted.is_above);
    found.truncate(MAXIMUM_ROLES);
    found
}

fn plain_text(value: &Value) -> String {
    crate::surface::schema::text_of(value)
}

const MAXIMUM_ROLES: usize = 3;
const NAMES: [&str; 9] =
    ["account", "email", "handle", "login", "user", "useremail", "userid", "userlogin", "username"];
const ROLES: [&str; 9] =
    ["admin", "isadmin", "isstaff", "issuperuser", "role", "roles", "usergroup", "userrole", "usertype"];
