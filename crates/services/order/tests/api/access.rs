//! Who may do what: every route by every kind of caller, and other people's orders.

use reqwest::{Method, RequestBuilder};
use serde_json::json;
use shop_testkit::TestShop;

use crate::given::{Buyer, Given, address, all_of, answer, mugs};

const UNKNOWN: &str = "0190b3c0-0000-7000-8000-00000000dead";

/// Every route, as anybody would send it.
fn routes(order: &str, asked: &str) -> [(Method, String); 13] {
    [
        (Method::GET, "/api/v1/orders".to_owned()),
        (Method::POST, "/api/v1/orders".to_owned()),
        (Method::GET, format!("/api/v1/orders/{order}")),
        (Method::POST, format!("/api/v1/orders/{order}/cancel")),
        (Method::POST, format!("/api/v1/orders/{order}/payments")),
        (Method::PATCH, format!("/api/v1/orders/{order}/status")),
        (Method::POST, format!("/api/v1/orders/{order}/returns")),
        (Method::GET, format!("/api/v1/returns/{asked}")),
        (Method::PATCH, format!("/api/v1/returns/{asked}")),
        (Method::GET, "/api/v1/returns".to_owned()),
        (Method::PATCH, format!("/api/v1/orders/{order}")),
        (Method::GET, format!("/api/v1/orders/{order}/items")),
        (Method::GET, format!("/api/v1/orders/{order}/history")),
    ]
}

fn sent(shop: &TestShop, (method, path): &(Method, String), key: &str) -> RequestBuilder {
    let request = shop.client().request(method.clone(), shop.url(path));
    let body = match (method, path.rsplit('/').next()) {
        (&Method::POST, Some("orders")) => mugs(1, "tok_visa"),
        (&Method::POST, Some("payments")) => json!({ "payment": { "method": "tok_visa" } }),
        (&Method::POST, Some("returns")) => json!({ "reason": "too small" }),
        // A version that nothing has: who gets so far is told, and nothing changes.
        (&Method::PATCH, Some("status")) => {
            return request.header("If-Match", "\"99\"").json(&json!({ "status": "shipped" }));
        }
        (&Method::PATCH, Some(_)) if path.starts_with("/api/v1/orders/") => {
            return request.header("If-Match", "\"99\"").json(&json!({ "address": address("2 New Street") }));
        }
        (&Method::PATCH, _) => return request.header("If-Match", "\"99\"").json(&json!({ "status": "refused" })),
        _ => return request,
    };
    request.header("Idempotency-Key", key).json(&body)
}

#[tokio::test]
async fn every_route_lets_in_whom_its_table_says() {
    let given = Given::new().await;
    let callers = given.shop.callers();
    let (owner, guest) = (callers.customer(), Buyer::guest("g"));
    let forged = format!("{}x", owner.bearer());
    let order = given.shipped(&Buyer::of(&owner), &mugs(1, "tok_visa")).await;
    let asked = given.send_back(&Buyer::of(&owner), &order, "mine", "too small").await;
    let asked = asked.body["id"].as_str().unwrap();
    // Status on: list, place, show, cancel, pay, set status, ask for a return, show it, decide it, list all,
    // readdress, show lines and history. A stranger's order does not exist; a guest has no list and may not cancel; what was shipped cannot be cancelled or paid again.
    let matrix: [(&str, Option<Buyer>, [u16; 13]); 10] = [
        ("anonymous", None, [401; 13]),
        ("expired", Some(Buyer::of(&callers.expired())), [401; 13]),
        ("forged", Some(Buyer("Authorization", forged)), [401; 13]),
        ("malformed guest", Some(Buyer("X-Guest-Token", "short".into())), [401; 13]),
        ("service", Some(Buyer::of(&callers.service())), [403; 13]),
        ("guest", Some(guest), [401, 422, 404, 401, 404, 401, 404, 404, 401, 401, 404, 404, 404]),
        (
            "other customer",
            Some(Buyer::of(&callers.customer())),
            [200, 201, 404, 404, 404, 403, 404, 404, 403, 403, 404, 404, 404],
        ),
        ("owner", Some(Buyer::of(&owner)), [200, 201, 200, 409, 409, 403, 409, 200, 403, 403, 412, 200, 200]),
        ("staff", Some(Buyer::of(&callers.staff())), [200, 201, 200, 409, 409, 412, 409, 200, 412, 200, 412, 200, 200]),
        ("admin", Some(Buyer::of(&callers.admin())), [200, 201, 200, 409, 409, 412, 409, 200, 412, 200, 412, 200, 200]),
    ];
    for (name, caller, expected) in matrix {
        for (route, status) in routes(&order, asked).iter().zip(expected) {
            let mut request = sent(&given.shop, route, name);
            if let Some(caller) = &caller {
                request = request.header(caller.0, &caller.1);
            }
            let got = answer(request).await;
            assert_eq!(got.status, status, "{name} on {route:?}: {}", got.body);
        }
    }
}

#[tokio::test]
async fn a_strangers_order_looks_exactly_like_one_that_never_was() {
    let given = Given::new().await;
    let (owner, guest) = (given.customer(), Buyer::guest("g"));
    let cart = given.fakes.fill_cart(&guest, &[("mug", 1, 500)]).await;
    let owners = given.place(&owner, "k", &mugs(1, "tok_visa")).await.order();
    let guests = given.place(&guest, "k", &all_of(&cart)).await.order();

    for stranger in [given.customer(), Buyer::guest("s"), guest.clone(), owner.clone()] {
        let never = given.show(&stranger, UNKNOWN).await.bare();
        assert_eq!((never.status, never.code()), (404, "not_found"), "{}", never.body);
        for (whose, order) in [(&owner, &owners), (&guest, &guests)] {
            let shown = given.show(&stranger, order).await;
            if *whose == stranger {
                assert_eq!(shown.status, 200, "{}", shown.body);
            } else {
                assert_eq!(shown.bare(), never);
            }
        }
    }
    let stranger = given.customer();
    let never = given.cancel(&stranger, UNKNOWN).await.bare();
    assert_eq!((never.status, never.code()), (404, "not_found"));
    for order in [&owners, &guests] {
        assert_eq!(given.cancel(&stranger, order).await.bare(), never);
        assert_eq!(given.pay(&stranger, order, "k", "tok_visa").await.bare(), never);
    }
    assert_eq!(given.show(&owner, &owners).await.state(), "confirmed");
    assert_eq!(given.show(&guest, &guests).await.state(), "confirmed");
}

#[tokio::test]
async fn staff_may_cancel_for_a_guest() {
    let given = Given::new().await;
    let (guest, staff) = (Buyer::guest("g"), Buyer::of(&given.shop.callers().staff()));
    let cart = given.fakes.fill_cart(&guest, &[("mug", 1, 500)]).await;
    let order = given.place(&guest, "k", &all_of(&cart)).await.order();
    assert_eq!(given.cancel(&staff, &order).await.state(), "cancelling");
    assert_eq!(given.show(&guest, &order).await.state(), "cancelling");
}
