//! Holds that the buyer has to confirm at the provider (3-D Secure).

use serde_json::json;
use shop_mongo::bson::DateTime;
use shop_mongo::{Document, doc};
use shop_proto::payment::{AuthorizeReply, AuthorizeRequest, PaymentState};
use shop_service::SystemClock;
use shop_types::{Clock as _, Event, OrderId};

use crate::given::{Given, an_order, fact, request};

const CARD: &str = "tok_requires_action";

/// Nobody looks it up by themselves for an hour.
async fn not_due(given: &Given, order: OrderId) {
    let later = DateTime::from_millis(SystemClock.now().as_millisecond() + 3_600_000);
    let payments = given.mongo.collection::<Document>("payments");
    let set = doc! { "$set": { "next_try_at": later } };
    assert_eq!(payments.update_one(doc! { "_id": format!("{order}:1") }, set).await.unwrap().matched_count, 1);
}

async fn wait_for_buyer(given: &Given, order: OrderId) -> AuthorizeReply {
    let reply = given.authorize(order, CARD).await;
    assert_eq!(reply.state(), PaymentState::RequiresAction);
    reply
}

#[tokio::test]
async fn the_caller_is_told_where_the_buyer_confirms_and_asks_as_often_as_it_likes() {
    let (given, order) = (Given::new().await, an_order());
    let owner = given.shop.callers().customer();
    let call = AuthorizeRequest { user_id: owner.id.to_string(), ..request(order, CARD) };

    let first = given.client().await.authorize(call.clone()).await.unwrap().into_inner();
    let again = given.client().await.authorize(call).await.unwrap().into_inner();

    assert_eq!((first.state(), &first), (PaymentState::RequiresAction, &again));
    assert!(first.next_action_url.starts_with("http://127.0.0.1:"), "{}", first.next_action_url);
    let (_, shown) = given.http("GET", &format!("/api/v1/payments/{order}:1"), Some(&owner)).await;
    let next = json!({ "type": "redirect", "url": first.next_action_url });
    assert_eq!((&shown["status"], &shown["nextAction"]), (&"REQUIRES_ACTION".into(), &next));
    assert!(shown.get("nextActionUrl").is_none(), "{shown}");
    assert_eq!(given.ledger_kinds(order).await, ["requires_action"]);
    assert!(given.told(order).await.is_empty());
}

#[tokio::test]
async fn a_webhook_resumes_a_payment_as_soon_as_the_buyer_has_confirmed() {
    let (given, order) = (Given::with_webhooks().await, an_order());
    let page = wait_for_buyer(&given, order).await.next_action_url;
    not_due(&given, order).await;

    assert_eq!(given.buyer(&page, "confirm").await, 200);

    given.becomes(order, PaymentState::Authorized).await;
    assert_eq!(given.told(order).await, ["payment.authorized"]);
    given.tell(Event::OrderConfirmed(fact(order, None)), 1).await;
    given.becomes(order, PaymentState::Captured).await;
    assert_eq!(given.ledger_kinds(order).await, ["requires_action", "authorized", "captured"]);
}

#[tokio::test]
async fn without_webhooks_it_is_looked_up_now_and_then() {
    let given = Given::new().await;
    let (confirmed, refused) = (an_order(), an_order());
    let yes = wait_for_buyer(&given, confirmed).await.next_action_url;
    let no = wait_for_buyer(&given, refused).await.next_action_url;

    assert_eq!((given.buyer(&yes, "confirm").await, given.buyer(&no, "refuse").await), (200, 200));

    given.becomes(confirmed, PaymentState::Authorized).await;
    given.becomes(refused, PaymentState::Declined).await;
    assert_eq!(given.authorize(refused, CARD).await.reason, "action_refused");
    assert_eq!(given.told(refused).await, ["payment.declined"]);
}

#[tokio::test]
async fn an_order_that_ends_while_the_buyer_is_asked_leaves_nothing_to_confirm() {
    let (given, order) = (Given::new().await, an_order());
    let page = wait_for_buyer(&given, order).await.next_action_url;

    given.tell(Event::OrderRejected(fact(order, None)), 2).await;

    given.becomes(order, PaymentState::Voided).await;
    assert_eq!(given.buyer(&page, "confirm").await, 409);
    assert_eq!(given.ledger_kinds(order).await, ["requires_action", "cancelled"]);
    assert_eq!(given.told(order).await, ["payment.voided"]);
}

#[tokio::test]
async fn a_buyer_who_confirms_while_the_order_ends_is_never_charged() {
    let given = Given::with_webhooks().await;
    for _ in 0..5 {
        let order = an_order();
        let page = wait_for_buyer(&given, order).await.next_action_url;

        tokio::join!(given.tell(Event::OrderRejected(fact(order, None)), 1), given.buyer(&page, "confirm"));

        given.becomes(order, PaymentState::Voided).await;
        let kinds = given.ledger_kinds(order).await;
        assert!(
            kinds == ["requires_action", "cancelled"] || kinds == ["requires_action", "authorized", "voided"],
            "a hold is left: {kinds:?}"
        );
    }
}
