//! Accounts: what happens to an account that nobody will miss, and what one gets by asking for it.
//!
//! The probe registers accounts of its own. One asks for more than the registration offers, and is compared with one
//! that does not; the password of another is changed by a stranger, and another is deleted by a stranger. The proof is
//! what the account is afterwards, or whether its owner can still sign in.

use async_trait::async_trait;
use http::Method;
use serde_json::{Value, json};

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::exchange::{Call, Payload};
use crate::finding::{Label, Site};
use crate::login::is_password;
use crate::plan::{Plan, count};
use crate::probe::Probe;
use crate::probe::account_named::{account_in, names_under};
use crate::probe::craft::parameters_of;
use crate::probe::holding::names_account;
use crate::probe::point::{changes_credentials, plain};
use crate::row::Row;
use crate::rule;
use crate::scope::SendError;
use crate::surface::{Endpoint, Values};
use crate::throwaway::{Maker, Throwaway, is_registration};

/// Takes over, or deletes, an account of the reviewer's.
#[derive(Debug)]
pub(crate) struct Takeover;

/// Registers with more than is offered.
#[derive(Debug)]
pub(crate) struct Registration;

#[async_trait]
impl Probe for Registration {
    fn id(&self) -> &'static str {
        "registration"
    }

    fn row(&self) -> Row {
        Row::PropertyAuthorization
    }

    fn estimate(&self, plan: &Plan) -> u32 {
        count(plan.surface.endpoints.iter().filter(|one| is_registration(&plan.surface, one)).count() * 14)
    }

    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
        let Some(endpoint) = Maker::of(context).and_then(|maker| maker.endpoint(context)) else {
            docket.skip("the contract has no operation that makes accounts, or a safe run makes none");
            return Ok(());
        };
        let mut trail = Trail::default();
        let Some(plain_one) = Throwaway::make(context, &mut trail, Label::Control, &[]).await? else {
            docket.skip("no account could be made and signed in");
            return Ok(());
        };
        let before = shown(context, &mut trail, Label::Control, &plain_one).await?;
        // All at once first; where that is refused, the likeliest alone.
        let all: Vec<(String, Value)> = WISHES.iter().map(|(name, value)| ((*name).to_owned(), wish(value))).collect();
        let alone = all.iter().filter(|(name, _)| ["admin", "role", "is_admin"].contains(&name.as_str()));
        let tries: Vec<Vec<(String, Value)>> =
            std::iter::once(all.clone()).chain(alone.map(|one| vec![one.clone()])).collect();
        let schema = endpoint.body.as_ref().map(|body| context.surface().properties(&body.schema)).unwrap_or_default();
        let mut is_refused = true;
        for wishes in tries {
            let wishes: Vec<(String, Value)> =
                wishes.into_iter().filter(|(name, _)| !schema.iter().any(|(known, _)| known == name)).collect();
            let mut trail = trail.clone();
            let Some(greedy) = Throwaway::make(context, &mut trail, Label::Attack, &wishes).await? else { continue };
            is_refused = false;
            let after = shown(context, &mut trail, Label::Verify, &greedy).await?;
            let is_set = |(name, value): &&(String, Value)| {
                has(&after, name, value) && !has(&before, name, value)
                    || greedy
                        .session
                        .claim(name)
                        .is_some_and(|claim| claim == text(value) && plain_one.session.claim(name) != Some(claim))
            };
            if let Some((name, _)) = wishes.iter().find(is_set) {
                let insertion = format!("body/{name}");
                let site = Site { operation: &endpoint.id, insertion: &insertion };
                let summary = format!("a new account sets its own `{name}`, which the request does not have");
                docket.prove(&rule::PROPERTY_ASSIGNED, site, summary, trail);
                return Ok(());
            }
            let site = Site { operation: &endpoint.id, insertion: "body" };
            docket.withstand(&rule::PROPERTY_ASSIGNED, site, "a new account is like every other", trail);
            break;
        }
        if is_refused {
            let site = Site { operation: &endpoint.id, insertion: "body" };
            docket.withstand(&rule::PROPERTY_ASSIGNED, site, "undeclared properties are refused", trail);
        }
        Ok(())
    }
}

