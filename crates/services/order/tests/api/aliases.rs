//! Older names of the routes: their shapes, who may call them, and that they come to the same.

use reqwest::Method;
use serde_json::{Value, json};
use shop_config::Aliases;
use shop_testkit::Who;
use shop_types::Event;

use crate::fakes::{MUG, Peer};
use crate::given::{Answer, Buyer, Given, answer};

async fn post(given: &Given, who: Option<&Buyer>, path: &str, body: &Value) -> Answer {
    let mut request = given.shop.client().post(given.shop.url(path)).json(body);
    if let Some(who) = who {
        request = request.header(who.0, &who.1);
    }
    answer(request).await
}

async fn ask(given: &Given, who: Option<&Buyer>, method: Method, path: &str) -> Answer {
    let mut request = given.shop.client().request(method, given.shop.url(path));
    if let Some(who) = who {
        request = request.header(who.0, &who.1);
    }
    answer(request).await
}

/// A customer who has an account, with the number 12.
async fn ada(given: &Given) -> (Who, Buyer) {
    let ada = given.shop.callers().customer();
    given.fakes.know(&ada.id.to_string(), 12).await;
    let buyer = Buyer::of(&ada);
    (ada, buyer)
}

fn id(order: &Value) -> String {
    assert_eq!(order["id"], order["_id"], "{order}");
    order["id"].as_str().unwrap_or_else(|| panic!("no order: {order}")).to_owned()
}

#[tokio::test]
async fn the_three_shapes_of_an_order_place_one_each() {
    let given = Given::new().await;
    let (ada, buyer) = ada(&given).await;
    let cart = given.fakes.fill_cart(&buyer, &[("mug", 2, 500)]).await;
    let shapes = [
        ("/orders/request", json!({ "shopping_cart_id": 1 })),
        ("/order", json!({ "cartId": cart, "note": "what nobody knows is passed over" })),
        ("/orders/create", json!({ "user_id": 12, "product_id": MUG, "quantity": 2 })),
        ("/orders", json!({ "userId": ada.id, "items": [{ "productId": MUG, "quantity": 2 }] })),
        ("/api/orders", json!({ "items": [{ "sku": "mug", "quantity": 2 }], "total": 1, "status": "delivered" })),
        (
            "/api/orders",
            json!({
                "items": [{ "sku": "mug", "quantity": 2, "price": 9.5 }],
                "payment": { "method": "tok_visa", "currency": "EUR" },
                "address": { "name": "Ada", "line1": "1 Way", "city": "York", "postal_code": "YO1", "country": "GB", "isHome": true },
            }),
        ),
    ];
    let mut orders = Vec::new();
    for (path, body) in shapes {
        let placed = post(&given, Some(&buyer), path, &body).await;
        assert_eq!(placed.status, 201, "{path}: {}", placed.body);
        let order = if path == "/order" { &placed.body } else { &placed.body["order"] };
        assert_eq!((&order["userId"], &order["status"]), (&json!(ada.id), &json!("confirmed")), "{order}");
        assert_eq!((&order["totalAmount"], &order["total"]), (&json!(10.0), &json!(10.0)), "{order}");
        let line = json!({ "productId": MUG, "productName": "MUG", "sku": "mug", "quantity": 2, "price": 5.0 });
        assert_eq!(order["items"], json!([line]));
        assert!(order["number"].is_i64());
        orders.push(id(order));
    }
    // The first two name one cart at one version.
    assert_eq!(orders[0], orders[1]);
    assert_eq!(given.orders().await, 5);
    let raw = given.shop.client().get(given.shop.url(&format!("/api/orders/{}", orders[0])));
    let raw = raw.header(buyer.0, &buyer.1).send().await.unwrap().text().await.unwrap();
    assert!(raw.contains("\"totalAmount\":10.00"), "a price has its places: {raw}");
}

