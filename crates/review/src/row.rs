//! A row is one class of weakness, as OWASP counts them: what a report has one line for.

use std::fmt;

/// One entry of the OWASP API Security Top 10 (2023), or of the Top 10 of 2021 where that list has no place for it.
///
/// ```
/// use palisade_review::Row;
///
/// assert_eq!(Row::ObjectAuthorization.id(), "API1:2023");
/// assert_eq!(Row::ALL.len(), 11);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Row {
    /// API1:2023.
    ObjectAuthorization,
    /// API2:2023.
    Authentication,
    /// API3:2023.
    PropertyAuthorization,
    /// API4:2023.
    ResourceConsumption,
    /// API5:2023.
    FunctionAuthorization,
    /// API6:2023.
    BusinessFlow,
    /// API7:2023.
    ServerSideRequestForgery,
    /// API8:2023.
    Misconfiguration,
    /// API9:2023.
    Inventory,
    /// API10:2023.
    UnsafeConsumption,
    /// A03:2021.
    Injection,
}

impl Row {
    /// Every row, in the order of the lists.
    pub const ALL: [Self; 11] = [
        Self::ObjectAuthorization,
        Self::Authentication,
        Self::PropertyAuthorization,
        Self::ResourceConsumption,
        Self::FunctionAuthorization,
        Self::BusinessFlow,
        Self::ServerSideRequestForgery,
        Self::Misconfiguration,
        Self::Inventory,
        Self::UnsafeConsumption,
        Self::Injection,
    ];

    /// The number in its list, with the year.
    #[must_use]
    pub fn id(self) -> &'static str {
        self.texts().0
    }

    /// The name in its list.
    #[must_use]
    pub fn title(self) -> &'static str {
        self.texts().1
    }

    fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::ObjectAuthorization => ("API1:2023", "Broken Object Level Authorization"),
            Self::Authentication => ("API2:2023", "Broken Authentication"),
            Self::PropertyAuthorization => ("API3:2023", "Broken Object Property Level Authorization"),
            Self::ResourceConsumption => ("API4:2023", "Unrestricted Resource Consumption"),
            Self::FunctionAuthorization => ("API5:2023", "Broken Function Level Authorization"),
            Self::BusinessFlow => ("API6:2023", "Unrestricted Access to Sensitive Business Flows"),
            Self::ServerSideRequestForgery => ("API7:2023", "Server Side Request Forgery"),
            Self::Misconfiguration => ("API8:2023", "Security Misconfiguration"),
            Self::Inventory => ("API9:2023", "Improper Inventory Management"),
            Self::UnsafeConsumption => ("API10:2023", "Unsafe Consumption of APIs"),
            Self::Injection => ("A03:2021", "Injection"),
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}
