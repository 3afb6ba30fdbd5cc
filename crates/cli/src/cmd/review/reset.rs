//! Resetting the target, by a command or by a request, as the user has said.

use async_trait::async_trait;
use palisade_review::{Reset, ResetUrl, Trust};
use tokio::process::Command;

use super::Attack;

/// The way that was chosen.
pub(super) enum Chosen {
    Command(ResetCommand),
    Url(ResetUrl),
}

impl Chosen {
    pub(super) fn new(arguments: &Attack, trust: &Trust) -> Option<Self> {
        let url = arguments.reset_url.as_ref().and_then(|url| url.parse().ok());
        let url = url.map(|url| Self::Url(ResetUrl { url, trust: trust.clone() }));
        url.or_else(|| arguments.reset_command.clone().map(|line| Self::Command(ResetCommand(line))))
    }

    pub(super) fn as_dyn(&self) -> &dyn Reset {
        match self {
            Self::Command(command) => command,
            Self::Url(url) => url,
        }
    }
}

/// A line for the shell.
pub(super) struct ResetCommand(String);

#[async_trait]
impl Reset for ResetCommand {
    async fn reset(&self) -> Result<(), String> {
        let status = Command::new("sh").arg("-c").arg(&self.0).kill_on_drop(true).status().await;
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("`{}` ended with {status}", self.0)),
            Err(error) => Err(format!("`{}` cannot be run: {error}", self.0)),
        }
    }
}
