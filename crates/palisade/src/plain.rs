//! Numbers and addresses as text, without a formatter: every request has several.

use std::io::Write as _;
use std::net::IpAddr;

/// Adds a number.
pub(crate) fn number(number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Adds an address, as it shows itself.
pub(crate) fn address(address: IpAddr, out: &mut Vec<u8>) {
    match address {
        IpAddr::V4(address) => {
            for (at, octet) in address.octets().into_iter().enumerate() {
                if at > 0 {
                    out.push(b'.');
                }
                number(octet.into(), out);
            }
        }
        // Writing to memory cannot fail.
        IpAddr::V6(address) => drop(write!(out, "{address}")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_address_is_written_as_it_shows_itself(any: IpAddr) {
            let mut written = Vec::new();
            address(any, &mut written);
            prop_assert_eq!(String::from_utf8(written).unwrap(), any.to_string());
        }
    }
}
