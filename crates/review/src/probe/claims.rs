//! Claims that nobody checks: a token for another time, issuer, audience or purpose, signed as it should be.
//!
//! That can be shown only where a token can be signed: with a secret that was guessed, or where none is asked for.

use serde_json::{Value, json};

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::exchange::Answer;
use crate::finding::{Label, Site};
use crate::probe::authn::{AUTHORIZATION, Control, is_alike};
use crate::rule;
use crate::scope::SendError;
use crate::token::Jwt;

/// How tokens can be made that are believed.
#[derive(Clone, Copy)]
pub(super) enum Key<'k> {
    /// No signature is asked for.
    None,
    Secret(&'k str),
}

/// A token that is believed, and what shows it.
#[derive(Clone, Copy)]
pub(super) struct Known<'k> {
    pub(super) jwt: &'k Jwt,
    pub(super) key: Key<'k>,
    pub(super) placeholder: &'k str,
    pub(super) controls: &'k Trail,
    pub(super) valid: &'k Answer,
}

/// One thing that a token says of itself, and that makes it unfit.
struct Unfit {
    part: &'static str,
    header: Vec<(&'static str, Value)>,
    claims: Vec<(&'static str, Value)>,
    how: &'static str,
}

/// Sends a token for each claim that should have been checked.
pub(super) async fn unchecked(
    context: &Context<'_>,
    docket: &mut Docket,
    control: &Control<'_>,
    known: Known<'_>,
) -> Result<(), SendError> {
    for unfit in unfit(known.jwt) {
        let token = match known.key {
            Key::Secret(secret) => {
                known.jwt.signed(known.jwt.algorithm(), secret.as_bytes(), &unfit.header, &unfit.claims)
            }
            Key::None if unfit.header.is_empty() => known.jwt.unsigned_with(&unfit.claims),
            Key::None => continue,
        };
        let insertion = format!("{AUTHORIZATION}/{}", unfit.part);
        let site = Site { operation: &control.endpoint.id, insertion: &insertion };
        let mut trail = known.controls.clone();
        let shown = format!("{}_OTHER_{}", known.placeholder, unfit.part.to_ascii_uppercase());
        let attack = control.call(context, control.signed(context, &token, &shown));
        let answer = context.send(&mut trail, Label::Attack, &attack).await?;
        if is_alike(known.valid, &answer) {
            docket.prove(&rule::TOKEN_UNCHECKED, site, format!("a token {} is believed", unfit.how), trail);
        } else {
            let reason = format!("a token {} is answered with {}", unfit.how, answer.meaning().as_u16());
            docket.withstand(&rule::TOKEN_UNCHECKED, site, reason, trail);
        }
    }
    Ok(())
}

/// What a token can say that makes it unfit; of issuer, audience and kind only where it says something else.
fn unfit(jwt: &Jwt) -> Vec<Unfit> {
    let claim = |name: &str| jwt.claims().get(name).cloned();
    let of_claim = |part, value: Value, how| Unfit { part, header: Vec::new(), claims: vec![(part, value)], how };
    let mut all = vec![of_claim("nbf", json!(LATER), "that is good only from the year 2096 on")];
    if let Some(audience) = claim("aud") {
        let other = json!("https://plsd-other.example/api");
        let other = if audience.is_array() { json!([other]) } else { other };
        all.push(of_claim("aud", other, "for another audience"));
    }
    if claim("iss").is_some() {
        all.push(of_claim("iss", json!("https://plsd-other.example"), "of another issuer"));
    }
    if claim("token_use") == Some(json!("access")) {
        all.push(of_claim("token_use", json!("id"), "that is an ID token"));
    }
    if claim("typ") == Some(json!("Bearer")) {
        all.push(of_claim("typ", json!("ID"), "that is an ID token"));
    }
    let kind = jwt.header().get("typ").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
    if kind.ends_with("at+jwt") {
        // RFC 9068 section 4 asks for the kind to be looked at.
        let header = vec![("typ", json!("logout+jwt"))];
        all.push(Unfit { part: "kind", header, claims: Vec::new(), how: "that signs somebody out" });
    }
    // RFC 7515 section 4.1.11: what is critical and not understood makes a token invalid.
    let header = vec![("crit", json!(["plsd"])), ("plsd", json!(true))];
    all.push(Unfit { part: "crit", header, claims: Vec::new(), how: "with a critical header that nobody knows" });
    // RFC 7797 section 6: who knows this header checks another signature, and who does not refuses it as critical.
    let header = vec![("b64", json!(false)), ("crit", json!(["b64"]))];
    all.push(Unfit {
        part: "b64",
        header,
        claims: Vec::new(),
        how: "whose header says that it is signed in another way",
    });
    all
}

const LATER: u64 = 4_000_000_000;
