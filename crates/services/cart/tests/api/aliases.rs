//! Older names for the cart that a user has: their shapes, and whose cart they show.

use reqwest::Method;
use serde_json::{Value, json};
use shop_testkit::TestShop;

use crate::catalog::PRODUCT;
use crate::given::{Answer, Buyer, answer, cart_service, request};

async fn fill(shop: &TestShop, who: &Buyer, body: &Value) -> Answer {
    answer(request(shop, who, Method::POST, "/cart").json(body)).await
}

async fn ask(shop: &TestShop, who: &Buyer, method: Method, path: &str) -> Answer {
    answer(request(shop, who, method, path)).await
}

#[tokio::test]
async fn a_cart_is_filled_shown_and_emptied_by_its_user() {
    let (shop, catalog) = cart_service().await;
    let ada = shop.callers().customer();
    catalog.know(&ada.id.to_string(), 12).await;
    let buyer = Buyer("Authorization", ada.bearer());
    let first = fill(&shop, &buyer, &json!({ "user_id": 12, "product_id": PRODUCT, "quantity": 2 })).await;
    assert_eq!((first.status, &first.body["total"]), (201, &json!(10.0)), "{}", first.body);
    let items = json!({ "userId": ada.id, "items": [{ "sku": "cup" }, { "sku": "mug", "quantity": 1 }] });
    let calls = catalog.calls().await;
    let second = fill(&shop, &buyer, &items).await;
    assert_eq!((second.status, catalog.calls().await), (201, calls + 1), "the catalog is asked once");
    let line = |sku: &str, name: &str, quantity: u32, price: f64| json!({ "productId": PRODUCT, "productName": name, "sku": sku, "quantity": quantity, "price": price });
    let expected = json!([line("mug", "MUG", 3, 5.0), line("cup", "CUP", 1, 3.0)]);
    assert_eq!((&second.body["items"], &second.body["id"]), (&expected, &second.body["_id"]));
    for path in [format!("/cart/{}", ada.id), "/cart/12".to_owned()] {
        let shown = ask(&shop, &buyer, Method::GET, &path).await;
        assert_eq!((shown.status, &shown.body), (200, &second.body), "{path}");
    }
    let canonical = ask(&shop, &buyer, Method::GET, "/api/v1/me/cart").await;
    assert_eq!(canonical.lines(), [("mug", 3), ("cup", 1)]);
    for _ in 0..2 {
        let emptied = ask(&shop, &buyer, Method::DELETE, "/cart/12").await;
        assert_eq!((emptied.status, &emptied.body), (200, &json!({ "message": "Cart emptied successfully" })));
        let left = ask(&shop, &buyer, Method::GET, "/cart/12").await;
        assert_eq!((left.status, &left.body["items"], &left.body["total"]), (200, &json!([]), &json!(0.0)));
        assert_eq!(
            (&left.body["id"], &left.body["number"]),
            (&second.body["id"], &second.body["number"]),
            "the same cart"
        );
    }
    let kept = ask(&shop, &buyer, Method::GET, "/api/v1/me/cart").await;
    assert_eq!((kept.lines(), kept.etag.as_deref()), (vec![], Some("\"4\"")), "emptied once");
}

#[tokio::test]
async fn items_go_in_together_and_once_for_each_key() {
    let (shop, catalog) = cart_service().await;
    let callers = shop.callers();
    let ada = callers.customer();
    catalog.know(&ada.id.to_string(), 12).await;
    let (buyer, staff) = (Buyer("Authorization", ada.bearer()), Buyer("Authorization", callers.staff().bearer()));
    let body = json!({ "userId": ada.id, "items": [{ "sku": "mug", "quantity": 2 }, { "sku": "cup" }] });
    let keyed = async |who: &Buyer, key: &str, body: &Value| {
        answer(request(&shop, who, Method::POST, "/cart").header("Idempotency-Key", key).json(body)).await
    };
    let clicks = futures::future::join_all((0..8).map(|_| keyed(&buyer, "k", &body))).await;
    for click in &clicks {
        assert_eq!((click.status, &click.body), (201, &clicks[0].body));
    }
    let cart = ask(&shop, &buyer, Method::GET, "/api/v1/me/cart").await;
    assert_eq!((cart.lines(), cart.etag.as_deref()), (vec![("mug", 2), ("cup", 1)], Some("\"2\"")), "one write");

    catalog.set_away(true).await;
    assert_eq!(keyed(&buyer, "k", &body).await.status, 201, "what was done stays done");
    catalog.set_away(false).await;
    let other = keyed(&buyer, "k", &json!({ "userId": 12, "sku": "mug" })).await;
    assert_eq!((other.status, other.code()), (422, "idempotency_key_reused"));
    let too_much = json!({ "items": [{ "sku": "cup", "quantity": 1_000_000 }, { "sku": "mug" }] });
    for _ in 0..2 {
        let refused = keyed(&buyer, "refused", &too_much).await;
        assert_eq!((refused.status, refused.code()), (409, "quantity_too_large"), "a refusal takes no key");
    }
    assert_eq!(ask(&shop, &buyer, Method::GET, "/api/v1/me/cart").await.lines(), [("mug", 2), ("cup", 1)]);
    assert_eq!(keyed(&staff, "k", &body).await.status, 201, "a key of staff is another one");
    assert_eq!(ask(&shop, &buyer, Method::GET, "/api/v1/me/cart").await.lines(), [("mug", 4), ("cup", 2)]);
    assert_eq!(keyed(&buyer, "", &body).await.code(), "invalid_idempotency_key");
    assert_eq!(ask(&shop, &buyer, Method::DELETE, "/cart/12").await.status, 200);
    assert_eq!(keyed(&buyer, "k", &body).await.body["items"], json!([]), "it was done before, and taken out since");
    let cart = ask(&shop, &buyer, Method::GET, "/api/v1/me/cart").await.body["id"].as_str().unwrap().to_owned();
    assert_eq!(ask(&shop, &buyer, Method::DELETE, &format!("/api/v1/carts/{cart}")).await.status, 204);
    let gone = keyed(&buyer, "k", &body).await;
    assert_eq!((gone.status, gone.code()), (404, "not_found"));
}

