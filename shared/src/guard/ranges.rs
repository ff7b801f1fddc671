//! Which addresses belong to the public Internet.
//!
//! Source: the special-purpose address registries of IANA for IPv4 and IPv6 (RFC 6890
//! and what was added since), and RFC 4291 for what of IPv6 is handed out at all.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

/// What of IPv4 is not public: this host, private and shared networks, loopback, link
/// local (where clouds answer with credentials), protocol assignments, examples, old
/// relays, measurements, multicast, reserved and broadcast.
const NOT_PUBLIC_V4: [(u32, u8); 15] = [
    (0x0000_0000, 8),
    (0x0a00_0000, 8),
    (0x6440_0000, 10),
    (0x7f00_0000, 8),
    (0xa9fe_0000, 16),
    (0xac10_0000, 12),
    (0xc000_0000, 24),
    (0xc000_0200, 24),
    (0xc058_6300, 24),
    (0xc0a8_0000, 16),
    (0xc612_0000, 15),
    (0xc633_6400, 24),
    (0xcb00_7100, 24),
    (0xe000_0000, 4),
    (0xf000_0000, 4),
];

/// The part of IPv6 that is handed out; nothing else is public.
const GLOBAL_V6: (u128, u8) = (0x2000 << 112, 3);

/// What of it is not public all the same: protocol assignments with Teredo, examples,
/// and 6to4, behind which an IPv4 address stands.
const NOT_PUBLIC_V6: [(u128, u8); 4] = [
    (0x2001 << 112, 23),
    (0x2001_0db8 << 96, 32),
    (0x2002 << 112, 16),
    (0x3fff << 112, 20),
];

/// Where a network without IPv4 reaches it: the last four bytes are the address that
/// counts (RFC 6052).
const TRANSLATED: (u128, u8) = (0x0064_ff9b << 96, 96);

/// Whether an address is public. One of IPv6 that stands for one of IPv4 counts as that.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let holds = |(net, prefix): &(u32, u8)| {
        Ipv4Net::new(Ipv4Addr::from(*net), *prefix).is_ok_and(|net| net.contains(&address))
    };
    !NOT_PUBLIC_V4.iter().any(holds)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let holds = |(net, prefix): &(u128, u8)| {
        Ipv6Net::new(Ipv6Addr::from(*net), *prefix).is_ok_and(|net| net.contains(&address))
    };
    if holds(&TRANSLATED) {
        let [.., a, b, c, d] = address.octets();
        return is_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    holds(&GLOBAL_V6) && !NOT_PUBLIC_V6.iter().any(holds)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first and the last address of each range that is not public.
    const NOT_PUBLIC: &str = "
    0.0.0.0 0.255.255.255 10.0.0.0 10.255.255.255 100.64.0.0 100.127.255.255 127.0.0.0
    127.255.255.255 169.254.0.0 169.254.255.255 172.16.0.0 172.31.255.255 192.0.0.0 192.0.0.255
    192.0.2.0 192.0.2.255 192.88.99.0 192.88.99.255 192.168.0.0 192.168.255.255 198.18.0.0
    198.19.255.255 198.51.100.0 198.51.100.255 203.0.113.0 203.0.113.255 224.0.0.0
    239.255.255.255 240.0.0.0 255.255.255.255 :: ::1 ::7f00:1 ::ffff:127.0.0.1 ::ffff:0:7f00:1
    64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::1 100::1 100:0:0:1::1 1fff:ffff::1 2001::
    2001:0:7f00:1:: 2001:2::1 2001:10::1 2001:1ff:ffff:: 2001:db8:: 2001:db8:ffff::1 2002::
    2002:7f00:1:: 3fff::1 3fff:fff::1 4000:: 5f00::1 fc00::1 fd00:ec2::254 fe80::1 febf::1
    fec0::1 ff02::1 ffff::";

    /// What stands beside those ranges.
    const PUBLIC: &str = "
    1.0.0.0 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0
    169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 191.255.255.255 192.0.1.0 192.0.3.0
    192.88.98.255 192.88.100.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0
    198.51.99.255 198.51.101.0 203.0.112.255 203.0.114.0 223.255.255.255 ::ffff:8.8.8.8
    64:ff9b::808:808 2000:: 2001:200:: 2001:db7:ffff:: 2001:db9:: 2003:: 2606:4700::1 3ffe:ffff::
    3fff:1000::";

    #[test]
    fn each_range_ends_where_the_registries_say() {
        for (addresses, public) in [(NOT_PUBLIC, false), (PUBLIC, true)] {
            for address in addresses.split_whitespace() {
                assert_eq!(is_public(address.parse().unwrap()), public, "{address}");
            }
        }
    }
}
