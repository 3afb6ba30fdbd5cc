//! A session is an identity that has signed in: its credential, and what is known about the account.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Method, StatusCode};
use serde_json::{Map, Value};
use tokio::time::sleep;

use crate::exchange::{Answer, Call, Credential, Payload, Signed};
use crate::identity::Identity;
use crate::keeper::Keeper;
use crate::login::{Grant, Login, LoginPayload, LoginRequest, Part, PartPlace, TokenSource};
use crate::page::{Cookie, Page, cookies, repeated};
use crate::run::RunError;
use crate::scope::{ScopedClient, SendError};
use crate::surface::encode;
use crate::surface::schema::text_of;
use crate::surface::template::plain;
use crate::token::Jwt;

/// An identity that has signed in.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) name: String,
    /// The token, wherever it is sent; empty when the credential holds none, such as a name with a password.
    pub(crate) token: String,
    pub(crate) placeholder: String,
    pub(crate) roles: Vec<String>,
    claims: Map<String, Value>,
    keeper: Arc<Keeper>,
}

impl Session {
    /// Signs an identity in. From then on the client renews its credential when it has expired.
    pub(crate) async fn open(client: &ScopedClient, identity: &Identity, is_throwaway: bool) -> Result<Self, RunError> {
        let credential = sign_in(client, identity).await?;
        let keeper = Arc::new(Keeper::new(identity.clone(), credential, is_throwaway));
        client.keep(Arc::clone(&keeper));
        Ok(Self::new(keeper))
    }

    /// Signs an identity in for a session that may end: its credential is never renewed.
    pub(crate) async fn open_once(client: &ScopedClient, identity: &Identity) -> Result<Self, RunError> {
        let credential = sign_in(client, identity).await?;
        Ok(Self::new(Arc::new(Keeper::new(identity.clone(), credential, true))))
    }

    fn new(keeper: Arc<Keeper>) -> Self {
        let token = token_of(&keeper.credential());
        let identity = &keeper.identity;
        let mut claims = claims_of(&token).unwrap_or_default();
        for (name, value) in &identity.claims {
            claims.entry(name.clone()).or_insert_with(|| Value::from(value.as_str()));
        }
        let mut roles = identity.roles.clone();
        for claim in ["roles", "role"].iter().filter_map(|name| claims.get(*name)) {
            match claim {
                Value::Array(names) => roles.extend(names.iter().filter_map(Value::as_str).map(str::to_owned)),
                Value::String(name) => roles.push(name.clone()),
                Value::Bool(_) | Value::Null | Value::Number(_) | Value::Object(_) => {}
            }
        }
        roles.sort();
        roles.dedup();
        let (name, placeholder) = (identity.name.clone(), identity.placeholder());
        Self { name, token, placeholder, roles, claims, keeper }
    }

    /// The same session with what its credential is now.
    pub(crate) fn refreshed(&self) -> Self {
        Self { token: token_of(&self.keeper.credential()), ..self.clone() }
    }

    /// A claim as it is compared with parameters.
    pub(crate) fn claim(&self, name: &str) -> Option<String> {
        self.claims.get(name).map(text_of)
    }

    /// Every text that names the account: what it signs in with, and what its token says about it.
    pub(crate) fn names(&self) -> Vec<String> {
        let signed = self.keeper.identity.login.texts().into_iter();
        let signed = signed.filter(|(name, _)| !crate::login::is_password(name)).map(|(_, value)| value);
        let claimed = NAMING.iter().filter_map(|name| self.claim(name));
        signed.chain(claimed).filter(|name| !name.is_empty()).collect()
    }

    /// The fields in which it says who it is when it signs in.
    pub(crate) fn fields(&self) -> Vec<String> {
        let signed = self.keeper.identity.login.texts().into_iter();
        signed.map(|(name, _)| name).filter(|name| !crate::login::is_password(name)).collect()
    }

    /// Whether the run has made the account for itself.
    pub(crate) fn is_throwaway(&self) -> bool {
        self.keeper.is_throwaway
    }

    pub(crate) fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    /// Adds what the API has shown of the account; what the token says comes first.
    pub(crate) fn learn(&mut self, claim: &str, value: Value) {
        if claim == "role" {
            let names = match value {
                Value::Array(names) => names,
                one => vec![one],
            };
            self.roles.extend(names.iter().map(text_of));
            self.roles.sort();
            self.roles.dedup();
        } else if !self.claims.contains_key(claim) {
            self.claims.insert(claim.to_owned(), value);
        }
    }

