//! Gives a role to a route, whichever header or spelling a request has.

use axum::Router;
use palisade::chain::ChainError;
use palisade::preset::World;
use palisade::token::jwks::StaticKeys;
use palisade::token::jwt::Rules;

// In reports:
use palisade::Chain;

fn secured(routes: Router, rules: Rules, keys: StaticKeys, world: &World) -> Result<Router, ChainError> {
    // The rule belongs to the route that is really taken; headers that name another method or path are ignored.
    Chain::api().bearer(rules, keys).roles("DELETE /users/{id}", ["admin"]).protect(routes, world)
}
