//! Taking over a guest's cart after login.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use shop_mongo::{Document, doc};
use shop_testkit::TestShop;

use crate::given::{
    Answer, Buyer, a_customer_cart, a_guest_cart, add, age_prices, answer, bare, cart_service, id_of, request, show,
};

/// A request of `buyer` to take over `guest`'s cart.
fn merging(shop: &TestShop, buyer: &Buyer, into: &str, guest: &Buyer, body: &Value) -> RequestBuilder {
    request(shop, buyer, Method::POST, &format!("{into}/merge")).header(guest.0, &guest.1).json(body)
}

/// Takes over a guest's cart.
async fn merge(shop: &TestShop, (buyer, into): &(Buyer, String), from: &(Buyer, String), policy: &str) -> Answer {
    answer(merging(shop, buyer, into, &from.0, &json!({ "from": id_of(&from.1), "policy": policy }))).await
}

/// A customer with 2 mugs, a guest with a mug and 4 cups.
async fn two_carts(shop: &TestShop) -> ((Buyer, String), (Buyer, String)) {
    let (account, guest) = (a_customer_cart(shop).await, a_guest_cart(shop).await);
    add(shop, &account.0, &account.1, "mug", 2).await;
    add(shop, &guest.0, &guest.1, "mug", 1).await;
    add(shop, &guest.0, &guest.1, "cup", 4).await;
    (account, guest)
}

/// How many carts are stored.
async fn carts(shop: &TestShop) -> u64 {
    shop.mongo("cart").await.collection::<Document>("carts").count_documents(doc! {}).await.unwrap()
}

#[tokio::test]
async fn each_policy_leaves_its_lines_and_no_guests_cart() {
    for (policy, lines, tag) in [
        ("merge", vec![("mug", 3), ("cup", 4)], "\"3\""),
        ("keep_guest", vec![("mug", 1), ("cup", 4)], "\"3\""),
        ("keep_account", vec![("mug", 2)], "\"2\""),
    ] {
        let (shop, _) = cart_service().await;
        let (account, guest) = two_carts(&shop).await;
        let merged = merge(&shop, &account, &guest, policy).await;
        assert_eq!((merged.status, merged.etag.as_deref(), merged.lines()), (200, Some(tag), lines), "{policy}");
        assert_eq!(show(&shop, &account.0, &account.1).await, merged, "{policy}");
        assert_eq!(show(&shop, &guest.0, &guest.1).await.status, 404, "{policy}");
        assert_eq!(carts(&shop).await, 1, "{policy}");
    }
}

#[tokio::test]
async fn a_repeated_merge_answers_the_cart_as_it_is_and_adds_nothing() {
    let (shop, _) = cart_service().await;
    let (account, guest) = two_carts(&shop).await;
    let all = futures::future::join_all((0..20).map(|_| merge(&shop, &account, &guest, "merge"))).await;
    let ended: Vec<_> = all.iter().map(|answer| (answer.status, answer.etag.as_deref(), answer.lines())).collect();
    assert!(ended.iter().all(|one| *one == (200, Some("\"3\""), vec![("mug", 3), ("cup", 4)])), "{ended:?}");
    add(&shop, &account.0, &account.1, "cup", 1).await;
    let later = merge(&shop, &account, &guest, "merge").await;
    assert_eq!((later.status, later.lines()), (200, vec![("mug", 3), ("cup", 5)]));
    let otherwise = merge(&shop, &account, &guest, "keep_guest").await;
    assert_eq!((otherwise.status, otherwise.code()), (404, "not_found"), "that cart is gone");
}

#[tokio::test]
async fn a_guests_cart_goes_to_one_account_only() {
    let (shop, _) = cart_service().await;
    let (account, guest) = two_carts(&shop).await;
    let other = a_customer_cart(&shop).await;
    let (one, two) = futures::join!(merge(&shop, &account, &guest, "merge"), merge(&shop, &other, &guest, "merge"));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 404]);
    let pieces = |answer: &Answer| answer.lines().iter().map(|(_, pieces)| pieces).sum::<u64>();
    let mine = pieces(&show(&shop, &account.0, &account.1).await);
    assert_eq!(mine + pieces(&show(&shop, &other.0, &other.1).await), 7, "two mugs, and the guest's five pieces once");
}

#[tokio::test]
async fn nobody_takes_over_a_cart_or_into_a_cart_that_is_not_theirs() {
    let (shop, _) = cart_service().await;
    let (account, guest) = two_carts(&shop).await;
    let (other, stranger) = (a_customer_cart(&shop).await, a_guest_cart(&shop).await);
    let unknown = "/api/v1/carts/0190b3c0-0000-7000-8000-00000000dead".to_owned();
    let never = bare(merge(&shop, &(account.0.clone(), unknown.clone()), &guest, "merge").await);
    assert_eq!((never.status, never.code()), (404, "not_found"));
    let staff = Buyer("Authorization", shop.callers().staff().bearer());
    for (into, from, what) in [
        ((other.0.clone(), account.1.clone()), guest.clone(), "into a stranger's cart"),
        ((staff, account.1.clone()), guest.clone(), "into a customer's cart by staff"),
        ((account.0.clone(), guest.1.clone()), guest.clone(), "into the guest's cart"),
        (account.clone(), (stranger.0.clone(), guest.1.clone()), "with another guest's token"),
        (account.clone(), (guest.0.clone(), stranger.1.clone()), "another guest's cart"),
        (account.clone(), (guest.0.clone(), unknown), "a cart that never was"),
        (account.clone(), (guest.0.clone(), account.1.clone()), "one's own cart"),
        (account.clone(), (guest.0.clone(), other.1.clone()), "a customer's cart"),
    ] {
        assert_eq!(bare(merge(&shop, &into, &from, "keep_guest").await), never, "{what}");
    }
    assert_eq!(show(&shop, &account.0, &account.1).await.lines(), [("mug", 2)]);
    assert_eq!(show(&shop, &guest.0, &guest.1).await.lines(), [("mug", 1), ("cup", 4)]);
}