    /// Whether it has one of the roles; nobody asks for a role that is not in the list.
    pub(crate) fn has_any(&self, roles: &[String]) -> bool {
        roles.is_empty() || roles.iter().any(|role| self.roles.contains(role))
    }

    pub(crate) fn credential(&self) -> Credential {
        self.keeper.credential()
    }

    /// The credential with another token in place of the real one, wherever that is sent.
    pub(crate) fn with_token(&self, token: &str, shown: &str) -> Credential {
        match self.credential() {
            Credential::Bearer { .. } | Credential::None => {
                Credential::Bearer { token: token.to_owned(), shown: shown.to_owned() }
            }
            Credential::Parts(mut parts) => {
                for signed in parts.iter_mut().filter(|signed| signed.part.value.contains(&self.token)) {
                    signed.part.value = signed.part.value.replace(&self.token, token);
                    signed.shown = shown.to_owned();
                }
                Credential::Parts(parts)
            }
        }
    }
}

/// Signs an identity in and returns what its requests are signed with.
pub(crate) async fn sign_in(client: &ScopedClient, identity: &Identity) -> Result<Credential, RunError> {
    let credential = got(client, identity).await?;
    if identity.always.is_empty() {
        return Ok(credential);
    }
    let shown = identity.placeholder();
    let mut signed = match credential {
        Credential::Parts(signed) => signed,
        other => parts(&other.into_parts(), &format!("Bearer {shown}")),
    };
    signed.extend(parts(&identity.always, "***"));
    Ok(Credential::Parts(signed))
}

async fn got(client: &ScopedClient, identity: &Identity) -> Result<Credential, RunError> {
    let shown = identity.placeholder();
    let bearer = |token: &str| Credential::Bearer { token: token.to_owned(), shown: shown.clone() };
    match &identity.login {
        Login::Fixed(parts) => Ok(fixed(parts, &shown)),
        Login::Token(token) => Ok(bearer(token)),
        Login::Json(login) => {
            let call = Call::new(Method::POST, login.path.clone()).with_body(Payload::Json(login.body.clone()));
            let call = call.with_credential(Credential::Parts(parts(&identity.always, "***")));
            let answer = patiently(client, &call).await?;
            let token = answer.json().and_then(|body| body.pointer(&login.token)).and_then(Value::as_str);
            match token {
                Some(token) if answer.is_success() => Ok(bearer(token)),
                _ => Err(RunError::login(identity, &call, &answer, &format!("no token at `{}`", login.token))),
            }
        }
        Login::Request(login) => {
            let page = page_of(client, login, &identity.always).await?;
            let call = from_page(login, &identity.always, &page);
            let answer = patiently(client, &call).await?;
            // A form is often answered with a redirection to the page behind it.
            if !answer.is_success() && !answer.status.is_redirection() {
                return Err(RunError::login(identity, &call, &answer, ""));
            }
            match granted(&login.grant, &answer, &shown) {
                Ok(credential) => Ok(with_cookies(credential, page.cookies, &answer, &shown)),
                Err(what) => Err(RunError::login(identity, &call, &answer, &what)),
            }
        }
    }
}

/// The request that signs an identity in, if there is one, with what its page wants to have sent back.
pub(crate) async fn login_call(client: &ScopedClient, identity: &Identity) -> Result<Option<Call>, SendError> {
    Ok(match &identity.login {
        Login::Fixed(_) | Login::Token(_) => None,
        Login::Json(login) => {
            let call = Call::new(Method::POST, login.path.clone()).with_body(Payload::Json(login.body.clone()));
            Some(call.with_credential(Credential::Parts(parts(&identity.always, "***"))))
        }
        Login::Request(login) => {
            let page = page_of(client, login, &identity.always).await?;
            Some(from_page(login, &identity.always, &page))
        }
    })
}

/// The sign-in as its page sends it.
fn from_page(login: &LoginRequest, always: &[Part], page: &Page) -> Call {
    with_page(request(&with_hidden(login, page), always), page)
}

/// What the page before the sign-in wants to have sent back; nothing where there is no such page.
async fn page_of(client: &ScopedClient, login: &LoginRequest, always: &[Part]) -> Result<Page, SendError> {
    let own = matches!(login.payload, LoginPayload::Form(_)).then_some(&login.path);
    let Some(path) = login.page.as_ref().or(own) else { return Ok(Page::default()) };
    let call = Call::get(path.clone()).with_credential(Credential::Parts(parts(always, "***")));
    let answer = client.send_plainly(&call).await?;
    Ok(if answer.is_success() { Page::read(&answer) } else { Page::default() })
}

