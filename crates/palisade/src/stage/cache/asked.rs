//! A request that may be answered from memory: under which key, and which answers its client takes.

use std::time::Duration;

use http::header::{
    AUTHORIZATION, CACHE_CONTROL, COOKIE, ETAG, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    IF_UNMODIFIED_SINCE, LAST_MODIFIED, PRAGMA, RANGE, UPGRADE,
};
use http::{HeaderName, HeaderValue, Method};
use http_body::Body as _;
use palisade_core::principal::Subject;

use super::control::Directives;
use super::fresh::moment;
use super::settings::Wishes;
use super::store::{CacheStore, Kept, Key};
use super::{host, place};
use crate::body::Body;
use crate::stage::Head;

/// A request that may be answered from memory.
pub(super) struct Asked {
    pub(super) key: Key,
    pub(super) is_head: bool,
    pub(super) wishes: Directives,
    /// `If-None-Match` and `If-Modified-Since` of the client.
    pub(super) known: (Option<HeaderValue>, Option<HeaderValue>),
    pub(super) credential: bool,
}

impl Asked {
    pub(super) fn of(head: &Head, body: &Body, store: &CacheStore) -> Option<Self> {
        let (headers, principal) = (&head.parts.headers, &head.facts.principal);
        let is_known = match principal.subject() {
            Subject::Anonymous => !headers.contains_key(AUTHORIZATION),
            Subject::Delegated => false,
            Subject::Service(_) | Subject::User(_) => true,
        };
        let said = Directives::read(headers.get_all(CACHE_CONTROL));
        let tags = headers.get_all(IF_NONE_MATCH).iter().count();
        if !is_known
            || said.no_store
            || tags > 1
            || !body.is_end_stream()
            || PAST.iter().any(|n| headers.contains_key(n))
        {
            return None;
        }
        let mut wishes = said;
        if store.0.settings.wishes == Wishes::Ignored {
            wishes = Directives::default();
        } else if !headers.contains_key(CACHE_CONTROL) && headers.get(PRAGMA).is_some_and(|value| value == "no-cache") {
            wishes.no_cache = true;
        }
        let credential = !principal.is_anonymous();
        let who = if credential {
            let (tenant, level) = (principal.tenant().map(|t| t.as_str()), principal.assurance().level);
            // Written as Rust writes texts, so that no name can contain the end of another.
            let (roles, scopes) = (principal.roles().to_string(), principal.scopes().to_string());
            format!("{:?} {tenant:?} {roles:?} {scopes:?} {level:?}", principal.subject())
        } else {
            String::new()
        };
        let (host, uri) = (host(head), &head.parts.uri);
        let key = Key {
            who: who.into(),
            place: place(&host, uri.path()),
            query: uri.query().map(|query| format!("?{query}")).unwrap_or_default().into(),
        };
        let known = (headers.get(IF_NONE_MATCH).cloned(), headers.get(IF_MODIFIED_SINCE).cloned());
        Some(Self { key, is_head: head.parts.method == Method::HEAD, wishes, known, credential })
    }

    /// Whether the client takes an answer of this age.
    pub(super) fn takes(&self, kept: &Kept, age: Duration) -> bool {
        let wishes = &self.wishes;
        let secs = Duration::from_secs;
        if wishes.no_cache || wishes.max_age.is_some_and(|most| age.as_secs() > most) {
            return false;
        }
        let needed = age.saturating_add(secs(wishes.min_fresh.unwrap_or_default()));
        kept.life.is_fresh(needed) || kept.life.may_be_stale(needed, wishes.max_stale)
    }

    /// Whether the client has the answer already (RFC 9110 section 13.2.2).
    pub(super) fn has(&self, kept: &Kept) -> bool {
        if !kept.status.is_success() {
            return false;
        }
        match &self.known {
            (Some(tags), _) => kept.headers.get(ETAG).is_some_and(|own| is_among(own, tags)),
            (None, Some(since)) => {
                let changed = kept.headers.get(LAST_MODIFIED).and_then(moment);
                changed.zip(moment(since)).is_some_and(|(changed, since)| changed <= since)
            }
            (None, None) => false,
        }
    }
}

/// What makes a request pass by.
const PAST: [HeaderName; 6] = [COOKIE, IF_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE, UPGRADE];

/// Whether a tag is in a list of tags, by the weak comparison.
fn is_among(own: &HeaderValue, tags: &HeaderValue) -> bool {
    let (Ok(own), Ok(mut rest)) = (own.to_str(), tags.to_str()) else { return false };
    if rest.trim() == "*" {
        return true;
    }
    let own = own.trim();
    let own = own.strip_prefix("W/").unwrap_or(own);
    // A tag may contain a comma, so that the list is read from quote to quote.
    while let Some((_, tag)) = rest.split_once('"') {
        let Some((tag, behind)) = tag.split_once('"') else { return false };
        if own.strip_prefix('"').and_then(|own| own.strip_suffix('"')) == Some(tag) {
            return true;
        }
        rest = behind;
    }
    false
}
