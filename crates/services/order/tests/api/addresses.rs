//! Where orders are sent: said when they are placed, changed before they are shipped.

use reqwest::Method;
use serde_json::{Value, json};
use shop_mongo::{Document, doc};
use shop_types::Event;

use crate::given::{Answer, Buyer, Given, address, all_of, answer, mugs};

fn sent_to(mut order: Value, line1: &str) -> Value {
    order["address"] = address(line1);
    order
}

async fn readdress(given: &Given, who: &Buyer, order: &str, version: i64, line1: &str) -> Answer {
    given.patch(who, &format!("/api/v1/orders/{order}"), version, &json!({ "address": address(line1) })).await
}

#[tokio::test]
async fn a_confirmed_order_is_sent_elsewhere_and_its_history_tells() {
    let given = Given::new().await;
    let (buyer, staff) = (given.customer(), Buyer::of(&given.shop.callers().staff()));
    let body = sent_to(mugs(1, "tok_visa"), "1 Old Street");
    let placed = given.place(&buyer, "k", &body).await;
    assert_eq!((placed.status, &placed.body["address"]), (201, &address("1 Old Street")), "{}", placed.body);
    let order = placed.order();

    let moved = readdress(&given, &buyer, &order, 2, "2 New Street").await;

    assert_eq!(
        (moved.status, moved.state(), moved.etag.as_deref()),
        (200, "confirmed", Some("\"3\"")),
        "{}",
        moved.body
    );
    assert_eq!((&moved.body["address"], &moved.body["reason"]), (&address("2 New Street"), &Value::Null));
    assert_eq!(given.show(&buyer, &order).await.body, moved.body);
    let same = readdress(&given, &buyer, &order, 3, "2 New Street").await;
    assert_eq!((same.status, same.body), (200, moved.body), "the address that it has changes nothing");
    given.tell(Event::PaymentCaptured, &order, 1).await;
    let by_staff = readdress(&given, &staff, &order, 4, "3 Last Street").await;
    assert_eq!((by_staff.status, by_staff.state()), (200, "paid"), "{}", by_staff.body);
    let history = given.send(Method::GET, &format!("/api/v1/orders/{order}/history"), &buyer).await;
    assert_eq!((history.status, history.etag.as_deref()), (200, Some("\"5\"")));
    let steps: Vec<_> =
        history.body["items"].as_array().unwrap().iter().map(|step| (&step["status"], &step["reason"])).collect();
    let (confirmed, paid, moved) = (json!("confirmed"), json!("paid"), json!("address_changed"));
    let nothing = &Value::Null;
    assert_eq!(
        steps,
        [(&json!("placed"), nothing), (&confirmed, nothing), (&confirmed, &moved), (&paid, nothing), (&paid, &moved)]
    );
    assert_eq!(given.told(&order).await, ["order.created", "order.confirmed", "order.paid"], "nobody is told");
    let again = given.place(&buyer, "k", &body).await;
    assert_eq!(again, Answer { replayed: true, ..placed }, "what was answered first does not change");
}

#[tokio::test]
async fn only_what_is_confirmed_and_not_shipped_can_be_sent_elsewhere() {
    let given = Given::new().await;
    let (buyer, staff) = (given.customer(), Buyer::of(&given.shop.callers().staff()));
    let order = given.place(&buyer, "k", &sent_to(mugs(1, "tok_visa"), "1 Old Street")).await.order();
    let orders = given.mongo.collection::<Document>("orders");
    let words = ["placed", "shipped", "delivered", "rejected", "cancelling", "cancelled", "returning", "refunded"];
    for state in words {
        orders.update_one(doc! { "_id": &order }, doc! { "$set": { "state": state } }).await.unwrap();
        for who in [&buyer, &staff] {
            let refused = readdress(&given, who, &order, 2, "2 New Street").await;
            assert_eq!((refused.status, refused.code()), (409, "illegal_transition"), "{state}: {}", refused.body);
            assert_eq!((&refused.body["state"], refused.body["allowed"].is_array()), (&json!(state), true));
        }
    }
    assert_eq!(given.show(&buyer, &order).await.body["address"], address("1 Old Street"));
}

#[tokio::test]
async fn an_address_is_changed_at_the_version_that_was_seen() {
    let given = Given::new().await;
    let buyer = given.customer();
    let order = given.place(&buyer, "k", &mugs(1, "tok_visa")).await;
    assert_eq!(order.body["address"], Value::Null);
    let order = order.order();
    let path = format!("/api/v1/orders/{order}");

    let without = given.shop.client().patch(given.shop.url(&path)).header(buyer.0, &buyer.1);
    let without = answer(without.json(&json!({ "address": address("2 New Street") }))).await;
    assert_eq!((without.status, without.code()), (428, "if_match_required"), "{}", without.body);
    let stale = readdress(&given, &buyer, &order, 1, "2 New Street").await;
    assert_eq!((stale.status, stale.code()), (412, "version_conflict"), "{}", stale.body);
    let both = futures::future::join(
        readdress(&given, &buyer, &order, 2, "2 New Street"),
        readdress(&given, &buyer, &order, 2, "3 New Street"),
    );
    let (one, other) = both.await;
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
    let broken = [
        (json!({}), "invalid_field", "address"),
        (json!({ "address": address(" ") }), "invalid_field", "address.line1"),
        (json!({ "address": address(&"x".repeat(101)) }), "invalid_field", "address.line1"),
        (
            json!({ "address": { "name": "A", "line1": "1", "city": "B", "country": "gb" } }),
            "invalid_field",
            "address.country",
        ),
        (json!({ "address": address("1"), "status": "paid" }), "unknown_field", "status"),
    ];
    for (body, code, field) in broken {
        let refused = given.patch(&buyer, &path, 3, &body).await;
        assert_eq!((refused.status, refused.code()), (422, code), "{}", refused.body);
        assert_eq!(refused.body["details"][0]["field"], field, "{}", refused.body);
    }
}

#[tokio::test]
async fn the_lines_of_an_order_are_read_by_its_owner_alone() {
    let given = Given::new().await;
    let (guest, stranger) = (Buyer::guest("g"), given.customer());
    let cart = given.fakes.fill_cart(&guest, &[("mug", 2, 500), ("cup", 1, 300)]).await;
    let order = given.place(&guest, "k", &all_of(&cart)).await;
    let unknown = "/api/v1/orders/0190b3c0-0000-7000-8000-00000000dead";
    for part in ["items", "history"] {
        let path = format!("/api/v1/orders/{}/{part}", order.order());
        let shown = given.send(Method::GET, &path, &guest).await;
        let of_order = &order.body[part];
        assert_eq!((shown.status, &shown.body["items"], shown.etag), (200, of_order, order.etag.clone()));
        let known = given.shop.client().get(given.shop.url(&path)).header(guest.0, &guest.1);
        assert_eq!(answer(known.header("If-None-Match", "\"2\"")).await.status, 304);
        let never = given.send(Method::GET, &format!("{unknown}/{part}"), &stranger).await.bare();
        assert_eq!(given.send(Method::GET, &path, &stranger).await.bare(), never);
        assert_eq!((never.status, never.code()), (404, "not_found"));
    }
    let moved = readdress(&given, &guest, &order.order(), 2, "2 New Street").await;
    assert_eq!((moved.status, &moved.body["address"]), (200, &address("2 New Street")), "{}", moved.body);
    let never = readdress(&given, &stranger, "0190b3c0-0000-7000-8000-00000000dead", 3, "9 Thief Street").await.bare();
    assert_eq!(readdress(&given, &stranger, &order.order(), 3, "9 Thief Street").await.bare(), never);
}