#[tokio::test]
async fn staff_stands_in_for_others_and_nobody_else_does() {
    let (shop, catalog) = cart_service().await;
    let callers = shop.callers();
    let ada = callers.customer();
    catalog.know(&ada.id.to_string(), 12).await;
    let owner = Buyer("Authorization", ada.bearer());
    fill(&shop, &owner, &json!({ "sku": "mug" })).await;
    let staff = Buyer("Authorization", callers.staff().bearer());
    assert_eq!(ask(&shop, &staff, Method::GET, "/cart/12").await.body["userId"], json!(ada.id));
    assert_eq!(
        fill(&shop, &staff, &json!({ "userId": 12, "sku": "cup" })).await.body["items"].as_array().map(Vec::len),
        Some(2)
    );
    let never = "/cart/0190b3c0-0000-7000-8000-00000000dead";
    assert_eq!(ask(&shop, &staff, Method::GET, never).await.status, 404);
    let stranger = Buyer::customer(&shop);
    for path in [
        format!("/cart/{}", ada.id),
        "/cart/12".to_owned(),
        "/cart/13".to_owned(),
        never.to_owned(),
        "/cart/x".to_owned(),
    ] {
        for method in [Method::GET, Method::DELETE] {
            let refused = ask(&shop, &stranger, method, &path).await;
            assert_eq!((refused.status, refused.code()), (404, "not_found"), "{path}");
        }
    }
    assert_eq!(fill(&shop, &stranger, &json!({ "userId": 12, "sku": "mug" })).await.status, 404);
    for path in ["/cart/12", "/cart/13"] {
        assert_eq!(answer(shop.client().get(shop.url(path))).await.status, 401);
        let guest = Buyer::guest(&"A".repeat(43));
        assert_eq!(ask(&shop, &guest, Method::GET, path).await.status, 401);
        let program = Buyer("Authorization", callers.service().bearer());
        assert_eq!(ask(&shop, &program, Method::DELETE, path).await.status, 403);
        let expired = Buyer("Authorization", callers.expired().bearer());
        assert_eq!(ask(&shop, &expired, Method::GET, path).await.status, 401);
    }
}

#[tokio::test]
async fn what_cannot_be_put_in_is_refused_whole() {
    let (shop, _) = cart_service().await;
    let buyer = Buyer::customer(&shop);
    let refusals = [
        (json!({}), 422, "invalid_field"),
        (json!({ "sku": "mug", "product_id": PRODUCT }), 422, "invalid_field"),
        (json!({ "items": [] }), 422, "invalid_field"),
        (json!({ "sku": "mug", "items": [{ "sku": "cup" }] }), 422, "invalid_field"),
        (json!({ "sku": "mug", "quantity": 0 }), 422, "invalid_field"),
        (json!({ "sku": "mug", "quantity": "1" }), 400, "malformed_body"),
        (json!({ "items": [{ "sku": "mug" }, { "sku": "lost" }] }), 409, "not_sold"),
    ];
    for (body, status, code) in refusals {
        let refused = fill(&shop, &buyer, &body).await;
        assert_eq!((refused.status, refused.code()), (status, code), "{body} gave {}", refused.body);
    }
    assert_eq!(ask(&shop, &buyer, Method::GET, "/api/v1/me/cart").await.status, 404, "nothing was put in");
}