#[tokio::test]
async fn a_cart_without_a_key_is_ordered_again_after_a_rejection_and_once_however_often_it_is_clicked() {
    let given = Given::new().await;
    let guest = Buyer::guest("g");
    for buyer in [ada(&given).await.1, guest] {
        let before = given.orders().await;
        given.fakes.sell("mug", 500, 1).await;
        let cart = given.fakes.fill_cart(&buyer, &[("mug", 2, 500)]).await;
        let click = async |method: &str| {
            let body = json!({ "cartId": cart, "payment": { "method": method } });
            post(&given, Some(&buyer), "/orders/request", &body).await
        };
        let refused = [click("tok_visa").await, click("tok_visa").await];
        for answer in &refused {
            assert_eq!((answer.status, answer.code(), answer.replayed), (409, "sold_out", false), "{}", answer.body);
        }
        assert_ne!(refused[0].order(), refused[1].order());

        given.fakes.sell("mug", 500, 9).await;
        let declined = click("tok_declined").await;
        assert_eq!((declined.status, declined.replayed), (402, false), "{}", declined.body);
        let again = click("tok_visa").await;
        assert_eq!(
            (again.status, again.replayed, again.order()),
            (402, true, declined.order()),
            "it may still be paid"
        );
        assert_eq!(given.orders().await, before + 3);
        let staff = Buyer::of(&given.shop.callers().staff());
        assert_eq!(given.cancel(&staff, &declined.order()).await.state(), "rejected");

        let clicks = futures::future::join_all((0..8).map(|_| click("tok_visa"))).await;
        let placed = clicks.iter().find(|answer| answer.status == 201).unwrap_or_else(|| panic!("{clicks:?}"));
        let order = id(&placed.body["order"]);
        for answer in &clicks {
            let is_at_work = (answer.status, answer.code()) == (409, "request_in_progress");
            assert!(is_at_work || answer.body["order"]["id"] == order.as_str(), "{}", answer.body);
        }
        let late = click("tok_visa").await;
        assert_eq!((late.status, late.replayed, id(&late.body["order"])), (201, true, order));
        assert_eq!(given.orders().await, before + 4);
    }
}

#[tokio::test]
async fn without_a_key_the_cart_that_is_ordered_is_the_one_that_was_seen() {
    let given = Given::new().await;
    let (_, buyer) = ada(&given).await;
    given.fakes.sell("mug", 500, 9).await;
    let cart = given.fakes.fill_cart(&buyer, &[("mug", 2, 500)]).await;
    let before = given.fakes.calls(Peer::Cart).await;

    let placed = post(&given, Some(&buyer), "/orders/request", &json!({ "cartId": cart })).await;

    assert_eq!(placed.status, 201, "{}", placed.body);
    // Read twice, it could be at another version than its key says: a second click would order it again.
    assert_eq!(given.fakes.calls(Peer::Cart).await, before + 1);
}

#[tokio::test]
async fn with_a_key_the_order_is_found_again_when_its_cart_has_gone_and_cart_is_away() {
    let given = Given::new().await;
    let (_, buyer) = ada(&given).await;
    given.fakes.sell("mug", 500, 9).await;
    let cart = given.fakes.fill_cart(&buyer, &[("mug", 2, 500)]).await;
    for (key, body) in [("k", json!({ "cartId": cart })), ("n", json!({ "shopping_cart_id": 1 }))] {
        let place = async || {
            let request = given.shop.client().post(given.shop.url("/orders")).header(buyer.0, &buyer.1);
            answer(request.header("Idempotency-Key", key).json(&body)).await
        };
        let placed = place().await;
        assert_eq!((placed.status, placed.replayed), (201, false), "{body} gave {}", placed.body);
        let before = given.fakes.calls(Peer::Cart).await;

        let again = place().await;

        assert_eq!((again.status, again.replayed, &again.body), (201, true, &placed.body));
        assert_eq!(given.fakes.calls(Peer::Cart).await, before, "nobody asks for the cart of {body}");
    }
}

#[tokio::test]
async fn every_answer_names_its_successor() {
    let given = Given::new().await;
    let (_, buyer) = ada(&given).await;
    for (path, status) in [("/orders", 200), ("/api/orders/99", 404), ("/api/orders?status=lost", 422)] {
        let request = given.shop.client().get(given.shop.url(path)).header(buyer.0, &buyer.1);
        let reply = request.send().await.unwrap();
        assert_eq!(reply.status(), status);
        assert_eq!(reply.headers()["deprecation"], "@1795219200");
        assert_eq!(reply.headers()["link"], "</api/v1/orders>; rel=\"successor-version\"");
    }
    let canonical = given.shop.client().get(given.shop.url("/api/v1/orders")).header(buyer.0, &buyer.1);
    assert!(canonical.send().await.unwrap().headers().get("deprecation").is_none());
}

