//! Placing orders: what is bought, what it costs, and how it can end.

use std::time::Duration;

use serde_json::json;
use shop_proto::inventory::ReservationState;

use crate::fakes::{MUG, Peer};
use crate::given::{Buyer, Given, all_of, mugs};

#[tokio::test]
async fn a_cart_becomes_a_confirmed_order() {
    let given = Given::new().await;
    for buyer in [given.customer(), Buyer::guest("g")] {
        let cart = given.fakes.fill_cart(&buyer, &[("mug", 2, 500), ("cup", 1, 300)]).await;

        let placed = given.place(&buyer, "k", &all_of(&cart)).await;

        assert_eq!((placed.status, placed.state()), (201, "confirmed"), "{}", placed.body);
        assert_eq!(placed.body["total"], json!({ "amount": 1300, "currency": "EUR" }));
        assert_eq!(placed.body["cartId"], json!(cart));
        assert_eq!(placed.body["items"].as_array().unwrap().len(), 2);
        assert_eq!(placed.body["items"][0]["total"], json!({ "amount": 1000, "currency": "EUR" }));
        assert_eq!(placed.body["userId"].is_string(), buyer.0 == "Authorization");
        assert_eq!((placed.etag.as_deref(), placed.replayed), (Some("\"2\""), false));
        let order = placed.order();
        assert_eq!(placed.body["paymentId"], json!(format!("{order}:1")));
        let payer = placed.body["userId"].as_str().unwrap_or_default();
        assert_eq!(given.fakes.payer(&order).await.as_deref(), Some(payer));
        assert_eq!(placed.location, Some(format!("/api/v1/orders/{order}")));
        assert_eq!(given.show(&buyer, &order).await.body, placed.body);
        assert_eq!(given.told(&order).await, ["order.created", "order.confirmed"]);
        assert_eq!(given.fakes.reservation(&order).await, Some(ReservationState::Held));
    }
}

#[tokio::test]
async fn items_become_an_order_by_sku_and_by_product() {
    let given = Given::new().await;
    let items = json!([{ "sku": "cup", "quantity": 3 }, { "productId": MUG, "quantity": 1 }]);
    let body = json!({ "items": items, "payment": { "method": "tok_visa" } });

    let placed = given.place(&given.customer(), "k", &body).await;

    assert_eq!(placed.status, 201, "{}", placed.body);
    assert_eq!(placed.body["total"]["amount"], 1400);
    assert_eq!(placed.body["items"][1]["sku"], "mug");
    assert_eq!(placed.body["items"][1]["name"], "MUG");
    assert!(placed.body.get("cartId").is_none());
    assert_eq!(given.fakes.calls(Peer::Cart).await, 0);
}

#[tokio::test]
async fn what_is_sold_out_is_refused_and_told_to_those_who_give_back() {
    let given = Given::new().await;
    let buyer = given.customer();

    let refused = given.place(&buyer, "k", &mugs(1001, "tok_visa")).await;

    assert_eq!((refused.status, refused.code()), (409, "sold_out"), "{}", refused.body);
    assert_eq!(refused.body["reason"], "sold_out");
    let short = json!([{ "sku": "mug", "requested": 1001, "available": 1000 }]);
    assert_eq!(refused.body["shortages"], short);
    let order = refused.order();
    let shown = given.show(&buyer, &order).await;
    assert_eq!((shown.state(), shown.body["reason"].as_str()), ("rejected", Some("sold_out")));
    assert_eq!(given.told(&order).await, ["order.created", "order.rejected"]);
    assert_eq!(given.fakes.payments().await, 0, "nobody pays for what is not there");
}

#[tokio::test]
async fn one_short_line_takes_nothing_and_is_named_also_when_asked_again() {
    let given = Given::new().await;
    given.fakes.sell("rare", 100, 2).await;
    let buyer = given.customer();
    let lines =
        json!([{ "sku": "mug", "quantity": 1 }, { "sku": "rare", "quantity": 3 }, { "sku": "cup", "quantity": 1 }]);
    let body = json!({ "items": lines, "payment": { "method": "tok_visa" } });

    let refused = given.place(&buyer, "k", &body).await;

    assert_eq!((refused.status, refused.code()), (409, "sold_out"), "{}", refused.body);
    assert_eq!(refused.body["shortages"], json!([{ "sku": "rare", "requested": 3, "available": 2 }]));
    let detail = json!([{ "field": "items[1].quantity", "message": "only 2 of rare are left" }]);
    assert_eq!(refused.body["details"], detail);
    for (sku, pieces) in [("mug", 1000), ("rare", 2), ("cup", 1000)] {
        assert_eq!(given.fakes.pieces(sku).await, Some(pieces), "nothing of {sku} is held");
    }
    given.fakes.sell("rare", 100, 50).await;
    let again = given.place(&buyer, "k", &body).await;
    assert!(again.replayed);
    assert_eq!(crate::given::Answer { replayed: false, ..again.bare() }, refused.bare());
}

