//! A group is a class of weaknesses as OWASP counts them, and one word for all of them on the command line.

use std::fmt::{self, Display};

/// A class of weaknesses.
///
/// ```
/// use orchard::{Group, Weakness};
///
/// assert_eq!(Group::SqlInjection.owasp(), "A03:2021");
/// assert_eq!(Weakness::SearchInjected.group(), Group::SqlInjection);
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Group {
    /// Access tokens are read but not verified.
    BrokenAuthentication,
    /// Administrator operations do not look at the role.
    BrokenFunctionLevelAuthorization,
    /// Orders and users are served to whoever knows the id.
    BrokenObjectLevelAuthorization,
    /// Every column of a user can be read, and written.
    BrokenObjectPropertyLevelAuthorization,
    /// An old version and a debug page were never taken down.
    ImproperInventory,
    /// Any origin may read answers with credentials, and headers tell the software and hide nothing.
    SecurityMisconfiguration,
    /// The shop fetches whatever address a caller names.
    ServerSideRequestForgery,
    /// The search text is part of the SQL statement.
    SqlInjection,
    /// Reviews are put in the product page as they came.
    StoredXss,
    /// A coupon can be redeemed any number of times.
    UnrestrictedBusinessFlow,
    /// Page sizes, body sizes and password guesses have no maximum.
    UnrestrictedResourceConsumption,
    /// What the shipping partner answers is passed on unchecked.
    UnsafeConsumption,
    /// Failures answer with the error, the statement and a stack trace.
    VerboseErrors,
}

impl Group {
    /// Every group, in alphabetical order.
    pub const ALL: [Self; 13] = [
        Self::BrokenAuthentication,
        Self::BrokenFunctionLevelAuthorization,
        Self::BrokenObjectLevelAuthorization,
        Self::BrokenObjectPropertyLevelAuthorization,
        Self::ImproperInventory,
        Self::SecurityMisconfiguration,
        Self::ServerSideRequestForgery,
        Self::SqlInjection,
        Self::StoredXss,
        Self::UnrestrictedBusinessFlow,
        Self::UnrestrictedResourceConsumption,
        Self::UnsafeConsumption,
        Self::VerboseErrors,
    ];

    /// The name used on the command line and in reports.
    #[must_use]
    pub fn slug(self) -> &'static str {
        match self {
            Self::BrokenAuthentication => "broken-authentication",
            Self::BrokenFunctionLevelAuthorization => "broken-function-level-authorization",
            Self::BrokenObjectLevelAuthorization => "broken-object-level-authorization",
            Self::BrokenObjectPropertyLevelAuthorization => "broken-object-property-level-authorization",
            Self::ImproperInventory => "improper-inventory",
            Self::SecurityMisconfiguration => "security-misconfiguration",
            Self::ServerSideRequestForgery => "server-side-request-forgery",
            Self::SqlInjection => "sql-injection",
            Self::StoredXss => "stored-xss",
            Self::UnrestrictedBusinessFlow => "unrestricted-business-flow",
            Self::UnrestrictedResourceConsumption => "unrestricted-resource-consumption",
            Self::UnsafeConsumption => "unsafe-consumption",
            Self::VerboseErrors => "verbose-errors",
        }
    }

    /// What the flaws let a caller do, in one sentence.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::BrokenAuthentication => "tokens are believed unsigned, forged or expired",
            Self::BrokenFunctionLevelAuthorization => "any signed-in user may call the administrator's operations",
            Self::BrokenObjectLevelAuthorization => "any user may read, change or cancel what belongs to another",
            Self::BrokenObjectPropertyLevelAuthorization => {
                "users are returned with their password hash, and a profile update may set the role or the balance"
            }
            Self::ImproperInventory => "an old version dumps all users, and a debug page dumps the configuration",
            Self::SecurityMisconfiguration => {
                "any web origin may read answers with credentials, and headers reveal the software"
            }
            Self::ServerSideRequestForgery => {
                "the photo source is fetched from any address, the inner network included"
            }
            Self::SqlInjection => "the search text is run as SQL, so a search can read every table",
            Self::StoredXss => "a review may carry a script that runs on the product page",
            Self::UnrestrictedBusinessFlow => "one user may redeem a coupon without end",
            Self::UnrestrictedResourceConsumption => {
                "a page may be of any size, and passwords may be guessed at any rate"
            }
            Self::UnsafeConsumption => "the shipping partner's answer reaches the customer unchecked",
            Self::VerboseErrors => "failures show the error, the SQL statement and a stack trace",
        }
    }

    /// The OWASP entry: API Security Top 10 of 2023, or Top 10 of 2021 where that list has no place for it.
    #[must_use]
    pub fn owasp(self) -> &'static str {
        match self {
            Self::BrokenObjectLevelAuthorization => "API1:2023",
            Self::BrokenAuthentication => "API2:2023",
            Self::BrokenObjectPropertyLevelAuthorization => "API3:2023",
            Self::UnrestrictedResourceConsumption => "API4:2023",
            Self::BrokenFunctionLevelAuthorization => "API5:2023",
            Self::UnrestrictedBusinessFlow => "API6:2023",
            Self::ServerSideRequestForgery => "API7:2023",
            Self::SecurityMisconfiguration => "API8:2023",
            Self::ImproperInventory => "API9:2023",
            Self::UnsafeConsumption => "API10:2023",
            Self::SqlInjection | Self::StoredXss => "A03:2021",
            Self::VerboseErrors => "A05:2021",
        }
    }
}

impl Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slug())
    }
}
