//! Whole orders that come back: asked for by the buyer, decided by staff, paid back by the payment.

use reqwest::Method;
use serde_json::{Value, json};
use shop_types::Event;

use crate::given::{Answer, Buyer, Given, all_of, mugs};

const UNKNOWN: &str = "0190b3c0-0000-7000-8000-00000000dead";

fn path(asked: &Answer) -> String {
    format!("/api/v1/returns/{}", asked.body["id"].as_str().unwrap())
}

fn decision(word: &str) -> Value {
    json!({ "status": word })
}

#[tokio::test]
async fn an_accepted_return_takes_stock_and_money_back() {
    let given = Given::new().await;
    let (buyer, staff) = (given.customer(), Buyer::of(&given.shop.callers().staff()));
    let order = given.shipped(&buyer, &mugs(2, "tok_visa")).await;

    let asked = given.send_back(&buyer, &order, "r", "too small").await;

    assert_eq!(
        (asked.status, asked.state(), asked.etag.as_deref()),
        (201, "requested", Some("\"1\"")),
        "{}",
        asked.body
    );
    assert_eq!((&asked.body["orderId"], &asked.body["reason"]), (&json!(order), &json!("too small")));
    assert_eq!(asked.location.as_deref(), Some(&*path(&asked)));
    assert_eq!(given.send(Method::GET, &path(&asked), &buyer).await.body, asked.body);
    assert_eq!(given.show(&buyer, &order).await.state(), "shipped", "nobody has decided");

    let accepted = given.patch(&staff, &path(&asked), 1, &decision("accepted")).await;

    assert_eq!((accepted.status, accepted.state(), accepted.etag.as_deref()), (200, "accepted", Some("\"2\"")));
    assert!(accepted.body["decidedAt"].is_string());
    assert_eq!(given.show(&buyer, &order).await.state(), "returning");
    given.tell_of(1, Some(1), Event::PaymentRefunded, &order, 1).await;
    assert_eq!(given.show(&buyer, &order).await.state(), "returning", "a part is not all");
    given.tell(Event::PaymentRefunded, &order, 2).await;
    given.becomes(&buyer, &order, "refunded").await;
    let told = given.told(&order).await;
    assert_eq!(told[3..], ["order.shipped", "order.returning", "order.returned"]);
    assert_eq!(given.send_back(&buyer, &order, "r", "too small").await, Answer { replayed: true, ..asked });
}

#[tokio::test]
async fn a_refused_return_changes_nothing_and_may_be_asked_for_again() {
    let given = Given::new().await;
    let (buyer, staff) = (given.customer(), Buyer::of(&given.shop.callers().staff()));
    let order = given.shipped(&buyer, &mugs(1, "tok_visa")).await;
    given.advance(&staff, &order, 4, "delivered").await;
    let asked = given.send_back(&buyer, &order, "r", "too small").await;

    let refused = given.patch(&staff, &path(&asked), 1, &decision("refused")).await;

    assert_eq!((refused.status, refused.state()), (200, "refused"), "{}", refused.body);
    assert_eq!(given.show(&buyer, &order).await.state(), "delivered");
    for word in ["accepted", "refused"] {
        let again = given.patch(&staff, &path(&asked), 2, &decision(word)).await;
        assert_eq!((again.status, again.code()), (409, "illegal_transition"), "{}", again.body);
        assert_eq!(again.body["allowed"], json!([]));
    }
    let second = given.send_back(&buyer, &order, "r2", "broken, too").await;
    assert_eq!(second.status, 201, "{}", second.body);
    assert_eq!(given.patch(&staff, &path(&second), 1, &decision("accepted")).await.status, 200);
    assert_eq!(given.show(&buyer, &order).await.state(), "returning");
}

#[tokio::test]
async fn staff_finds_the_returns_that_wait() {
    let given = Given::new().await;
    let (one, two) = (given.customer(), given.customer());
    let staff = Buyer::of(&given.shop.callers().staff());
    let mut asked = Vec::new();
    for buyer in [&one, &two] {
        let order = given.shipped(buyer, &mugs(1, "tok_visa")).await;
        asked.push(given.send_back(buyer, &order, "r", "too small").await);
    }
    assert_eq!(given.patch(&staff, &path(&asked[0]), 1, &decision("refused")).await.status, 200);
    for (query, expected) in
        [("", vec![1, 0]), ("?status=requested", vec![1]), ("?status=refused&page=1&size=5", vec![0])]
    {
        let list = given.send(Method::GET, &format!("/api/v1/returns{query}"), &staff).await;
        let found: Vec<_> = list.body["items"].as_array().unwrap().iter().map(|item| &item["id"]).collect();
        let expected: Vec<_> = expected.into_iter().map(|n: usize| &asked[n].body["id"]).collect();
        assert_eq!(found, expected, "{}", list.body);
        assert_eq!(list.body["page"]["total"], json!(expected.len()));
    }
    for query in ["status=lost", "sort=reason", "page=0"] {
        let refused = given.send(Method::GET, &format!("/api/v1/returns?{query}"), &staff).await;
        assert_eq!((refused.status, refused.code()), (422, "invalid_parameter"), "{}", refused.body);
    }
}