#[tokio::test]
async fn a_declined_order_waits_for_its_deadline_and_is_then_rejected() {
    let given = Given::with_deadline(Duration::from_secs(2)).await;
    let buyer = given.customer();

    let declined = given.place(&buyer, "k", &mugs(1, "tok_declined")).await;

    assert_eq!((declined.status, declined.code()), (402, "payment_declined"), "{}", declined.body);
    assert_eq!(declined.body["reason"], "card_declined");
    let order = declined.order();
    assert_eq!(given.show(&buyer, &order).await.state(), "placed");
    assert_eq!(given.told(&order).await, ["order.created"]);
    given.becomes(&buyer, &order, "rejected").await;
    assert_eq!(given.show(&buyer, &order).await.body["reason"], "deadline");
    assert_eq!(given.told(&order).await, ["order.created", "order.rejected"]);
}

#[tokio::test]
async fn a_price_that_changed_since_it_was_shown_is_told_with_both_totals() {
    let given = Given::new().await;
    let buyer = given.customer();
    let cart = given.fakes.fill_cart(&buyer, &[("mug", 2, 450)]).await;

    let refused = given.place(&buyer, "k", &all_of(&cart)).await;

    assert_eq!((refused.status, refused.code()), (409, "price_changed"), "{}", refused.body);
    assert_eq!(refused.body["shownTotal"]["amount"], 900);
    assert_eq!(refused.body["presentTotal"]["amount"], 1000);
    assert_eq!(given.orders().await, 0);
    let accepted = given.place(&buyer, "k", &all_of(&cart)).await;
    assert_eq!(accepted.status, 201, "the cart shows it now: {}", accepted.body);
}

#[tokio::test]
async fn what_cannot_be_sold_is_refused_before_anything_is_written_and_the_key_stays_free() {
    let given = Given::new().await;
    given.fakes.sell("gift", 0, 10).await;
    given.fakes.sell("jug", 700, 10).await;
    given.fakes.archive("jug").await;
    let buyer = given.customer();
    let empty = all_of(&given.fakes.fill_cart(&buyer, &[]).await);
    let strangers = all_of(&given.fakes.fill_cart(&given.customer(), &[("mug", 1, 500)]).await);
    let unknown = all_of("0190b3c0-0000-7000-8000-00000000dead");
    let item = |item| json!({ "items": [item], "payment": { "method": "tok_visa" } });
    let refusals = [
        (empty, 422, "cart_empty"),
        (strangers.clone(), 422, "invalid_field"),
        (unknown.clone(), 422, "invalid_field"),
        (item(json!({ "sku": "jug", "quantity": 1 })), 409, "not_sold"),
        (item(json!({ "sku": "nothing", "quantity": 1 })), 409, "not_sold"),
        (item(json!({ "sku": "gift", "quantity": 1 })), 422, "nothing_to_pay"),
        (item(json!({ "productId": "0190b3c0-0000-7000-8000-00000000dead", "quantity": 1 })), 422, "invalid_field"),
    ];
    for (body, status, code) in refusals {
        let refused = given.place(&buyer, "k", &body).await;
        assert_eq!((refused.status, refused.code()), (status, code), "{body} gave {}", refused.body);
    }
    let (strangers, unknown) = (given.place(&buyer, "a", &strangers).await, given.place(&buyer, "b", &unknown).await);
    assert_eq!(strangers.bare(), unknown.bare(), "a stranger's cart looks like one that never was");
    assert_eq!((given.orders().await, given.fakes.reservations().await), (0, 0));
    assert_eq!(given.place(&buyer, "k", &mugs(1, "tok_visa")).await.status, 201);
}

#[tokio::test]
async fn twenty_buyers_of_ten_pieces_make_ten_orders_with_numbers_of_their_own() {
    let given = Given::new().await;
    given.fakes.sell("rare", 100, 10).await;
    let body = json!({ "items": [{ "sku": "rare", "quantity": 1 }], "payment": { "method": "tok_visa" } });
    let buyers: Vec<_> = (0..20).map(|_| given.customer()).collect();

    let answers = futures::future::join_all(buyers.iter().map(|buyer| given.place(buyer, "k", &body))).await;

    let (good, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    assert_eq!((good.len(), refused.len()), (10, 10));
    assert!(refused.iter().all(|answer| answer.code() == "sold_out"), "{refused:?}");
    let mut numbers: Vec<_> = good.iter().map(|answer| answer.body["number"].as_i64().unwrap()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 10);
}
