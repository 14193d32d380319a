//! What alarms are made of: orders that do not come to rest, and what orders have come to.

use shop_mongo::{Document, bson, doc};
use shop_types::Event;

use crate::given::{Given, eventually, mugs};

#[tokio::test]
async fn orders_that_do_not_come_to_rest_are_counted_by_one_pod() {
    let given = Given::new().await;
    let other = given.another_pod().await;
    let buyer = given.customer();
    let confirmed = given.place(&buyer, "c", &mugs(1, "tok_visa")).await.order();
    let waits_for_buyer = given.place(&buyer, "d", &mugs(1, "tok_declined")).await.order();
    given.place(&buyer, "f", &mugs(1, "tok_visa")).await.order();
    let orders = given.mongo.collection::<Document>("orders");
    let long_ago = bson::DateTime::from_millis(0);
    for order in [&confirmed, &waits_for_buyer] {
        let aged = doc! { "$set": { "created_at": long_ago, "history.$[].at": long_ago } };
        orders.update_one(doc! { "_id": order }, aged).await.unwrap();
    }

    let pages = [given.shop.admin_url("/metrics"), format!("http://{}/metrics", other.admin)];
    let shown = || async {
        let mut lines = Vec::new();
        for page in &pages {
            let text = given.shop.client().get(page).send().await.unwrap().text().await.unwrap();
            lines.extend(text.lines().filter(|line| line.starts_with("orders_stuck{")).map(str::to_owned));
        }
        lines.sort();
        lines
    };
    let line = |state, count| format!(r#"orders_stuck{{service="order",state="{state}"}} {count}"#);
    eventually("one pod counts one", || async { shown().await.contains(&line("confirmed", 1)) }).await;
    let mut expected = vec![line("confirmed", 0), line("confirmed", 1)];
    for state in ["cancelling", "placed", "returning"] {
        expected.extend([line(state, 0), line(state, 0)]);
    }
    expected.sort();
    assert_eq!(shown().await, expected, "who waits for a buyer before the deadline is not stuck");
    other.stop().await;
}

#[tokio::test]
async fn what_orders_have_come_to_is_counted() {
    let given = Given::new().await;
    let buyer = given.customer();
    let order = given.place(&buyer, "d", &mugs(1, "tok_declined")).await.order();
    given.pay(&buyer, &order, "p", "tok_visa").await;
    given.cancel(&buyer, &order).await;
    given.place(&buyer, "s", &mugs(1001, "tok_visa")).await;
    given.place(&buyer, "d", &mugs(1, "tok_declined")).await;
    let text = given.shop.client().get(given.shop.admin_url("/metrics")).send().await.unwrap().text().await.unwrap();
    for (outcome, count) in
        [("placed", 2), ("declined", 1), ("paid_again", 1), ("confirmed", 1), ("cancelling", 1), ("sold_out", 1)]
    {
        let line = format!(r#"order_outcomes_total{{outcome="{outcome}",service="order"}} {count}"#);
        assert!(text.lines().any(|found| found == line), "{line} is not in {text}");
    }
}

#[tokio::test]
async fn what_paid_orders_bring_in_is_counted_once_by_currency() {
    let given = Given::new().await;
    let buyer = given.customer();
    let placed = given.place(&buyer, "k", &mugs(2, "tok_visa")).await;
    let (order, total) = (placed.order(), placed.body["total"]["amount"].as_i64().unwrap());
    given.place(&buyer, "unpaid", &mugs(1, "tok_visa")).await;
    given.tell(Event::PaymentCaptured, &order, 2).await;
    given.becomes(&buyer, &order, "paid").await;
    let line = format!(r#"order_revenue_minor_units_total{{currency="EUR",service="order"}} {total}"#);
    eventually("the money is counted", || async {
        let page = given.shop.client().get(given.shop.admin_url("/metrics")).send().await.unwrap();
        page.text().await.unwrap().lines().any(|found| found == line)
    })
    .await;
}
