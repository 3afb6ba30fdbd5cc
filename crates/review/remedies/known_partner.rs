//! Reads a partner's answer into a type, checks its values, and answers with an own one.

// In reports:
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Quote {
    cents: i64,
    carrier: String,
}

#[derive(Serialize)]
struct Shipping {
    cents: u32,
    carrier: String,
}

fn shipping(answer: &[u8]) -> Option<Shipping> {
    let quote: Quote = serde_json::from_slice(answer).ok()?;
    let is_name = quote.carrier.len() <= 40 && quote.carrier.chars().all(|one| one.is_alphanumeric() || one == ' ');
    let cents = u32::try_from(quote.cents).ok().filter(|cents| *cents <= 100_000)?;
    is_name.then_some(Shipping { cents, carrier: quote.carrier })
}
