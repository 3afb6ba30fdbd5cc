//! How much a finding weighs, before anybody knows what the API is for.

/// How much harm a weakness of a kind usually does.
///
/// ```
/// use palisade_review::Severity;
///
/// assert!(Severity::Critical > Severity::High && Severity::Low > Severity::Info);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// It helps with another attack.
    Low,
    /// It does harm together with something else, or to few.
    Medium,
    /// Somebody gets what belongs to somebody else.
    High,
    /// Anybody gets everything.
    Critical,
}

impl Severity {
    /// Every severity, the heaviest first.
    pub const ALL: [Self; 5] = [Self::Critical, Self::High, Self::Medium, Self::Low, Self::Info];

    /// The severity as reports spell it.
    #[must_use]
    pub fn slug(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
        }
    }

    /// The number by which code-scanning services sort (0 to 10).
    #[must_use]
    pub fn score(self) -> &'static str {
        match self {
            Self::Critical => "9.5",
            Self::High => "8.0",
            Self::Info => "0.0",
            Self::Low => "3.0",
            Self::Medium => "5.5",
        }
    }
}
