//! For what a schema is compiled: one written schema has different meanings by direction and position.

/// The meaning that one copy of a schema gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Mode {
    /// In a response: nothing is closed, because undeclared properties are taken out before.
    Answer,
    /// In a request, where an object begins: undeclared properties are refused.
    Closed,
    /// In a request, as a condition (`if`, `not`, `contains`): exactly as written, because closing would turn around
    /// what it says.
    Condition,
    /// In a request, as one part of a composition: its properties are closed, but it does not know those of the
    /// other parts.
    Part,
}

impl Mode {
    /// The mode of a property, an item, or another value within.
    pub(crate) fn within(self) -> Self {
        match self {
            Self::Answer => Self::Answer,
            Self::Closed | Self::Part => Self::Closed,
            Self::Condition => Self::Condition,
        }
    }

    /// The mode of a member of `allOf` and the like, which speaks about the same value.
    pub(crate) fn part(self) -> Self {
        match self {
            Self::Answer => Self::Answer,
            Self::Closed | Self::Part => Self::Part,
            Self::Condition => Self::Condition,
        }
    }

    /// The mode of a schema that is asked rather than demanded.
    pub(crate) fn condition(self) -> Self {
        match self {
            Self::Answer => Self::Answer,
            Self::Closed | Self::Condition | Self::Part => Self::Condition,
        }
    }

    /// The keyword that hides a property in this direction.
    pub(crate) fn hiding_keyword(self) -> Option<&'static str> {
        match self {
            Self::Answer => Some("writeOnly"),
            Self::Closed | Self::Part => Some("readOnly"),
            Self::Condition => None,
        }
    }
}
