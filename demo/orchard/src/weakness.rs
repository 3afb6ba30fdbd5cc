//! A weakness is one deliberate flaw of the shop, and one switch.

use std::error::Error;
use std::fmt::{self, Display};
use std::str::FromStr;

use crate::group::Group;

/// One deliberate flaw. On, it can really be exploited; off, the shop behaves as its contract says.
///
/// ```
/// use orchard::{Group, Weakness};
///
/// let weakness: Weakness = "search-injected".parse().unwrap();
/// assert_eq!(weakness, Weakness::SearchInjected);
/// assert_eq!(weakness.owasp(), "A03:2021");
/// assert!("sql".parse::<Weakness>().is_err());
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Weakness {
    /// The list of users with a slash behind it asks for no role.
    AdminSlashOpen,
    /// Pages without an origin may read answers with credentials.
    CorsNull,
    /// Pages of any origin may read answers with credentials.
    CorsReflected,
    /// One user may redeem a coupon without end.
    CouponEndless,
    /// A method that the contract does not have lists every coupon.
    CouponsListed,
    /// A debug page shows the configuration.
    DebugPage,
    /// Failures show the error, the SQL statement and a stack trace.
    ErrorsVerbose,
    /// Passwords may be guessed at any rate.
    GuessingUnbounded,
    /// Users are returned with their password hash.
    HashExposed,
    /// Answers lack the headers that keep browsers from guessing.
    HeadersMissing,
    /// The metrics are there for anybody.
    MetricsPage,
    /// Users are returned with what the shop notes about them.
    NoteExposed,
    /// An old version shows every column of every user.
    OldVersion,
    /// Any user may cancel the order of another.
    OrderCancellable,
    /// Any user may read the order of another.
    OrderReadable,
    /// A new order may say that it has been shipped.
    OrderStatusAssignable,
    /// A new order may state its own price.
    OrderTotalAssignable,
    /// A page, and a body, may be of any size.
    PageUnbounded,
    /// Markup of the shipping partner reaches the customer.
    PartnerMarkup,
    /// A negative price of the shipping partner reaches the customer.
    PartnerNumber,
    /// Whatever else the shipping partner says reaches the customer.
    PartnerProperty,
    /// The photo is fetched from any address, the inner network included.
    PhotoAnywhere,
    /// Only the best known spellings of inner addresses are refused.
    PhotoForbiddenList,
    /// The product page has no content security policy.
    PolicyMissing,
    /// The id of a product is run as SQL.
    ProductInjected,
    /// Less than nothing may be ordered, and is counted.
    QuantityNegative,
    /// Any user may restock the shelves.
    RestockOpen,
    /// A review may say who wrote it.
    ReviewAuthorAssignable,
    /// A review needs no token.
    ReviewOpen,
    /// A review may carry a script that runs on the product page.
    ReviewScript,
    /// A change of the profile may set the role, or the balance.
    RoleAssignable,
    /// A header says which role the caller has.
    RoleHeader,
    /// The search text is run as SQL, so a search can read every table.
    SearchInjected,
    /// A quote needs no token.
    ShippingOpen,
    /// A token signed with an empty secret is believed.
    TokenBlankSecret,
    /// A token signed with the public key as a secret is believed.
    TokenConfused,
    /// A token may bring its own key.
    TokenKeyBrought,
    /// The shop asks whatever address a token names for its key.
    TokenKeyFetched,
    /// A token may name any file as its key.
    TokenKeyFile,
    /// A token that says it is not signed is believed.
    TokenUnsigned,
    /// Nobody looks at the signature of a token, nor at its age.
    TokenUnverified,
    /// Any user may read the profile of another.
    UserReadable,
    /// Any user may change the profile of another.
    UserWritable,
    /// Any user may list all users.
    UsersListed,
    /// Headers tell the software and its version.
    VersionTold,
}

