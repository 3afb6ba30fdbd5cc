//! What the target asked of the reviewer's own server: a replay has another server, and waits for the same question.

use std::time::Duration;

use crate::proof::Check;
use crate::replay::record::Recorded;
use crate::sink::Sink;

/// The finding with the address of the server that is there now.
pub(super) fn redirected(finding: &Recorded, port: u16) -> Recorded {
    let mut finding = finding.clone();
    for check in &finding.proof {
        let Check::CalledBack { exchange, port: old, token } = check else { continue };
        let Some(past) = finding.exchanges.get_mut(*exchange) else { continue };
        for text in [Some(&mut past.url), past.body.as_mut()].into_iter().flatten() {
            for (colon, slash) in [(":", "/"), ("%3A", "%2F")] {
                let address = |port: u16| format!("{colon}{port}{slash}{token}");
                *text = text.replace(&address(*old), &address(port));
            }
        }
    }
    finding
}

/// Whether the question comes that an exchange should lead to. Nothing is waited for where none should.
pub(super) async fn arrives(finding: &Recorded, exchange: usize, sink: &Sink) -> bool {
    let expected = finding.proof.iter().find_map(|check| match check {
        Check::CalledBack { exchange: at, token, .. } if *at == exchange => Some(format!("/{token}")),
        _ => None,
    });
    match expected {
        Some(path) => sink.sees(&path, PATIENCE).await,
        None => false,
    }
}

/// For a target that asks after it has answered.
const PATIENCE: Duration = Duration::from_secs(1);
