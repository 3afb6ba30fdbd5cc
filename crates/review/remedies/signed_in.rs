//! Asks for the signed-in caller as an argument, so that the handler cannot run without one.

use palisade::chain::ChainError;
use palisade::preset::World;
use palisade::token::jwks::StaticKeys;
use palisade::token::jwt::Rules;

// In reports:
use axum::Router;
use axum::routing::get;
use palisade::Chain;
use palisade::extract::Principal;

async fn me(who: Principal) -> String {
    who.subject().to_string()
}

fn app(rules: Rules, keys: StaticKeys, world: &World) -> Result<Router, ChainError> {
    // A route that is not declared public needs a token.
    Chain::api().bearer(rules, keys).protect(Router::new().route("/me", get(me)), world)
}
