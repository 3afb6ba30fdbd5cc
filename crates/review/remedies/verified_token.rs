//! Checks tokens by the issuer, the audience, the algorithms and the keys that the program names.

use axum::Router;
use palisade::preset::World;

// In reports:
use palisade::Chain;
use palisade::token::algorithm::Algorithm;
use palisade::token::jwks::StaticKeys;
use palisade::token::jwt::Rules;

fn secured(routes: Router, keys: StaticKeys, world: &World) -> Result<Router, Box<dyn std::error::Error>> {
    // Signature first, then `exp`, `nbf`, `iss`, `aud`, the kind and `crit`. Nothing in a token chooses its key.
    let rules = Rules::new("https://issuer.example.com", "https://api.example.com", [Algorithm::Es256])?;
    Ok(Chain::api().bearer(rules, keys).protect(routes, world)?)
}