#[tokio::test]
async fn one_return_of_an_order_is_open_however_many_ask() {
    let given = Given::new().await;
    let other = given.another_pod().await;
    let buyer = given.customer();
    let order = given.shipped(&buyer, &mugs(1, "tok_visa")).await;
    let urls = [given.shop.url(""), format!("http://{}", other.http)];

    let asking = (0..20).map(|n| {
        let url = format!("{}/api/v1/orders/{order}/returns", urls[n % 2]);
        let request = given.shop.client().post(url).header(buyer.0, &buyer.1);
        crate::given::answer(request.header("Idempotency-Key", format!("r{n}")).json(&json!({ "reason": "too small" })))
    });
    let answers = futures::future::join_all(asking).await;

    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status != 201).collect();
    assert!(refused.iter().all(|answer| (answer.status, answer.code()) == (409, "return_open")), "{refused:?}");
    other.stop().await;
}

#[tokio::test]
async fn the_same_key_asks_once_and_another_wish_under_it_is_refused() {
    let given = Given::new().await;
    let buyer = given.customer();
    let order = given.shipped(&buyer, &mugs(1, "tok_visa")).await;
    let all = (0..20).map(|_| given.send_back(&buyer, &order, "r", "too small"));
    let answers = futures::future::join_all(all).await;
    let first = answers.iter().find(|answer| !answer.replayed).unwrap().clone();
    for answer in answers {
        assert_eq!(answer.status, 201, "{}", answer.body);
        assert_eq!(answer.body, first.body);
    }
    let other = given.send_back(&buyer, &order, "r", "too large").await;
    assert_eq!((other.status, other.code()), (422, "idempotency_key_reused"), "{}", other.body);
}

#[tokio::test]
async fn what_has_not_left_the_house_cannot_come_back() {
    let given = Given::new().await;
    let buyer = given.customer();
    let order = given.place(&buyer, "k", &mugs(1, "tok_visa")).await.order();
    let refused = given.send_back(&buyer, &order, "r", "too small").await;
    assert_eq!((refused.status, refused.code()), (409, "illegal_transition"), "{}", refused.body);
    assert_eq!(refused.body["allowed"], json!(["paid", "cancelling"]));
    for reason in ["", "  ", "a\nb", &"x".repeat(201)] {
        let refused = given.send_back(&buyer, &order, "r", reason).await;
        assert_eq!((refused.status, refused.code()), (422, "invalid_field"), "{}", refused.body);
        assert_eq!(refused.body["details"][0]["field"], "reason");
    }
}

#[tokio::test]
async fn a_strangers_return_looks_exactly_like_one_that_never_was() {
    let given = Given::new().await;
    let (owner, guest) = (given.customer(), Buyer::guest("g"));
    let cart = given.fakes.fill_cart(&guest, &[("mug", 1, 500)]).await;
    let guests = given.shipped(&guest, &all_of(&cart)).await;
    let owners = given.shipped(&owner, &mugs(1, "tok_visa")).await;
    let of_guest = given.send_back(&guest, &guests, "r", "too small").await;
    let of_owner = given.send_back(&owner, &owners, "r", "too small").await;
    assert_eq!((of_guest.status, of_owner.status), (201, 201), "{} {}", of_guest.body, of_owner.body);
    for stranger in [given.customer(), Buyer::guest("s"), guest.clone(), owner.clone()] {
        let never = given.send(Method::GET, &format!("/api/v1/returns/{UNKNOWN}"), &stranger).await.bare();
        let nothing = given.send_back(&stranger, UNKNOWN, "r", "x").await.bare();
        assert_eq!((never.status, nothing.status), (404, 404));
        for (whose, order, asked) in [(&owner, &owners, &of_owner), (&guest, &guests, &of_guest)] {
            let shown = given.send(Method::GET, &path(asked), &stranger).await;
            if *whose == stranger {
                assert_eq!(shown.body, asked.body);
            } else {
                assert_eq!(shown.bare(), never);
                assert_eq!(given.send_back(&stranger, order, "r", "x").await.bare(), nothing);
            }
        }
    }
    let staff = Buyer::of(&given.shop.callers().staff());
    assert_eq!(given.send(Method::GET, &path(&of_guest), &staff).await.body, of_guest.body);
    assert_eq!(given.patch(&staff, &path(&of_guest), 7, &decision("accepted")).await.status, 412);
    let wrong = given.patch(&staff, &path(&of_guest), 1, &decision("perhaps")).await;
    assert_eq!((wrong.status, wrong.code()), (422, "invalid_field"), "{}", wrong.body);
}
