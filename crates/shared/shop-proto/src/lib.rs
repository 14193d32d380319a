//! The gRPC contracts between the services and their generated code. Codegen only: no transport, no conversions.
//!
//! `proto/*.proto` is the documentation of every call and field.

/// Generated code, one module per proto package.
#[expect(
    missing_docs,
    unreachable_pub,
    clippy::pedantic,
    clippy::allow_attributes_without_reason,
    reason = "generated; documented in proto/"
)]
mod generated {
    pub mod money {
        pub mod v1 {
            tonic::include_proto!("shopmesh.money.v1");
        }
    }
    pub mod pod {
        pub mod v1 {
            tonic::include_proto!("shopmesh.pod.v1");
        }
    }
    pub mod catalog {
        pub mod v1 {
            tonic::include_proto!("shopmesh.catalog.v1");
        }
    }
    pub mod inventory {
        pub mod v1 {
            tonic::include_proto!("shopmesh.inventory.v1");
        }
    }
    pub mod cart {
        pub mod v1 {
            tonic::include_proto!("shopmesh.cart.v1");
        }
    }
    pub mod identity {
        pub mod v1 {
            tonic::include_proto!("shopmesh.identity.v1");
        }
    }
    pub mod payment {
        pub mod v1 {
            tonic::include_proto!("shopmesh.payment.v1");
        }
    }
    pub mod person {
        pub mod v1 {
            tonic::include_proto!("shopmesh.person.v1");
        }
    }
}

pub use generated::cart::v1 as cart;
pub use generated::catalog::v1 as catalog;
pub use generated::identity::v1 as identity;
pub use generated::inventory::v1 as inventory;
pub use generated::money::v1 as money;
pub use generated::payment::v1 as payment;
pub use generated::person::v1 as person;
pub use generated::pod::v1 as pod;

/// Methods that may be called again when their outcome is unknown: the only ones a channel repeats by itself.
/// Authorize is not among them: it may take the provider long, and the saga repeats it under its own deadline.
pub const IDEMPOTENT_METHODS: &[&str] = &[
    "/shopmesh.pod.v1.Pod/Health",
    "/shopmesh.pod.v1.Pod/OpenApi",
    "/shopmesh.pod.v1.Pod/ListDeadLetters",
    "/shopmesh.catalog.v1.Catalog/GetVariants",
    "/shopmesh.inventory.v1.Inventory/Reserve",
    "/shopmesh.inventory.v1.Inventory/Commit",
    "/shopmesh.inventory.v1.Inventory/Release",
    "/shopmesh.inventory.v1.Inventory/SetOnHand",
    "/shopmesh.inventory.v1.Inventory/GetAvailable",
    "/shopmesh.cart.v1.Cart/GetCart",
    "/shopmesh.cart.v1.Cart/RefreshPrices",
    "/shopmesh.identity.v1.Identity/FindUser",
    "/shopmesh.payment.v1.Payment/GetPayment",
    "/shopmesh.person.v1.Orders/ExportPerson",
    "/shopmesh.person.v1.Carts/ExportPerson",
    "/shopmesh.person.v1.Payments/ExportPerson",
];
