//! What is away, slow or killed: nobody waits for ever, nothing is lost, nothing happens twice.

use std::time::{Duration, Instant};

use shop_types::Event;

use crate::fakes::{Mood, Peer};
use crate::given::{Answer, Given, mugs};

#[tokio::test]
async fn an_unknown_payment_is_answered_in_three_seconds_and_confirmed_by_its_event() {
    let given = Given::new().await;
    let (buyer, started) = (given.customer(), Instant::now());

    let pending = given.place(&buyer, "k", &mugs(1, "tok_unknown")).await;

    let waited = started.elapsed();
    assert!((Duration::from_millis(2500)..Duration::from_millis(4500)).contains(&waited), "{waited:?}");
    assert_eq!((pending.status, pending.state()), (202, "placed"), "{}", pending.body);
    let order = pending.order();
    assert_eq!(pending.location, Some(format!("/api/v1/orders/{order}")));
    assert_eq!(pending.etag.as_deref(), Some("\"1\""));
    let busy = given.place(&buyer, "k", &mugs(1, "tok_unknown")).await;
    assert_eq!((busy.status, busy.code(), busy.order()), (409, "request_in_progress", order.clone()));

    given.tell(Event::PaymentAuthorized, &order, 2).await;

    given.becomes(&buyer, &order, "confirmed").await;
    assert_eq!(given.told(&order).await, ["order.created", "order.confirmed"]);
    let again = given.place(&buyer, "k", &mugs(1, "tok_unknown")).await;
    assert_eq!((again.status, again.replayed, again.state()), (201, true, "confirmed"));
}

#[tokio::test]
async fn an_unknown_payment_that_is_declined_by_its_event_is_declined_for_its_key() {
    let given = Given::new().await;
    let buyer = given.customer();
    let pending = given.place(&buyer, "k", &mugs(1, "tok_unknown")).await;
    given.tell(Event::PaymentDeclined, &pending.order(), 2).await;
    let again = given.place(&buyer, "k", &mugs(1, "tok_unknown")).await;
    assert_eq!((again.status, again.code()), (402, "payment_declined"), "{}", again.body);
    assert_eq!(given.show(&buyer, &pending.order()).await.state(), "placed");
}

#[tokio::test]
async fn services_that_are_away_or_hang_delay_an_order_and_never_its_answer() {
    for (peer, mood) in [
        (Peer::Inventory, Mood::Away),
        (Peer::Inventory, Mood::Hanging),
        (Peer::Payment, Mood::Away),
        (Peer::Payment, Mood::Hanging),
    ] {
        let given = Given::new().await;
        given.fakes.set(peer, mood).await;
        let (buyer, started) = (given.customer(), Instant::now());

        let pending = given.place(&buyer, "k", &mugs(1, "tok_visa")).await;

        assert!(started.elapsed() < Duration::from_millis(4500), "{peer:?} {mood:?}: {:?}", started.elapsed());
        assert_eq!((pending.status, pending.state()), (202, "placed"), "{peer:?} {mood:?} {}", pending.body);
        given.fakes.set(peer, Mood::Well).await;
        given.becomes(&buyer, &pending.order(), "confirmed").await;
        assert_eq!(given.told(&pending.order()).await, ["order.created", "order.confirmed"]);
    }
}

#[tokio::test]
async fn without_cart_or_catalog_nothing_is_written_and_the_key_stays_free() {
    let given = Given::new().await;
    let buyer = given.customer();
    let cart = crate::given::all_of(&given.fakes.fill_cart(&buyer, &[("mug", 1, 500)]).await);
    for peer in [Peer::Cart, Peer::Catalog] {
        for mood in [Mood::Away, Mood::Hanging] {
            given.fakes.set(peer, mood).await;
            let started = Instant::now();
            let refused = given.place(&buyer, "k", &cart).await;
            assert_eq!((refused.status, refused.code()), (503, "unavailable"), "{peer:?} {mood:?} {}", refused.body);
            assert!(started.elapsed() < Duration::from_secs(5), "{peer:?} {mood:?}");
        }
        given.fakes.set(peer, Mood::Well).await;
    }
    assert_eq!(given.orders().await, 0);
    assert_eq!(given.place(&buyer, "k", &cart).await.status, 201);
}

#[tokio::test]
async fn an_order_whose_driver_was_killed_is_taken_over_by_another_pod() {
    let given = Given::new().await;
    let doomed = given.another_pod().await;
    given.fakes.set(Peer::Inventory, Mood::Hanging).await;
    let buyer = given.customer();
    let url = format!("http://{}/api/v1/orders", doomed.http);
    let pending = given.place_at(&url, &buyer, "k", &mugs(1, "tok_visa")).await;
    assert_eq!(pending.status, 202, "{}", pending.body);
    let order = pending.order();

    doomed.abort();
    given.fakes.set(Peer::Inventory, Mood::Well).await;

    let busy = given.place(&buyer, "k", &mugs(1, "tok_visa")).await;
    assert_eq!((busy.status, busy.code()), (409, "request_in_progress"), "its lease lives: {}", busy.body);
    given.becomes(&buyer, &order, "confirmed").await;
    assert_eq!(given.told(&order).await, ["order.created", "order.confirmed"]);
    assert_eq!((given.orders().await, given.fakes.payments().await), (1, 1));
    let again = given.place(&buyer, "k", &mugs(1, "tok_visa")).await;
    let shown = given.show(&buyer, &order).await;
    assert_eq!(again, Answer { status: 201, replayed: true, location: again.location.clone(), ..shown });
}

#[tokio::test]
async fn an_order_that_nobody_can_drive_ends_at_its_deadline() {
    let given = Given::with_deadline(Duration::from_secs(4)).await;
    given.fakes.set(Peer::Payment, Mood::Away).await;
    let buyer = given.customer();
    let pending = given.place(&buyer, "k", &mugs(1, "tok_visa")).await;
    assert_eq!(pending.status, 202, "{}", pending.body);
    given.becomes(&buyer, &pending.order(), "rejected").await;
    given.fakes.set(Peer::Payment, Mood::Well).await;
    // A driver that still sleeps and then asks finds the verdict and follows it.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(given.show(&buyer, &pending.order()).await.body["reason"], "deadline");
    assert_eq!(given.told(&pending.order()).await, ["order.created", "order.rejected"]);
    let again = given.place(&buyer, "k", &mugs(1, "tok_visa")).await;
    assert_eq!((again.status, again.code()), (409, "order_rejected"), "{}", again.body);
}