impl Weakness {
    /// Every weakness, in alphabetical order.
    pub const ALL: [Self; 45] = [
        Self::AdminSlashOpen,
        Self::CorsNull,
        Self::CorsReflected,
        Self::CouponEndless,
        Self::CouponsListed,
        Self::DebugPage,
        Self::ErrorsVerbose,
        Self::GuessingUnbounded,
        Self::HashExposed,
        Self::HeadersMissing,
        Self::MetricsPage,
        Self::NoteExposed,
        Self::OldVersion,
        Self::OrderCancellable,
        Self::OrderReadable,
        Self::OrderStatusAssignable,
        Self::OrderTotalAssignable,
        Self::PageUnbounded,
        Self::PartnerMarkup,
        Self::PartnerNumber,
        Self::PartnerProperty,
        Self::PhotoAnywhere,
        Self::PhotoForbiddenList,
        Self::PolicyMissing,
        Self::ProductInjected,
        Self::QuantityNegative,
        Self::RestockOpen,
        Self::ReviewAuthorAssignable,
        Self::ReviewOpen,
        Self::ReviewScript,
        Self::RoleAssignable,
        Self::RoleHeader,
        Self::SearchInjected,
        Self::ShippingOpen,
        Self::TokenBlankSecret,
        Self::TokenConfused,
        Self::TokenKeyBrought,
        Self::TokenKeyFetched,
        Self::TokenKeyFile,
        Self::TokenUnsigned,
        Self::TokenUnverified,
        Self::UserReadable,
        Self::UserWritable,
        Self::UsersListed,
        Self::VersionTold,
    ];

