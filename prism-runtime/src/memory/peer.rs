//! What counts as one peer.

use std::net::IpAddr;

/// The bits of an IPv6 address that name its network. The others can be chosen by each host.
const IPV6_NETWORK: u128 = !0 << 64;

/// One peer for limits per peer: an IPv4 address, or the /64 of an IPv6 address, which a network
/// usually gives to one customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Peer(u128);

impl Peer {
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Peer(address.to_ipv6_mapped().to_bits()),
            IpAddr::V6(address) => Peer(address.to_bits() & IPV6_NETWORK),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn networks_of_ipv6_are_one_peer() {
        let peer = |text: &str| Peer::of(text.parse().unwrap());
        assert_eq!(peer("2001:db8::1"), peer("2001:db8::ffff:0:0:2"));
        assert_ne!(peer("2001:db8::1"), peer("2001:db8:0:1::1"));
        assert_eq!(peer("::ffff:10.0.0.1"), peer("10.0.0.1"));
        assert_ne!(peer("10.0.0.1"), peer("10.0.0.2"));
    }
}