/// The sign-in with the hidden fields of its page.
fn with_hidden(login: &LoginRequest, page: &Page) -> LoginRequest {
    let mut login = login.clone();
    if let LoginPayload::Form(fields) = &mut login.payload {
        let missing = page.hidden.iter().filter(|(name, _)| !fields.iter().any(|(known, _)| known == name));
        let missing: Vec<(String, String)> = missing.cloned().collect();
        fields.extend(missing);
    }
    login
}

/// The sign-in with the cookies of its page, and the token that is repeated in a header.
fn with_page(mut call: Call, page: &Page) -> Call {
    let Credential::Parts(signed) = &mut call.credential else { return call };
    let cookies = page.cookies.iter().map(|cookie| cookie_part(cookie, "***"));
    signed.extend(cookies);
    if let Some((name, value)) = page.header() {
        let part = Part { place: PartPlace::Header, name: name.to_owned(), value };
        signed.push(Signed { part, shown: "***".to_owned() });
    }
    call
}

/// Where cookies are the credential: those of the page are kept, and a token that scripts repeat is repeated.
fn with_cookies(credential: Credential, earlier: Vec<Cookie>, answer: &Answer, shown: &str) -> Credential {
    let Credential::Parts(mut signed) = credential else { return credential };
    if !signed.iter().all(|one| one.part.place == PartPlace::Cookie) {
        return Credential::Parts(signed);
    }
    let mut jar = cookies(answer);
    jar.extend(earlier.into_iter().filter(|old| !signed.iter().any(|one| one.part.name == old.name)));
    let is_new = |cookie: &&Cookie| !signed.iter().any(|one| one.part.name == cookie.name);
    let kept: Vec<Signed> = jar.iter().filter(is_new).map(|cookie| cookie_part(cookie, shown)).collect();
    signed.extend(kept);
    if let Some((name, value)) = repeated(&jar) {
        let part = Part { place: PartPlace::Header, name: name.to_owned(), value };
        signed.push(Signed { part, shown: shown.to_owned() });
    }
    Credential::Parts(signed)
}

fn cookie_part(cookie: &Cookie, shown: &str) -> Signed {
    let part = Part { place: PartPlace::Cookie, name: cookie.name.clone(), value: cookie.value.clone() };
    Signed { part, shown: shown.to_owned() }
}

fn fixed(parts: &[Part], shown: &str) -> Credential {
    if let [Part { place: PartPlace::Header, name, value }] = parts
        && name.eq_ignore_ascii_case("authorization")
        && let Some(token) = value.strip_prefix("Bearer ")
    {
        return Credential::Bearer { token: token.to_owned(), shown: shown.to_owned() };
    }
    Credential::Parts(self::parts(parts, shown))
}

fn parts(parts: &[Part], shown: &str) -> Vec<Signed> {
    parts.iter().map(|part| Signed { part: part.clone(), shown: shown.to_owned() }).collect()
}

pub(crate) fn request(login: &LoginRequest, always: &[Part]) -> Call {
    let mut call = Call::new(login.method.clone(), login.path.clone());
    call.body = match &login.payload {
        LoginPayload::Form(fields) => {
            let pairs = fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
            let text = pairs.collect::<Vec<_>>().join("&");
            Some(Payload::Secret("application/x-www-form-urlencoded".to_owned(), text))
        }
        LoginPayload::Json(body) => Some(Payload::Json(body.clone())),
        LoginPayload::None => None,
        LoginPayload::Raw(media, text) => Some(Payload::Secret(media.clone(), text.clone())),
    };
    let part = |(name, value): &(String, String)| Signed {
        part: Part { place: PartPlace::Header, name: name.clone(), value: value.clone() },
        shown: "***".to_owned(),
    };
    let mut signed: Vec<Signed> = login.headers.iter().map(part).collect();
    signed.extend(parts(always, "***"));
    call.with_credential(Credential::Parts(signed))
}

