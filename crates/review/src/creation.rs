//! Creation makes an account for an identity before it signs in, where the file of identities says how.
//!
//! Such an identity has no name and no password until then: place holders stand for them, in the request that makes the
//! account and in the sign-in. What they become is derived from the run's seed, so that a replay can sign in again.

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;

use http::Method;

use crate::context::fresh_seed;
use crate::identity::Identity;
use crate::login::{Grant, Login, LoginPayload, LoginRequest};
use crate::plan::Plan;
use crate::run::RunError;
use crate::scope::ScopedClient;
use crate::session::request;

/// The request that makes an account.
///
/// ```
/// use palisade_core::diagnostic::Source;
/// use palisade_review::read_identities;
///
/// let text = "
/// auth:
///   - name: ann
///     createUsers:
///       endpoint: /register
///       payloadRaw: '{\"user\": \"{$user}\", \"password\": \"Aa1!{$user}\"}'
///       generators: [{ placeHolder: '{$user}', prefix: ann- }]
///     loginEndpointAuth:
///       endpoint: /login
///       payloadRaw: '{\"user\": \"{$user}\", \"password\": \"Aa1!{$user}\"}'
/// ";
/// let identities = read_identities(&Source::new("identities.yaml", text), &|_| None).unwrap();
/// assert_eq!(identities[0].creation.as_ref().unwrap().path, "/register");
/// ```
#[derive(Clone)]
pub struct Creation {
    /// The method.
    pub method: Method,
    /// Where it goes, from the base URL.
    pub path: String,
    /// The body, with place holders.
    pub payload: LoginPayload,
    /// How the account signs in, with the same place holders.
    pub login: Login,
    /// What the place holders become.
    pub generators: Vec<Generator>,
}

impl fmt::Debug for Creation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Creation").field("path", &self.path).finish_non_exhaustive()
    }
}

/// What a place holder becomes: a text that no other account has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generator {
    /// What stands in the payloads.
    pub place_holder: String,
    /// What every text begins with.
    pub prefix: String,
    /// What every text ends with.
    pub postfix: String,
    /// How many characters it has, with both.
    pub length: RangeInclusive<usize>,
}

impl Generator {
    /// The text that is made of something unique.
    fn text(&self, unique: &str) -> String {
        let taken = self.prefix.chars().count() + self.postfix.chars().count();
        let most = self.length.end().saturating_sub(taken);
        // The end of what is unique is what differs from account to account.
        let over = unique.chars().count().saturating_sub(most);
        let mut inner: String = unique.chars().skip(over).collect();
        let least = self.length.start().saturating_sub(taken);
        let missing = least.saturating_sub(inner.chars().count()).min(LONGEST);
        inner.extend(std::iter::repeat_n('x', missing));
        format!("{}{inner}{}", self.prefix, self.postfix)
    }
}

/// Whether it matters that the account is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anew {
    /// It may be there from an earlier run.
    Maybe,
    Yes,
}

/// The plan with accounts for all identities that have none.
pub(crate) async fn with_accounts<'p>(plan: &'p Plan, client: &ScopedClient) -> Result<Cow<'p, Plan>, RunError> {
    if plan.identities.iter().all(|identity| identity.creation.is_none()) {
        return Ok(Cow::Borrowed(plan));
    }
    let seed = plan.seed.unwrap_or_else(fresh_seed);
    let identities = accounts(&plan.identities, client, seed, Anew::Yes).await?;
    Ok(Cow::Owned(Plan { identities, seed: Some(seed), ..plan.clone() }))
}

/// The identities, with accounts that are made of a seed.
pub(crate) async fn accounts(
    identities: &[Identity],
    client: &ScopedClient,
    seed: u64,
    anew: Anew,
) -> Result<Vec<Identity>, RunError> {
    let mut made = Vec::new();
    for (at, identity) in identities.iter().enumerate() {
        let unique = format!("pal{:08x}{}", seed & 0xffff_ffff, at + 1);
        match make(client, identity, &unique).await {
            Ok(identity) => made.push(identity),
            Err((identity, RunError::Account { .. })) if anew == Anew::Maybe => made.push(identity),
            Err((_, error)) => return Err(error),
        }
    }
    Ok(made)
}

/// An account that is still to be made: who it is then, and the request that makes it.
pub(crate) struct Prepared {
    pub(crate) identity: Identity,
    pub(crate) request: LoginRequest,
}

/// Fills the place holders of an identity in. `None` for one that is there already.
pub(crate) fn prepare(identity: &Identity, unique: &str) -> Option<Prepared> {
    let creation = identity.creation.as_ref()?;
    let texts: Vec<(&str, String)> =
        creation.generators.iter().map(|one| (one.place_holder.as_str(), one.text(unique))).collect();
    let fill = |text: &str| texts.iter().fold(text.to_owned(), |text, (holder, value)| text.replace(holder, value));
    let request = LoginRequest {
        method: creation.method.clone(),
        path: fill(&creation.path),
        headers: Vec::new(),
        payload: creation.payload.with_texts(&fill),
        grant: Grant::Found,
        page: None,
    };
    Some(Prepared { identity: Identity { login: creation.login.with_texts(&fill), ..identity.clone() }, request })
}

/// Makes an account for an identity, and says who it is then; so it does when the account is refused.
async fn make(client: &ScopedClient, identity: &Identity, unique: &str) -> Result<Identity, (Identity, RunError)> {
    let Some(Prepared { identity: made, request: wanted }) = prepare(identity, unique) else {
        return Ok(identity.clone());
    };
    let answer = match client.send_plainly(&request(&wanted, &identity.always)).await {
        Ok(answer) => answer,
        Err(error) => return Err((made, error.into())),
    };
    if answer.is_success() || answer.status.is_redirection() {
        return Ok(made);
    }
    let request = format!("{} {}", wanted.method, identity.creation.as_ref().map_or("", |creation| &creation.path));
    let error = RunError::Account { identity: identity.name.clone(), request, status: answer.meaning().as_u16() };
    Err((made, error))
}

const LONGEST: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_texts_are_as_long_as_is_asked() {
        let check = |prefix: &str, postfix: &str, length: RangeInclusive<usize>, expect: &str| {
            let generator =
                Generator { place_holder: "{x}".to_owned(), prefix: prefix.into(), postfix: postfix.into(), length };
            assert_eq!(generator.text("pal0000000712"), expect);
        };
        check("ann-", "", 0..=usize::MAX, "ann-pal0000000712");
        check("", "@example.com", 0..=usize::MAX, "pal0000000712@example.com");
        check("u", "", 0..=6, "u00712");
        check("", "", 16..=20, "pal0000000712xxx");
        check("long-prefix", "", 0..=4, "long-prefix");
    }
}
