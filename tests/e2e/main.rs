//! The whole on a real cluster, used as its users use it: `kubectl apply` of Shops, and HTTP through NGINX
//! (tests/e2e/run). The scenarios run one after the other and share one installation and, where they can, one shop.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

mod buying;
mod calls;
mod changes;
mod cluster;
mod faults;
mod shops;
mod visitor;
