//! `POST /refresh`: the next tokens for whoever has the newest refresh token.

use std::fmt;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::event::EventKind;
use palisade_core::id::{ClientId, UserId};
use palisade_core::port::AccessTokenStore;
use palisade_core::port::account::{Account, AccountStatus};
use palisade_core::port::refresh::{Family, FamilyId, Grant};
use palisade_core::principal::{Assurance, RoleSet, ScopeSet};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answer::denied;
use super::sessions::revoked;
use super::withdraw::account_disabled;
use super::{Accounts, Ticket};
use crate::cookie::{CookieError, Cookies, SetCookie};
use crate::extract::{Noted, Refusal, Valid};
use crate::session::ending::Next;
use crate::token::issue::{Access, Issued, Issuer};
use crate::token::opaque::OpaqueTokens;
use crate::token::refresh::{Redeem, RefreshError, RefreshToken, RefreshTokens, TokenText};
use crate::token::revocation::Revocations;
use crate::token::revocation_feed::RevocationFeed;

/// Tokens as a ticket: who makes them, and how the refresh token travels.
///
/// ```
/// use palisade::account::{Delivery, Tokens};
/// use palisade::core::id::ClientId;
/// use palisade::token::{issue::Issuer, refresh::RefreshTokens};
///
/// /// For a program that keeps its tokens itself.
/// fn for_phones(issuer: Issuer, refresh: RefreshTokens) -> Tokens {
///     Tokens::new(issuer, refresh, ClientId::new("phone"), Delivery::Body)
/// }
/// # let _ = for_phones;
/// ```
#[derive(Clone)]
pub struct Tokens {
    parts: Arc<Parts>,
    feed: Option<Arc<RevocationFeed>>,
    opaque: Option<OpaqueTokens>,
}

struct Parts {
    issuer: Issuer,
    refresh: RefreshTokens,
    client: ClientId,
    delivery: Delivery,
}

/// How a refresh token travels.
///
/// ```
/// use palisade::account::Delivery;
///
/// assert_eq!(Delivery::default(), Delivery::Cookie);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delivery {
    /// In the body, for clients that are no browsers and keep it where only they can read it.
    Body,
    /// In the cookie `__Host-refresh`, which no script can read and no other site can make a browser send.
    #[default]
    Cookie,
}

impl Tokens {
    /// Tokens of an issuer for the application `client`.
    pub fn new(issuer: Issuer, refresh: RefreshTokens, client: ClientId, delivery: Delivery) -> Self {
        Self { parts: Arc::new(Parts { issuer, refresh, client, delivery }), feed: None, opaque: None }
    }

    /// The same with access tokens that end with their sign-in, wherever the feed is read: at sign-out, with a changed
    /// password or factor, with a disabled account, and when a refresh token is used a second time. Whoever has the feed
    /// runs it ([`RevocationFeed::run`]).
    #[must_use]
    pub fn revoking(self, feed: Arc<RevocationFeed>) -> Self {
        Self { feed: Some(feed), ..self }
    }

    /// The same with access tokens that say nothing by themselves, and end with their row.
    #[must_use]
    pub fn opaque(self, tokens: OpaqueTokens) -> Self {
        Self { opaque: Some(tokens), ..self }
    }

    /// Where opaque access tokens are kept, if these are.
    pub(super) fn kept_access(&self) -> Option<&Arc<dyn AccessTokenStore>> {
        self.opaque.as_ref().map(OpaqueTokens::store)
    }

    /// The first tokens of somebody who has signed in like this.
    pub(super) async fn begin(&self, account: &Account, by: &Assurance) -> Result<Answer, Refusal> {
        let grant = Grant {
            tenant: account.tenant.clone(),
            scopes: ScopeSet::from_iter(account.scopes.iter().map(String::as_str)),
            level: by.level,
            methods: by.methods.clone(),
            authenticated: by.at,
            ..Grant::new(self.parts.client.clone(), account.id.clone())
        };
        let token = self.parts.refresh.begin(grant.clone()).await?;
        let family = RefreshToken::parse(token.expose()).map(|token| token.family());
        self.answer(&grant, account, family, token).await
    }

    /// The refresh token that a request brings.
    pub(super) fn presented<'r>(&self, headers: &'r HeaderMap, body: Option<&'r str>) -> Option<&'r str> {
        match self.parts.delivery {
            Delivery::Body => body,
            Delivery::Cookie => Cookies::of(headers).get(COOKIE),
        }
    }

