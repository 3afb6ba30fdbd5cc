//! A burst is made again as a whole: its transcript holds only the first and the last of many requests.

use serde_json::Value;

use crate::mask::HIDDEN;
use crate::proof::Check;
use crate::replay::Replayed;
use crate::replay::rebuild::Rebuilder;
use crate::replay::record::{Past, Recorded};
use crate::scope::ScopedClient;

/// The request of a burst and how often it was made, when the finding is one.
pub(super) fn of(finding: &Recorded) -> Option<(&Past, u32)> {
    finding.proof.iter().find_map(|check| match check {
        Check::Burst { exchange, times } => Some((finding.exchanges.get(*exchange)?, *times)),
        _ => None,
    })
}

/// Makes it again. It is gone when a request is turned away.
pub(super) async fn repeat(client: &ScopedClient, rebuilder: &Rebuilder<'_>, past: &Past, times: u32) -> Replayed {
    let call = match rebuilder.rebuild(&guessed(past)) {
        Ok(call) => call,
        Err(reason) => return Replayed::CannotSay { reason },
    };
    let times = times.min(MAXIMUM);
    for number in 1..=times {
        let answer = match client.send(&call).await {
            Ok(answer) => answer,
            Err(error) => return Replayed::CannotSay { reason: error.to_string() },
        };
        if let Some(why) = answer.why_withheld() {
            return Replayed::CannotSay { reason: why.to_owned() };
        }
        if answer.turns_away() {
            let status = answer.meaning().as_u16();
            return Replayed::Gone { reason: format!("request {number} of {times} was answered with {status}") };
        }
        if answer.is_success() {
            return Replayed::CannotSay { reason: "a guess is accepted, so that nothing can be guessed".to_owned() };
        }
    }
    Replayed::StillPresent
}

/// The request with a guess where the report hides one: any wrong password is as good as the other.
fn guessed(past: &Past) -> Past {
    let mut past = past.clone();
    if let Some(Ok(Value::Object(mut members))) = past.body.as_deref().map(serde_json::from_str::<Value>) {
        for value in members.values_mut().filter(|value| value.as_str() == Some(HIDDEN)) {
            *value = Value::from(GUESS);
        }
        past.body = Some(Value::Object(members).to_string());
    }
    past
}

/// Whatever a report says, no more than this.
const MAXIMUM: u32 = 100;
const GUESS: &str = "Wrong-guess-0!";
