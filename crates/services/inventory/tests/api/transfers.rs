//! Transfers from one location to another.

use serde_json::{Value, json};
use shop_proto::inventory::SetOnHandRequest;
use shop_testkit::TestShop;

use crate::given::{an_order, assert_sound, client, counts, counts_at, inventory, not_staff, opened, reserve, stocked};

const TRANSFERS: &str = "/api/v1/stock/mug/transfers";

async fn send(shop: &TestShop, bearer: Option<String>, key: Option<&str>, body: &Value) -> (u16, Value) {
    let mut request = shop.client().post(shop.url(TRANSFERS)).json(body);
    if let Some(bearer) = bearer {
        request = request.header("Authorization", bearer);
    }
    if let Some(key) = key {
        request = request.header("Idempotency-Key", key);
    }
    let reply = request.send().await.unwrap();
    (reply.status().as_u16(), reply.json().await.unwrap())
}

/// Pieces from `main` to `berlin`.
fn to_berlin(quantity: u32) -> Value {
    json!({ "from": "main", "to": "berlin", "quantity": quantity, "reason": "filled up" })
}

#[tokio::test]
async fn pieces_go_from_one_location_to_another_in_one_step_with_two_movements_of_one_id() {
    let shop = inventory().await;
    opened(&shop, &["berlin"]).await;
    stocked(&shop, "mug", 5).await;
    client(&shop).await.reserve(reserve(an_order(), &[("mug", 2)])).await.unwrap();
    let staff = shop.callers().staff();
    let (status, body) = send(&shop, Some(staff.bearer()), None, &to_berlin(3)).await;
    assert_eq!(status, 201, "{body}");
    let main = json!({
        "sku": "mug", "location": "main", "available": 0, "reserved": 2, "onHand": 2, "sold": 0, "version": 3,
    });
    let berlin = json!({
        "sku": "mug", "location": "berlin", "available": 3, "reserved": 0, "onHand": 3, "sold": 0, "version": 1,
    });
    assert_eq!((&body["from"], &body["to"]), (&main, &berlin));
    let history = shop.client().get(shop.url("/api/v1/movements?size=2")).header("Authorization", staff.bearer());
    let history: Value = history.send().await.unwrap().json().await.unwrap();
    let ends: Vec<_> = history["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["id"].as_str().unwrap(), one["availableChange"].as_i64().unwrap()))
        .collect();
    assert_eq!(ends, [("mug@main:3", -3), ("mug@berlin:1", 3)]);
    for one in history["items"].as_array().unwrap() {
        assert_eq!(
            (&one["transferId"], &one["cause"], &one["reason"]),
            (&body["id"], &json!("transferred"), &json!("filled up"))
        );
        assert_eq!(one["by"], json!(staff.id.to_string()));
    }
    let (status, refused) = send(&shop, Some(staff.bearer()), None, &to_berlin(1)).await;
    assert_eq!((status, refused["code"].as_str()), (409, Some("stock_below_zero")), "two are held, none is free");
    assert_sound(&shop.mongo("inventory").await).await;
}

#[tokio::test]
async fn one_key_moves_pieces_once_and_answers_the_same_also_much_later() {
    let shop = inventory().await;
    opened(&shop, &["berlin"]).await;
    stocked(&shop, "mug", 9).await;
    let staff = shop.callers().staff().bearer();
    let one = to_berlin(2);
    let at_once = futures::future::join_all((0..10).map(|_| send(&shop, Some(staff.clone()), Some("k"), &one))).await;
    assert!(at_once.iter().all(|answer| answer == &at_once[0] && answer.0 == 201), "{at_once:?}");
    send(&shop, Some(staff.clone()), None, &to_berlin(1)).await;
    assert_eq!(send(&shop, Some(staff.clone()), Some("k"), &one).await, at_once[0]);
    let (status, other) = send(&shop, Some(staff), Some("k"), &to_berlin(3)).await;
    assert_eq!((status, other["code"].as_str()), (422, Some("idempotency_key_reused")));
    assert_eq!((counts(&shop, "mug").await, counts_at(&shop, "berlin", "mug").await), ((6, 0, 0), (3, 0, 0)));
    assert_sound(&shop.mongo("inventory").await).await;
}

#[tokio::test]
async fn a_location_that_everything_left_can_be_removed() {
    let shop = inventory().await;
    opened(&shop, &["berlin"]).await;
    stocked(&shop, "mug", 5).await;
    let staff = shop.callers().staff().bearer();
    let remove = || async {
        let request = shop.client().delete(shop.url("/api/v1/locations/berlin")).header("If-Match", "\"1\"");
        request.header("Authorization", &staff).send().await.unwrap().status().as_u16()
    };
    send(&shop, Some(staff.clone()), None, &to_berlin(5)).await;
    assert_eq!(remove().await, 409);
    let back = json!({ "from": "berlin", "to": "main", "quantity": 5, "reason": "closed" });
    assert_eq!(send(&shop, Some(staff.clone()), None, &back).await.0, 201);
    assert_eq!(remove().await, 204);
    assert_eq!(counts(&shop, "mug").await, (5, 0, 0));
}

#[tokio::test]
async fn what_no_transfer_can_be_is_refused_with_its_field_and_nothing_moves() {
    let shop = inventory().await;
    opened(&shop, &["berlin"]).await;
    stocked(&shop, "mug", 5).await;
    let staff = shop.callers().staff();
    for (change, status, code, field) in [
        (json!({ "to": "main" }), 422, "invalid_field", "to"),
        (json!({ "to": "potsdam" }), 422, "invalid_field", "to"),
        (json!({ "from": "potsdam" }), 422, "invalid_field", "from"),
        (json!({ "from": "Berlin" }), 422, "invalid_field", "from"),
        (json!({ "quantity": 0 }), 422, "invalid_field", "quantity"),
        (json!({ "quantity": 1_000_001 }), 422, "invalid_field", "quantity"),
        (json!({ "quantity": "1" }), 400, "malformed_body", "quantity"),
        (json!({ "reason": " " }), 422, "invalid_field", "reason"),
        (json!({ "delta": 1 }), 422, "unknown_field", "delta"),
    ] {
        let mut body = to_berlin(1);
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let (got, answer) = send(&shop, Some(staff.bearer()), None, &body).await;
        assert_eq!((got, answer["code"].as_str()), (status, Some(code)), "{body} gave {answer}");
        assert_eq!(answer["details"][0]["field"], field, "{body} gave {answer}");
    }
    let url = shop.url("/api/v1/stock/a%20b/transfers");
    let request = shop.client().post(url).header("Authorization", staff.bearer()).json(&to_berlin(1));
    assert_eq!(request.send().await.unwrap().status(), 404);
    assert_eq!(counts(&shop, "mug").await, (5, 0, 0));
}

#[tokio::test]
async fn only_staff_moves_pieces_between_locations() {
    let shop = inventory().await;
    opened(&shop, &["berlin"]).await;
    stocked(&shop, "mug", 5).await;
    let callers = shop.callers();
    for (bearer, status, code) in not_staff(callers) {
        let (got, body) = send(&shop, bearer, None, &to_berlin(1)).await;
        assert_eq!((got, body["code"].as_str()), (status, Some(code)), "{body}");
    }
    for who in [callers.staff(), callers.admin()] {
        assert_eq!(send(&shop, Some(who.bearer()), None, &to_berlin(1)).await.0, 201);
    }
    assert_eq!(counts(&shop, "mug").await, (3, 0, 0));
}

#[tokio::test]
async fn a_count_that_changes_nothing_after_a_transfer_has_the_same_answer_again() {
    let shop = inventory().await;
    opened(&shop, &["berlin"]).await;
    stocked(&shop, "mug", 5).await;
    let staff = shop.callers().staff();
    assert_eq!(send(&shop, Some(staff.bearer()), None, &to_berlin(3)).await.0, 201);
    let mut inventory = client(&shop).await;
    for _ in 0..2 {
        let count = SetOnHandRequest { sku: "mug".into(), quantity: 2, key: "a".into() };
        assert_eq!(inventory.set_on_hand(count).await.unwrap().into_inner().available, 2);
    }
    assert_sound(&shop.mongo("inventory").await).await;
}
