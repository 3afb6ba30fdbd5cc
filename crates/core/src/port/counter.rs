//! Counting requests against limits, as one atomic act.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;

use async_trait::async_trait;

use super::StoreError;
pub use super::tally::{Acquired, Algorithm, Rate, Step, Tally, gcra, sliding_window};
use crate::id::TenantId;
use crate::principal::Subject;
use crate::time::Timestamp;

/// Holds the state of rate limits.
///
/// ```
/// use palisade_core::port::counter::{Ask, LimitKey};
/// use palisade_core::port::{CounterStore, StoreError};
/// use palisade_core::time::Timestamp;
///
/// /// A store whose line is cut. What happens then is each limit's own choice.
/// struct Cut;
///
/// #[async_trait::async_trait]
/// impl CounterStore for Cut {
///     async fn acquire_all(&self, _: &mut [Ask<'_>], _: Timestamp) -> Result<(), StoreError> {
///         Err(StoreError::Unreachable { reason: "connection refused".to_owned() })
///     }
/// }
/// # let _ = Cut;
/// ```
#[async_trait]
pub trait CounterStore: Send + Sync + 'static {
    /// Takes what each ask wants out of the budget that its key names, and writes its outcome into it. If one is refused
    /// nothing is taken for any of them. Asking and taking cannot come apart: of any number of parallel calls exactly as
    /// many are granted as the budgets hold. No two asks of one call have the same key.
    async fn acquire_all(&self, asks: &mut [Ask<'_>], now: Timestamp) -> Result<(), StoreError>;

    /// The same at once, for stores that need not wait for anything. `None`, which is the default, says that this one
    /// has to: then nothing has happened.
    fn acquire_all_now(&self, asks: &mut [Ask<'_>], now: Timestamp) -> Option<Result<(), StoreError>> {
        let _ = (asks, now);
        None
    }

    /// Takes one unit out of one budget, by [`gcra`].
    async fn try_acquire(&self, key: &LimitKey<'_>, rate: Rate, now: Timestamp) -> Result<Acquired, StoreError> {
        let mut ask = Ask::new(*key, rate);
        self.acquire_all(std::slice::from_mut(&mut ask), now).await?;
        Ok(ask.outcome)
    }
}

/// What is wanted of one budget, and after the call what came of it.
///
/// ```
/// use std::{num::NonZeroU32, time::Duration};
/// use palisade_core::port::counter::{Ask, Holder, Ipv6Prefix, LimitKey, Rate};
/// use palisade_core::time::Timestamp;
///
/// let rate = Rate { burst: NonZeroU32::MIN, per: Duration::from_secs(60) };
/// let holder = Holder::client("2001:db8::7".parse().ok(), Ipv6Prefix::default());
/// // Whoever has one address of a network of 64 bits has them all.
/// assert_eq!(holder, Holder::client("2001:db8::8".parse().ok(), Ipv6Prefix::default()));
/// let ask = Ask::new(LimitKey { rule: ["route", "login", ""], index: 0, holder }, rate);
/// let first = ask.step(None, Timestamp::from_secs(100));
/// assert!(first.outcome.is_granted());
/// assert!(!ask.step(Some(first.after), Timestamp::from_secs(101)).outcome.is_granted());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Ask<'k> {
    /// Whose requests to what are counted.
    pub key: LimitKey<'k>,
    /// How large the budget is.
    pub rate: Rate,
    /// How it is counted.
    pub algorithm: Algorithm,
    /// How many units the request takes.
    pub cost: NonZeroU32,
    /// What came of it: refused until a store has granted it.
    pub outcome: Acquired,
}

impl<'k> Ask<'k> {
    /// Asks for one unit, to be counted by [`gcra`].
    pub fn new(key: LimitKey<'k>, rate: Rate) -> Self {
        let outcome = Acquired::Refused { retry_after: rate.per };
        Self { key, rate, algorithm: Algorithm::Gcra, cost: NonZeroU32::MIN, outcome }
    }

    /// One step from what a store has kept.
    pub fn step(&self, state: Option<Tally>, now: Timestamp) -> Step {
        self.algorithm.step(state, self.rate, self.cost, now)
    }
}

/// Whose requests to what are counted. It borrows its parts, so that asking allocates nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LimitKey<'k> {
    /// The rule, from the general to the particular: a stage, a route, an operation.
    pub rule: [&'k str; 3],
    /// The place of the rule among those of the same name.
    pub index: usize,
    /// Whose budget it is.
    pub holder: Holder<'k>,
}

/// Whose budget it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Holder<'k> {
    /// Everybody's: one budget for all.
    All,
    /// That of one client address, or of one network.
    Client(IpAddr),
    /// That of whatever the text names.
    Name(&'k str),
    /// That of one principal, within its organization.
    Principal(Option<&'k TenantId>, &'k Subject),
    /// That of one organization.
    Tenant(&'k TenantId),
    /// That of all whose address is not known.
    Unknown,
}

impl<'k> LimitKey<'k> {
    /// A count of `rule` for the holder that the text names.
    pub const fn new(rule: &'k str, holder: &'k str) -> Self {
        Self { rule: [rule, "", ""], index: 0, holder: Holder::Name(holder) }
    }
}

impl Holder<'_> {
    /// The client at an address. An IPv6 address stands for its network, because whoever has one has the whole network
    /// and could take another address for each request.
    pub fn client(address: Option<IpAddr>, prefix: Ipv6Prefix) -> Self {
        match address {
            None => Self::Unknown,
            Some(IpAddr::V4(address)) => Self::Client(address.into()),
            Some(IpAddr::V6(address)) => Self::Client(prefix.network(address).into()),
        }
    }
}

/// How many leading bits of an IPv6 address say whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ipv6Prefix(u8);

impl Ipv6Prefix {
    /// A length from 32 to 128. A shorter prefix would count whole providers as one client.
    pub const fn new(bits: u8) -> Option<Self> {
        if bits >= 32 && bits <= 128 { Some(Self(bits)) } else { None }
    }

    /// The network that an address belongs to, as its first address.
    pub fn network(self, address: Ipv6Addr) -> Ipv6Addr {
        let mask = u128::MAX.checked_shl(128 - u32::from(self.0)).unwrap_or(0);
        Ipv6Addr::from_bits(address.to_bits() & mask)
    }
}

impl Default for Ipv6Prefix {
    /// 64 bits: the smallest network that a host is given (RFC 4291 section 2.5.1).
    fn default() -> Self {
        Self(64)
    }
}

impl fmt::Display for LimitKey<'_> {
    /// A text that no other key has: each part stands behind its length.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in self.rule {
            write!(f, "{}:{part}", part.len())?;
        }
        write!(f, "{}", self.index)?;
        match self.holder {
            Holder::All => f.write_str("*"),
            Holder::Client(address) => write!(f, "@{address}"),
            Holder::Name(name) => write!(f, "={name}"),
            Holder::Principal(tenant, subject) => {
                let tenant = tenant.map(TenantId::as_str);
                // The length tells a principal without an organization from one in the organization of no name.
                write!(f, "&{:?}:{}{subject}", tenant.map(str::len), tenant.unwrap_or_default())
            }
            Holder::Tenant(tenant) => write!(f, "%{tenant}"),
            Holder::Unknown => f.write_str("?"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::id::{ClientId, UserId};

    #[test]
    fn keys_do_not_run_into_each_other() {
        let (acme, empty) = (TenantId::new("acme"), TenantId::new(""));
        let (user, service) = (Subject::User(UserId::new("a")), Subject::Service(ClientId::new("a")));
        let holders = [
            Holder::All,
            Holder::Unknown,
            Holder::Name("*"),
            Holder::Name("@192.0.2.1"),
            Holder::Client("192.0.2.1".parse().unwrap()),
            Holder::Client("::ffff:192.0.2.1".parse().unwrap()),
            Holder::Principal(None, &user),
            Holder::Principal(Some(&empty), &user),
            Holder::Principal(Some(&acme), &user),
            Holder::Principal(Some(&acme), &service),
            Holder::Tenant(&acme),
            Holder::Tenant(&empty),
        ];
        let rules = [["a", "b", ""], ["a:b", "", ""], ["a", "", "b"], ["ab", "", ""], ["", "ab", ""], ["a", "1:b", ""]];
        let mut texts = HashSet::new();
        for rule in rules {
            for index in [0, 1, 10] {
                for holder in holders {
                    let key = LimitKey { rule, index, holder };
                    assert!(texts.insert(key.to_string()), "{key}");
                }
            }
        }
    }

    #[test]
    fn a_client_is_its_network() {
        let client =
            |address: &str, bits| Holder::client(Some(address.parse().unwrap()), Ipv6Prefix::new(bits).unwrap());
        assert_eq!(client("2001:db8::1", 64), client("2001:db8::ffff:0:1", 64));
        assert_ne!(client("2001:db8::1", 64), client("2001:db8:0:1::1", 64));
        assert_eq!(client("2001:db8:0:1::1", 48), client("2001:db8:0:2::1", 48));
        assert_ne!(client("2001:db8::1", 128), client("2001:db8::2", 128));
        assert_ne!(client("192.0.2.1", 64), client("192.0.2.2", 64));
        assert_eq!(Holder::client(None, Ipv6Prefix::default()), Holder::Unknown);
        assert_eq!((Ipv6Prefix::new(31), Ipv6Prefix::new(129)), (None, None));
    }
}
