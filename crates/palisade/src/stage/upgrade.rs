//! Lets a request become a WebSocket where its operation is one, and nowhere else.
//!
//! 1. An operation is a WebSocket if its contract declares the answer `101`. Anywhere else `Upgrade` is a word that goes no
//!    further, and the request an ordinary one.
//! 2. The handshake is that of RFC 6455 section 4.1, to the letter: GET over HTTP/1.1 without a body, one `Upgrade`, which
//!    is `websocket`, named by `Connection`, version 13, and one key of 16 bytes. What two servers could take for a
//!    handshake or not is refused: the one behind us would speak HTTP while we pass bytes unread.
//! 3. The socket is closed when the credential ends that it was opened with, and at the latest after
//!    [`UpgradeSettings::lifetime`]; sooner if both sides are silent for [`UpgradeSettings::idle`].
//!
//! Who may open it has been decided before, as for every request; and whose page, by the rule against cross-site requests.
//! Frames are neither read nor changed.

use std::sync::Arc;
use std::time::Duration;

use http::header::{CONNECTION, CONTENT_LENGTH, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use palisade_core::denial::{Denial, DenialCode};
use palisade_core::port::Clock;
use palisade_core::stage::StageId;

use super::{Head, Stage, Verdict};
use crate::settings::PerRoute;
use crate::websocket::Handshake;

/// The stage.
///
/// ```
/// use std::sync::Arc;
/// use palisade::settings::PerRoute;
/// use palisade::stage::upgrade::{Upgrade, UpgradeSettings};
/// use palisade::testing::{StillClock, assert_stage};
///
/// let brief = UpgradeSettings { lifetime: std::time::Duration::from_secs(3600), ..UpgradeSettings::default() };
/// assert_stage(&Upgrade::new(PerRoute::same(brief), Arc::new(StillClock::default())));
/// ```
#[derive(Clone)]
pub struct Upgrade {
    settings: PerRoute<UpgradeSettings>,
    clock: Arc<dyn Clock>,
}

/// How long a WebSocket may be open.
///
/// ```
/// let settings = palisade::stage::upgrade::UpgradeSettings::default();
/// assert_eq!((settings.idle.as_secs(), settings.lifetime.as_secs()), (300, 86_400));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpgradeSettings {
    /// How long both sides may be silent.
    pub idle: Duration,
    /// How long it may be open in all.
    pub lifetime: Duration,
}

impl Default for UpgradeSettings {
    /// Five minutes of silence, a day in all.
    fn default() -> Self {
        Self { idle: Duration::from_secs(300), lifetime: Duration::from_secs(86_400) }
    }
}

impl Upgrade {
    /// The stage with settings by route.
    pub fn new(settings: PerRoute<UpgradeSettings>, clock: Arc<dyn Clock>) -> Self {
        Self { settings, clock }
    }

    /// How long a socket may be open that is opened now.
    fn lifetime(&self, head: &Head) -> Duration {
        let most = self.settings.of(head).lifetime;
        let expires = head.facts.known.as_ref().and_then(|known| known.expires);
        expires.map_or(most, |expires| most.min(expires.since(self.clock.now())))
    }
}

impl std::fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upgrade").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Stage for Upgrade {
    fn id(&self) -> StageId {
        StageId::Upgrade
    }

    fn check<'a>(&'a self, head: &'a mut Head) -> Verdict<'a> {
        if !head.parts.headers.contains_key(UPGRADE) || !is_websocket(head) {
            return Verdict::PASS;
        }
        let handshake = match key(head) {
            Ok(key) => Handshake::new(key, self.settings.of(head).idle, self.lifetime(head)).ok_or("key_invalid"),
            Err(reason) => Err(reason),
        };
        match handshake {
            Ok(handshake) => {
                head.parts.extensions.insert(handshake);
                Verdict::PASS
            }
            Err(reason) => {
                // So that a client of another version knows which one there is (RFC 6455 section 4.4).
                head.plan.set(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
                Verdict::from(Err(Denial::new(DenialCode::UpgradeInvalid, StageId::Upgrade).because("reason", reason)))
            }
        }
    }
}

/// Whether the operation that is asked for is one.
fn is_websocket(head: &Head) -> bool {
    let contract = head.facts.operation.as_ref().and_then(|found| found.contract.as_ref());
    contract.is_some_and(|found| found.operation.is_websocket())
}

/// The key of a handshake, or the rule that it breaks.
fn key(head: &Head) -> Result<&str, &'static str> {
    let headers = &head.parts.headers;
    if head.parts.method != Method::GET {
        return Err("method_not_get");
    }
    if head.parts.version != Version::HTTP_11 {
        return Err("version_not_http_1_1");
    }
    if headers.contains_key(TRANSFER_ENCODING) || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0") {
        return Err("body_in_handshake");
    }
    if !the_one(headers, &UPGRADE).is_some_and(|protocol| protocol.eq_ignore_ascii_case("websocket")) {
        return Err("protocol_not_websocket");
    }
    let mut named = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    if !named.any(|names| names.split(',').any(|name| name.trim().eq_ignore_ascii_case("upgrade"))) {
        return Err("upgrade_not_in_connection");
    }
    if the_one(headers, &SEC_WEBSOCKET_VERSION) != Some("13") {
        return Err("version_not_13");
    }
    the_one(headers, &SEC_WEBSOCKET_KEY).ok_or("key_missing")
}

/// The value of a header that stands there once.
fn the_one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())?.to_str().ok()
}

#[cfg(test)]
mod tests;
