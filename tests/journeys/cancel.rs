//! The buyer thinks better of it.

use reqwest::{Method, StatusCode};

use crate::given::{Shop, order_of};

#[tokio::test(flavor = "multi_thread")]
async fn a_paid_order_that_is_cancelled_gives_back_money_and_stock() {
    let shop = Shop::open().await;
    shop.on_sale("mug", 1290, 5).await;
    let ada = shop.customer();
    let cart = ada.cart("mug", 2).await;
    let order = order_of(&ada.order(&cart, "tok_visa", "buy").await);
    ada.status(&order, "paid").await;

    let path = format!("/api/v1/orders/{order}/cancel");
    let cancelling = ada.send(Method::POST, &path, None, None).await;

    assert_eq!(cancelling.status, StatusCode::OK, "{cancelling:?}");
    ada.status(&order, "cancelled").await;
    shop.stock("mug", (5, 0, 0)).await;
    let ledger = shop.ledger().await;
    let steps: Vec<_> = ledger.iter().map(|(kind, amount)| (kind.as_str(), *amount)).collect();
    assert_eq!(steps, [("authorized", 2580), ("captured", 2580), ("refunded", 2580)]);

    let again = ada.send(Method::POST, &path, None, None).await;
    assert_eq!(again.body["status"], "cancelled", "to cancel twice is to cancel once: {again:?}");
    assert_eq!(shop.ledger().await.len(), 3);
}
