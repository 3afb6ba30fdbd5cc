//! A weakness is one deliberate flaw of the shop, and one switch.

use std::error::Error;
use std::fmt::{self, Display};
use std::str::FromStr;

/// One deliberate flaw. On, it can really be exploited; off, the shop behaves as its contract says.
///
/// ```
/// use orchard::Weakness;
///
/// let weakness: Weakness = "sql-injection".parse().unwrap();
/// assert_eq!(weakness, Weakness::SqlInjection);
/// assert_eq!(weakness.owasp(), "A03:2021");
/// assert!("sql".parse::<Weakness>().is_err());
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Weakness {
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

impl Weakness {
    /// Every weakness, in alphabetical order.
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

    /// What the flaw lets a caller do, in one sentence.
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

    fn bit(self) -> u16 {
        1 << self as u16
    }
}

impl Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slug())
    }
}

impl FromStr for Weakness {
    type Err = UnknownWeakness;

    fn from_str(slug: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|weakness| weakness.slug() == slug)
            .ok_or_else(|| UnknownWeakness { slug: slug.to_owned() })
    }
}

/// The text named no weakness.
///
/// ```
/// let error = "sql".parse::<orchard::Weakness>().unwrap_err();
/// assert_eq!(error.to_string(), "`sql` is not a weakness");
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnknownWeakness {
    slug: String,
}

impl Display for UnknownWeakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is not a weakness", self.slug)
    }
}

impl Error for UnknownWeakness {}

/// The set of weaknesses that are switched on.
///
/// ```
/// use orchard::{Weakness, Weaknesses};
///
/// let set = Weaknesses::all().without(Weakness::StoredXss);
/// assert!(set.has(Weakness::SqlInjection));
/// assert!(!set.has(Weakness::StoredXss));
/// assert_eq!(Weaknesses::none().with(Weakness::StoredXss).iter().count(), 1);
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Weaknesses(u16);

impl Weaknesses {
    /// Everything is broken.
    #[must_use]
    pub fn all() -> Self {
        Weakness::ALL.into_iter().fold(Self::none(), Self::with)
    }

    /// Nothing is broken.
    #[must_use]
    pub fn none() -> Self {
        Self(0)
    }

    /// The same set with this weakness on.
    #[must_use]
    pub fn with(self, weakness: Weakness) -> Self {
        Self(self.0 | weakness.bit())
    }

    /// The same set with this weakness off.
    #[must_use]
    pub fn without(self, weakness: Weakness) -> Self {
        Self(self.0 & !weakness.bit())
    }

    /// Whether the weakness is on.
    #[must_use]
    pub fn has(self, weakness: Weakness) -> bool {
        self.0 & weakness.bit() != 0
    }

    /// The weaknesses that are on, in alphabetical order.
    pub fn iter(self) -> impl Iterator<Item = Weakness> {
        Weakness::ALL.into_iter().filter(move |weakness| self.has(*weakness))
    }
}
