//! Whose requests are counted together: those of one account, or of one address.
//!
//! The address is the one that the ingress saw. It writes it at the end of `X-Forwarded-For`, behind whatever the client
//! wrote there; so the last address counts, and those before it only as long as the one behind them is a proxy that the
//! shop's owner trusts. The header of a connection from the internet itself is not believed at all: pods are reached
//! through the ingress, which has an address of the cluster's own network.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Once;

use actix_web::http::header::{HeaderMap, HeaderName};
use ipnet::IpNet;
use shop_types::{Caller, UserId};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Of IPv6, subscribers have networks of this size and may come from any address in it.
const NETWORK_MASK: u128 = !0 << 64;

/// Told once: then all who come by the same way look alike.
static UNBELIEVED: Once = Once::new();

/// Whose requests are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    /// Somebody who is logged in, wherever they are.
    User(UserId),
    /// Everybody behind an IPv4 address.
    Address(IpAddr),
    /// Everybody in an IPv6 network.
    Network(Ipv6Addr),
    /// A connection without an address.
    Unknown,
}

impl Client {
    /// The account of a caller whose token was verified; else their address.
    pub(crate) fn of(caller: &Caller, peer: Option<IpAddr>, headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        match caller.user() {
            Some(user) => Self::User(user),
            None => Self::at(peer, headers, trusted),
        }
    }

    /// The address alone: for routes where accounts are what is being guessed.
    pub(crate) fn at(peer: Option<IpAddr>, headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        match peer.map(|peer| address(peer.to_canonical(), headers, trusted)) {
            None => Self::Unknown,
            Some(IpAddr::V6(address)) => Self::Network(Ipv6Addr::from_bits(address.to_bits() & NETWORK_MASK)),
            Some(address @ IpAddr::V4(_)) => Self::Address(address),
        }
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => write!(f, "user:{id}"),
            Self::Address(address) => write!(f, "{address}"),
            Self::Network(network) => write!(f, "{network}/64"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

fn address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address));
    let mut client = peer;
    if !(is_inside(peer) || is_trusted(peer)) {
        if headers.contains_key(X_FORWARDED_FOR) {
            UNBELIEVED.call_once(|| {
                tracing::warn!(
                    %peer,
                    "X-Forwarded-For of {peer} is not believed: if that is a proxy or a pod, name its network in trustedProxies"
                );
            });
        }
        return client;
    }
    for hop in hops(headers) {
        client = hop;
        if !is_trusted(hop) {
            break;
        }
    }
    client
}

/// The addresses of `X-Forwarded-For`, the last one first, up to one that cannot be read.
fn hops(headers: &HeaderMap) -> impl Iterator<Item = IpAddr> {
    let lines = headers.get_all(X_FORWARDED_FOR).rev().map(|line| line.to_str().unwrap_or_default());
    lines
        .flat_map(|line| line.rsplit(','))
        .map_while(|hop| hop.trim().parse::<IpAddr>().ok())
        .map(|hop| hop.to_canonical())
}

/// Whether an address belongs to a network that the internet does not reach.
fn is_inside(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            // Shared by carriers and by clusters (RFC 6598): 100.64.0.0/10.
            let [first, second, ..] = address.octets();
            let is_shared = first == 100 && (64..128).contains(&second);
            // Never routed (RFC 2544), and what some clusters give their pods: 198.18.0.0/15.
            let is_bench = first == 198 && (18..20).contains(&second);
            address.is_private() || address.is_loopback() || address.is_link_local() || is_shared || is_bench
        }
        IpAddr::V6(address) => address.is_unique_local() || address.is_loopback() || address.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn client(peer: &str, lines: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_str(line).unwrap());
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|network| network.parse().unwrap()).collect();
        Client::of(&Caller::Anonymous, Some(peer.parse().unwrap()), &headers, &trusted).to_string()
    }

    #[test]
    fn the_address_that_the_ingress_saw_counts_and_not_what_the_client_wrote() {
        assert_eq!(client("10.0.0.7", &["203.0.113.5"], &[]), "203.0.113.5");
        assert_eq!(client("198.19.0.7", &["203.0.113.5"], &[]), "203.0.113.5");
        assert_eq!(client("10.0.0.7", &["1.2.3.4, 203.0.113.5"], &[]), "203.0.113.5");
        assert_eq!(client("10.0.0.7", &["1.2.3.4", "5.6.7.8,203.0.113.5"], &[]), "203.0.113.5");
        assert_eq!(client("10.0.0.7", &["1.2.3.4, 10.0.0.9"], &[]), "10.0.0.9", "a private address may be a client");
    }

    #[test]
    fn nobody_on_the_internet_is_believed() {
        assert_eq!(client("198.51.100.1", &["203.0.113.5"], &[]), "198.51.100.1");
        assert_eq!(client("::ffff:198.51.100.1", &["203.0.113.5"], &[]), "198.51.100.1");
        assert_eq!(client("172.32.0.1", &["203.0.113.5"], &[]), "172.32.0.1");
        assert_eq!(client("198.20.0.1", &["203.0.113.5"], &[]), "198.20.0.1");
        assert_eq!(client("100.128.0.1", &["203.0.113.5"], &[]), "100.128.0.1");
    }

    #[test]
    fn proxies_that_are_trusted_are_looked_behind() {
        let trusted = ["192.0.2.0/24", "2001:db8:1::/48"];
        assert_eq!(client("10.0.0.7", &["1.2.3.4, 203.0.113.5, 192.0.2.9"], &trusted), "203.0.113.5");
        assert_eq!(client("192.0.2.1", &["203.0.113.5, 192.0.2.9, 192.0.2.8"], &trusted), "203.0.113.5");
        assert_eq!(client("10.0.0.7", &["203.0.113.5, 2001:db8:1::9"], &trusted), "203.0.113.5");
        assert_eq!(client("10.0.0.7", &["192.0.2.9"], &trusted), "192.0.2.9", "there is nobody behind it");
    }

    #[test]
    fn without_a_header_that_can_be_read_the_connection_counts() {
        assert_eq!(client("10.0.0.7", &[], &[]), "10.0.0.7");
        assert_eq!(client("10.0.0.7", &[""], &[]), "10.0.0.7");
        assert_eq!(client("10.0.0.7", &["203.0.113.5, nobody"], &[]), "10.0.0.7");
        assert_eq!(client("10.0.0.7", &["nobody, 203.0.113.5"], &[]), "203.0.113.5");
    }

    #[test]
    fn a_subscriber_of_ipv6_has_one_allowance_for_the_whole_network() {
        assert_eq!(client("fd00::7", &["2001:db8:1:2:3:4:5:6"], &[]), "2001:db8:1:2::/64");
        assert_eq!(client("::1", &["2001:db8:1:2::9"], &[]), "2001:db8:1:2::/64");
    }

    #[test]
    fn who_is_logged_in_is_counted_by_account_but_not_where_accounts_are_guessed() {
        let id = UserId::from_uuid(uuid::Uuid::from_u128(7));
        let session = shop_types::SessionId::from_uuid(uuid::Uuid::from_u128(8));
        let caller = Caller::User { id, role: shop_types::Role::Customer, session };
        let peer = Some("198.51.100.1".parse().unwrap());
        let headers = HeaderMap::new();
        assert_eq!(Client::of(&caller, peer, &headers, &[]).to_string(), format!("user:{id}"));
        assert_eq!(Client::at(peer, &headers, &[]).to_string(), "198.51.100.1");
        assert_eq!(Client::at(None, &headers, &[]), Client::Unknown);
    }
}
