//! A burst is made again as a whole: its transcript holds only the first and the last of many requests.
//!
//! Guesses are about an account. Where the run had made one for that, the replay makes one as well, under a name and a
//! password of its own, and signs in afterwards: a door that has closed without a word is closed all the same.

use serde_json::Value;

use crate::context::fresh_seed;
use crate::exchange::Call;
use crate::finding::Label;
use crate::identity::Identity;
use crate::mask::HIDDEN;
use crate::proof::Check;
use crate::replay::Replayed;
use crate::replay::rebuild::Rebuilder;
use crate::replay::record::{Past, Recorded};
use crate::scope::{ScopedClient, SendError};
use crate::session::login_call;

/// The requests of a finding that is a burst.
pub(super) struct Burst<'f> {
    past: &'f Past,
    times: u32,
    /// What made the account that is guessed at.
    maker: Option<&'f Past>,
}

/// The request of a burst and how often it was made, when the finding is one.
pub(super) fn of(finding: &Recorded) -> Option<Burst<'_>> {
    finding.proof.iter().find_map(|check| match check {
        Check::Burst { exchange, times } => {
            let before = finding.exchanges.get(..*exchange)?;
            let maker = before.iter().find(|past| past.label == Label::Control && past.method == "POST");
            Some(Burst { past: finding.exchanges.get(*exchange)?, times: *times, maker })
        }
        _ => None,
    })
}

/// Makes it again. It is gone when a request is turned away, or when the right password does not open afterwards.
pub(super) async fn repeat(
    client: &ScopedClient,
    rebuilder: &Rebuilder<'_>,
    burst: &Burst<'_>,
    identities: &[Identity],
) -> Replayed {
    let outcome = again(client, rebuilder, burst, identities).await;
    outcome.unwrap_or_else(|reason| Replayed::CannotSay { reason })
}

async fn again(
    client: &ScopedClient,
    rebuilder: &Rebuilder<'_>,
    burst: &Burst<'_>,
    identities: &[Identity],
) -> Result<Replayed, String> {
    let told = |error: SendError| error.to_string();
    let mut guess = burst.past.clone();
    let mut own = None;
    if let Some(maker) = burst.maker {
        let mut maker = maker.clone();
        rename(&mut maker, &mut guess);
        let made = client.send(&rebuilder.rebuild(&with_password(&maker, OWN))?).await.map_err(told)?;
        let right = with_password(&guess, OWN);
        own = made.is_success().then(|| rebuilder.rebuild(&right)).transpose()?;
    }
    let call = rebuilder.rebuild(&with_password(&guess, GUESS))?;
    let times = burst.times.min(MAXIMUM);
    for number in 1..=times {
        let answer = client.send(&call).await.map_err(told)?;
        if let Some(why) = answer.why_withheld() {
            return Err(why.to_owned());
        }
        if answer.turns_away() {
            let status = answer.meaning().as_u16();
            return Ok(Replayed::Gone { reason: format!("request {number} of {times} was answered with {status}") });
        }
        if answer.is_success() {
            return Err("a guess is accepted, so that nothing can be guessed".to_owned());
        }
    }
    let right = match own {
        Some(right) => Some(right),
        None => of_somebody(client, &call, identities).await.map_err(told)?,
    };
    let Some(right) = right else { return Ok(Replayed::StillPresent) };
    let answer = client.send_plainly(&right).await.map_err(told)?;
    if answer.is_success() || answer.status.is_redirection() {
        return Ok(Replayed::StillPresent);
    }
    let status = answer.meaning().as_u16();
    let reason = format!("after {times} wrong passwords the right one is answered with {status}");
    Ok(Replayed::Gone { reason })
}

/// A sign-in of somebody who signs in there: the address of the guesses may be what is refused.
async fn of_somebody(client: &ScopedClient, guess: &Call, identities: &[Identity]) -> Result<Option<Call>, SendError> {
    let is_there = |one: &&Identity| one.login.sign_in().is_some_and(|sign_in| sign_in.path == guess.path);
    match identities.iter().find(is_there) {
        Some(identity) => login_call(client, identity).await,
        None => Ok(None),
    }
}

/// Gives the account another name in both requests, because the one of the run may be taken.
fn rename(maker: &mut Past, guess: &mut Past) {
    let members = |past: &Past| past.body.as_deref().and_then(|body| serde_json::from_str::<Value>(body).ok());
    let (Some(made), Some(guessed)) = (maker.body.clone(), members(guess)) else { return };
    let texts = guessed.as_object().into_iter().flatten().filter_map(|(_, value)| value.as_str());
    let mut names = texts.filter(|text| *text != HIDDEN).filter_map(|text| text.split('@').next());
    let Some(name) = names.find(|name| name.len() >= SHORTEST && made.contains(name)).map(str::to_owned) else {
        return;
    };
    let other = format!("pal{:08x}", fresh_seed() & 0xffff_ffff);
    for past in [maker, guess] {
        past.body = past.body.as_ref().map(|body| body.replace(&name, &other));
    }
}

/// The request with a password where the report hides one.
fn with_password(past: &Past, password: &str) -> Past {
    let mut past = past.clone();
    if let Some(Ok(Value::Object(mut members))) = past.body.as_deref().map(serde_json::from_str::<Value>) {
        for value in members.values_mut().filter(|value| value.as_str() == Some(HIDDEN)) {
            *value = Value::from(password);
        }
        past.body = Some(Value::Object(members).to_string());
    }
    past
}

/// Whatever a report says, no more than this.
const MAXIMUM: u32 = 100;
const GUESS: &str = "Wrong-guess-0!";
const OWN: &str = "Own-account-7!";
/// A shorter name could be a part of something else.
const SHORTEST: usize = 6;