    /// The family of the refresh token that a request brings, whether or not it is worth anything.
    pub(super) fn family(&self, headers: &HeaderMap) -> Option<FamilyId> {
        self.presented(headers, None).and_then(RefreshToken::parse).map(|token| token.family())
    }

    /// Whether a family of somebody has not ended.
    async fn lives(&self, subject: &UserId, family: FamilyId) -> Result<bool, Refusal> {
        let live = self.refresh().store().list(subject, self.refresh().now()).await?;
        Ok(live.iter().any(|kept| kept.family.id == family))
    }

    /// Ends the family of the token that a browser brings.
    pub(super) async fn end(&self, headers: &HeaderMap) -> Result<Option<Family>, Refusal> {
        self.revoke(self.presented(headers, None)).await
    }

    /// Ends the family of a token, if it is one and has not ended before.
    async fn revoke(&self, token: Option<&str>) -> Result<Option<Family>, Refusal> {
        let Some(token) = token else { return Ok(None) };
        match self.parts.refresh.revoke(token, &self.parts.client).await {
            Err(RefreshError::Unavailable(error)) => Err(error.into()),
            Err(_) => Ok(None),
            Ok(ended) => {
                // The token is genuine. What has failed the last time is done now, if the family had ended before.
                if let Some(token) = RefreshToken::parse(token) {
                    self.withdraw_family(token.family()).await?;
                }
                Ok(ended)
            }
        }
    }

    pub(super) fn delivery(&self) -> Delivery {
        self.parts.delivery
    }

    pub(super) fn refresh(&self) -> &RefreshTokens {
        &self.parts.refresh
    }

    pub(super) fn issuer(&self) -> &Issuer {
        &self.parts.issuer
    }

    pub(super) fn feed(&self) -> Option<&RevocationFeed> {
        self.feed.as_deref()
    }

    pub(super) fn revocations(&self) -> Option<&Arc<Revocations>> {
        self.feed().map(RevocationFeed::revocations)
    }

    pub(super) fn client(&self) -> &ClientId {
        &self.parts.client
    }

    /// The cookie that takes the refresh token out of the browser, where there is one.
    pub(super) fn removal(&self) -> Option<SetCookie> {
        let cookie = SetCookie::strict_session(COOKIE_NAME, "").ok().map(SetCookie::removed);
        cookie.filter(|_| self.parts.delivery == Delivery::Cookie)
    }

    /// The access token is known by the family that it comes with (`sid`), so that it can be taken back with it.
    async fn answer(
        &self,
        grant: &Grant,
        account: &Account,
        family: Option<FamilyId>,
        token: TokenText,
    ) -> Result<Answer, Refusal> {
        let session = family.map(|family| family.to_string());
        let access = Access::of(grant).with_roles(RoleSet::from_iter(account.roles.iter().map(String::as_str)));
        let access = Access { session: session.as_deref(), ..access };
        let failed = |error: &(dyn fmt::Display + Sync)| {
            let denial = denied(DenialCode::Internal, "token_not_issued").because("error", error.to_string());
            Refusal::from(denial)
        };
        let issued = match &self.opaque {
            Some(opaque) => self.parts.issuer.issue_opaque(opaque, &access, None).await?,
            None => self.parts.issuer.issue(&access, None).map_err(|error| failed(&error))?,
        };
        let (cookie, refresh) = match self.parts.delivery {
            Delivery::Body => (None, Some(token)),
            Delivery::Cookie => {
                let cookie = SetCookie::strict_session(COOKIE_NAME, token.expose());
                (Some(cookie.map_err(|error: CookieError| failed(&error))?.lasting(self.parts.refresh.longest())), None)
            }
        };
        Ok(Answer { issued, refresh, cookie, family })
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("client", &self.parts.client).field("delivery", &self.parts.delivery).finish()
    }
}

/// Tokens on their way to their owner.
pub(super) struct Answer {
    issued: Issued,
    refresh: Option<TokenText>,
    cookie: Option<SetCookie>,
    family: Option<FamilyId>,
}

impl Answer {
    /// What the tokens belong to.
    pub(super) fn family(&self) -> Option<FamilyId> {
        self.family
    }