#[tokio::test]
async fn orders_are_found_by_id_and_number_and_listed_by_user() {
    let given = Given::new().await;
    let (ada, buyer) = ada(&given).await;
    let staff = Buyer::of(&given.shop.callers().staff());
    let placed = post(&given, Some(&buyer), "/orders", &json!({ "productId": MUG })).await;
    let (order, number) = (id(&placed.body["order"]), placed.body["order"]["number"].clone());
    for path in [format!("/orders/{order}"), format!("/api/orders/{number}")] {
        let found = ask(&given, Some(&buyer), Method::GET, &path).await;
        let expected = json!({ "order": placed.body["order"], "cached": false });
        assert_eq!((found.status, &found.body), (200, &expected), "{path}");
        let items = ask(&given, Some(&buyer), Method::GET, &format!("{path}/items")).await;
        assert_eq!(items.body, json!({ "items": placed.body["order"]["items"], "cached": false }));
    }
    let pagination = json!({ "page": 1, "limit": 20, "total": 1, "pages": 1 });
    let all = json!({ "orders": [placed.body["order"]], "pagination": pagination, "cached": false });
    for (who, path) in [(&buyer, "/orders"), (&staff, "/api/orders"), (&buyer, "/orders?userId=12&status=processing")] {
        let list = ask(&given, Some(who), Method::GET, path).await;
        assert_eq!((list.status, &list.body), (200, &all), "{path}");
    }
    for path in ["/order/12".to_owned(), format!("/orders/user/{}", ada.id), "/api/orders/user/12?limit=99".to_owned()]
    {
        for who in [&buyer, &staff] {
            let list = ask(&given, Some(who), Method::GET, &path).await;
            assert_eq!((list.status, &list.body["userId"]), (200, &json!(ada.id)), "{path} {}", list.body);
            assert_eq!(list.body["orders"], all["orders"]);
        }
    }
    let none = ask(&given, Some(&staff), Method::GET, "/orders?userId=13&limit=500").await;
    assert_eq!((none.status, &none.body["orders"]), (200, &json!([])), "{}", none.body);
    let none = ask(&given, Some(&buyer), Method::GET, "/orders?status=cancelled").await;
    assert_eq!(none.body["orders"], json!([]));
}

#[tokio::test]
async fn a_strangers_orders_do_not_exist_under_any_name() {
    let given = Given::new().await;
    let (ada, buyer) = ada(&given).await;
    let stranger = given.customer();
    let placed = post(&given, Some(&buyer), "/orders", &json!({ "productId": MUG })).await;
    let (order, number) = (id(&placed.body["order"]), placed.body["order"]["number"].clone());
    let unknown = "0190b3c0-0000-7000-8000-00000000dead";
    for (method, foreign, never) in [
        (Method::GET, format!("/orders/{order}"), format!("/orders/{unknown}")),
        (Method::GET, format!("/api/orders/{number}"), "/api/orders/999999".to_owned()),
        (Method::GET, format!("/orders/{order}/items"), format!("/orders/{unknown}/items")),
        (Method::GET, format!("/orders/user/{}", ada.id), format!("/orders/user/{unknown}")),
        (Method::GET, "/order/12".to_owned(), "/order/13".to_owned()),
        (Method::DELETE, format!("/order/{number}"), "/order/999999".to_owned()),
        (Method::DELETE, format!("/orders/{order}"), format!("/orders/{unknown}")),
    ] {
        let never = ask(&given, Some(&stranger), method.clone(), &never).await.bare();
        assert_eq!((never.status, never.code()), (404, "not_found"), "{}", never.body);
        assert_eq!(ask(&given, Some(&stranger), method, &foreign).await.bare(), never);
    }
    for user in [json!(12), json!(ada.id), json!(13)] {
        let body = json!({ "userId": user, "productId": MUG });
        let refused = post(&given, Some(&stranger), "/orders", &body).await;
        assert_eq!((refused.status, &refused.body["details"][0]["field"]), (422, &json!("userId")), "{}", refused.body);
    }
    assert_eq!(given.orders().await, 1);
}

#[tokio::test]
async fn a_status_follows_the_states_and_a_delete_cancels() {
    let given = Given::new().await;
    let (_, buyer) = ada(&given).await;
    let staff = Buyer::of(&given.shop.callers().staff());
    let placed = post(&given, Some(&buyer), "/orders", &json!({ "productId": MUG })).await;
    let order = id(&placed.body["order"]);
    let set = |method: Method, status: &'static str| {
        let path = format!("/orders/{order}/status");
        let request = given.shop.client().request(method, given.shop.url(&path)).header(staff.0, &staff.1);
        answer(request.json(&json!({ "status": status })))
    };
    let early = set(Method::PUT, "shipped").await;
    assert_eq!((early.status, early.code()), (409, "illegal_transition"), "{}", early.body);
    assert_eq!(set(Method::PUT, "processing").await.status, 200, "it is that already");
    assert_eq!(set(Method::PUT, "lost").await.status, 422);
    given.tell(Event::PaymentCaptured, &order, 1).await;
    let shipped = set(Method::PATCH, "shipped").await;
    assert_eq!((shipped.status, &shipped.body["order"]["status"]), (200, &json!("shipped")), "{}", shipped.body);
    let late = ask(&given, Some(&buyer), Method::DELETE, &format!("/orders/{order}")).await;
    assert_eq!((late.status, late.code()), (409, "illegal_transition"), "{}", late.body);

    let placed = post(&given, Some(&buyer), "/orders", &json!({ "productId": MUG })).await;
    let path = format!("/order/{}", placed.body["order"]["number"]);
    let cancelled = ask(&given, Some(&buyer), Method::DELETE, &path).await;
    assert_eq!(
        (cancelled.status, &cancelled.body["order"]["status"]),
        (200, &json!("cancelled")),
        "{}",
        cancelled.body
    );
    assert_eq!(given.orders().await, 2, "records stay");
}

