//! Lists the origins whose pages may read answers.

use axum::Router;
use palisade::preset::World;

// In reports:
use palisade::Chain;

fn secured(routes: Router, world: &World) -> Result<Router, Box<dyn std::error::Error>> {
    Ok(Chain::browser_app().readable_by(["https://app.example.com"])?.public("GET /prices").protect(routes, world)?)
}
