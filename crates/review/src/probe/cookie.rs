//! Cookies: whether the one that signs somebody in is kept from scripts, from plain text and from other sites.

use async_trait::async_trait;
use http::header;

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::exchange::{Answer, Credential, Signed};
use crate::finding::{Label, Site};
use crate::login::{Part, PartPlace};
use crate::plan::Plan;
use crate::probe::Probe;
use crate::row::Row;
use crate::rule;
use crate::scope::SendError;
use crate::session::login_call;

/// The probe.
#[derive(Debug)]
pub(crate) struct Cookie;

#[async_trait]
impl Probe for Cookie {
    fn id(&self) -> &'static str {
        "session-cookie"
    }

    fn row(&self) -> Row {
        Row::Misconfiguration
    }

    fn estimate(&self, _: &Plan) -> u32 {
        4
    }

    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
        let Some(identity) = context.plan.identities.iter().find(|one| one.login.is_renewable()) else {
            docket.skip("no identity signs in");
            return Ok(());
        };
        let Some(login) = login_call(&context.client, identity).await? else { return Ok(()) };
        let mut trail = Trail::default();
        let answer = context.send(&mut trail, Label::Attack, &login).await?;
        let cookies = set_by(&answer);
        if cookies.is_empty() {
            docket.skip("signing in sets no cookie");
            return Ok(());
        }
        let path = login.path.split('?').next().unwrap_or_default();
        let declared =
            context.surface().endpoints.iter().find(|one| one.template == path && one.method == login.method);
        let operation = declared.map_or(path, |endpoint| &endpoint.id);
        let is_https = context.client.base().starts_with("https:");
        for cookie in cookies {
            let insertion = format!("response/set-cookie/{}", cookie.name);
            let site = Site { operation, insertion: &insertion };
            let lacks = cookie.lacks(is_https);
            if lacks.is_empty() {
                docket.withstand(&rule::COOKIE_UNPROTECTED, site, "the cookie has what protects it", trail.clone());
                continue;
            }
            let mut trail = trail.clone();
            if !signs_in(context, &mut trail, &cookie, &identity.placeholder()).await? {
                continue;
            }
            let names = lacks.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let summary = format!("the cookie `{}` signs in and lacks {names}", cookie.name);
            // Browsers keep a cookie without `SameSite` from most requests of other sites.
            if lacks.iter().any(|name| *name != "SameSite") {
                docket.prove(&rule::COOKIE_UNPROTECTED, site, summary, trail);
            } else {
                docket.suspect(&rule::COOKIE_UNPROTECTED, site, summary, trail);
            }
        }
        Ok(())
    }
}

/// A cookie as an answer sets it.
struct Set {
    name: String,
    value: String,
    attributes: Vec<String>,
}

impl Set {
    fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (name, value) = parts.next()?.split_once('=')?;
        let attributes = parts.map(|part| part.to_ascii_lowercase().replace(' ', "")).collect();
        Some(Self { name: name.trim().to_owned(), value: value.trim().to_owned(), attributes })
    }

    fn lacks(&self, is_https: bool) -> Vec<&'static str> {
        let has = |name: &str| self.attributes.iter().any(|one| one == name);
        let is_sent_anywhere = has("samesite=none") || !self.attributes.iter().any(|one| one.starts_with("samesite="));
        let mut lacks = Vec::new();
        if !has("httponly") {
            lacks.push("HttpOnly");
        }
        if is_https && !has("secure") {
            lacks.push("Secure");
        }
        if is_sent_anywhere {
            lacks.push("SameSite");
        }
        lacks
    }
}

fn set_by(answer: &Answer) -> Vec<Set> {
    let texts = answer.headers.get_all(header::SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
    texts.filter_map(Set::read).filter(|cookie| cookie.value.len() >= MINIMUM_VALUE).collect()
}

/// Whether the cookie alone is served what nobody in particular is not.
async fn signs_in(
    context: &Context<'_>,
    trail: &mut Trail,
    cookie: &Set,
    placeholder: &str,
) -> Result<bool, SendError> {
    let reads = context.surface().endpoints.iter().filter(|one| one.is_read() && !one.is_public && !one.is_limited());
    for endpoint in reads.take(MAXIMUM_READS) {
        let Some(served) = context.memory.served(&endpoint.id).find(|served| served.session.is_some()) else {
            continue;
        };
        let call = context.call(endpoint, &served.values, None, None);
        if context.send(trail, Label::Control, &call).await?.is_success() {
            continue;
        }
        let part = Part { place: PartPlace::Cookie, name: cookie.name.clone(), value: cookie.value.clone() };
        let signed = Credential::Parts(vec![Signed { part, shown: placeholder.to_owned() }]);
        if context.send(trail, Label::Verify, &call.with_credential(signed)).await?.is_success() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What is shorter holds a choice, not a session.
const MINIMUM_VALUE: usize = 8;
const MAXIMUM_READS: usize = 4;

#[cfg(test)]
mod tests {
    use super::Set;

    #[test]
    fn what_a_cookie_lacks_depends_on_the_scheme() {
        let check = |text: &str, is_https: bool, expect: &[&str]| {
            assert_eq!(Set::read(text).unwrap().lacks(is_https), expect, "{text}");
        };
        check("sid=12345678", true, &["HttpOnly", "Secure", "SameSite"]);
        check("sid=12345678; httponly; SameSite = Lax", false, &[]);
        check("sid=12345678; HttpOnly; SameSite=None", false, &["SameSite"]);
        check("sid=12345678; Secure; HttpOnly; SameSite=Strict; Path=/", true, &[]);
    }
}