#[tokio::test]
async fn what_no_alias_can_mean_is_refused_with_its_field() {
    let given = Given::new().await;
    let (_, buyer) = ada(&given).await;
    let both = json!([{ "sku": "mug", "productId": MUG, "quantity": 1 }]);
    let refusals = [
        (json!({}), 422, "items"),
        (json!({ "items": [] }), 422, "items"),
        (json!({ "productId": MUG, "items": [{ "sku": "mug", "quantity": 1 }] }), 422, "items"),
        (json!({ "items": both }), 422, "items[0]"),
        (json!({ "items": [{ "sku": "mug", "quantity": 0 }] }), 422, "items[0].quantity"),
        (json!({ "items": [{ "sku": "mug", "quantity": "1" }] }), 400, "items[0].quantity"),
        (json!({ "shopping_cart_id": 7 }), 422, "cartId"),
        (json!({ "productId": 1 }), 400, "productId"),
        (json!({ "product_id": MUG, "productId": "0190b3c0-0000-7000-8000-00000000dead" }), 400, "productId"),
    ];
    for (body, status, field) in refusals {
        let refused = post(&given, Some(&buyer), "/orders", &body).await;
        assert_eq!((refused.status, &refused.body["details"][0]["field"]), (status, &json!(field)), "{}", refused.body);
    }
    given.fakes.set(Peer::Identity, crate::fakes::Mood::Away).await;
    let away = post(&given, Some(&buyer), "/orders", &json!({ "userId": 12, "productId": MUG })).await;
    assert_eq!((away.status, away.code()), (503, "unavailable"), "{}", away.body);
    assert_eq!(given.orders().await, 0);
}

#[tokio::test]
async fn only_open_aliases_let_in_who_has_no_token_and_only_where_documents_do() {
    let given = Given::with_aliases(Aliases::Open).await;
    let (ada, _) = ada(&given).await;
    let placed =
        post(&given, None, "/orders/create", &json!({ "user_id": 12, "product_id": MUG, "quantity": 1 })).await;
    assert_eq!((placed.status, &placed.body["order"]["userId"]), (201, &json!(ada.id)), "{}", placed.body);
    let order = id(&placed.body["order"]);
    for path in
        ["/orders", "/api/orders", "/orders/user/12", &format!("/orders/{order}"), &format!("/orders/{order}/items")]
    {
        let read = ask(&given, None, Method::GET, path).await;
        assert_eq!(read.status, 200, "{path}: {}", read.body);
    }
    let nobody = post(&given, None, "/api/orders", &json!({ "productId": MUG })).await;
    assert_eq!((nobody.status, &nobody.body["details"][0]["field"]), (422, &json!("userId")), "{}", nobody.body);
    for (method, path) in [
        (Method::DELETE, format!("/orders/{order}")),
        (Method::PUT, format!("/orders/{order}/status")),
        (Method::PATCH, format!("/api/orders/{order}/status")),
        (Method::POST, "/order".to_owned()),
        (Method::GET, "/order/12".to_owned()),
        (Method::POST, "/orders/request".to_owned()),
        (Method::GET, "/api/v1/orders".to_owned()),
    ] {
        assert_eq!(ask(&given, None, method, &path).await.status, 401, "{path}");
    }
    let expired = Buyer::of(&given.shop.callers().expired());
    assert_eq!(ask(&given, Some(&expired), Method::GET, "/orders").await.status, 401, "a bad token is no missing one");
    let program = Buyer::of(&given.shop.callers().service());
    assert_eq!(ask(&given, Some(&program), Method::GET, "/orders").await.status, 403);
}

#[tokio::test]
async fn aliases_that_are_off_are_not_there() {
    let given = Given::with_aliases(Aliases::Off).await;
    let buyer = given.customer();
    for path in ["/orders", "/api/orders", "/order/12"] {
        let missing = ask(&given, Some(&buyer), Method::GET, path).await;
        assert_eq!((missing.status, missing.code()), (404, "not_found"), "{path}");
    }
    assert_eq!(ask(&given, Some(&buyer), Method::GET, "/api/v1/orders").await.status, 200);
}
