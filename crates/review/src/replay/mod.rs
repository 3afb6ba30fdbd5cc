//! A replay sends the requests of one finding again, with fresh credentials, and says whether it is still there.
//!
//! The report holds the requests with placeholders for tokens, and the checks that were true when the finding was made.
//! Placeholders are filled by signing in again; the ids of things that the transcript itself makes are taken from the
//! new answers. Where a control does not hold any more, or a request cannot be rebuilt, the answer is that nobody can
//! say: a finding is gone only when its controls hold and its attack does not get through.

mod burst;
mod rebuild;
mod record;
mod witness;

use serde_json::Value;

use crate::creation::{self, Anew};
use crate::exchange::Answer;
use crate::finding::Label;
use crate::identity::Identity;
use crate::run::RunError;
use crate::scope::{Guard, ScopedClient, Target};
use crate::session::Session;
use crate::sink::Sink;
use rebuild::Rebuilder;
use record::Past;
pub use record::Recorded;

/// What a replay came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replayed {
    /// Nobody can say.
    CannotSay {
        /// Why not.
        reason: String,
    },
    /// The controls hold, and the attack does not get through any more.
    Gone {
        /// Which check of the attack or of its verification does not hold.
        reason: String,
    },
    /// Every check holds again.
    StillPresent,
}

impl Replayed {
    /// The outcome as reports spell it.
    #[must_use]
    pub fn slug(&self) -> &'static str {
        match self {
            Self::CannotSay { .. } => "cannot-say",
            Self::Gone { .. } => "gone",
            Self::StillPresent => "still-present",
        }
    }
}

/// Why a finding cannot be replayed at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The text is no report.
    #[error("this is no report of a review in JSON")]
    NoReport,
    /// The report has no such finding.
    #[error("the report has no finding `{0}`: name it by its fingerprint, or by enough of its beginning")]
    NoFinding(String),
    /// Several findings are meant.
    #[error("`{0}` names several findings: write more of the fingerprint")]
    Several(String),
    /// An identity cannot sign in, or the target does not answer.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// Sends the requests of a finding again.
///
/// # Errors
///
/// When an identity cannot sign in.
pub async fn replay(finding: &Recorded, target: &Target, identities: &[Identity]) -> Result<Replayed, ReplayError> {
    let client = ScopedClient::new(target, Guard::default());
    let mut sessions = Vec::new();
    let identities = match finding.seed {
        Some(seed) => creation::accounts(identities, &client, seed, Anew::Maybe).await?,
        None => identities.to_vec(),
    };
    for identity in &identities {
        sessions.push(Session::open(&client, identity, false).await?);
    }
    for session in &sessions {
        client.guard().protect(session.names(), &session.fields());
    }
    let sink = Sink::open().await.map_err(|error| RunError::Sink(error.to_string()))?;
    let finding = &witness::redirected(finding, sink.address().port());
    let mut rebuilder = Rebuilder::new(finding, &sessions);
    if let Some(burst) = burst::of(finding) {
        return Ok(burst::repeat(&client, &rebuilder, &burst, &identities).await);
    }
    // Nothing is sent that could not be finished.
    for exchange in &finding.exchanges {
        if let Err(reason) = rebuilder.rebuild(exchange) {
            return Ok(Replayed::CannotSay { reason });
        }
    }
    let mut answers: Vec<Answer> = Vec::new();
    let mut called_back = Vec::new();
    let mut failed = None;
    // What was begun is put back, even when the rest cannot be asked any more.
    for exchange in &finding.exchanges {
        if failed.is_some() && exchange.label != Label::Restore {
            continue;
        }
        match ask(&client, &rebuilder, exchange).await {
            Ok(answer) => {
                rebuilder.learn(exchange, &answer);
                if witness::arrives(finding, answers.len(), &sink).await {
                    called_back.push(answers.len());
                }
                answers.push(answer);
            }
            Err(reason) => failed = failed.or(Some(reason)),
        }
    }
    Ok(match failed {
        Some(reason) => Replayed::CannotSay { reason },
        None => judge(finding, &answers, &called_back),
    })
}

/// Makes one request, with the ids that are known by now.
async fn ask(client: &ScopedClient, rebuilder: &Rebuilder<'_>, exchange: &Past) -> Result<Answer, String> {
    let call = rebuilder.rebuild(exchange)?;
    let answer = client.send(&call).await.map_err(|error| error.to_string())?;
    match answer.why_withheld() {
        Some(why) => Err(why.to_owned()),
        None => Ok(answer),
    }
}

/// A control that fails outweighs an attack that fails, because then the two cannot be compared.
fn judge(finding: &Recorded, answers: &[Answer], called_back: &[usize]) -> Replayed {
    let answers: Vec<Option<&Answer>> = answers.iter().map(Some).collect();
    let label = |at: usize| finding.exchanges.get(at).map(|exchange| exchange.label);
    if !finding.proof.iter().any(|check| label(check.exchange()) == Some(Label::Attack)) {
        return Replayed::CannotSay { reason: "the report has no checks for the attack".to_owned() };
    }
    let failed: Vec<_> = finding.proof.iter().filter(|check| !check.holds(&answers, called_back)).collect();
    let reason = |check: &crate::proof::Check| {
        let status = answers.get(check.exchange()).copied().flatten().map_or(0, |answer| answer.status.as_u16());
        let label = label(check.exchange()).map_or("exchange", Label::slug);
        format!("the {label} was answered with {status}, and this does not hold: {}", check.to_json())
    };
    if let Some(check) = failed.iter().find(|check| label(check.exchange()) == Some(Label::Control)) {
        return Replayed::CannotSay { reason: reason(check) };
    }
    match failed.first() {
        Some(check) => Replayed::Gone { reason: reason(check) },
        None => Replayed::StillPresent,
    }
}

/// A value of a report as text; empty when there is none.
fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}
