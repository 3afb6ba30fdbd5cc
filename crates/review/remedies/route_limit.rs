//! Counts requests to a route, by the address they come from.

use axum::Router;
use palisade::chain::ChainError;
use palisade::preset::World;

// In reports:
use std::time::Duration;

use palisade::Chain;
use palisade::core::operation::{AccessRule, Audience, Limit, LimitBy};

fn secured(routes: Router, world: &World) -> Result<Router, ChainError> {
    let few = Limit::new(10, Duration::from_secs(60), LimitBy::Client);
    let anybody = AccessRule { audience: Audience::Public, ..AccessRule::default() };
    Chain::api().rule("POST /login", anybody, vec![few]).protect(routes, world)
}
