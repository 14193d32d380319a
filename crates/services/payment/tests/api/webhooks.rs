//! Webhooks of the provider: only signed ones count, once, and only as a hint.

use serde_json::json;
use shop_mongo::doc;
use shop_proto::payment::PaymentState;
use shop_testkit::{Peers, TestShop};
use shop_types::Event;

use crate::given::{Given, WEBHOOK_SECRET, an_order, documents, eventually, fact};

const PATH: &str = "/api/v1/payments/webhooks/sandbox";

/// Sends a webhook that is signed now and gives its status and error code.
async fn send(shop: &TestShop, path: &str, body: &str) -> (u16, String) {
    let now = shop_types::Clock::now(&shop_service::SystemClock).as_second();
    let signed = sandbox_psp::webhooks::signature::header(WEBHOOK_SECRET.as_bytes(), now, body.as_bytes()).unwrap();
    let request = shop.client().post(shop.url(path)).header("Sandbox-Signature", signed).body(body.to_owned());
    let reply = request.send().await.unwrap();
    let status = reply.status().as_u16();
    let answer: serde_json::Value = reply.json().await.unwrap();
    (status, answer["code"].as_str().unwrap_or_default().to_owned())
}

fn event(id: &str, reference: &str) -> String {
    json!({ "id": id, "type": "authorization.captured", "data": { "reference": reference } }).to_string()
}

#[tokio::test]
async fn every_booking_is_heard_once_and_forged_webhooks_are_refused() {
    let (given, order) = (Given::with_webhooks().await, an_order());
    given.authorize(order, "tok_visa").await;
    eventually("the booking is heard", || async {
        documents(&given.mongo, "provider_events", doc! {}).await.len() == 1
    })
    .await;

    for wrong in ["unsigned", "secret", "stale", "early", "altered"] {
        assert_eq!(given.forge(wrong, "captured", &format!("{order}:1"), None).await, 400, "{wrong}");
    }

    assert_eq!(documents(&given.mongo, "provider_events", doc! {}).await.len(), 1);
    assert_eq!(given.state(order).await, PaymentState::Authorized);
}

#[tokio::test]
async fn a_signed_lie_changes_nothing_because_the_providers_books_count() {
    let given = Given::with_webhooks().await;
    let (held, waiting, unknown) = (an_order(), an_order(), an_order());
    given.authorize(held, "tok_visa").await;
    given.authorize(waiting, "tok_requires_action").await;

    for (order, kind) in [(held, "captured"), (held, "voided"), (waiting, "authorized"), (unknown, "authorized")] {
        assert_eq!(given.forge("lie", kind, &format!("{order}:1"), None).await, 200, "{kind}");
    }
    assert_eq!(given.forge("lie", "captured", "somebody_elses", None).await, 200);

    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(given.state(held).await, PaymentState::Authorized);
    assert_eq!(given.state(waiting).await, PaymentState::RequiresAction);
    assert!(given.told(waiting).await.is_empty() && given.told(unknown).await.is_empty());
}