/// What an answer gives, or what is missing in it.
pub(crate) fn granted(grant: &Grant, answer: &Answer, shown: &str) -> Result<Credential, String> {
    let cookies = || cookies(answer).into_iter().map(|cookie| (cookie.name, cookie.value)).collect::<Vec<_>>();
    let all_cookies = || {
        let signed = |(name, value): (String, String)| Signed {
            part: Part { place: PartPlace::Cookie, name, value },
            shown: shown.to_owned(),
        };
        let signed: Vec<Signed> = cookies().into_iter().map(signed).collect();
        if signed.is_empty() { None } else { Some(Credential::Parts(signed)) }
    };
    match grant {
        Grant::Cookies => all_cookies().ok_or_else(|| "no cookie is set".to_owned()),
        Grant::Found => {
            let token = answer.json().and_then(|body| usual_token(body, 0));
            let bearer = token.map(|token| Credential::Bearer { token, shown: shown.to_owned() });
            bearer.or_else(all_cookies).ok_or_else(|| "neither a token nor a cookie is in the answer".to_owned())
        }
        Grant::Token { from, place, name, template } => {
            let token = match from {
                TokenSource::Body(pointer) => {
                    answer.json().and_then(|body| body.pointer(pointer)).map(text_of).filter(|text| !text.is_empty())
                }
                TokenSource::Cookie(wanted) => {
                    cookies().into_iter().find(|(name, _)| name == wanted).map(|(_, value)| value)
                }
                TokenSource::Header(name) => answer.header(name).map(str::to_owned),
            };
            let token = token.ok_or_else(|| match from {
                TokenSource::Body(pointer) => format!("no token at `{pointer}`"),
                TokenSource::Cookie(name) => format!("no cookie `{name}`"),
                TokenSource::Header(name) => format!("no header `{name}`"),
            })?;
            // Some servers send the scheme together with the token.
            let bare = token.strip_prefix("Bearer ").filter(|_| template.starts_with("Bearer ")).unwrap_or(&token);
            let value = template.replace("{token}", bare);
            Ok(fixed_as(*place, name, value, &template.replace("{token}", shown), shown))
        }
    }
}

/// A bearer token is said to be one; everything else is a part.
fn fixed_as(place: PartPlace, name: &str, value: String, shown: &str, token: &str) -> Credential {
    let part = Part { place, name: name.to_owned(), value };
    match fixed(std::slice::from_ref(&part), token) {
        bearer @ Credential::Bearer { .. } => bearer,
        Credential::None | Credential::Parts(_) => Credential::Parts(vec![Signed { part, shown: shown.to_owned() }]),
    }
}

/// A text under one of the names that tokens usually have.
fn usual_token(value: &Value, depth: usize) -> Option<String> {
    let members = value.as_object().filter(|_| depth < MAXIMUM_DEPTH)?;
    let named = |wanted: &&str| {
        let found = members.iter().find(|(name, value)| plain(name) == **wanted && value.is_string());
        found.and_then(|(_, value)| value.as_str()).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    TOKENS.iter().find_map(named).or_else(|| members.values().find_map(|value| usual_token(value, depth + 1)))
}

/// Sends a sign-in again when the target says how long to wait: another run may just have tested its limits.
async fn patiently(client: &ScopedClient, call: &Call) -> Result<Answer, SendError> {
    for _ in 0..MAXIMUM_WAITS {
        let answer = client.send_plainly(call).await?;
        let seconds = answer.header("retry-after").and_then(|value| value.parse().ok());
        match seconds.filter(|seconds| *seconds <= MAXIMUM_SECONDS) {
            Some(seconds) if answer.meaning() == StatusCode::TOO_MANY_REQUESTS => {
                sleep(Duration::from_secs(seconds)).await
            }
            _ => return Ok(answer),
        }
    }
    client.send_plainly(call).await
}

/// The token in a credential: a JSON web token wherever it is, else what `Bearer` introduces, else any single value.
fn token_of(credential: &Credential) -> String {
    match credential {
        Credential::Bearer { token, .. } => token.clone(),
        Credential::None => String::new(),
        Credential::Parts(parts) => {
            let words = parts.iter().flat_map(|signed| signed.part.value.split(' '));
            let jwt = words.clone().find(|word| Jwt::read(word).is_some());
            let is_basic = parts.iter().any(|signed| signed.part.value.starts_with("Basic "));
            let last = parts.first().and_then(|signed| signed.part.value.rsplit(' ').next()).filter(|_| !is_basic);
            jwt.or(last).unwrap_or_default().to_owned()
        }
    }
}

fn claims_of(token: &str) -> Option<Map<String, Value>> {
    let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&bytes).ok()
}

const MAXIMUM_WAITS: usize = 2;
const MAXIMUM_SECONDS: u64 = 15;
const MAXIMUM_DEPTH: usize = 4;
/// Names of properties that hold a token, the likeliest first.
const TOKENS: [&str; 9] =
    ["accesstoken", "token", "authtoken", "jwt", "jwttoken", "idtoken", "sessiontoken", "bearer", "sessionid"];
/// Claims that name an account.
const NAMING: [&str; 9] = ["sub", "username", "preferred_username", "email", "user", "user_id", "userId", "id", "uid"];
