//! Who may do what: every route by every kind of caller, and other people's carts.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use shop_testkit::TestShop;

use crate::given::{Buyer, a_customer_cart, a_guest_cart, add, answer, bare, cart_service, id_of, show};

/// Every route on a cart, as anybody would send it.
fn routes(cart: &str) -> Vec<(Method, String, Option<Value>)> {
    vec![
        (Method::GET, cart.to_owned(), None),
        (Method::DELETE, cart.to_owned(), None),
        (Method::POST, format!("{cart}/items"), Some(json!({ "sku": "mug", "quantity": 1 }))),
        (Method::PATCH, format!("{cart}/items/mug"), Some(json!({ "quantity": 9 }))),
        (Method::DELETE, format!("{cart}/items/mug"), None),
    ]
}

fn sent(shop: &TestShop, (method, path, body): &(Method, String, Option<Value>)) -> RequestBuilder {
    let request = shop.client().request(method.clone(), shop.url(path)).header("If-Match", "\"2\"");
    match body {
        Some(body) => request.json(body),
        None => request,
    }
}

#[tokio::test]
async fn callers_without_rights_are_refused_on_every_route() {
    let (shop, _) = cart_service().await;
    let (owner, cart) = a_customer_cart(&shop).await;
    add(&shop, &owner, &cart, "mug", 1).await;
    let callers = shop.callers();
    let forged = format!("{}x", owner.1);
    let mut all = routes(&cart);
    all.push((Method::GET, "/api/v1/me/cart".to_owned(), None));
    all.push((Method::POST, format!("{cart}/merge"), Some(json!({ "from": id_of(&cart), "policy": "merge" }))));
    for route in &all {
        let refused = [
            (sent(&shop, route), 401, "unauthenticated"),
            (sent(&shop, route).header("Authorization", callers.expired().bearer()), 401, "token_expired"),
            (sent(&shop, route).header("Authorization", &forged), 401, "invalid_token"),
            (sent(&shop, route).header("X-Guest-Token", "short"), 401, "invalid_token"),
            (sent(&shop, route).header("Authorization", callers.service().bearer()), 403, "forbidden"),
        ];
        for (request, status, code) in refused {
            let got = answer(request).await;
            assert_eq!((got.status, got.code()), (status, code), "{route:?} {}", got.body);
        }
    }
    let merge = sent(&shop, &all[6]).header("X-Guest-Token", "A".repeat(43));
    assert_eq!(answer(merge).await.status, 401, "a guest has no account");
    let program = shop.client().post(shop.url("/api/v1/carts")).header("Authorization", callers.service().bearer());
    assert_eq!(answer(program).await.status, 403, "a program could never look at it");
    for bad in [callers.expired().bearer(), forged] {
        let opened = answer(shop.client().post(shop.url("/api/v1/carts")).header("Authorization", bad)).await;
        assert_eq!(opened.status, 401, "a bad token is never anonymous");
    }
    assert_eq!(show(&shop, &owner, &cart).await.lines(), [("mug", 1)]);
}

#[tokio::test]
async fn a_strangers_cart_looks_exactly_like_one_that_never_was() {
    let (shop, _) = cart_service().await;
    let (owner, owned) = a_customer_cart(&shop).await;
    let (guest, guests) = a_guest_cart(&shop).await;
    add(&shop, &owner, &owned, "mug", 1).await;
    add(&shop, &guest, &guests, "mug", 1).await;
    let strangers = [
        Buyer::customer(&shop),
        Buyer("Authorization", shop.callers().staff().bearer()),
        Buyer("Authorization", shop.callers().admin().bearer()),
        Buyer::guest(&"A".repeat(43)),
        a_guest_cart(&shop).await.0,
        a_customer_cart(&shop).await.0,
    ];
    let unknown = "/api/v1/carts/0190b3c0-0000-7000-8000-00000000dead";
    for stranger in &strangers {
        for ((foreign, guests), never) in routes(&owned).iter().zip(routes(&guests)).zip(routes(unknown)) {
            let by = |route| answer(sent(&shop, route).header(stranger.0, &stranger.1));
            let (foreign, guests, never) = (bare(by(foreign).await), bare(by(&guests).await), bare(by(&never).await));
            assert_eq!(never.status, 404, "{}", never.body);
            assert_eq!(foreign, never);
            assert_eq!(guests, never);
        }
    }
    assert_eq!(show(&shop, &owner, &owned).await.lines(), [("mug", 1)]);
    assert_eq!(show(&shop, &guest, &guests).await.lines(), [("mug", 1)]);
}

#[tokio::test]
async fn a_guest_token_opens_its_own_cart_and_no_other() {
    let (shop, _) = cart_service().await;
    let (one, ones) = a_guest_cart(&shop).await;
    let (other, others) = a_guest_cart(&shop).await;
    assert_ne!(one.1, other.1);
    assert_eq!(show(&shop, &one, &ones).await.status, 200);
    assert_eq!(show(&shop, &one, &others).await.status, 404);
    assert_eq!(show(&shop, &other, &ones).await.status, 404);
    assert_eq!(show(&shop, &one, "/api/v1/me/cart").await.body["id"], id_of(&ones));
    let never = show(&shop, &Buyer::guest(&"A".repeat(43)), "/api/v1/me/cart").await;
    assert_eq!((never.status, never.code()), (404, "not_found"));
}
