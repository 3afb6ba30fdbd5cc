//! Throw-away accounts are made in the run and for the run, so that what could lock somebody out is tried on nobody.
//!
//! Where the file of identities says how accounts are made, they are made so; else by the operation of the contract that
//! looks most like a registration.

use http::Method;
use serde_json::{Map, Value};

use crate::context::Context;
use crate::creation::{Prepared, prepare};
use crate::docket::Trail;
use crate::exchange::{Answer, Call};
use crate::finding::Label;
use crate::identity::Identity;
use crate::login::{Account, Grant, Login, LoginPayload, SignIn, fresh_password, is_password};
use crate::plan::Mode;
use crate::scope::SendError;
use crate::session::{Session, granted, request};
use crate::surface::template::plain;
use crate::surface::{Endpoint, Surface};

/// An account that nobody will miss, and that signs in with texts.
pub(crate) struct Throwaway {
    pub(crate) session: Session,
    pub(crate) identity: Identity,
    /// What was sent to make it.
    pub(crate) registration: Value,
    pub(crate) login: SignIn,
    /// What it is called, by the name of the property; nobody else is.
    names: Vec<(String, String)>,
}

impl Throwaway {
    /// Registers an account with these properties beside the ordinary ones, and signs in. `None` where that is not
    /// possible.
    pub(crate) async fn make(
        context: &Context<'_>,
        trail: &mut Trail,
        label: Label,
        extra: &[(String, Value)],
    ) -> Result<Option<Self>, SendError> {
        let Some(maker) = Maker::of(context) else { return Ok(None) };
        let Some(wanted) = maker.wanted(context, "throwaway", extra) else { return Ok(None) };
        let answer = context.send(trail, label, &wanted.call).await?;
        let Some(identity) = wanted.identity(context, &answer) else { return Ok(None) };
        let Some(login) = identity.login.sign_in() else { return Ok(None) };
        let Ok(session) = Session::open(&context.client, &identity, true).await else { return Ok(None) };
        let mut names = wanted.names;
        let claims = ["sub", "id", "user_id", "userId", "uid"];
        names.extend(claims.iter().filter_map(|name| Some((plain(name), session.claim(name)?))));
        Ok(Some(Self { session, identity, registration: wanted.sent, login, names }))
    }

    /// A sign-in with this password.
    pub(crate) fn sign_in(&self, password: &str) -> Call {
        let mut body = self.login.body.clone();
        for (name, value) in body.as_object_mut().into_iter().flatten() {
            if is_password(name) {
                *value = Value::from(password);
            }
        }
        self.login.call(&body)
    }

    /// What the account is called, by the name of the property.
    pub(crate) fn names(&self) -> &[(String, String)] {
        &self.names
    }
}

/// Makes an account and signs it in. `None` when the API does not let us.
pub(crate) async fn make(context: &Context<'_>, number: usize) -> Result<Option<Session>, SendError> {
    let Some(maker) = Maker::of(context) else { return Ok(None) };
    let Some(wanted) = maker.wanted(context, &format!("throwaway-{number}"), &[]) else { return Ok(None) };
    let answer = context.client.send(&wanted.call).await?;
    let Some(identity) = wanted.identity(context, &answer) else { return Ok(None) };
    Ok(Session::open(&context.client, &identity, true).await.ok())
}

