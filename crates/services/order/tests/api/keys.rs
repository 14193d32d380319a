//! Idempotency keys: one order for each, the same answer every time, and nothing for strangers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::TryStreamExt as _;
use shop_mongo::{Document, bson, doc};
use shop_testkit::FakeClock;
use shop_types::Event;

use crate::fakes::Peer;
use crate::given::{Answer, Buyer, Given, all_of, mugs};

#[tokio::test]
async fn the_same_key_again_gives_the_same_answer_with_a_header() {
    let given = Given::new().await;
    let buyer = given.customer();
    let first = given.place(&buyer, "k", &mugs(1, "tok_visa")).await;
    assert_eq!((first.status, first.replayed), (201, false), "{}", first.body);
    let asked = given.fakes.calls(Peer::Payment).await;

    for key in ["k", "\"k\""] {
        let again = given.place(&buyer, key, &mugs(1, "tok_visa")).await;
        assert_eq!(again, Answer { replayed: true, ..first.clone() });
    }
    // What happened since does not change what was answered.
    given.tell(Event::PaymentCaptured, &first.order(), 1).await;
    given.becomes(&buyer, &first.order(), "paid").await;
    let again = given.place(&buyer, "k", &mugs(1, "tok_visa")).await;
    assert_eq!(again, Answer { replayed: true, ..first });
    assert_eq!((given.orders().await, given.fakes.calls(Peer::Payment).await), (1, asked));
}

#[tokio::test]
async fn refusals_after_the_order_was_written_are_said_again_too() {
    let given = Given::new().await;
    let buyer = given.customer();
    for (key, body, status) in [("d", mugs(1, "tok_declined"), 402), ("s", mugs(1001, "tok_visa"), 409)] {
        let first = given.place(&buyer, key, &body).await.bare();
        assert_eq!((first.status, first.replayed), (status, false), "{}", first.body);
        let again = Answer { replayed: true, ..first.clone() };
        assert_eq!(given.place(&buyer, key, &body).await.bare(), again);
        given.cancel(&buyer, &first.order()).await;
        assert_eq!(given.place(&buyer, key, &body).await.bare(), again);
    }
    assert_eq!(given.orders().await, 2);
}

#[tokio::test]
async fn a_hundred_requests_with_one_key_make_one_order() {
    let given = Given::new().await;
    let other = given.another_pod().await;
    let (buyer, body) = (given.customer(), mugs(1, "tok_visa"));
    let urls = [given.shop.url("/api/v1/orders"), format!("http://{}/api/v1/orders", other.http)];

    let all = (0..100).map(|n| {
        let sent = given.place_at(&urls[n % 2], &buyer, "k", &body);
        async {
            let started = Instant::now();
            (sent.await, started.elapsed())
        }
    });
    let answers = futures::future::join_all(all).await;

    let made: Vec<_> = answers.iter().filter(|(answer, _)| !answer.replayed && answer.status < 300).collect();
    let [(made, waited)] = made[..] else { panic!("one request makes it: {made:?}") };
    // 202 is what a buyer is told who has waited for three seconds, as on a machine that is busy: nothing less.
    assert!(
        made.status == 201 || (made.status == 202 && *waited >= Duration::from_secs(3)),
        "{made:?} after {waited:?}"
    );
    let order = made.order();
    given.becomes(&buyer, &order, "confirmed").await;
    let settled = given.place(&buyer, "k", &body).await;
    assert_eq!((settled.status, settled.replayed, settled.order()), (201, true, order.clone()));
    for (answer, _) in &answers {
        if answer == made && made.status == 202 {
            continue;
        }
        if answer.status == 201 {
            assert_eq!((&answer.body, &answer.etag), (&settled.body, &settled.etag));
        } else {
            assert_eq!((answer.status, answer.code()), (409, "request_in_progress"), "{}", answer.body);
            assert_eq!((answer.order(), answer.retry_after.as_deref()), (order.clone(), Some("1")));
        }
    }
    assert_eq!((given.orders().await, given.fakes.payments().await), (1, 1));
    assert_eq!(given.fakes.pieces("mug").await, Some(999));
    assert_eq!(given.told(&order).await, ["order.created", "order.confirmed"]);
    other.stop().await;
}