#[tokio::test]
async fn what_does_not_fit_into_one_cart_leaves_both_as_they_were() {
    let (shop, catalog) = cart_service().await;
    let (account, guest) = two_carts(&shop).await;
    add(&shop, &account.0, &account.1, "cup", 1_000_000).await;
    let many = merge(&shop, &account, &guest, "merge").await;
    assert_eq!((many.status, many.code()), (409, "quantity_too_large"));
    for n in 0..98 {
        catalog.sell(&format!("s{n}"), 1).await;
        add(&shop, &account.0, &account.1, &format!("s{n}"), 1).await;
    }
    let (buyer, cart) = a_guest_cart(&shop).await;
    catalog.sell("jug", 1).await;
    add(&shop, &buyer, &cart, "jug", 1).await;
    let full = merge(&shop, &account, &(buyer.clone(), cart.clone()), "merge").await;
    assert_eq!((full.status, full.code()), (409, "cart_full"));
    assert_eq!(show(&shop, &account.0, &account.1).await.lines().len(), 100);
    assert_eq!(show(&shop, &guest.0, &guest.1).await.lines(), [("mug", 1), ("cup", 4)]);
    assert_eq!(merge(&shop, &account, &(buyer, cart), "keep_guest").await.lines(), [("jug", 1)]);
}

#[tokio::test]
async fn a_version_that_was_seen_is_respected_when_it_is_sent() {
    let (shop, _) = cart_service().await;
    let (account, guest) = two_carts(&shop).await;
    let body = json!({ "from": id_of(&guest.1), "policy": "keep_guest" });
    for stale in ["\"1\"", "\"3\"", "*", "nonsense"] {
        let sent = merging(&shop, &account.0, &account.1, &guest.0, &body).header("If-Match", stale);
        let refused = answer(sent).await;
        assert_eq!((refused.status, refused.code()), (412, "version_conflict"), "{stale}");
    }
    assert_eq!(show(&shop, &guest.0, &guest.1).await.status, 200);
    let seen = || merging(&shop, &account.0, &account.1, &guest.0, &body).header("If-Match", "\"2\"");
    let merged = answer(seen()).await;
    assert_eq!((merged.status, merged.lines()), (200, vec![("mug", 1), ("cup", 4)]));
    assert_eq!(answer(seen()).await, merged, "repeated, although the version is another one now");
}

#[tokio::test]
async fn prices_of_the_guests_lines_are_those_of_now() {
    let (shop, catalog) = cart_service().await;
    let (account, guest) = two_carts(&shop).await;
    catalog.sell("cup", 400).await;
    age_prices(&shop).await;
    let merged = merge(&shop, &account, &guest, "merge").await;
    assert_eq!((merged.total(), merged.etag.as_deref()), (3 * 500 + 4 * 400, Some("\"4\"")));
    catalog.set_away(true).await;
    age_prices(&shop).await;
    assert_eq!(merge(&shop, &account, &guest, "merge").await, merged, "a catalog that is away stops nobody");
}

#[tokio::test]
async fn requests_that_cannot_be_are_refused_with_their_field() {
    let (shop, _) = cart_service().await;
    let (account, guest) = two_carts(&shop).await;
    let from = id_of(&guest.1);
    for (body, status, code, field) in [
        (json!({ "from": from, "policy": "both" }), 422, "invalid_field", "policy"),
        (json!({ "from": from, "policy": 1 }), 400, "malformed_body", "policy"),
        (json!({ "from": from }), 422, "invalid_field", "policy"),
        (json!({ "from": "7", "policy": "merge" }), 422, "invalid_field", "from"),
        (json!({ "from": { "$ne": "" }, "policy": "merge" }), 400, "malformed_body", "from"),
        (json!({ "policy": "merge" }), 422, "invalid_field", "from"),
        (json!({ "from": from, "policy": "merge", "owner": "x" }), 422, "unknown_field", "owner"),
    ] {
        let got = answer(merging(&shop, &account.0, &account.1, &guest.0, &body)).await;
        assert_eq!((got.status, got.code()), (status, code), "{body} gave {}", got.body);
        assert_eq!(got.body["details"][0]["field"], field, "{body} gave {}", got.body);
    }
    let body = json!({ "from": from, "policy": "merge" });
    let unproven = request(&shop, &account.0, Method::POST, &format!("{}/merge", account.1)).json(&body);
    let got = answer(unproven).await;
    assert_eq!((got.status, got.code()), (422, "invalid_field"));
    assert_eq!(got.body["details"][0]["field"], "X-Guest-Token");
    let key = merging(&shop, &account.0, &account.1, &guest.0, &body).header("Idempotency-Key", "");
    assert_eq!(answer(key).await.code(), "invalid_idempotency_key");
    for id in ["1", "%00", "null"] {
        let into = format!("/api/v1/carts/{id}");
        assert_eq!(merge(&shop, &(account.0.clone(), into), &guest, "merge").await.status, 404);
    }
    assert_eq!(show(&shop, &guest.0, &guest.1).await.lines(), [("mug", 1), ("cup", 4)]);
}