/// What the service shows an account about itself.
pub(super) async fn shown(
    context: &Context<'_>,
    trail: &mut Trail,
    label: Label,
    account: &Throwaway,
) -> Result<Value, SendError> {
    let mut found = Vec::new();
    let names = account.names();
    for endpoint in context.surface().endpoints.iter().filter(|one| one.is_read() && !one.is_limited()) {
        let template = plain(&endpoint.template);
        let values = match endpoint.path_parameters().count() {
            0 if ["me", "profile", "account", "whoami", "self", "users", "debug"]
                .iter()
                .any(|word| template.ends_with(word)) =>
            {
                vec![context.surface().sample_values(endpoint)]
            }
            1 => own_values(context, endpoint, names),
            _ => continue,
        };
        for values in values.into_iter().take(2) {
            let call = context.call(endpoint, &values, None, None).with_credential(account.session.credential());
            let answer = context.send(trail, label, &call).await?;
            let own = answer.json().filter(|_| answer.is_success()).and_then(|body| record_of(body, names));
            found.extend(own);
        }
        if found.len() >= MAXIMUM_RECORDS {
            break;
        }
    }
    Ok(Value::Array(found))
}

/// The object that names the account, alone or in a list.
fn record_of(body: &Value, names: &[(String, String)]) -> Option<Value> {
    match body {
        Value::Array(items) => items.iter().find_map(|item| record_of(item, names)),
        Value::Object(members) => {
            let is_own = members.values().any(|value| names.iter().any(|(_, name)| value.as_str() == Some(name)));
            if is_own { Some(body.clone()) } else { members.values().find_map(|member| record_of(member, names)) }
        }
        Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_) => None,
    }
}

/// Whether a record has a member of this value; databases write what is true as 1.
fn has(records: &Value, name: &str, value: &Value) -> bool {
    let is_same = |own: &Value| own == value || *value == Value::Bool(true) && *own == json!(1);
    records.as_array().into_iter().flatten().filter_map(|record| record.get(name)).any(is_same)
}

pub(super) fn own_values(context: &Context<'_>, endpoint: &Endpoint, names: &[(String, String)]) -> Vec<Values> {
    let Some(parameter) = endpoint.path_parameters().last().filter(|one| names_account(endpoint, one)) else {
        return Vec::new();
    };
    let wanted = plain(&parameter.name);
    let mut names: Vec<&(String, String)> = names.iter().collect();
    names.sort_by_key(|(name, _)| !wanted.ends_with(name.as_str()));
    let sample = context.surface().sample_values(endpoint);
    names.into_iter().map(|(_, value)| sample.clone().with_path(&parameter.name, value)).collect()
}

#[async_trait]
impl Probe for Takeover {
    fn id(&self) -> &'static str {
        "account-takeover"
    }

    fn row(&self) -> Row {
        Row::ObjectAuthorization
    }

    fn estimate(&self, plan: &Plan) -> u32 {
        count(plan.surface.endpoints.iter().filter(|one| changes_password(plan, one) || deletes(one)).count() * 12)
    }

    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
        let endpoints = || context.surface().endpoints.iter().filter(|one| !one.is_public && !one.is_limited());
        let targets: Vec<&Endpoint> = endpoints()
            .filter(|one| changes_password(context.plan, one))
            .chain(endpoints().filter(|one| deletes(one)))
            .collect();
        if targets.is_empty() || Maker::of(context).is_none() {
            docket.skip("no account can be made for the purpose, or no operation changes one");
            return Ok(());
        }
        // A service that looks at the wrong name would change the account of who asks: that, too, must be nobody's.
        let Some(stranger) = Throwaway::make(context, &mut Trail::default(), Label::Control, &[]).await? else {
            docket.skip("no account could be made and signed in");
            return Ok(());
        };
        for endpoint in targets {
            take(context, docket, endpoint, &stranger).await?;
        }
        Ok(())
    }
}

fn changes_password(plan: &Plan, endpoint: &Endpoint) -> bool {
    let takes = endpoint
        .body
        .as_ref()
        .is_some_and(|body| plan.surface.properties(&body.schema).into_iter().any(|(name, _)| is_password(name)));
    let is_in_body = || {
        account_in(&plan.surface, endpoint).is_some()
            && endpoint.path_parameters().next().is_none()
            && changes_credentials(&plan.surface, endpoint)
    };
    takes && (names_one_account(endpoint) || is_in_body()) && endpoint.method != Method::GET
}

fn deletes(endpoint: &Endpoint) -> bool {
    endpoint.method == Method::DELETE && names_one_account(endpoint)
}

fn names_one_account(endpoint: &Endpoint) -> bool {
    let ends = endpoint.template.trim_end_matches('/');
    let mut parameters = endpoint.path_parameters();
    let only = parameters.next().filter(|one| names_account(endpoint, one));
    let is_last = only.is_some_and(|one| {
        ends.ends_with(&format!("{{{}}}", one.name)) || ends.to_ascii_lowercase().ends_with("password")
    });
    is_last && parameters.next().is_none()
}