/// 24 h are promised; the row is kept for 7 days, and while it is there it counts.
#[tokio::test]
async fn a_key_counts_for_a_day_and_as_long_as_its_row_is_kept_whatever_the_pods_clock_says() {
    let clock = Arc::new(FakeClock::default());
    let given = Given::at(Arc::clone(&clock)).await;
    // A guest's token does not expire by the pod's clock.
    let buyer = Buyer::guest("g");
    let body = all_of(&given.fakes.fill_cart(&buyer, &[("mug", 1, 500)]).await);
    let first = given.place(&buyer, "k", &body).await;
    assert_eq!((first.status, first.replayed), (201, false), "{}", first.body);
    let rows = given.mongo.collection::<Document>("idempotency");
    let started = rows.find_one(doc! {}).await.unwrap().unwrap().get_datetime("started").unwrap().timestamp_millis();

    let day = Duration::from_hours(24);
    for age in [Duration::from_mins(24 * 60 - 1), day * 6] {
        // As the pod sees it, and as the database does.
        clock.advance(age);
        let moved = bson::DateTime::from_millis(started - i64::try_from(age.as_millis()).unwrap());
        rows.update_one(doc! {}, doc! { "$set": { "started": moved } }).await.unwrap();
        assert_eq!(given.place(&buyer, "k", &body).await, Answer { replayed: true, ..first.clone() });
    }

    let indexes: Vec<_> = rows.list_indexes().await.unwrap().try_collect().await.unwrap();
    let forgets = indexes.iter().find_map(|index| index.options.as_ref()?.expire_after);
    assert_eq!(forgets, Some(day * 7), "the database forgets rows by itself");
    rows.delete_one(doc! {}).await.unwrap();
    let second = given.place(&buyer, "k", &body).await;
    assert_eq!((second.status, second.replayed), (201, false), "{}", second.body);
    assert_ne!(second.order(), first.order());
}

#[tokio::test]
async fn a_key_that_was_used_for_something_else_is_refused() {
    let given = Given::new().await;
    let buyer = given.customer();
    assert_eq!(given.place(&buyer, "k", &mugs(1, "tok_visa")).await.status, 201);

    let refused = given.place(&buyer, "k", &mugs(2, "tok_visa")).await;

    assert_eq!((refused.status, refused.code()), (422, "idempotency_key_reused"), "{}", refused.body);
    assert_eq!(given.orders().await, 1);
}

#[tokio::test]
async fn the_same_key_of_somebody_else_is_another_key() {
    let given = Given::new().await;
    let (one, two) = (given.customer(), given.customer());
    let (first, second) =
        (given.place(&one, "k", &mugs(1, "tok_visa")).await, given.place(&two, "k", &mugs(2, "tok_visa")).await);
    assert_eq!((first.status, second.status, second.replayed), (201, 201, false));
    assert_ne!(first.order(), second.order());
}

#[tokio::test]
async fn a_stranger_who_knows_a_guests_cart_and_key_learns_nothing() {
    let given = Given::new().await;
    let (owner, stranger) = (Buyer::guest("o"), Buyer::guest("s"));
    let cart = given.fakes.fill_cart(&owner, &[("mug", 1, 500)]).await;
    let placed = given.place(&owner, "k", &all_of(&cart)).await;
    assert_eq!(placed.status, 201, "{}", placed.body);
    let never = given.place(&stranger, "k", &all_of("0190b3c0-0000-7000-8000-00000000dead")).await.bare();
    assert_eq!((never.status, never.code()), (422, "invalid_field"), "{}", never.body);

    let other_body = serde_json::json!({ "cartId": cart, "payment": { "method": "tok_other" } });
    for body in [all_of(&cart), other_body] {
        assert_eq!(given.place(&stranger, "k", &body).await.bare(), never);
    }
    assert_eq!(given.place(&owner, "k", &all_of(&cart)).await, Answer { replayed: true, ..placed });
}
