//! Keeps one client from asking more than its share, before anybody has signed in.
//!
//! 1. Each client address has a budget per route (the generic cell rate algorithm; the same result in every store).
//! 2. A request beyond it is refused with when to come again.
//! 3. When the store fails, the rule's own choice holds: refuse, which is the default, or let pass; either makes an event.
//! 4. A request whose client is not known shares one budget with all others of its kind.
//!
//! The answer says what is left in the `RateLimit` and `RateLimit-Policy` fields (draft-ietf-httpapi-ratelimit-headers).

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use palisade_core::denial::DenialCode;
use palisade_core::port::CounterStore;
use palisade_core::port::counter::{LimitKey, Rate};
use palisade_core::stage::StageId;

use super::{Head, Stage, Verdict};
use crate::limit::{OnFailure, settle};
use crate::settings::PerRoute;

/// The stage.
#[derive(Clone)]
pub struct Throttle {
    settings: PerRoute<ThrottleSettings>,
    store: Arc<dyn CounterStore>,
}

/// How much a client may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThrottleSettings {
    /// The budget of each client.
    pub rate: Rate,
    /// What happens when the store fails.
    pub on_failure: OnFailure,
}

impl Default for ThrottleSettings {
    /// 100 requests a second.
    fn default() -> Self {
        let burst = NonZeroU32::MIN.saturating_add(99);
        Self { rate: Rate { burst, per: Duration::from_secs(1) }, on_failure: OnFailure::Deny }
    }
}

impl Throttle {
    /// The stage with settings by route.
    pub fn new(settings: PerRoute<ThrottleSettings>, store: Arc<dyn CounterStore>) -> Self {
        Self { settings, store }
    }
}

impl std::fmt::Debug for Throttle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Throttle").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Stage for Throttle {
    fn id(&self) -> StageId {
        StageId::Throttle
    }

    fn check<'a>(&'a self, head: &'a mut Head) -> Verdict<'a> {
        let settings = *self.settings.of(head);
        let route = head.facts.route.as_ref().map_or("-", |route| route.name.as_str());
        let client = head.facts.client.map_or_else(|| "-".to_owned(), |client| client.to_string());
        let key = LimitKey::new(&format!("throttle/{route}"), &client);
        Verdict::Later(Box::pin(async move {
            let acquired = self.store.try_acquire(&key, settings.rate, head.facts.received).await;
            settle(head, acquired, settings.rate, settings.on_failure, DenialCode::Throttled, StageId::Throttle)
        }))
    }
}