/// A stranger acts on an account of ours; its owner tries to sign in.
async fn take(
    context: &Context<'_>,
    docket: &mut Docket,
    endpoint: &Endpoint,
    stranger: &Throwaway,
) -> Result<(), SendError> {
    let mut trail = Trail::default();
    let Some(account) = Throwaway::make(context, &mut trail, Label::Control, &[]).await? else {
        docket.skip("no account could be made and signed in");
        return Ok(());
    };
    let in_body = account_in(context.surface(), endpoint).filter(|_| endpoint.path_parameters().next().is_none());
    let insertion = in_body.map_or_else(|| parameters_of(endpoint), |name| format!("body/{name}"));
    let site = Site { operation: &endpoint.id, insertion: &insertion };
    let old = account.registration.as_object().into_iter().flatten().find(|(name, _)| is_password(name));
    let old = old.and_then(|(_, value)| value.as_str()).unwrap_or_default().to_owned();
    let before = context.send(&mut trail, Label::Control, &account.sign_in(&old)).await?;
    let wrong = context.send(&mut trail, Label::Control, &account.sign_in("Wrong-0!wrong")).await?;
    if !account.login.is_served(&before) || account.login.is_served(&wrong) {
        docket.skip("the sign-in does not tell a right password from a wrong one");
        return Ok(());
    }
    let new = format!("Qy7!{}", context.marker());
    // Where no part of the path names the account, a property of the body does.
    let subjects: Vec<(Values, Option<(&str, String)>)> = match in_body {
        Some(naming) => {
            let names = names_under(account.names(), naming).into_iter();
            names.map(|name| (context.surface().sample_values(endpoint), Some((naming, name)))).collect()
        }
        None => own_values(context, endpoint, account.names()).into_iter().map(|values| (values, None)).collect(),
    };
    for (values, naming) in subjects.into_iter().take(MAXIMUM_NAMES) {
        let mut trail = trail.clone();
        let mut call: Call = context.call(endpoint, &values, None, None).with_credential(stranger.session.credential());
        let is_deletion = endpoint.method == Method::DELETE;
        if !is_deletion {
            let mut body = context.surface().sample_body(endpoint).unwrap_or_else(|| json!({}));
            let schema =
                endpoint.body.as_ref().map(|body| context.surface().properties(&body.schema)).unwrap_or_default();
            let names = schema.into_iter().map(|(name, _)| name).filter(|name| is_password(name));
            for name in names.collect::<Vec<_>>() {
                if let Some(members) = body.as_object_mut() {
                    members.insert(name.to_owned(), Value::from(new.clone()));
                }
            }
            if let (Some((property, name)), Some(members)) = (naming, body.as_object_mut()) {
                members.insert(property.to_owned(), Value::from(name));
            }
            call.body = Some(Payload::Json(body));
        }
        let answer = context.send(&mut trail, Label::Attack, &call).await?;
        let after =
            context.send(&mut trail, Label::Verify, &account.sign_in(if is_deletion { &old } else { &new })).await?;
        let is_done = match is_deletion {
            true => matches!(after.meaning().as_u16(), 400..=404),
            false => account.login.is_served(&after),
        };
        if is_done && answer.is_success() {
            let what = if is_deletion { "deletes the account" } else { "changes the password" };
            let summary = format!(
                "anybody who registers {what} of somebody else, who {}",
                if is_deletion { "cannot sign in any more" } else { "is signed in with it" }
            );
            docket.prove(&rule::OBJECT_WRITTEN, site, summary, trail);
            return Ok(());
        }
        let reason = format!("acting on another account is answered with {}", answer.meaning().as_u16());
        docket.withstand(&rule::OBJECT_WRITTEN, site, reason, trail);
    }
    Ok(())
}

fn wish(written: &str) -> Value {
    serde_json::from_str(written).unwrap_or_else(|_| Value::from(written))
}

fn text(value: &Value) -> String {
    crate::surface::schema::text_of(value)
}

const MAXIMUM_NAMES: usize = 3;
const MAXIMUM_RECORDS: usize = 6;
/// What means power, money or trust in most services, and a value that nobody gets by default.
pub(crate) const WISHES: [(&str, &str); 16] = [
    ("admin", "true"),
    ("is_admin", "true"),
    ("isAdmin", "true"),
    ("is_staff", "true"),
    ("is_superuser", "true"),
    ("role", "admin"),
    ("user_type", "admin"),
    ("balance", "98765"),
    ("credit", "98765"),
    ("credits", "98765"),
    ("verified", "true"),
    ("is_verified", "true"),
    ("email_verified", "true"),
    ("isVerified", "true"),
    ("premium", "true"),
    ("is_premium", "true"),
];
