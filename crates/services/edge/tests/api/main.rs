//! The front of the shop by HTTP, beside pods that the tests play.
#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

mod dead_letters;
mod front;
mod health;
mod pods;

use serde_json::Value;
use shop_testkit::{Peers, TestShop};

use crate::pods::FakePods;

/// The running service and its pods.
async fn edge_service() -> (TestShop, FakePods) {
    let pods = FakePods::new().await;
    let peers = Peers { grpc: Some(pods.routes()), ..Peers::default() };
    let shop = TestShop::start_beside(peers, |config| async move { edge::service(&config).await }).await;
    (shop, pods)
}

/// Reads a path: status and JSON.
async fn read(shop: &TestShop, path: &str) -> (u16, Value) {
    let reply = shop.client().get(shop.url(path)).send().await.unwrap();
    (reply.status().as_u16(), reply.json().await.unwrap())
}
