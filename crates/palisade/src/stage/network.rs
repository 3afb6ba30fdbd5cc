//! Refuses clients whose address may not use the route that they ask for.
//!
//! 1. An address in one of the route's denied networks is refused.
//! 2. Where the route has allowed networks, any other address is refused.
//! 3. Where it has either, a client whose address is not known is refused.
//!
//! What holds for every route is refused by `client` before anything is matched.

use palisade_core::denial::{Denial, DenialCode};
use palisade_core::stage::StageId;

use super::{Head, Stage, Verdict};
use crate::network::Networks;
use crate::settings::PerRoute;

/// The stage; refuses nobody by default.
///
/// ```
/// use palisade::network::Networks;
/// use palisade::settings::PerRoute;
/// use palisade::stage::network::Network;
///
/// // The second route is for the office.
/// let office = Networks { allow: vec!["10.0.0.0/8".parse()?], ..Networks::default() };
/// palisade::testing::assert_stage(&Network::new(PerRoute::new(Networks::default(), vec![Networks::default(), office])));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Network {
    networks: PerRoute<Networks>,
}

impl Network {
    /// The stage with settings by route.
    pub fn new(networks: PerRoute<Networks>) -> Self {
        Self { networks }
    }
}

impl Stage for Network {
    fn id(&self) -> StageId {
        StageId::Network
    }

    fn check<'a>(&'a self, head: &'a mut Head) -> Verdict<'a> {
        let reason = self.networks.of(head).refuse(head.facts.known_client());
        let deny = |reason| Denial::new(DenialCode::ClientForbidden, StageId::Network).because("reason", reason);
        Verdict::from(reason.map_or(Ok(()), |reason| Err(deny(reason))))
    }
}

#[cfg(test)]
mod tests {
    use palisade_core::id::RouteName;

    use super::*;
    use crate::facts::RouteMatch;
    use crate::testing::{assert_stage, head, refusal};

    #[test]
    fn each_route_has_its_own_lists() {
        let inside = Networks { allow: vec!["10.0.0.0/8".parse().unwrap()], deny: Vec::new() };
        let stage = Network::new(PerRoute::new(Networks::default(), vec![Networks::default(), inside]));
        for (index, client, refused) in
            [(0, Some("192.0.2.1"), false), (1, Some("192.0.2.1"), true), (1, Some("10.0.0.1"), false), (1, None, true)]
        {
            let mut head = head("GET /");
            head.facts.client = client.map(|client| client.parse().unwrap());
            head.facts.route = Some(RouteMatch { index, name: RouteName::new("any") });
            let expect = refused.then_some(DenialCode::ClientForbidden);
            assert_eq!(refusal(&stage, &mut head), expect, "{index} {client:?}");
        }
    }

    #[test]
    fn behaves_as_a_stage() {
        assert_stage(&Network::default());
    }
}
