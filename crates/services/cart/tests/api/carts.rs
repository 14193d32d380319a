//! Opening, showing and throwing away.

use std::time::Duration;

use futures::TryStreamExt as _;
use jiff::Timestamp;
use reqwest::Method;
use serde_json::json;
use shop_mongo::{Document, IndexModel, doc};

use crate::given::{
    Answer, a_customer_cart, a_guest_cart, add, age_prices, answer, cart_service, id_of, path_of, request, show,
};

#[tokio::test]
async fn a_guest_gets_a_token_once_and_only_its_hash_is_stored() {
    let (shop, _) = cart_service().await;
    let opened = answer(shop.client().post(shop.url("/api/v1/carts"))).await;
    let token = opened.body["guestToken"].as_str().unwrap().to_owned();
    assert_eq!((opened.status, opened.etag.as_deref(), token.len()), (201, Some("\"1\""), 43));
    assert_eq!(opened.body["total"], json!({ "amount": 0, "currency": "EUR" }));
    assert!(opened.body["number"].as_i64().unwrap() > 0);
    let guest = crate::given::Buyer::guest(&token);
    let shown = show(&shop, &guest, &path_of(&opened)).await;
    assert!(shown.body.get("guestToken").is_none(), "{}", shown.body);
    let stored = shop.mongo("cart").await.collection::<Document>("carts").find_one(doc! {}).await.unwrap().unwrap();
    assert!(!stored.to_string().contains(&token));
    assert_eq!(stored.get_str("owner").unwrap().len(), "guest:".len() + 64);
}

#[tokio::test]
async fn a_user_has_one_cart_however_often_they_open_one() {
    let (shop, _) = cart_service().await;
    let buyer = crate::given::Buyer::customer(&shop);
    let before = answer(request(&shop, &buyer, Method::GET, "/api/v1/me/cart")).await;
    assert_eq!((before.status, before.code()), (404, "not_found"));
    let open = || answer(request(&shop, &buyer, Method::POST, "/api/v1/carts").header("Idempotency-Key", "k"));
    let opened = futures::future::join_all((0..20).map(|_| open())).await;
    assert_eq!(opened.iter().filter(|answer| answer.status == 201).count(), 1);
    assert!(opened.iter().all(|answer| answer.body["id"] == opened[0].body["id"]), "{opened:?}");
    assert!(opened.iter().all(|answer| answer.body.get("guestToken").is_none()));
    let own = answer(request(&shop, &buyer, Method::GET, "/api/v1/me/cart")).await;
    assert_eq!((own.status, &own.body["id"]), (200, &opened[0].body["id"]));
}

#[tokio::test]
async fn carts_have_different_numbers() {
    let (shop, _) = cart_service().await;
    let mut numbers = Vec::new();
    for _ in 0..5 {
        let (buyer, cart) = a_guest_cart(&shop).await;
        numbers.push(show(&shop, &buyer, &cart).await.body["number"].as_i64().unwrap());
    }
    numbers.dedup();
    assert_eq!(numbers.len(), 5);
}

#[tokio::test]
async fn a_version_that_the_caller_has_is_not_sent_again() {
    let (shop, _) = cart_service().await;
    let (buyer, cart) = a_guest_cart(&shop).await;
    let filled = add(&shop, &buyer, &cart, "mug", 1).await;
    let tag = filled.etag.unwrap();
    let known = answer(request(&shop, &buyer, Method::GET, &cart).header("If-None-Match", &tag)).await;
    assert_eq!((known.status, known.etag.as_deref()), (304, Some(tag.as_str())));
    let old = answer(request(&shop, &buyer, Method::GET, &cart).header("If-None-Match", "\"1\"")).await;
    assert_eq!(old.status, 200);
}

#[tokio::test]
async fn another_cart_at_the_same_version_is_shown() {
    let (shop, _) = cart_service().await;
    let buyer = crate::given::Buyer::customer(&shop);
    let own = async |tag: &str| {
        answer(request(&shop, &buyer, Method::GET, "/api/v1/me/cart").header("If-None-Match", tag)).await
    };
    let mut seen = Vec::new();
    for _ in 0..2 {
        let opened = answer(request(&shop, &buyer, Method::POST, "/api/v1/carts")).await;
        let shown = own(&opened.etag.unwrap()).await;
        assert_eq!((shown.status, &shown.body["id"]), (200, &opened.body["id"]));
        let cart = format!("/api/v1/carts/{}", opened.body["id"].as_str().unwrap());
        assert_eq!(answer(request(&shop, &buyer, Method::DELETE, &cart)).await.status, 204);
        seen.push(shown.etag);
    }
    assert_eq!(seen[0], seen[1]);
}

#[tokio::test]
async fn a_cart_that_was_thrown_away_is_gone_and_its_owner_may_open_another() {
    let (shop, _) = cart_service().await;
    let (buyer, cart) = a_customer_cart(&shop).await;
    add(&shop, &buyer, &cart, "mug", 1).await;
    assert_eq!(answer(request(&shop, &buyer, Method::DELETE, &cart)).await.status, 204);
    assert_eq!(answer(request(&shop, &buyer, Method::DELETE, &cart)).await.status, 404);
    assert_eq!(show(&shop, &buyer, &cart).await.status, 404);
    let opened = answer(request(&shop, &buyer, Method::POST, "/api/v1/carts")).await;
    assert_eq!(opened.status, 201);
    assert_ne!(path_of(&opened), cart);
    assert!(opened.lines().is_empty());
}

