//! Address ranges of the modifier `cidr`.

use std::net::{IpAddr, Ipv6Addr};

use crate::ast::Cidr;

/// Bits of an address in the form [`Cidr`] keeps.
const BITS: u32 = 128;
/// Bits in front of an IPv4 address in that form.
const MAPPED_BITS: u32 = 96;

impl Cidr {
    /// Reads `10.0.0.0/8`, `fe80::/10`, or a single address.
    ///
    /// # Errors
    /// What is wrong with it, and what was probably meant.
    pub fn parse(text: &str) -> Result<Cidr, (String, Option<String>)> {
        let (address_text, length_text) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr =
            address_text.parse().map_err(|_| (format!("`{text}` is no network of addresses"), example()))?;
        let (own_bits, before) = if address.is_ipv4() { (32, MAPPED_BITS) } else { (BITS, 0) };
        let length = match length_text {
            None => own_bits,
            Some(digits) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().unwrap_or(u32::MAX)
            }
            Some(other) => return Err((format!("`{other}` is no prefix length"), example())),
        };
        if length > own_bits {
            let hint = format!("write a length from 0 to {own_bits}");
            return Err((format!("the prefix length {length} is above {own_bits}"), Some(hint)));
        }
        let mask = u128::MAX.checked_shl(BITS - before - length).unwrap_or(0);
        let whole = to_number(address);
        let network = whole & mask;
        if network != whole {
            let base = Ipv6Addr::from_bits(network);
            let base = base.to_ipv4_mapped().map_or(IpAddr::V6(base), IpAddr::V4);
            let hint = format!("write `{base}/{length}`, or a single address without prefix length");
            return Err((format!("`{text}` has bits set behind its prefix"), Some(hint)));
        }
        Ok(Cidr { network, mask })
    }

    /// Whether the address is inside. IPv4 addresses, mapped ones too, are only inside IPv4
    /// networks: `::/0` means IPv6.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let number = to_number(address);
        let is_ipv4 = Ipv6Addr::from_bits(number).to_ipv4_mapped().is_some();
        number & self.mask == self.network && (!is_ipv4 || self.mask.leading_ones() >= MAPPED_BITS)
    }
}

/// The address a value is. The zone that Windows writes behind link-local addresses (`fe80::1%12`,
/// RFC 4007) is no part of it.
#[must_use]
pub fn address(text: &str) -> Option<IpAddr> {
    match text.split_once('%') {
        Some((address, zone)) if !zone.is_empty() => address.parse().ok().map(IpAddr::V6),
        _ => text.parse().ok(),
    }
}

/// How a network is written.
fn example() -> Option<String> {
    Some("write a network such as `10.0.0.0/8` or `fe80::/10`, or a single address".to_owned())
}

fn to_number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_inside_and_outside() {
        for (range, address, expect) in [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.0.0.0/8", "::ffff:10.1.1.1", true),
            ("0.0.0.0/0", "255.1.2.3", true),
            ("0.0.0.0/0", "::1", false),
            ("192.168.1.7", "192.168.1.7", true),
            ("192.168.1.7/32", "192.168.1.8", false),
            ("fe80::/10", "febf::1", true),
            ("fe80::/10", "fec0::1", false),
            ("::1/128", "::1", true),
            ("::/0", "2001:db8::1", true),
            ("::/0", "10.0.0.1", false),
        ] {
            let range = Cidr::parse(range).unwrap_or_else(|error| panic!("{range}: {error:?}"));
            assert_eq!(range.contains(address.parse().unwrap()), expect, "{address}");
        }
    }

    #[test]
    fn a_zone_is_no_part_of_an_address() {
        for (text, expect) in [
            ("fe80::1%12", Some("fe80::1")),
            ("fe80::1%eth0", Some("fe80::1")),
            ("fe80::1", Some("fe80::1")),
            ("10.0.0.1", Some("10.0.0.1")),
            ("fe80::1%", None),
            ("10.0.0.1%1", None),
            ("%1", None),
        ] {
            assert_eq!(address(text), expect.map(|text| text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn what_is_no_network() {
        for text in ["", "10.0.0.0/", "10.0.0.0/33", "10.0.0/8", "::/129", "x/8", "10.0.0.0/+8", "10.*"] {
            assert!(Cidr::parse(text).is_err(), "{text}");
        }
        let (_, hint) = Cidr::parse("10.1.2.3/8").unwrap_err();
        assert_eq!(hint.as_deref(), Some("write `10.0.0.0/8`, or a single address without prefix length"));
    }
}