#[tokio::test]
async fn a_replay_is_answered_well_and_does_nothing() {
    let given = Given::with_webhooks().await;
    let reference = format!("{}:1", an_order());
    for _ in 0..3 {
        assert_eq!(given.forge("lie", "captured", &reference, Some("evt_same")).await, 200);
    }
    let stored = documents(&given.mongo, "provider_events", doc! { "_id": "sandbox:evt_same" }).await;
    assert_eq!((stored.len(), stored[0].get_str("payment").unwrap()), (1, reference.as_str()));
    let metrics = given.metrics().await;
    assert!(metrics.contains(r#"payment_webhooks_total{outcome="repeated",service="payment"} 2"#), "{metrics}");
}

#[tokio::test]
async fn a_webhook_that_cannot_be_followed_is_not_remembered_so_that_it_is_told_again() {
    let given = Given::new().await;
    let order = an_order();
    given.authorize(order, "tok_requires_action").await;
    let body = event("evt_1", &format!("{order}:1"));
    let Given { shop, mongo, psp, .. } = given;
    psp.stop().await.unwrap();

    assert_eq!(send(&shop, PATH, &body).await, (503, "unavailable".to_owned()));

    assert!(documents(&mongo, "provider_events", doc! {}).await.is_empty());
}

#[tokio::test]
async fn the_same_webhook_twenty_times_at_once_counts_once() {
    let given = Given::new().await;
    let body = event("evt_1", "x");
    let sent = futures::future::join_all((0..20).map(|_| send(&given.shop, PATH, &body))).await;
    assert!(sent.iter().all(|(status, _)| *status == 200), "{sent:?}");
    assert_eq!(documents(&given.mongo, "provider_events", doc! {}).await.len(), 1);
}

#[tokio::test]
async fn doubled_reordered_and_lost_webhooks_lead_to_the_same_end() {
    let given = Given::with_webhooks().await;
    for delivery in ["duplicated", "reordered", "lost", "reordered", "duplicated", "lost"] {
        let body = json!({ "delivery": delivery });
        assert_eq!(given.provider(reqwest::Method::POST, "/v1/test/webhooks", Some(&body)).await.0, 200);
    }
    let (paid, undone, refused) = (an_order(), an_order(), an_order());
    let mut pages = Vec::new();
    for order in [paid, undone, refused] {
        pages.push(given.authorize(order, "tok_requires_action").await.next_action_url);
    }
    for (page, what) in pages.iter().zip(["confirm", "confirm", "refuse"]) {
        assert_eq!(given.buyer(page, what).await, 200);
    }
    given.becomes(paid, PaymentState::Authorized).await;
    given.becomes(undone, PaymentState::Authorized).await;
    given.tell(Event::OrderConfirmed(fact(paid, None)), 2).await;
    given.tell(Event::OrderRejected(fact(undone, None)), 2).await;

    given.becomes(paid, PaymentState::Captured).await;
    given.becomes(undone, PaymentState::Voided).await;
    given.becomes(refused, PaymentState::Declined).await;
    assert_eq!(given.ledger_kinds(paid).await, ["requires_action", "authorized", "captured"]);
    assert_eq!(given.ledger_kinds(undone).await, ["requires_action", "authorized", "voided"]);
    assert_eq!(given.told(paid).await, ["payment.authorized", "payment.captured"]);
}

#[tokio::test]
async fn strangers_nonsense_and_too_much_are_refused() {
    let given = Given::new().await;
    let good = event("evt_1", "x");
    for provider in ["stripe", "Sandbox", "sandbox2", "a%00b"] {
        let answer = send(&given.shop, &format!("/api/v1/payments/webhooks/{provider}"), &good).await;
        assert_eq!(answer, (404, "not_found".into()), "{provider}");
    }
    for body in ["", "[]", "{}", "{\"id\":\"\",\"data\":{\"reference\":\"x\"}}", "\u{0}"] {
        assert_eq!(send(&given.shop, PATH, body).await, (400, "malformed_body".into()), "{body:?}");
    }
    let large = event("evt_1", &"x".repeat(64 * 1024));
    assert_eq!(send(&given.shop, PATH, &large).await, (413, "body_too_large".into()));
    let twice = given.shop.client().post(given.shop.url(PATH)).header("Sandbox-Signature", "t=1,v1=00");
    let twice = twice.header("Sandbox-Signature", "t=1,v1=00").body(good.clone()).send().await.unwrap();
    assert_eq!(twice.status().as_u16(), 400);
    let bad_token = given.shop.client().post(given.shop.url(PATH)).bearer_auth("x").body(good).send().await.unwrap();
    assert_eq!(bad_token.status().as_u16(), 401);
    assert!(documents(&given.mongo, "provider_events", doc! {}).await.is_empty());
}

#[tokio::test]
async fn a_shop_without_a_secret_trusts_nobody() {
    let peers = Peers { payment_url: Some("http://127.0.0.1:1".into()), ..Peers::default() };
    let shop = TestShop::start_beside(peers, |mut config| async move {
        config.payment.webhook_secret_file = None;
        payment::service(&config).await
    })
    .await;
    assert_eq!(send(&shop, PATH, &event("evt_1", "x")).await, (400, "invalid_signature".into()));
}
