//! More is wanted than there is.

use futures::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::given::{Shop, order_of};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_not_sold_and_no_money_is_held() {
    let shop = Shop::open().await;
    shop.on_sale("mug", 1290, 2).await;
    let ada = shop.customer();
    let cart = ada.cart("mug", 2).await;
    let broken = json!({ "delta": -1, "reason": "broken" });
    let counted = shop.staff().send(Method::POST, "/api/v1/stock/mug/adjustments", Some("one"), Some(&broken)).await;
    assert_eq!(counted.status, StatusCode::CREATED, "{counted:?}");

    let item = json!({ "sku": "mug", "quantity": 1 });
    let full = ada.send(Method::POST, &format!("/api/v1/carts/{cart}/items"), None, Some(&item)).await;
    assert_eq!((full.status, &full.body["code"]), (StatusCode::CONFLICT, &json!("sold_out")), "{full:?}");
    assert_eq!(full.body["shortages"], json!([{ "sku": "mug", "requested": 3, "available": 1 }]));

    let refused = ada.order(&cart, "tok_visa", "try").await;

    assert_eq!(refused.status, StatusCode::CONFLICT, "{refused:?}");
    assert_eq!(refused.body["code"], "sold_out");
    assert_eq!(ada.look(&order_of(&refused)).await["status"], "rejected");
    shop.stock("mug", (1, 0, 0)).await;
    assert_eq!(shop.ledger().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_price_that_went_up_is_refused_once_shown_and_then_paid() {
    let shop = Shop::open().await;
    shop.on_sale("mug", 1290, 5).await;
    let ada = shop.customer();
    let cart = ada.cart("mug", 2).await;
    let staff = shop.staff();
    let found = staff.send(Method::GET, "/api/v1/products", None, None).await;
    let product = found.body["items"][0]["id"].as_str().unwrap();
    let changed = staff.send(Method::PUT, &format!("/products/{product}"), None, Some(&json!({ "price": 15 }))).await;
    assert_eq!(changed.status, StatusCode::OK, "{changed:?}");

    let refused = ada.order(&cart, "tok_visa", "one").await;

    assert_eq!((refused.status, &refused.body["code"]), (StatusCode::CONFLICT, &json!("price_changed")), "{refused:?}");
    let shown = ada.send(Method::GET, &format!("/api/v1/carts/{cart}"), None, None).await;
    assert_eq!(shown.body["total"]["amount"], 3000, "{shown:?}");
    let placed = ada.order(&cart, "tok_visa", "two").await;
    assert_eq!((placed.status, &placed.body["total"]["amount"]), (StatusCode::CREATED, &json!(3000)), "{placed:?}");
    ada.status(&order_of(&placed), "paid").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_want_the_last_pieces_as_many_get_one_as_there_are() {
    let shop = Shop::open().await;
    shop.on_sale("mug", 1290, 3).await;
    let people: Vec<_> = (0..8).map(|_| shop.customer()).collect();
    // What lies in a cart is nobody's yet.
    let carts = join_all(people.iter().map(|person| person.cart("mug", 1))).await;

    let answers =
        join_all(people.iter().zip(&carts).map(|(person, cart)| person.order(cart, "tok_visa", "last"))).await;

    let mut paid = 0;
    for (person, answer) in people.iter().zip(&answers) {
        match answer.status {
            StatusCode::CREATED => {
                person.status(&order_of(answer), "paid").await;
                paid += 1;
            }
            StatusCode::CONFLICT => assert_eq!(answer.body["code"], "sold_out", "{answer:?}"),
            _ => panic!("{answer:?}"),
        }
    }
    assert_eq!(paid, 3, "{answers:#?}");
    shop.stock("mug", (0, 0, 3)).await;
    let taken = shop.ledger().await.into_iter().filter(|(kind, _)| kind == "captured").count();
    assert_eq!(taken, 3);
}