    /// The cookie and the members of the answer (RFC 6749 section 5.1).
    pub(super) fn parts(self) -> (Option<SetCookie>, Map<String, Value>) {
        let members = [
            ("access_token", Some(json!(self.issued.access.expose()))),
            ("token_type", Some(json!(self.issued.kind))),
            ("expires_in", Some(json!(self.issued.expires_in.as_secs()))),
            ("refresh_token", self.refresh.as_ref().map(|token| json!(token.expose()))),
        ];
        let members = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        (self.cookie, members.collect())
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let (cookie, body) = self.parts();
        (cookie, Json(Value::Object(body))).into_response()
    }
}

/// The token, for clients that are no browsers.
#[derive(Deserialize, JsonSchema)]
pub(super) struct Presented {
    #[serde(default)]
    #[schemars(length(max = 200))]
    refresh_token: Option<String>,
}

pub(super) async fn refresh(
    State(accounts): State<Accounts>,
    headers: HeaderMap,
    Valid(Json(body)): Valid<Json<Presented>>,
) -> Result<Response, (Noted, Refusal)> {
    let refused = |refusal: Refusal| (Noted::default(), refusal);
    let tokens = accounts.tokens().map_err(|denial| refused(denial.into()))?;
    let Some(presented) = tokens.presented(&headers, body.refresh_token.as_deref()) else {
        return Err(refused(denied(DenialCode::CredentialMissing, "refresh_token").into()));
    };
    // Of what went wrong the answer says nothing, and it takes no cookie away: another request of the same browser may
    // have been faster, and its cookie is good.
    let redeemed = match tokens.refresh().redeem(&Redeem::new(presented, tokens.client())).await {
        Ok(redeemed) => redeemed,
        Err(RefreshError::Unavailable(error)) => return Err(refused(error.into())),
        Err(error) => {
            let owner = match &error {
                RefreshError::Replayed(family) => family.grant.subject.as_str(),
                _ => "-",
            };
            let noted = Noted::default().with(error.event(), &[("reason", error.reason()), ("account", owner)]);
            if let RefreshError::Replayed(family) = &error {
                tokens.withdraw_family(family.id).await.map_err(|refusal| (noted.clone(), refusal))?;
            }
            return Err((noted, denied(DenialCode::CredentialInvalid, "refresh_token").into()));
        }
    };
    let subject = &redeemed.grant.subject;
    let found = accounts.accounts.find(subject).await.map_err(|error| refused(error.into()))?;
    let Some(account) = found.filter(|account| account.status == AccountStatus::Active) else {
        accounts.end_all(subject, Next::Never).await.map_err(refused)?;
        return Err((account_disabled(subject), denied(DenialCode::CredentialInvalid, "refresh_token").into()));
    };
    let answer = tokens.answer(&redeemed.grant, &account, Some(redeemed.family), redeemed.token).await;
    let answer = answer.map_err(refused)?;
    // A signed token is refused with its family by whoever reads the feed; an opaque one may have been kept after all
    // that somebody had was ended, with the family.
    if tokens.kept_access().is_some() && !tokens.lives(subject, redeemed.family).await.map_err(refused)? {
        tokens.withdraw_family(redeemed.family).await.map_err(refused)?;
        let noted =
            Noted::default().with(EventKind::TokenRefused, &[("reason", "ended"), ("account", subject.as_str())]);
        return Err((noted, denied(DenialCode::CredentialInvalid, "refresh_token").into()));
    }
    let facts = [("account", subject.as_str()), ("family", &redeemed.family.to_string())];
    Ok((Noted::default().with(EventKind::TokenIssued, &facts), answer).into_response())
}

/// Ends the family of the token that is presented, and takes it out of the browser. Who has none is signed out already.
pub(super) async fn sign_out(
    State(accounts): State<Accounts>,
    headers: HeaderMap,
    Valid(Json(body)): Valid<Json<Presented>>,
) -> Result<Response, Refusal> {
    let tokens = accounts.tokens()?;
    let ended = tokens.revoke(tokens.presented(&headers, body.refresh_token.as_deref())).await?;
    let noted = ended.map(|family| revoked(&family.grant.subject, &family.id.to_string(), "sign_out"));
    Ok((tokens.removal(), noted.unwrap_or_default(), StatusCode::NO_CONTENT).into_response())
}

impl Accounts {
    /// The tokens that sign-in gives.
    fn tokens(&self) -> Result<&Tokens, Denial> {
        match &self.ticket {
            Ticket::Session(_) => Err(denied(DenialCode::Internal, "no_tokens_here")),
            Ticket::Tokens(tokens) => Ok(tokens),
        }
    }
}

const COOKIE: &str = "__Host-refresh";
const COOKIE_NAME: &str = "refresh";
