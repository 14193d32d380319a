//! What staff does by hand: orders leave the house and arrive.

use reqwest::Method;
use serde_json::json;
use shop_mongo::{Document, doc};
use shop_types::Event;

use crate::given::{Buyer, Given, answer, mugs};

#[tokio::test]
async fn a_paid_order_is_shipped_and_delivered() {
    let given = Given::new().await;
    let (buyer, staff) = (given.customer(), Buyer::of(&given.shop.callers().staff()));
    let order = given.place(&buyer, "k", &mugs(1, "tok_visa")).await.order();
    given.tell(Event::PaymentCaptured, &order, 1).await;

    let shipped = given.advance(&staff, &order, 3, "shipped").await;
    let delivered = given.advance(&staff, &order, 4, "delivered").await;

    assert_eq!((shipped.status, shipped.state(), shipped.etag.as_deref()), (200, "shipped", Some("\"4\"")));
    assert_eq!((delivered.status, delivered.state(), delivered.etag.as_deref()), (200, "delivered", Some("\"5\"")));
    let told = ["order.created", "order.confirmed", "order.paid", "order.shipped", "order.delivered"];
    assert_eq!(given.told(&order).await, told);
    assert_eq!(given.show(&buyer, &order).await.body, delivered.body);
}

#[tokio::test]
async fn staff_leads_nowhere_else_and_is_told_where_to() {
    let given = Given::new().await;
    let (buyer, staff) = (given.customer(), Buyer::of(&given.shop.callers().staff()));
    let words = [
        "placed",
        "confirmed",
        "paid",
        "shipped",
        "delivered",
        "rejected",
        "cancelling",
        "cancelled",
        "returning",
        "refunded",
    ];
    let order = given.place(&buyer, "k", &mugs(1, "tok_visa")).await.order();
    let orders = given.mongo.collection::<Document>("orders");
    for state in words {
        orders.update_one(doc! { "_id": &order }, doc! { "$set": { "state": state } }).await.unwrap();
        let allowed = match state {
            "paid" => vec!["shipped"],
            "shipped" => vec!["delivered"],
            _ => Vec::new(),
        };
        for wanted in words.into_iter().filter(|wanted| !allowed.contains(wanted)) {
            let refused = given.advance(&staff, &order, 2, wanted).await;
            assert_eq!(
                (refused.status, refused.code()),
                (409, "illegal_transition"),
                "{state} {wanted} {}",
                refused.body
            );
            assert_eq!(refused.body["allowed"], json!(allowed));
        }
    }
    assert_eq!(given.told(&order).await, ["order.created", "order.confirmed"]);
}

#[tokio::test]
async fn a_status_is_changed_at_the_version_that_was_seen() {
    let given = Given::new().await;
    let (buyer, staff) = (given.customer(), Buyer::of(&given.shop.callers().staff()));
    let order = given.place(&buyer, "k", &mugs(1, "tok_visa")).await.order();
    given.tell(Event::PaymentCaptured, &order, 1).await;
    let path = format!("/api/v1/orders/{order}/status");

    let without = given.shop.client().patch(given.shop.url(&path)).header(staff.0, &staff.1);
    let without = answer(without.json(&json!({ "status": "shipped" }))).await;
    assert_eq!((without.status, without.code()), (428, "if_match_required"), "{}", without.body);
    let stale = given.advance(&staff, &order, 2, "shipped").await;
    assert_eq!((stale.status, stale.code()), (412, "version_conflict"), "{}", stale.body);
    let unknown = given.advance(&staff, &order, 3, "lost").await;
    assert_eq!((unknown.status, unknown.code()), (422, "invalid_field"), "{}", unknown.body);
    let more = given.patch(&staff, &path, 3, &json!({ "status": "shipped", "total": 1 })).await;
    assert_eq!((more.status, more.code()), (422, "unknown_field"), "{}", more.body);
    let never = given.advance(&staff, "0190b3c0-0000-7000-8000-00000000dead", 1, "shipped").await;
    assert_eq!((never.status, never.code()), (404, "not_found"), "{}", never.body);

    // Of two who have seen the same version, one is told to look again.
    let both =
        futures::future::join(given.advance(&staff, &order, 3, "shipped"), given.advance(&staff, &order, 3, "shipped"));
    let (one, other) = both.await;
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
    let history = given.send(Method::GET, &format!("/api/v1/orders/{order}"), &buyer).await.body["history"].clone();
    assert_eq!(history.as_array().map(Vec::len), Some(4));
}

#[tokio::test]
async fn a_refund_of_a_part_leaves_the_order_as_it_is() {
    let given = Given::new().await;
    let buyer = given.customer();
    let order = given.place(&buyer, "k", &mugs(1, "tok_visa")).await.order();
    given.tell(Event::PaymentCaptured, &order, 1).await;

    given.tell_of(1, Some(300), Event::PaymentRefunded, &order, 2).await;

    assert_eq!(given.show(&buyer, &order).await.state(), "paid");
    let inbox = given.mongo.collection::<Document>("inbox");
    assert_eq!(inbox.count_documents(doc! {}).await.unwrap(), 2, "it was heard all the same");
    given.tell_of(1, None, Event::PaymentRefunded, &order, 1).await;
    given.becomes(&buyer, &order, "cancelling").await;
}
