//! The money does not come.

use reqwest::{Method, StatusCode};

use crate::given::{Shop, order_of};

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_card_takes_no_money_and_a_cancel_frees_the_stock() {
    let shop = Shop::open().await;
    shop.on_sale("mug", 1290, 5).await;
    let ada = shop.customer();
    let cart = ada.cart("mug", 2).await;

    let declined = ada.order(&cart, "tok_declined", "try").await;

    assert_eq!(declined.status, StatusCode::PAYMENT_REQUIRED, "{declined:?}");
    assert_eq!(declined.body["code"], "payment_declined");
    let order = order_of(&declined);
    assert_eq!(ada.look(&order).await["status"], "placed", "it waits for money until its deadline");
    shop.stock("mug", (3, 2, 0)).await;
    assert_eq!(shop.ledger().await, [("declined".to_owned(), 2580)]);

    let cancelled = ada.send(Method::POST, &format!("/api/v1/orders/{order}/cancel"), None, None).await;
    assert_eq!(cancelled.status, StatusCode::OK, "{cancelled:?}");
    assert_eq!(cancelled.body["status"], "rejected");
    shop.stock("mug", (5, 0, 0)).await;
    assert_eq!(shop.ledger().await.len(), 1, "nothing was held, so nothing is given back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_that_is_refused_for_good_undoes_the_order() {
    let shop = Shop::open().await;
    shop.on_sale("mug", 1290, 5).await;
    let ada = shop.customer();
    let cart = ada.cart("mug", 1).await;

    let placed = ada.order(&cart, "tok_capture_fails", "try").await;

    assert_eq!(placed.status, StatusCode::CREATED, "the card was good for a hold: {placed:?}");
    let order = ada.status(&order_of(&placed), "cancelled").await;
    assert!(order["reason"].is_string(), "{order}");
    shop.stock("mug", (5, 0, 0)).await;
    assert!(shop.ledger().await.iter().all(|(kind, _)| kind != "captured"));
}
