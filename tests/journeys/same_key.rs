//! A request that is sent again, since the first answer was lost.

use futures::future::join_all;
use reqwest::StatusCode;

use crate::given::{Shop, order_of};

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_again_gives_the_same_order() {
    let shop = Shop::open().await;
    shop.on_sale("mug", 1290, 5).await;
    let ada = shop.customer();
    let cart = ada.cart("mug", 1).await;

    let sent = ada.order_once(&cart, "tok_visa", "once").await;
    assert!(!sent.replayed, "{sent:?}");
    let first = if sent.asks_again() { ada.order(&cart, "tok_visa", "once").await } else { sent };
    ada.status(&order_of(&first), "paid").await;
    let second = ada.order(&cart, "tok_visa", "once").await;

    assert_eq!(first.status, StatusCode::CREATED, "{first:?}");
    assert!(second.replayed, "{second:?}");
    assert_eq!((second.status, &second.body), (first.status, &first.body), "as it was answered then, not as it is now");
    shop.stock("mug", (4, 0, 1)).await;
    assert_eq!(shop.ledger().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_many_times_at_once_gives_one_order() {
    let shop = Shop::open().await;
    shop.on_sale("mug", 1290, 5).await;
    let ada = shop.customer();
    let cart = ada.cart("mug", 1).await;

    let answers = join_all((0..6).map(|_| ada.order(&cart, "tok_visa", "once"))).await;

    // Some are asked to come again, and do.
    assert!(answers.iter().all(|answer| answer.status == StatusCode::CREATED), "{answers:#?}");
    let mut orders: Vec<_> = answers.iter().map(order_of).collect();
    orders.sort();
    orders.dedup();
    assert_eq!(orders.len(), 1, "{answers:#?}");
    ada.status(&orders[0], "paid").await;
    shop.stock("mug", (4, 0, 1)).await;
    assert_eq!(shop.ledger().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_for_something_else_is_refused() {
    let shop = Shop::open().await;
    shop.on_sale("mug", 1290, 5).await;
    let ada = shop.customer();
    let cart = ada.cart("mug", 1).await;
    let first = ada.order(&cart, "tok_visa", "once").await;
    assert_eq!(first.status, StatusCode::CREATED, "{first:?}");

    let other = ada.order(&cart, "tok_declined", "once").await;

    assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY, "{other:?}");
    assert_eq!(other.body["code"], "idempotency_key_reused");
    ada.status(&order_of(&first), "paid").await;
}