/// How accounts are made.
pub(crate) enum Maker<'c> {
    /// As the file of identities says.
    Told(&'c Identity),
    /// By an operation of the contract.
    Operation(&'c Endpoint),
}

impl<'c> Maker<'c> {
    /// How accounts are made in this run, if they may be.
    pub(crate) fn of(context: &Context<'c>) -> Option<Self> {
        if context.plan.mode == Mode::Safe {
            return None;
        }
        if let Some(told) = context.plan.identities.iter().find(|identity| identity.creation.is_some()) {
            return Some(Self::Told(told));
        }
        registration(context.surface()).filter(|one| !one.is_limited()).map(Self::Operation)
    }

    /// The operation, which may be missing in the contract where the file says how.
    pub(crate) fn endpoint(&self, context: &Context<'c>) -> Option<&'c Endpoint> {
        match self {
            Self::Operation(endpoint) => Some(endpoint),
            Self::Told(identity) => {
                let creation = identity.creation.as_ref()?;
                let mut endpoints = context.surface().endpoints.iter();
                endpoints.find(|one| one.template == creation.path && one.method == creation.method)
            }
        }
    }

    fn wanted(&self, context: &Context<'_>, name: &str, extra: &[(String, Value)]) -> Option<Wanted> {
        match self {
            Self::Told(told) => {
                let Prepared { identity, request: mut wanted } = prepare(told, &context.marker())?;
                let names = names_in(&wanted.payload);
                let sent = with_extra(&mut wanted.payload, extra)?;
                let who = Who::Told(Box::new(Identity { name: name.to_owned(), ..identity }));
                Some(Wanted { call: request(&wanted, &told.always), sent, names, who })
            }
            Self::Operation(endpoint) => {
                let surface = context.surface();
                let marker = context.marker();
                let schema = endpoint.body.as_ref().map(|body| surface.properties(&body.schema)).unwrap_or_default();
                let password = schema.iter().find(|(name, _)| is_password(name));
                let password = password.map_or(&Value::Null, |(_, schema)| schema);
                let password = fresh_password(surface, password, "Aa1!", &marker);
                let mut account = Account { names: Vec::new(), password };
                let mut sent = body(surface, endpoint, &marker, &mut account);
                sent.extend(extra.iter().cloned());
                let session = if endpoint.is_public { None } else { context.caller(endpoint) };
                let sent = Value::Object(sent);
                let call = context.call(endpoint, &surface.sample_values(endpoint), Some(sent.clone()), session);
                let names = account.names.iter().map(|(name, value)| (plain(name), value.clone())).collect();
                Some(Wanted { call, sent, names, who: Who::Registered { account, name: name.to_owned() } })
            }
        }
    }
}

/// A registration that is still to be sent.
struct Wanted {
    call: Call,
    sent: Value,
    /// What the account is going to be called. What is asked for beside that may be somebody's name already.
    names: Vec<(String, String)>,
    who: Who,
}

enum Who {
    Registered { account: Account, name: String },
    Told(Box<Identity>),
}

impl Wanted {
    /// Who it is, when the registration was answered so.
    fn identity(&self, context: &Context<'_>, answer: &Answer) -> Option<Identity> {
        let (account, name) = match &self.who {
            // A form is often answered with a redirection to the page behind it.
            Who::Told(identity) => {
                let is_made = answer.is_success() || answer.status.is_redirection();
                return is_made.then(|| identity.as_ref().clone());
            }
            Who::Registered { account, name } => (account, name),
        };
        if !answer.is_success() {
            return None;
        }
        // It has what the least of the given identities has, for more than that nobody is given who registers.
        let models = context.plan.identities.iter().zip(&context.sessions);
        let model = models.min_by_key(|(_, session)| session.roles.iter().filter(|role| is_high(role)).count());
        let (model, session) = model?;
        let login = context.plan.identities.iter().find_map(|identity| identity.login.for_account(account));
        let login = match login {
            Some(login) => login,
            None => Login::Fixed(granted(&Grant::Found, answer, "").ok()?.into_parts()),
        };
        let mut identity = Identity::new(name.clone(), login);
        let is_told = !session.roles.is_empty() && model.roles.is_empty();
        identity.roles = if is_told { Vec::new() } else { session.roles.clone() };
        Some(identity)
    }
}

/// The texts of what is sent, by the names of their properties, but for the password.
fn names_in(payload: &LoginPayload) -> Vec<(String, String)> {
    let texts: Vec<(&str, &str)> = match payload {
        LoginPayload::Json(body) => {
            let members = body.as_object().into_iter().flatten();
            members.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?))).collect()
        }
        LoginPayload::Form(fields) => fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
        LoginPayload::None | LoginPayload::Raw(..) => Vec::new(),
    };
    let names = texts.into_iter().filter(|(name, _)| !is_password(name));
    names.map(|(name, value)| (plain(name), value.to_owned())).collect()
}

