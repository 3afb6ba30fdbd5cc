//! Escapes text where it enters HTML, under a policy that lets no script run.

use axum::Router;
use palisade::Chain;
use palisade::chain::ChainError;
use palisade::preset::World;

// In reports:
use axum::response::Html;

async fn greet(name: String) -> Html<String> {
    Html(format!("<!doctype html><html lang=\"en\"><title>Hello</title><p>Hello {}</html>", escaped(&name)))
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

/// Behind the preset for browsers every page has a content security policy without `unsafe-inline`.
fn secured(pages: Router, world: &World) -> Result<Router, ChainError> {
    Chain::browser_app().public("GET /greet").protect(pages, world)
}
