//! Somebody buys something and it is paid.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tests::wait::until;

use crate::given::{Shop, order_of, send};

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_buys_pays_and_the_stock_is_less() {
    let shop = Shop::open().await;
    shop.on_sale("mug", 1290, 10).await;
    let ada = shop.customer();

    let cart = ada.cart("mug", 2).await;
    let placed = ada.order(&cart, "tok_visa", "first").await;

    assert_eq!(placed.status, StatusCode::CREATED, "{placed:?}");
    assert_eq!(placed.body["total"], json!({ "amount": 2580, "currency": "EUR" }));
    let paid = ada.status(&order_of(&placed), "paid").await;
    let steps: Vec<_> = paid["history"].as_array().unwrap().iter().map(|step| step["status"].clone()).collect();
    assert_eq!(steps, ["placed", "confirmed", "paid"]);
    shop.stock("mug", (8, 0, 2)).await;
    assert_eq!(shop.ledger().await, [("authorized".to_owned(), 2580), ("captured".to_owned(), 2580)]);
    let path = format!("/api/v1/carts/{cart}");
    let lines = || async { ada.send(Method::GET, &path, None, None).await.body["lines"].clone() };
    until("the cart is empty", lines, |lines| *lines == json!([])).await;
    let shown =
        || async { ada.send(Method::GET, "/api/v1/products", None, None).await.body["items"][0]["stock"].clone() };
    until("the catalog shows what is left", shown, |stock| *stock == 8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_buys_with_the_secret_of_the_cart() {
    let shop = Shop::open().await;
    shop.on_sale("mug", 1290, 3).await;
    let nobody = ("x-nobody", "");
    let opened = send(&shop, nobody, Method::POST, "/api/v1/carts", None, Some(&json!({}))).await;
    let (cart, secret) = (opened.body["id"].as_str().unwrap(), opened.body["guestToken"].as_str().unwrap());
    let guest = ("x-guest-token", secret);

    let item = json!({ "sku": "mug", "quantity": 1 });
    let filled = send(&shop, guest, Method::POST, &format!("/api/v1/carts/{cart}/items"), None, Some(&item)).await;
    assert_eq!(filled.status, StatusCode::OK, "{filled:?}");
    let order = json!({ "cartId": cart, "payment": { "method": "tok_visa" } });
    let place = || send(&shop, guest, Method::POST, "/api/v1/orders", Some("guest"), Some(&order));
    let placed = until("the order is answered", place, |answer| !answer.asks_again()).await;

    assert_eq!(placed.status, StatusCode::CREATED, "{placed:?}");
    let path = format!("/api/v1/orders/{}", order_of(&placed));
    let look = || async { send(&shop, guest, Method::GET, &path, None, None).await.body["status"].clone() };
    until("the guest's order is paid", look, |status: &Value| status == "paid").await;
    let stranger = send(&shop, nobody, Method::GET, &path, None, None).await;
    assert_eq!(stranger.status, StatusCode::UNAUTHORIZED, "{stranger:?}");
    let other = ("x-guest-token", "b".repeat(secret.len()));
    let other = send(&shop, (other.0, &other.1), Method::GET, &path, None, None).await;
    assert_eq!(other.status, StatusCode::NOT_FOUND, "{other:?}");
    shop.stock("mug", (2, 0, 1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_peoples_carts_and_orders_do_not_exist() {
    let shop = Shop::open().await;
    shop.on_sale("mug", 1290, 3).await;
    let (ada, eve) = (shop.customer(), shop.customer());
    let cart = ada.cart("mug", 1).await;

    let stolen = eve.order(&cart, "tok_visa", "eve").await;
    assert_eq!((stolen.status, &stolen.body["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("invalid_field")));
    let placed = ada.order(&cart, "tok_visa", "ada").await;
    let path = format!("/api/v1/orders/{}", order_of(&placed));

    assert_eq!(eve.send(Method::GET, &path, None, None).await.status, StatusCode::NOT_FOUND);
    let cancelled = eve.send(Method::POST, &format!("{path}/cancel"), None, None).await;
    assert_eq!(cancelled.status, StatusCode::NOT_FOUND);
    let orders = eve.send(Method::GET, "/api/v1/orders", None, None).await;
    assert_eq!(orders.body["page"]["total"], 0, "{orders:?}");
}