/// Adds properties to what is sent, and says what that is then. `None` for what has no properties.
fn with_extra(payload: &mut LoginPayload, extra: &[(String, Value)]) -> Option<Value> {
    match payload {
        LoginPayload::Json(body) => {
            body.as_object_mut()?.extend(extra.iter().cloned());
            Some(body.clone())
        }
        LoginPayload::Form(fields) => {
            fields.extend(extra.iter().map(|(name, value)| (name.clone(), crate::surface::schema::text_of(value))));
            let members = fields.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
            Some(Value::Object(members.collect()))
        }
        LoginPayload::None | LoginPayload::Raw(..) => extra.is_empty().then_some(Value::Null),
    }
}

/// The operation by which anybody can make an account.
pub(crate) fn registration(surface: &Surface) -> Option<&Endpoint> {
    let rank = |endpoint: &&Endpoint| {
        let text = format!("{} {}", endpoint.id, endpoint.template).to_ascii_lowercase();
        // An administrator's way to make accounts may be beside the public one.
        let is_theirs = ["admin", "token", "password", "verify"].iter().any(|word| text.contains(word));
        let is_named = ["regist", "signup", "sign-up", "sign_up"].iter().any(|word| text.contains(word));
        (!is_theirs, is_named, endpoint.is_public)
    };
    let candidates = surface.endpoints.iter().filter(|endpoint| is_registration(surface, endpoint));
    candidates.rev().max_by_key(rank)
}

/// Whether an operation makes an account that can sign in.
pub(crate) fn is_registration(surface: &Surface, endpoint: &Endpoint) -> bool {
    let path = plain(&endpoint.template);
    let named = ["register", "registration", "signup", "users", "accounts", "customers", "members", "clients"];
    let properties = endpoint.body.as_ref().map(|body| surface.properties(&body.schema)).unwrap_or_default();
    let names_somebody = |name: &str| ["user", "mail", "login", "name", "phone"].iter().any(|word| name.contains(word));
    endpoint.method == Method::POST
        && named.iter().any(|word| path.contains(word))
        && endpoint.path_parameters().next().is_none()
        && properties.iter().any(|(name, _)| is_password(name))
        && properties.iter().any(|(name, _)| names_somebody(&plain(name)))
        && !["login", "signin", "reset", "forgot"].iter().any(|word| path.contains(word))
}

/// What the contract asks for, with names that nobody has.
fn body(surface: &Surface, endpoint: &Endpoint, marker: &str, account: &mut Account) -> Map<String, Value> {
    let mut members = match surface.sample_body(endpoint) {
        Some(Value::Object(members)) => members,
        _ => Map::new(),
    };
    let schema = endpoint.body.as_ref().map(|body| &body.schema);
    for (name, schema) in schema.map(|schema| surface.properties(schema)).unwrap_or_default() {
        let is_known = members.contains_key(name);
        let plain = plain(name);
        let value = if is_password(name) {
            account.password.clone()
        } else if plain.contains("mail") {
            format!("{marker}@example.com")
        } else if NAMES.contains(&plain.as_str()) || is_known && plain == "name" {
            marker.to_owned()
        } else if is_known && (plain.contains("phone") || plain.contains("mobile")) {
            let digits = marker.bytes().rev().map(|byte| char::from(b'0' + byte % 10));
            digits.take(10).collect()
        } else {
            continue;
        };
        // A number stays what the contract says it is.
        if surface.is_string(schema) || !is_known {
            if !is_password(name) {
                account.names.push((name.to_owned(), value.clone()));
            }
            members.insert(name.to_owned(), Value::from(value));
        }
    }
    members
}

/// Whether a role is one that nobody gets by registering.
fn is_high(role: &str) -> bool {
    let role = role.to_ascii_lowercase();
    ["admin", "manager", "moderator", "operator", "owner", "root", "staff", "super"]
        .iter()
        .any(|word| role.contains(word))
}

/// Properties by which an account is called.
const NAMES: [&str; 6] = ["handle", "login", "nickname", "user", "userid", "username"];
