//! The catalogue of stages: what each one does, in the words that documentation and `check --chain` print.
//!
//! This file knows the names only. The order stands in `palisade/src/chain.rs`, the code in `palisade/src/stage/`.

use std::fmt;

/// How a stage runs.
///
/// ```
/// use palisade_core::stage::{StageId, StageKind};
///
/// let encloses = |id: &&StageId| id.kind() == StageKind::Wrap;
/// assert!(StageId::ALL.iter().filter(encloses).any(|id| *id == StageId::Finish));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageKind {
    /// Looks at the request's head and passes or refuses it; neighbours run in one loop.
    Check,
    /// Hands over to the backend.
    Serve,
    /// Encloses everything behind it: sees the body, the answer or the time between.
    Wrap,
}

impl StageKind {
    /// `check`, `serve` or `wrap`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Serve => "serve",
            Self::Wrap => "wrap",
        }
    }
}

macro_rules! stages {
    ($($name:ident $slug:literal $kind:ident $does:literal)*) => {
        /// The name of a stage.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum StageId {
            $(#[doc = $does] $name,)*
        }

        impl StageId {
            /// Every stage, in alphabetical order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name as configuration, events and documentation spell it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $slug,)* }
            }

            /// How the stage runs.
            pub const fn kind(self) -> StageKind {
                match self { $(Self::$name => StageKind::$kind,)* }
            }

            /// What the stage does, in one sentence.
            pub const fn does(self) -> &'static str {
                match self { $(Self::$name => $does,)* }
            }
        }
    };
}

stages! {
    Admit "admit" Wrap "Limits how many requests are under way at once and sheds the rest."
    Assure "assure" Check "Requires the assurance level and freshness that the operation asks for."
    Authenticate "authenticate" Check "Establishes the principal from the credential; a bad credential is never anonymous."
    Authorize "authorize" Check "Asks the policy and turns the request into a permitted one."
    Cache "cache" Wrap "Answers again what the backend lets a shared cache keep, for the same caller, behind all checks."
    Client "client" Check "Finds the client's address behind trusted proxies and deletes headers only we may set."
    Contract "contract" Wrap "Checks parameters and payload against the contract; what is undeclared is refused."
    Cors "cors" Check "Answers CORS preflights and lets declared origins read responses."
    Csrf "csrf" Check "Refuses cross-site requests that carry a credential the browser added by itself."
    Deadline "deadline" Wrap "Bounds the time until the answer begins and the silence between pieces of the bodies."
    Finish "finish" Wrap "Puts security headers on every response, refusals included, and removes headers that leak."
    Firewall "firewall" Check "Makes host, path, query and headers canonical and refuses what is ambiguous."
    Forward "forward" Serve "Hands the permitted request to the backend."
    Guard "guard" Wrap "Stops asking a backend that keeps failing and tries it again later."
    Inspect "inspect" Wrap "Refuses markup in free text, where a browser could later run it."
    Network "network" Check "Refuses clients whose address may not use the route."
    Operation "operation" Check "Finds the operation of the contract that is asked for; an undeclared one is refused."
    Present "present" Check "Removes what is meant for us and tells the backend who asks."
    Publish "publish" Check "Answers for documents that describe the API: its keys and who issues tokens for it."
    Quota "quota" Check "Counts requests per principal and operation: the budget of a business flow."
    Record "record" Wrap "Writes the events of the request after the response is known; never changes the answer."
    Report "report" Wrap "Takes what browsers report about policies of pages, and nothing else on its path."
    Rescue "rescue" Wrap "Turns a refusal, a failure or a panic into an RFC 9457 problem."
    Reveal "reveal" Wrap "Lets out only declared properties of the caller's own objects; withholds errors of the backend."
    Route "route" Check "Finds the route by host and path; an unknown one is refused."
    Size "size" Wrap "Limits the sizes of URI, headers and body."
    Throttle "throttle" Check "Counts requests per client before anyone has signed in."
    Trace "trace" Wrap "Gives the request its id and a clean trace context."
    Upgrade "upgrade" Check "Lets a valid handshake become a WebSocket where the contract says that the operation is one."
}

impl fmt::Display for StageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_in_alphabetical_order() {
        assert!(StageId::ALL.windows(2).all(|pair| pair[0].as_str() < pair[1].as_str()));
    }
}
