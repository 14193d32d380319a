//! Comparing the provider's books with ours.

use reqwest::Method;
use serde_json::{Value, json};
use shop_mongo::bson::DateTime;
use shop_mongo::{Document, doc};
use shop_proto::payment::PaymentState;
use shop_service::SystemClock;
use shop_testkit::{Peers, TestShop};
use shop_types::{Clock as _, Event};

use crate::given::{Given, an_order, documents, eventually, fact, shop_beside};

const PATH: &str = "/api/v1/payments/reconciliation";

mod portions;

impl Given {
    /// Makes the next comparison due and waits until it has ended.
    async fn compare(&self) {
        let runs = self.mongo.collection::<Document>("reconciliation_runs");
        eventually("the first comparison has ended", || async { self.last_run().await.is_some() }).await;
        let before = self.last_run().await;
        runs.update_one(doc! { "_id": "run" }, doc! { "$set": { "next_at": DateTime::from_millis(0) } }).await.unwrap();
        eventually("another comparison has ended", || async { self.last_run().await > before }).await;
    }

    async fn last_run(&self) -> Option<i64> {
        let rows = documents(&self.mongo, "reconciliation_runs", doc! {}).await;
        rows.first().and_then(|row| row.get_datetime("finished_at").ok()).map(|at| at.timestamp_millis())
    }

