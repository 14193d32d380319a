//! Who has which loopback address. What belongs here: numbers and names; no I/O.
//!
//! A party listens on `127.41.<number>.1`. It reaches another one at `127.40.<its own number>.<number of the other>`, where
//! the proxy of that edge listens; its own `/etc/hosts` says so.

use std::net::Ipv4Addr;

/// Pods that a service can have, at most.
pub(crate) const MOST_REPLICAS: u8 = 4;

/// Port of MongoDB.
pub(crate) const MONGODB_PORT: u16 = 27017;
/// Port of Redis.
pub(crate) const REDIS_PORT: u16 = 6379;
/// Port of the payment provider.
pub(crate) const PSP_PORT: u16 = 8080;
/// Port of NGINX.
pub(crate) const NGINX_PORT: u16 = 8080;

/// Something with an address: a pod, a service as a whole, a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Party(u8);

impl Party {
    /// Redis.
    pub(crate) const REDIS: Self = Self(210);
    /// The payment provider.
    pub(crate) const PSP: Self = Self(211);
    /// NGINX.
    pub(crate) const NGINX: Self = Self(220);
    /// The name server that NGINX asks.
    pub(crate) const DNS: Self = Self(221);
    /// The members of the replica set.
    pub(crate) const MONGODS: [Self; 3] = [Self(200), Self(201), Self(202)];

    /// A pod of the service at this place of the service table.
    pub(crate) const fn pod(service: u8, replica: u8) -> Self {
        Self(service * MOST_REPLICAS + replica + 1)
    }

    /// The cluster address of the service at this place of the table.
    pub(crate) const fn service(service: u8) -> Self {
        Self(100 + service)
    }

    /// Where it listens.
    pub(crate) const fn address(self) -> Ipv4Addr {
        Ipv4Addr::new(127, 41, self.0, 1)
    }

    /// Where another one reaches it.
    pub(crate) const fn seen_by(self, caller: Self) -> Ipv4Addr {
        Ipv4Addr::new(127, 40, caller.0, self.0)
    }
}

/// The place of a service in the service table.
pub(crate) fn index_of(service: &str) -> Option<u8> {
    let index = shop_config::SERVICES.iter().position(|spec| spec.name == service)?;
    u8::try_from(index).ok()
}
