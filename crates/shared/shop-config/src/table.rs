//! The service table: who exists, which routes they own, whom they call, what they tell and hear.

/// Port of public HTTP in every pod.
pub const HTTP_PORT: u16 = 8080;
/// Port of gRPC between pods.
pub const GRPC_PORT: u16 = 9090;
/// Port of `/livez`, `/readyz` and `/metrics`; never routed from outside.
pub const ADMIN_PORT: u16 = 9091;

/// A server that a service keeps its state in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// A database of its own, `<prefix>_<service>`.
    MongoDb,
    /// Streams, Pub/Sub and cache.
    Redis,
}

/// One service of the shop.
#[derive(Debug, Clone, Copy)]
pub struct ServiceSpec {
    /// Its name: the sub-command, the Deployment's suffix, the `service` label.
    pub name: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
    /// Path prefixes that NGINX sends to it, by whole path elements. `/` is the default backend.
    pub routes: &'static [&'static str],
    /// The same for its compatibility aliases, which a Shop may leave out. Pairs such as `/product` and `/products` both
    /// stand here: some ingress controllers take a prefix for the beginning of a word.
    pub aliases: &'static [&'static str],
    /// Services it calls over gRPC: the edges of the call graph.
    pub peers: &'static [&'static str],
    /// Topics it consumes from streams.
    pub consumes: &'static [&'static str],
    /// What it needs to work.
    pub stores: &'static [Store],
}

/// All services: identity, data owners before their callers, edge last.
pub const SERVICES: &[ServiceSpec] = &[
    ServiceSpec {
        name: "identity",
        summary: "Customers, staff, sessions, tokens",
        routes: &[
            "/api/v1/auth",
            "/api/v1/me",
            "/api/v1/users",
            "/api/v1/customers",
            "/api/v1/api-keys",
            "/api/v1/audit",
            "/.well-known/jwks.json",
        ],
        aliases: &["/user", "/users", "/auth", "/api/auth"],
        peers: &["order", "cart", "payment"],
        consumes: &["order.created", "staff.called", "staff.answered"],
        stores: &[Store::MongoDb, Store::Redis],
    },
    ServiceSpec {
        name: "catalog",
        summary: "Products, variants, categories",
        routes: &["/api/v1/products", "/api/v1/categories"],
        aliases: &["/product", "/products", "/categories", "/api/products", "/api/categories"],
        peers: &["inventory"],
        consumes: &["stock.changed"],
        stores: &[Store::MongoDb, Store::Redis],
    },
    ServiceSpec {
        name: "inventory",
        summary: "Stock per variant, reservations",
        routes: &["/api/v1/stock", "/api/v1/locations", "/api/v1/movements"],
        aliases: &[],
        peers: &[],
        consumes: &["order.rejected", "order.cancelling", "order.returning", "payment.captured"],
        stores: &[Store::MongoDb, Store::Redis],
    },
    ServiceSpec {
        name: "cart",
        summary: "Guest and customer carts",
        routes: &["/api/v1/carts", "/api/v1/me/cart"],
        aliases: &["/cart"],
        peers: &["identity", "catalog", "inventory"],
        consumes: &["order.confirmed", "user.deleted"],
        stores: &[Store::MongoDb, Store::Redis],
    },
    ServiceSpec {
        name: "payment",
        summary: "Payments and their providers",
        routes: &["/api/v1/payments"],
        aliases: &[],
        peers: &[],
        consumes: &["order.confirmed", "order.rejected", "order.cancelling", "order.returning"],
        stores: &[Store::MongoDb, Store::Redis],
    },
    ServiceSpec {
        name: "order",
        summary: "Orders and the saga that places them",
        routes: &["/api/v1/orders", "/api/v1/returns"],
        aliases: &["/order", "/orders", "/api/orders"],
        peers: &["identity", "cart", "catalog", "inventory", "payment"],
        consumes: &[
            "payment.authorized",
            "payment.declined",
            "payment.captured",
            "payment.voided",
            "payment.refunded",
            "payment.failed",
            "user.deleted",
        ],
        stores: &[Store::MongoDb, Store::Redis],
    },
    ServiceSpec {
        name: "edge",
        summary: "Landing page, aggregate health, merged API documents",
        routes: &["/"],
        aliases: &[],
        peers: &["identity", "catalog", "inventory", "cart", "payment", "order"],
        consumes: &[],
        stores: &[],
    },
];

/// The entry of one service; `None` for a name that is not one.
#[must_use]
pub fn service(name: &str) -> Option<&'static ServiceSpec> {
    SERVICES.iter().find(|spec| spec.name == name)
}

impl ServiceSpec {
    /// Whether it keeps state in this kind of server.
    #[must_use]
    pub fn needs(&self, store: Store) -> bool {
        self.stores.contains(&store)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_peer_is_a_service_and_never_itself() {
        for spec in SERVICES {
            for peer in spec.peers {
                assert!(service(peer).is_some_and(|found| found.name != spec.name), "{} -> {peer}", spec.name);
            }
        }
    }

    #[test]
    fn no_two_services_own_one_route() {
        let mut routes: Vec<_> = SERVICES.iter().flat_map(|spec| spec.routes.iter().chain(spec.aliases)).collect();
        let count = routes.len();
        routes.sort();
        routes.dedup();
        assert_eq!(routes.len(), count);
    }
}
