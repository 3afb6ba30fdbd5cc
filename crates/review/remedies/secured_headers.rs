//! Puts the chain in front of the routes; it adds the headers that protect browsers.

use axum::Router;
use palisade::chain::ChainError;
use palisade::preset::World;

// In reports:
use palisade::Chain;

fn secured(routes: Router, world: &World) -> Result<Router, ChainError> {
    // `nosniff`, a content security policy, no framing; behind TLS also `Strict-Transport-Security`.
    Chain::browser_app().behind_tls().public("GET /").protect(routes, world)
}
