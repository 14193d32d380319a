//! Carts are stored in MongoDB and cached in Redis: who changed one sees that with the next read, on every pod.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::Method;
use serde_json::json;
use shop_testkit::TestShop;

use crate::given::{
    Answer, Buyer, a_customer_cart, a_guest_cart, add, age_prices, another_pod, answer, cart_service, copies,
    eventually, id_of, request, show,
};
use crate::orders::{deleted, deliver, get_cart};
use crate::wire::Wire;

/// The sum of a metric of a pod, of the lines that have this label.
async fn metric(pod: &TestShop, name: &str, label: &str) -> f64 {
    let text = pod.client().get(pod.admin_url("/metrics")).send().await.unwrap().text().await.unwrap();
    let of_it = text.lines().filter(|line| line.starts_with(&format!("{name}{{")) && line.contains(label));
    of_it.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

/// Writes that Redis was too late to hear of, as happens on a busy machine: copies may be old then.
async fn untold(pod: &TestShop) -> f64 {
    metric(pod, "cache_invalidation_failures_total", "cart").await
}

/// The owner's name, as copies are called by it.
async fn owner_of(shop: &TestShop, cart: &str) -> String {
    let carts = shop.mongo("cart").await.collection::<shop_mongo::Document>("carts");
    let found = carts.find_one(shop_mongo::doc! { "_id": id_of(cart) }).await.unwrap().unwrap();
    found.get_str("owner").unwrap().to_owned()
}

async fn own(shop: &TestShop, buyer: &Buyer) -> Answer {
    answer(request(shop, buyer, Method::GET, "/api/v1/me/cart")).await
}

#[tokio::test]
async fn a_read_comes_from_redis_and_shows_the_same_as_mongodb() {
    let (shop, _) = cart_service().await;
    let (buyer, cart) = a_customer_cart(&shop).await;
    let filled = add(&shop, &buyer, &cart, "mug", 2).await;
    assert_eq!(show(&shop, &buyer, &cart).await.body, filled.body);
    let carts = shop.mongo("cart").await.collection::<shop_mongo::Document>("carts");
    let copies = copies(&shop).await;
    let owner = owner_of(&shop, &cart).await;
    eventually("there is a copy", async || {
        show(&shop, &buyer, &cart).await;
        copies.look(owner.as_str()).await.copy().is_some()
    })
    .await;
    // What nobody would do: only the copy can tell of the cart now.
    carts.delete_many(shop_mongo::doc! {}).await.unwrap();
    let read = metric(&shop, "cache_requests_total", "redis").await;
    for shown in [show(&shop, &buyer, &cart).await, own(&shop, &buyer).await] {
        assert_eq!((shown.status, shown.body), (200, filled.body.clone()));
    }
    assert!(metric(&shop, "cache_requests_total", "redis").await >= read + 2.0);
    let stranger = Buyer::customer(&shop);
    assert_eq!(show(&shop, &stranger, &cart).await.status, 404, "a copy is its owner's alone");
    assert_eq!(add(&shop, &buyer, &cart, "mug", 1).await.status, 404, "commands do not read copies");
}

#[tokio::test]
async fn who_changed_a_cart_sees_it_with_the_next_read_on_every_pod() {
    let (here, _) = cart_service().await;
    let there = another_pod(&here, |_| {}).await;
    let (buyer, cart) = a_customer_cart(&here).await;
    let busy = Arc::new(AtomicBool::new(true));
    // Others look all the time, so that there is always a copy, or one about to be made from before the write.
    let readers = [&here, &there].map(|pod| {
        let (busy, url, client) = (Arc::clone(&busy), pod.url(&cart), pod.client().clone());
        let buyer = buyer.clone();
        tokio::spawn(async move {
            while busy.load(Ordering::Relaxed) {
                client.get(&url).header(buyer.0, &buyer.1).send().await.unwrap();
            }
        })
    });
    let pods = [&here, &there];
    for round in 0..40_usize {
        let (writing, reading) = (pods[round % 2], pods[(round / 2) % 2]);
        let written = add(writing, &buyer, &cart, "mug", 1).await;
        let shown = show(reading, &buyer, &cart).await;
        if shown.etag != written.etag || shown.body != written.body {
            assert!(untold(&here).await + untold(&there).await > 0.0, "{shown:?} after {written:?}");
        }
    }
    let tag = show(&here, &buyer, &cart).await.etag.unwrap();
    let emptied =
        answer(request(&there, &buyer, Method::DELETE, &format!("{cart}/items/mug")).header("If-Match", &tag)).await;
    assert_eq!(emptied.lines(), [], "{}", emptied.body);
    assert_eq!(show(&here, &buyer, &cart).await.lines(), []);
    assert_eq!(answer(request(&here, &buyer, Method::DELETE, &cart)).await.status, 204);
    assert_eq!(own(&there, &buyer).await.status, 404);
    busy.store(false, Ordering::Relaxed);
    futures::future::join_all(readers).await;
    assert!(metric(&there, "cache_requests_total", "redis").await > 0.0);
}

#[tokio::test]
async fn a_guests_cart_that_was_taken_over_is_gone_on_every_pod() {
    let (here, _) = cart_service().await;
    let there = another_pod(&here, |_| {}).await;
    let (guest, from) = a_guest_cart(&here).await;
    let (buyer, cart) = a_customer_cart(&here).await;
    add(&here, &guest, &from, "mug", 2).await;
    for (who, cart) in [(&guest, &from), (&buyer, &cart)] {
        show(&there, who, cart).await;
    }
    let merge = request(&here, &buyer, Method::POST, &format!("{cart}/merge")).header("X-Guest-Token", &guest.1);
    let merged = answer(merge.json(&json!({ "from": id_of(&from), "policy": "merge" }))).await;
    assert_eq!((show(&there, &guest, &from).await.status, own(&there, &buyer).await.body), (404, merged.body));
}

#[tokio::test]
async fn without_redis_carts_are_read_and_written_and_an_old_copy_decides_nothing() {
    let (here, _) = cart_service().await;
    let wire = Wire::to(here.config().redis.as_ref().unwrap().url.expose()).await;
    let lonely = another_pod(&here, |config| config.redis.as_mut().unwrap().url = wire.url()).await;
    let (buyer, cart) = a_customer_cart(&here).await;
    let first = add(&lonely, &buyer, &cart, "mug", 1).await;
    let kept = copies(&here).await;
    let owner = owner_of(&here, &cart).await;
    wire.cut();
    eventually("the pod has lost Redis", async || {
        let lost = untold(&lonely).await;
        // A write that changes nothing but what is told.
        let change = request(&lonely, &buyer, Method::PATCH, &format!("{cart}/items/mug"));
        answer(change.header("If-Match", first.etag.as_deref().unwrap()).json(&json!({ "quantity": 1 }))).await;
        untold(&lonely).await > lost
    })
    .await;
    eventually("there is a copy", async || {
        show(&here, &buyer, &cart).await;
        kept.look(owner.as_str()).await.copy().is_some()
    })
    .await;
    let second = add(&lonely, &buyer, &cart, "mug", 1).await;
    assert_eq!((second.status, second.lines()), (200, vec![("mug", 2)]));
    assert_eq!(show(&lonely, &buyer, &cart).await.body, second.body, "from MongoDB");
    let old = show(&here, &buyer, &cart).await;
    assert_eq!(old.body, first.body, "nobody could tell this pod");
    let ordered = get_cart(&here, Some(&buyer), &cart).await.unwrap();
    assert_eq!((ordered.version, ordered.lines[0].quantity), (3, 2), "an order is made of what is stored");
    let change = request(&here, &buyer, Method::PATCH, &format!("{cart}/items/mug"));
    let refused = answer(change.header("If-Match", old.etag.unwrap()).json(&json!({ "quantity": 9 }))).await;
    assert_eq!(refused.status, 412);
    eventually("who was refused sees why", async || {
        let change = request(&here, &buyer, Method::PATCH, &format!("{cart}/items/mug"));
        answer(change.header("If-Match", "\"0\"").json(&json!({ "quantity": 9 }))).await;
        show(&here, &buyer, &cart).await.body == second.body
    })
    .await;
}

#[tokio::test]
async fn a_copy_shows_no_price_that_is_older_than_a_minute() {
    let (shop, catalog) = cart_service().await;
    let (buyer, cart) = a_guest_cart(&shop).await;
    add(&shop, &buyer, &cart, "mug", 2).await;
    age_prices(&shop).await;
    catalog.set_away(true).await;
    // Copied with its old prices, which is all that there are.
    for _ in 0..2 {
        assert_eq!(show(&shop, &buyer, &cart).await.total(), 1000);
    }
    catalog.set_away(false).await;
    catalog.change("mug", |mug| mug.price.as_mut().unwrap().amount = 700).await;
    assert_eq!(show(&shop, &buyer, &cart).await.total(), 1400);
}

#[tokio::test]
async fn of_somebody_who_is_gone_no_copy_is_left() {
    let (shop, _) = cart_service().await;
    let ada = shop.callers().customer();
    let buyer = Buyer("Authorization", ada.bearer());
    answer(request(&shop, &buyer, Method::POST, "/api/v1/carts")).await;
    assert_eq!(own(&shop, &buyer).await.status, 200);
    deliver(&shop, &deleted(ada.id), 1).await;
    let copies = copies(&shop).await;
    if untold(&shop).await == 0.0 {
        assert!(copies.look(format!("user:{}", ada.id)).await.copy().is_none());
        assert_eq!(own(&shop, &buyer).await.status, 404);
    }
}
