//! Asks endpoints how they are, and remembers what they said.
//!
//! Each question goes over a connection of its own: an endpoint that takes no new connections is not well, whatever the old
//! ones still do.

use std::sync::Arc;

use axum_core::body::Body;
use http::header::USER_AGENT;
use http::{HeaderValue, Request, Uri};

use super::endpoint::Endpoint;
use super::settings::HealthSettings;

/// What the answers in a row mean: a state machine. An endpoint is believed to be well until the first answer, which
/// decides alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Probation {
    /// Whether it is ill; none before the first answer.
    ill: Option<bool>,
    /// Answers in a row that say otherwise.
    against: u32,
}

impl Probation {
    /// One more answer. Whether the endpoint is well.
    pub(crate) fn observe(&mut self, well: bool, healthy: u32, unhealthy: u32) -> bool {
        let Some(ill) = self.ill else {
            self.ill = Some(!well);
            return well;
        };
        if ill != well {
            self.against = 0;
            return well;
        }
        self.against += 1;
        if self.against >= if ill { healthy } else { unhealthy } {
            (self.ill, self.against) = (Some(!ill), 0);
            return well;
        }
        !ill
    }
}

/// Asks all of them at once.
pub(super) async fn check(endpoints: &[Arc<Endpoint>], settings: &HealthSettings) {
    let one = |endpoint: Arc<Endpoint>| async move {
        let asked = tokio::time::timeout(settings.timeout, ask(&endpoint, settings)).await;
        let (well, reason) = match asked {
            Ok(Ok(status)) => (expects(settings, status), format!("status {status}")),
            Ok(Err(reason)) => (false, reason),
            Err(_) => (false, format!("no answer within {:?}", settings.timeout)),
        };
        if endpoint.observe(well, settings.healthy, settings.unhealthy) {
            tracing::warn!(endpoint = %endpoint.name, well, reason, "an endpoint's health has changed");
        }
    };
    futures_util::future::join_all(endpoints.iter().cloned().map(one)).await;
}

async fn ask(endpoint: &Endpoint, settings: &HealthSettings) -> Result<http::StatusCode, String> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = Uri::from(settings.path.clone());
    request.headers_mut().insert(USER_AGENT, HeaderValue::from_static("palisade-health"));
    let answer = endpoint.pool.send_afresh(request).await;
    answer.map(|answer| answer.status()).map_err(|unanswered| unanswered.failure.reason())
}

fn expects(settings: &HealthSettings, status: http::StatusCode) -> bool {
    if settings.expect.is_empty() { status.is_success() } else { settings.expect.contains(&status) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_takes_several_answers_to_change_an_opinion() {
        let mut probation = Probation::default();
        let mut say = |answers: &str| -> String {
            let is = answers.chars().map(|answer| probation.observe(answer == '+', 2, 3));
            is.map(|well| if well { '+' } else { '-' }).collect()
        };
        assert_eq!(say("-"), "-", "the first answer decides alone");
        assert_eq!(say("+-+-++"), "-----+");
        assert_eq!(say("--+---"), "+++++-");
    }

    proptest! {
        #[test]
        fn the_opinion_follows_when_answers_agree(
            answers in proptest::collection::vec(any::<bool>(), 1..60),
            healthy in 1_u32..5,
            unhealthy in 1_u32..5,
        ) {
            let mut probation = Probation::default();
            let (mut last, mut streak, mut opinion) = (answers[0], 0, None);
            for well in answers {
                streak = if well == last { streak + 1 } else { 1 };
                last = well;
                let is = probation.observe(well, healthy, unhealthy);
                if streak >= if well { healthy } else { unhealthy } {
                    prop_assert_eq!(is, well);
                } else if let Some(opinion) = opinion {
                    prop_assert!(is == opinion || is == well);
                }
                opinion = Some(is);
            }
        }
    }
}