#[tokio::test]
async fn prices_older_than_a_minute_are_asked_for_again() {
    let (shop, catalog) = cart_service().await;
    let (buyer, cart) = a_guest_cart(&shop).await;
    add(&shop, &buyer, &cart, "mug", 2).await;
    catalog.change("mug", |mug| mug.price.as_mut().unwrap().amount = 700).await;
    let asked = catalog.calls().await;
    let fresh = show(&shop, &buyer, &cart).await;
    assert_eq!((fresh.total(), catalog.calls().await), (1000, asked));
    age_prices(&shop).await;
    let repriced = show(&shop, &buyer, &cart).await;
    assert_eq!((repriced.total(), repriced.etag.as_deref()), (1400, Some("\"3\"")));
    age_prices(&shop).await;
    let same = show(&shop, &buyer, &cart).await;
    assert_eq!((same.total(), same.etag.as_deref()), (1400, Some("\"3\"")), "no difference, no version");
    let asked = catalog.calls().await;
    show(&shop, &buyer, &cart).await;
    assert_eq!(catalog.calls().await, asked, "the prices are fresh again");
}

#[tokio::test]
async fn a_line_that_can_no_longer_be_bought_says_so_and_a_catalog_that_is_away_stops_no_reader() {
    let (shop, catalog) = cart_service().await;
    let (buyer, cart) = a_guest_cart(&shop).await;
    add(&shop, &buyer, &cart, "mug", 1).await;
    add(&shop, &buyer, &cart, "cup", 1).await;
    age_prices(&shop).await;
    catalog.set_away(true).await;
    let old = show(&shop, &buyer, &cart).await;
    assert_eq!((old.status, old.total()), (200, 800));
    catalog.set_away(false).await;
    catalog.change("mug", |mug| mug.archived = true).await;
    catalog.forget("cup").await;
    let marked = show(&shop, &buyer, &cart).await;
    assert!(marked.body["lines"].as_array().unwrap().iter().all(|line| line["withdrawn"] == true), "{}", marked.body);
    assert_eq!(marked.total(), 800);
}

#[tokio::test]
async fn carts_of_guests_are_forgotten_a_month_after_they_were_written_last() {
    let (shop, _) = cart_service().await;
    let mongo = shop.mongo("cart").await;
    let carts = mongo.collection::<Document>("carts");
    let kept: Vec<IndexModel> = carts.list_indexes().await.unwrap().try_collect().await.unwrap();
    let forgets = kept.iter().filter_map(|index| index.options.as_ref()).find(|o| o.expire_after.is_some()).unwrap();
    assert_eq!(forgets.expire_after, Some(Duration::from_hours(30 * 24)));
    let of_guests = forgets.partial_filter_expression.clone().unwrap();
    for ((buyer, cart), count) in [(a_customer_cart(&shop).await, 0), (a_guest_cart(&shop).await, 1)] {
        let found = async || carts.find_one(doc! { "_id": id_of(&cart) }).await.unwrap().unwrap();
        let opened = *found().await.get_datetime("written_at").unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
        add(&shop, &buyer, &cart, "mug", 1).await;
        assert!(*found().await.get_datetime("written_at").unwrap() > opened);
        let mut this = of_guests.clone();
        this.insert("_id", id_of(&cart));
        assert_eq!(carts.count_documents(this).await.unwrap(), count, "a customer's cart is kept");
    }
}

#[tokio::test]
async fn a_cart_tells_when_it_was_opened_and_when_it_came_to_its_version() {
    let (shop, _) = cart_service().await;
    let (buyer, cart) = a_guest_cart(&shop).await;
    let times = |answer: &Answer| {
        ["createdAt", "updatedAt"].map(|name| answer.body[name].as_str().unwrap().parse::<Timestamp>().unwrap())
    };
    let opened = times(&show(&shop, &buyer, &cart).await);
    assert_eq!(opened[0], opened[1]);
    tokio::time::sleep(Duration::from_millis(5)).await;
    let filled = times(&add(&shop, &buyer, &cart, "mug", 1).await);
    assert!(filled[0] == opened[0] && filled[1] > opened[1], "{filled:?} after {opened:?}");
    age_prices(&shop).await;
    assert_eq!(times(&show(&shop, &buyer, &cart).await), filled, "a price that stays is no change");
    // As it was written before the time of its version was kept.
    let carts = shop.mongo("cart").await.collection::<Document>("carts");
    carts.update_one(doc! { "_id": id_of(&cart) }, doc! { "$unset": { "updated_at": "" } }).await.unwrap();
    age_prices(&shop).await;
    let old = times(&show(&shop, &buyer, &cart).await);
    assert!(old[0] == opened[0] && old[1] >= filled[1], "{old:?} after {filled:?}");
}
