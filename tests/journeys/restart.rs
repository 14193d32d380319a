//! The shop stops in the middle of an order and starts again.

use reqwest::StatusCode;

use crate::given::{Shop, order_of};

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_was_promised_is_paid_after_a_restart() {
    let mut shop = Shop::open().await;
    shop.on_sale("mug", 1290, 5).await;
    let ada = shop.customer();
    let cart = ada.cart("mug", 1).await;
    // The first try to take the money hangs for 20 s: long enough to stop in the middle of it.
    let placed = ada.order(&cart, "tok_capture_timeout_before", "buy").await;
    assert_eq!(placed.status, StatusCode::CREATED, "{placed:?}");
    let order = order_of(&placed);
    assert_eq!(ada.look(&order).await["status"], "confirmed");

    let token = ada.token;
    shop.restart().await;

    shop.person(token).status(&order, "paid").await;
    shop.stock("mug", (4, 0, 1)).await;
    let taken = shop.ledger().await.into_iter().filter(|(kind, _)| kind == "captured").count();
    assert_eq!(taken, 1);
}