    async fn differences(&self) -> Value {
        let (status, body) = self.http("GET", PATH, Some(&self.shop.callers().staff())).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    /// Makes all differences old enough to count.
    async fn age_differences(&self) {
        let old = DateTime::from_millis(SystemClock.now().as_millisecond() - 61_000);
        let all = self.mongo.collection::<Document>("reconciliation_differences");
        all.update_many(doc! {}, doc! { "$set": { "first_seen": old } }).await.unwrap();
    }
}

fn kinds(body: &Value) -> Vec<String> {
    let mut kinds: Vec<_> =
        body["items"].as_array().unwrap().iter().map(|item| item["kind"].as_str().unwrap().to_owned()).collect();
    kinds.sort();
    kinds
}

#[tokio::test]
async fn differences_are_for_staff_alone() {
    let given = Given::new().await;
    let callers = given.shop.callers();
    for (who, expected) in [
        (None, 401),
        (Some(callers.expired()), 401),
        (Some(callers.customer()), 403),
        (Some(callers.service()), 403),
        (Some(callers.staff()), 200),
        (Some(callers.admin()), 200),
    ] {
        assert_eq!(given.http("GET", PATH, who.as_ref()).await.0, expected);
    }
    for query in ["page=0", "size=101", "sort=kind", "kind=held"] {
        assert_eq!(given.http("GET", &format!("{PATH}?{query}"), Some(&callers.staff())).await.0, 422, "{query}");
    }
}

#[tokio::test]
async fn books_that_agree_have_no_differences() {
    let given = Given::new().await;
    let (paid, voided, refunded) = (an_order(), an_order(), an_order());
    for order in [paid, voided, refunded] {
        given.authorize(order, "tok_visa").await;
    }
    given.authorize(an_order(), "tok_declined").await;
    given.authorize(an_order(), "tok_requires_action").await;
    given.tell(Event::OrderConfirmed(fact(paid, None)), 1).await;
    given.tell(Event::OrderConfirmed(fact(refunded, None)), 1).await;
    given.tell(Event::OrderRejected(fact(voided, None)), 1).await;
    given.becomes(refunded, PaymentState::Captured).await;
    given.tell(Event::OrderCancelling(fact(refunded, None)), 1).await;
    given.becomes(refunded, PaymentState::Refunded).await;
    given.becomes(voided, PaymentState::Voided).await;
    given.becomes(paid, PaymentState::Captured).await;

    given.compare().await;

    assert!(documents(&given.mongo, "reconciliation_differences", doc! {}).await.is_empty());
    let shown = given.differences().await;
    assert!(shown["lastRun"].is_string() && shown["items"].as_array().unwrap().is_empty(), "{shown}");
    let run = documents(&given.mongo, "reconciliation_runs", doc! {}).await.remove(0);
    assert_eq!((run.get_i64("payments").unwrap(), run.get_i64("bookings").unwrap()), (5, 7));
}

#[tokio::test]
async fn what_happened_past_us_is_listed_once_it_has_stood_a_minute_and_goes_when_it_is_settled() {
    let given = Given::new().await;
    let (voided, refunded) = (an_order(), an_order());
    given.authorize(voided, "tok_visa").await;
    given.authorize(refunded, "tok_visa").await;
    given.tell(Event::OrderConfirmed(fact(refunded, None)), 1).await;
    given.becomes(refunded, PaymentState::Captured).await;
    // Somebody works at the provider by hand.
    let path = |hold: &str, action: &str| format!("/v1/authorizations/{hold}/{action}");
    let hold = given.hold_of(voided).await;
    assert_eq!(given.provider(Method::POST, &path(&hold, "void"), Some(&json!({}))).await.0, 200);
    let refund = path(&given.hold_of(refunded).await, "refunds");
    assert_eq!(given.provider(Method::POST, &refund, Some(&json!({ "amount": 120 }))).await.0, 201);
    let strange = json!({ "amount": 70, "currency": "EUR", "reference": "by-hand&x=1", "method": "tok_visa" });
    let (_, strange) = given.provider(Method::POST, "/v1/authorizations", Some(&strange)).await;

    given.compare().await;
    assert_eq!(documents(&given.mongo, "reconciliation_differences", doc! {}).await.len(), 3);
    assert!(kinds(&given.differences().await).is_empty(), "it may be under way");
    given.age_differences().await;

    let shown = given.differences().await;
    assert_eq!(kinds(&shown), ["held", "refunded", "unknown"]);
    assert_eq!(shown["page"]["total"], 3);
    let of = |kind: &str| shown["items"].as_array().unwrap().iter().find(|item| item["kind"] == kind).unwrap().clone();
    assert_eq!((&of("held")["ours"]["amount"], &of("held")["theirs"]["amount"]), (&json!(500), &json!(0)));
    assert_eq!(
        (&of("refunded")["reference"], &of("refunded")["theirs"]["amount"]),
        (&json!(format!("{refunded}:1")), &json!(120))
    );
    assert_eq!((&of("unknown")["reference"], &of("unknown")["theirs"]["amount"]), (&json!("by-hand&x=1"), &json!(70)));
    eventually("the gauge shows it", || async {
        let metrics = given.metrics().await;
        ["held", "refunded", "unknown"].iter().all(|kind| {
            let line = format!(r#"payment_reconciliation_differences{{kind="{kind}",service="payment"}} 1"#);
            metrics.contains(&line)
        })
    })
    .await;

    let release = path(strange["id"].as_str().unwrap(), "void");
    assert_eq!(given.provider(Method::POST, &release, Some(&json!({}))).await.0, 200);
    given.compare().await;

    let left = given.differences().await;
    assert_eq!(kinds(&left), ["held", "refunded"], "what still stands keeps its age");
    let one = format!("{PATH}?size=1&page=2");
    let (_, page) = given.http("GET", &one, Some(&given.shop.callers().staff())).await;
    assert_eq!((page["items"].as_array().unwrap().len(), &page["page"]["pages"]), (1, &json!(2)));
}

#[tokio::test]
async fn an_old_payment_that_moves_today_is_compared_with_all_its_bookings() {
    let order = an_order();
    let days_ago = SystemClock.now().checked_sub(jiff::SignedDuration::from_hours(72)).unwrap();
    let booked = |sequence: u64, kind: &str| {
        json!({
            "sequence": sequence, "at": days_ago, "kind": kind, "authorization": "auth_old",
            "reference": format!("{order}:1"), "amount": 500, "currency": "EUR", "method": "tok_visa",
            "key": kind, "fingerprint": "f",
        })
    };
    let given = Given::with_ledger(&[booked(1, "authorized"), booked(2, "captured")]).await;
    let then = DateTime::from_millis(days_ago.as_millisecond());
    let captured = doc! { "state": "CAPTURED", "hold": "auth_old", "since": then, "created_at": then };
    given.left_behind(order, captured).await;
    let payments = given.mongo.collection::<Document>("payments");
    payments.update_one(doc! {}, doc! { "$unset": { "next_try_at": "" } }).await.unwrap();
    given.tell(Event::OrderCancelling(fact(order, None)), 1).await;
    given.becomes(order, PaymentState::Refunded).await;

    given.compare().await;

    assert!(documents(&given.mongo, "reconciliation_differences", doc! {}).await.is_empty());
    let run = documents(&given.mongo, "reconciliation_runs", doc! {}).await.remove(0);
    assert_eq!(run.get_i64("bookings").unwrap(), 1, "the refund alone is young enough");
}

#[tokio::test]
async fn what_is_old_is_read_once_an_hour_and_its_differences_are_looked_at_every_time() {
    let order = an_order();
    let hours_ago = SystemClock.now().checked_sub(jiff::SignedDuration::from_hours(3)).unwrap();
    let strange = json!({
        "sequence": 1, "at": hours_ago, "kind": "authorized", "authorization": "auth_old", "reference": "by-hand",
        "amount": 500, "currency": "EUR", "method": "tok_visa", "key": "authorized", "fingerprint": "f",
    });
    let given = Given::with_ledger(&[strange]).await;
    let bookings =
        async || documents(&given.mongo, "reconciliation_runs", doc! {}).await[0].get_i64("bookings").unwrap();
    let differing = async || documents(&given.mongo, "reconciliation_differences", doc! {}).await.len();
    given.authorize(order, "tok_visa").await;

    given.compare().await;
    assert_eq!((bookings().await, differing().await), (1, 1), "the new booking alone; the old difference still stands");

    assert_eq!(given.provider(Method::POST, "/v1/authorizations/auth_old/void", Some(&json!({}))).await.0, 200);
    given.compare().await;
    assert_eq!((bookings().await, differing().await), (2, 0));

    let an_hour_ago = doc! { "$set": { "read_everything_at": DateTime::from_millis(0) } };
    given.mongo.collection::<Document>("reconciliation_runs").update_one(doc! {}, an_hour_ago).await.unwrap();
    given.compare().await;
    assert_eq!(bookings().await, 3);
}

#[tokio::test]
async fn one_pod_compares_for_all() {
    let given = Given::new().await;
    let config = given.shop.config().clone();
    let second = TestShop::start_all(Peers::default(), |_| async move { Ok(vec![payment::service(&config).await?]) });
    let second = second.await;
    given.compare().await;
    given.compare().await;

    let runs = async |url: String| -> u64 {
        let text = given.shop.client().get(url).send().await.unwrap().text().await.unwrap();
        let line = text.lines().find(|line| line.starts_with(r#"payment_reconciliation_runs_total{outcome="done""#));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0)
    };
    assert_eq!(runs(given.shop.admin_url("/metrics")).await + runs(second.admin_url("/metrics")).await, 3);
}

#[tokio::test]
async fn a_provider_that_is_away_stops_a_comparison_and_forgets_no_difference() {
    let shop = shop_beside("http://127.0.0.1:1".into()).await;
    let mongo = shop.mongo("payment").await;
    let stopped = r#"payment_reconciliation_runs_total{outcome="stopped",service="payment"}"#;
    let known = doc! {
        "_id": "held:x", "kind": "held", "reference": "x", "ours": 1_i64, "ours_currency": "EUR", "theirs": 2_i64,
        "theirs_currency": "EUR", "first_seen": DateTime::from_millis(0), "run": "earlier",
    };
    mongo.collection::<Document>("reconciliation_differences").insert_one(known).await.unwrap();

    eventually("a comparison was stopped", || async {
        let reply = shop.client().get(shop.admin_url("/metrics")).send().await.unwrap();
        reply.text().await.unwrap().contains(stopped)
    })
    .await;

    let url = shop.url(PATH);
    let request = shop.client().get(url).header("Authorization", shop.callers().staff().bearer());
    let body: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!((kinds(&body), &body["lastRun"]), (vec!["held".to_owned()], &Value::Null));
}

#[tokio::test]
async fn changed_payments_are_found_by_an_index() {
    let given = Given::new().await;
    let since = DateTime::from_millis(0);
    for filter in [
        doc! { "since": { "$gte": since } },
        doc! { "$or": [{ "since": { "$gt": since } }, { "since": since, "_id": { "$gt": "x" } }] },
        doc! { "since": { "$gte": since, "$lt": since } },
        doc! { "$or": [{ "since": { "$gt": since, "$lt": since } }, { "since": since, "_id": { "$gt": "x" } }] },
    ] {
        let find = doc! { "find": "payments", "filter": filter, "sort": { "since": 1, "_id": 1 }, "limit": 500_i64 };
        let plan: Document = given.mongo.database().run_command(doc! { "explain": find }).await.unwrap();
        let plan = plan.get_document("queryPlanner").unwrap().get_document("winningPlan").unwrap().to_string();
        assert!(plan.contains("IXSCAN") && !plan.contains("COLLSCAN") && !plan.contains("\"SORT\""), "{plan}");
    }
}