    /// The name used on the command line and in reports.
    #[must_use]
    pub fn slug(self) -> &'static str {
        self.texts().0
    }

    /// The class it belongs to.
    #[must_use]
    pub fn group(self) -> Group {
        self.texts().1
    }

    /// What the flaw lets a caller do, in one sentence.
    #[must_use]
    pub fn describe(self) -> &'static str {
        self.texts().2
    }

    /// The OWASP entry: API Security Top 10 of 2023, or Top 10 of 2021 where that list has no place for it.
    #[must_use]
    pub fn owasp(self) -> &'static str {
        self.group().owasp()
    }

    fn texts(self) -> (&'static str, Group, &'static str) {
        match self {
            Self::AdminSlashOpen => (
                "admin-slash-open",
                Group::BrokenFunctionLevelAuthorization,
                "the list of users with a slash behind it asks for no role",
            ),
            Self::CorsNull => (
                "cors-null",
                Group::SecurityMisconfiguration,
                "pages without an origin may read answers with credentials",
            ),
            Self::CorsReflected => (
                "cors-reflected",
                Group::SecurityMisconfiguration,
                "pages of any origin may read answers with credentials",
            ),
            Self::CouponEndless => {
                ("coupon-endless", Group::UnrestrictedBusinessFlow, "one user may redeem a coupon without end")
            }
            Self::CouponsListed => (
                "coupons-listed",
                Group::ImproperInventory,
                "a method that the contract does not have lists every coupon",
            ),
            Self::DebugPage => ("debug-page", Group::ImproperInventory, "a debug page shows the configuration"),
            Self::ErrorsVerbose => {
                ("errors-verbose", Group::VerboseErrors, "failures show the error, the SQL statement and a stack trace")
            }
            Self::GuessingUnbounded => {
                ("guessing-unbounded", Group::UnrestrictedResourceConsumption, "passwords may be guessed at any rate")
            }
            Self::HashExposed => (
                "hash-exposed",
                Group::BrokenObjectPropertyLevelAuthorization,
                "users are returned with their password hash",
            ),
            Self::HeadersMissing => (
                "headers-missing",
                Group::SecurityMisconfiguration,
                "answers lack the headers that keep browsers from guessing",
            ),
            Self::MetricsPage => ("metrics-page", Group::ImproperInventory, "the metrics are there for anybody"),
            Self::NoteExposed => (
                "note-exposed",
                Group::BrokenObjectPropertyLevelAuthorization,
                "users are returned with what the shop notes about them",
            ),
            Self::OldVersion => {
                ("old-version", Group::ImproperInventory, "an old version shows every column of every user")
            }
            Self::OrderCancellable => {
                ("order-cancellable", Group::BrokenObjectLevelAuthorization, "any user may cancel the order of another")
            }
            Self::OrderReadable => {
                ("order-readable", Group::BrokenObjectLevelAuthorization, "any user may read the order of another")
            }
            Self::OrderStatusAssignable => (
                "order-status-assignable",
                Group::BrokenObjectPropertyLevelAuthorization,
                "a new order may say that it has been shipped",
            ),
            Self::OrderTotalAssignable => (
                "order-total-assignable",
                Group::BrokenObjectPropertyLevelAuthorization,
                "a new order may state its own price",
            ),
            Self::PageUnbounded => {
                ("page-unbounded", Group::UnrestrictedResourceConsumption, "a page, and a body, may be of any size")
            }
            Self::PartnerMarkup => {
                ("partner-markup", Group::UnsafeConsumption, "markup of the shipping partner reaches the customer")
            }
            Self::PartnerNumber => (
                "partner-number",
                Group::UnsafeConsumption,
                "a negative price of the shipping partner reaches the customer",
            ),
            Self::PartnerProperty => (
                "partner-property",
                Group::UnsafeConsumption,
                "whatever else the shipping partner says reaches the customer",
            ),
            Self::PhotoAnywhere => (
                "photo-anywhere",
                Group::ServerSideRequestForgery,
                "the photo is fetched from any address, the inner network included",
            ),
            Self::PhotoForbiddenList => (
                "photo-forbidden-list",
                Group::ServerSideRequestForgery,
                "only the best known spellings of inner addresses are refused",
            ),
            Self::PolicyMissing => {
                ("policy-missing", Group::SecurityMisconfiguration, "the product page has no content security policy")
            }
            Self::ProductInjected => ("product-injected", Group::SqlInjection, "the id of a product is run as SQL"),
            Self::QuantityNegative => (
                "quantity-negative",
                Group::UnrestrictedBusinessFlow,
                "less than nothing may be ordered, and is counted",
            ),
            Self::RestockOpen => {
                ("restock-open", Group::BrokenFunctionLevelAuthorization, "any user may restock the shelves")
            }
            Self::ReviewAuthorAssignable => (
                "review-author-assignable",
                Group::BrokenObjectPropertyLevelAuthorization,
                "a review may say who wrote it",
            ),
            Self::ReviewOpen => ("review-open", Group::BrokenAuthentication, "a review needs no token"),
            Self::ReviewScript => {
                ("review-script", Group::StoredXss, "a review may carry a script that runs on the product page")
            }
            Self::RoleAssignable => (
                "role-assignable",
                Group::BrokenObjectPropertyLevelAuthorization,
                "a change of the profile may set the role, or the balance",
            ),
            Self::RoleHeader => {
                ("role-header", Group::BrokenFunctionLevelAuthorization, "a header says which role the caller has")
            }
            Self::SearchInjected => (
                "search-injected",
                Group::SqlInjection,
                "the search text is run as SQL, so a search can read every table",
            ),
            Self::ShippingOpen => ("shipping-open", Group::BrokenAuthentication, "a quote needs no token"),
            Self::TokenBlankSecret => {
                ("token-blank-secret", Group::BrokenAuthentication, "a token signed with an empty secret is believed")
            }
            Self::TokenConfused => (
                "token-confused",
                Group::BrokenAuthentication,
                "a token signed with the public key as a secret is believed",
            ),
            Self::TokenKeyBrought => {
                ("token-key-brought", Group::BrokenAuthentication, "a token may bring its own key")
            }
            Self::TokenKeyFetched => (
                "token-key-fetched",
                Group::BrokenAuthentication,
                "the shop asks whatever address a token names for its key",
            ),
            Self::TokenKeyFile => {
                ("token-key-file", Group::BrokenAuthentication, "a token may name any file as its key")
            }
            Self::TokenUnsigned => {
                ("token-unsigned", Group::BrokenAuthentication, "a token that says it is not signed is believed")
            }
            Self::TokenUnverified => (
                "token-unverified",
                Group::BrokenAuthentication,
                "nobody looks at the signature of a token, nor at its age",
            ),
            Self::UserReadable => {
                ("user-readable", Group::BrokenObjectLevelAuthorization, "any user may read the profile of another")
            }
            Self::UserWritable => {
                ("user-writable", Group::BrokenObjectLevelAuthorization, "any user may change the profile of another")
            }
            Self::UsersListed => {
                ("users-listed", Group::BrokenFunctionLevelAuthorization, "any user may list all users")
            }
            Self::VersionTold => {
                ("version-told", Group::SecurityMisconfiguration, "headers tell the software and its version")
            }
        }
    }

    fn bit(self) -> u64 {
        1 << self as u64
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
/// let set = Weaknesses::all().without(Weakness::ReviewScript);
/// assert!(set.has(Weakness::SearchInjected));
/// assert!(!set.has(Weakness::ReviewScript));
/// assert_eq!(Weaknesses::none().with(Weakness::ReviewScript).iter().count(), 1);
/// ```
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Weaknesses(u64);

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

    /// The same set with every weakness of a group on.
    #[must_use]
    pub fn with_group(self, group: Group) -> Self {
        Weakness::ALL.into_iter().filter(|weakness| weakness.group() == group).fold(self, Self::with)
    }

    /// The weakness, or the weaknesses of the group, of this name.
    ///
    /// # Errors
    ///
    /// When neither has the name.
    pub fn named(slug: &str) -> Result<Self, UnknownWeakness> {
        match Group::ALL.into_iter().find(|group| group.slug() == slug) {
            Some(group) => Ok(Self::none().with_group(group)),
            None => slug.parse().map(|weakness| Self::none().with(weakness)),
        }
    }

    /// Both sets together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This set without what is in the other.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
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
