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

#[cfg(test)]
mod tests {
    use palisade_core::event::EventKind;
    use palisade_core::id::RouteName;
    use palisade_core::time::Timestamp;
    use palisade_store::memory::MemoryCounters;

    use super::*;
    use crate::facts::RouteMatch;
    use crate::testing::{Unreachable, assert_stage, head, refusal_with_body};

    fn settings(burst: u32, on_failure: OnFailure) -> PerRoute<ThrottleSettings> {
        let rate = Rate { burst: burst.try_into().unwrap(), per: Duration::from_secs(60) };
        PerRoute::same(ThrottleSettings { rate, on_failure })
    }

    #[tokio::test]
    async fn each_client_has_a_budget_for_each_route_and_it_comes_back() {
        let stage = Throttle::new(settings(2, OnFailure::Deny), Arc::new(MemoryCounters::default()));
        let throttled = Some(DenialCode::Throttled);
        for (client, route, secs, expect) in [
            (Some("192.0.2.1"), "a", 0, None),
            (Some("192.0.2.1"), "a", 0, None),
            (Some("192.0.2.1"), "a", 0, throttled),
            (Some("192.0.2.1"), "b", 0, None),
            (Some("192.0.2.2"), "a", 0, None),
            (None, "a", 0, None),
            (None, "a", 0, None),
            (None, "a", 0, throttled),
            (Some("192.0.2.1"), "a", 29, throttled),
            (Some("192.0.2.1"), "a", 30, None),
        ] {
            let mut head = head("GET /");
            head.facts.client = client.map(|client| client.parse().unwrap());
            head.facts.route = Some(RouteMatch { index: 0, name: RouteName::new(route) });
            head.facts.received = Timestamp::from_secs(1_000 + secs);
            assert_eq!(refusal_with_body(&stage, &mut head, "").await, expect, "{client:?} {route} {secs}");
        }
    }

    #[tokio::test]
    async fn the_answer_says_what_is_left() {
        let stage = Throttle::new(settings(2, OnFailure::Deny), Arc::new(MemoryCounters::default()));
        for (expect, refused) in
            [("\"throttle\";r=1;t=30", false), ("\"throttle\";r=0;t=60", false), ("\"throttle\";r=0;t=30", true)]
        {
            let mut head = head("GET /");
            assert_eq!(refusal_with_body(&stage, &mut head, "").await.is_some(), refused);
            let mut headers = http::HeaderMap::new();
            head.plan.apply(&mut headers);
            assert_eq!(headers["ratelimit"], expect);
            assert_eq!(headers["ratelimit-policy"], "\"throttle\";q=2;w=60");
        }
    }

    #[tokio::test]
    async fn a_store_that_fails_refuses_unless_the_rule_says_otherwise() {
        for (on_failure, expect, notes) in
            [(OnFailure::Deny, Some(DenialCode::Unavailable), 0), (OnFailure::Allow, None, 1)]
        {
            let mut head = head("GET /");
            let stage = Throttle::new(settings(2, on_failure), Arc::new(Unreachable));
            assert_eq!(refusal_with_body(&stage, &mut head, "").await, expect);
            assert_eq!(head.facts.notes.iter().filter(|note| note.kind == EventKind::ServiceFailed).count(), notes);
        }
    }

    #[test]
    fn behaves_as_a_stage() {
        assert_stage(&Throttle::new(settings(1, OnFailure::Deny), Arc::new(MemoryCounters::default())));
        assert_stage(&Throttle::new(settings(1, OnFailure::Deny), Arc::new(Unreachable)));
    }
}
