//! Networks that may ask and networks that may not.

use std::net::IpAddr;

use ipnet::IpNet;

/// A list of each kind. What is denied is denied even where it is allowed.
///
/// ```
/// use palisade::core::denial::DenialCode;
/// use palisade::network::Networks;
/// use palisade::stage::{Stage, Stop, Verdict, client::Client};
///
/// let office = Networks { allow: vec!["10.0.0.0/8".parse()?], deny: vec!["10.9.0.0/16".parse()?] };
/// let stage = Client { networks: office, ..Client::default() };
/// let mut head = palisade::testing::head("GET /");
/// head.facts.peer = Some("10.9.1.1:50000".parse()?);
/// let Verdict::Now(Err(Stop::Deny(denial))) = stage.check(&mut head) else { panic!() };
/// assert_eq!(denial.code(), DenialCode::ClientForbidden);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Networks {
    /// The only networks that may ask; empty means all.
    pub allow: Vec<IpNet>,
    /// Networks that may not ask.
    pub deny: Vec<IpNet>,
}

impl Networks {
    /// Why this client may not ask. One whose address is not known may not where there are lists at all.
    pub(crate) fn refuse(&self, client: Option<IpAddr>) -> Option<&'static str> {
        match client {
            _ if self.allow.is_empty() && self.deny.is_empty() => None,
            None => Some("address_unknown"),
            Some(client) if within(&self.deny, client) => Some("denied_network"),
            Some(client) if !self.allow.is_empty() && !within(&self.allow, client) => Some("not_allowed_network"),
            Some(_) => None,
        }
    }
}

/// Whether an address is in one of these networks. Addresses of IPv4 are compared as such, whichever way they are written.
pub(crate) fn within(networks: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| canonical(*network).contains(&address))
}

/// `::ffff:10.0.0.0/104` is `10.0.0.0/8`.
fn canonical(network: IpNet) -> IpNet {
    match (network.addr().to_canonical(), network.prefix_len()) {
        (IpAddr::V4(address), length @ 96..) if network.addr().is_ipv6() => {
            IpNet::new(address.into(), length - 96).unwrap_or(network)
        }
        _ => network,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(allow: &[&str], deny: &[&str], client: Option<&str>, expect: Option<&str>) {
        let nets = |list: &[&str]| list.iter().map(|net| net.parse().unwrap()).collect();
        let networks = Networks { allow: nets(allow), deny: nets(deny) };
        assert_eq!(networks.refuse(client.map(|text| text.parse().unwrap())), expect, "{allow:?} {deny:?} {client:?}");
    }

    #[test]
    fn denies_first_and_allows_then() {
        check(&[], &[], None, None);
        check(&[], &[], Some("10.1.1.1"), None);
        check(&["10.0.0.0/8"], &[], Some("10.1.1.1"), None);
        check(&["10.0.0.0/8"], &[], Some("11.1.1.1"), Some("not_allowed_network"));
        check(&["10.0.0.0/8"], &["10.1.0.0/16"], Some("10.1.1.1"), Some("denied_network"));
        check(&[], &["10.1.0.0/16"], Some("10.2.0.1"), None);
        check(&["2001:db8::/32"], &[], Some("2001:db8::1"), None);
        check(&["2001:db8::/32"], &[], Some("10.1.1.1"), Some("not_allowed_network"));
        check(&["10.0.0.0/8"], &[], None, Some("address_unknown"));
        check(&[], &["10.0.0.0/8"], None, Some("address_unknown"));
    }

    #[test]
    fn an_ipv4_address_in_ipv6_is_one_of_ipv4() {
        check(&[], &["10.1.0.0/16"], Some("::ffff:10.1.1.1"), Some("denied_network"));
        check(&[], &["::ffff:10.1.0.0/112"], Some("10.1.1.1"), Some("denied_network"));
        check(&["::ffff:10.1.0.0/112"], &[], Some("::ffff:10.1.1.1"), None);
    }
}
