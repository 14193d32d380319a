//! No more goes into a cart than there is in stock, as far as that is known.

use reqwest::Method;
use serde_json::{Value, json};

use crate::catalog::PRODUCT;
use crate::given::{Answer, Buyer, a_customer_cart, a_guest_cart, add, answer, cart_service, request, show};

fn short(sku: &str, requested: u32, available: i64) -> Value {
    json!({ "sku": sku, "requested": requested, "available": available })
}

fn assert_sold_out(refused: &Answer, shortages: &[Value]) {
    assert_eq!((refused.status, refused.code()), (409, "sold_out"), "{}", refused.body);
    assert_eq!(refused.body["shortages"], json!(shortages), "{}", refused.body);
    assert_eq!(refused.body["details"].as_array().map(Vec::len), Some(shortages.len()), "{}", refused.body);
}

#[tokio::test]
async fn a_line_with_more_pieces_than_there_are_is_refused_and_leaves_the_cart_as_it_was() {
    let (shop, catalog) = cart_service().await;
    catalog.stock("mug", 3).await;
    catalog.stock("cup", -1).await;
    for (buyer, cart) in [a_guest_cart(&shop).await, a_customer_cart(&shop).await] {
        assert_eq!(add(&shop, &buyer, &cart, "mug", 2).await.status, 200);
        let looks = catalog.looks().await;
        let refused = add(&shop, &buyer, &cart, "mug", 2).await;
        assert_sold_out(&refused, &[short("mug", 4, 3)]);
        assert_eq!(catalog.looks().await, looks + 1, "one look");
        let detail = json!({ "field": "quantity", "message": "only 3 of mug are left" });
        assert_eq!(refused.body["details"][0], detail);
        let by_product = request(&shop, &buyer, Method::POST, &format!("{cart}/items"));
        let refused = answer(by_product.json(&json!({ "productId": PRODUCT, "quantity": 5 }))).await;
        assert_sold_out(&refused, &[short("mug", 7, 3)]);
        assert_sold_out(&add(&shop, &buyer, &cart, "cup", 1).await, &[short("cup", 1, 0)]);
        let shown = show(&shop, &buyer, &cart).await;
        assert_eq!((shown.lines(), shown.etag.as_deref()), (vec![("mug", 2)], Some("\"2\"")));
        assert_eq!(add(&shop, &buyer, &cart, "mug", 1).await.lines(), [("mug", 3)], "to the last piece");
    }
}

#[tokio::test]
async fn a_quantity_grows_to_what_there_is_and_shrinks_whatever_there_is() {
    let (shop, catalog) = cart_service().await;
    let (buyer, cart) = a_guest_cart(&shop).await;
    add(&shop, &buyer, &cart, "mug", 5).await;
    catalog.stock("mug", 3).await;
    let change = |version: u32, quantity: u32| {
        let change = request(&shop, &buyer, Method::PATCH, &format!("{cart}/items/mug"));
        answer(change.header("If-Match", format!("\"{version}\"")).json(&json!({ "quantity": quantity })))
    };
    let looks = catalog.looks().await;
    assert_eq!(change(2, 4).await.lines(), [("mug", 4)], "fewer, though more than there are");
    assert_eq!(change(3, 4).await.status, 200, "as many");
    assert_eq!(change(2, 5).await.status, 412, "a stale cart tells nothing of stock");
    assert_eq!(catalog.looks().await, looks, "nobody need know");
    assert_sold_out(&change(3, 5).await, &[short("mug", 5, 3)]);
    assert_eq!(change(3, 1).await.lines(), [("mug", 1)]);
    assert_eq!(change(4, 3).await.lines(), [("mug", 3)]);
}

#[tokio::test]
async fn what_was_added_once_stays_added_and_a_refusal_takes_no_key() {
    let (shop, catalog) = cart_service().await;
    let (buyer, cart) = a_guest_cart(&shop).await;
    let send = |key: &'static str| {
        let request = request(&shop, &buyer, Method::POST, &format!("{cart}/items")).header("Idempotency-Key", key);
        answer(request.json(&json!({ "sku": "mug", "quantity": 2 })))
    };
    assert_eq!(send("one").await.status, 200);
    catalog.stock("mug", 0).await;
    assert_eq!(send("one").await.lines(), [("mug", 2)]);
    assert_sold_out(&send("two").await, &[short("mug", 4, 0)]);
    catalog.stock("mug", 4).await;
    assert_eq!(send("two").await.lines(), [("mug", 4)]);
}

#[tokio::test]
async fn without_inventory_carts_take_any_number() {
    let (shop, catalog) = cart_service().await;
    let (buyer, cart) = a_guest_cart(&shop).await;
    catalog.stock("mug", 3).await;
    catalog.set_inventory_away(true).await;
    assert_eq!(add(&shop, &buyer, &cart, "mug", 1000).await.lines(), [("mug", 1000)]);
    let metrics = shop.client().get(shop.admin_url("/metrics")).send().await.unwrap().text().await.unwrap();
    let counted = metrics.lines().find(|line| {
        line.starts_with("mesh_requests_total{") && line.contains("GetAvailable") && line.contains("unavailable")
    });
    assert!(counted.is_some_and(|line| line.ends_with(" 1")), "{metrics}");
    catalog.set_inventory_away(false).await;
    assert_sold_out(&add(&shop, &buyer, &cart, "mug", 1).await, &[short("mug", 1001, 3)]);
}

#[tokio::test]
async fn an_older_name_puts_in_all_of_it_or_nothing() {
    let (shop, catalog) = cart_service().await;
    catalog.stock("mug", 3).await;
    catalog.stock("cup", 0).await;
    let buyer = Buyer::customer(&shop);
    let fill = |items: Value| answer(request(&shop, &buyer, Method::POST, "/cart").json(&json!({ "items": items })));
    let looks = catalog.looks().await;
    let items = json!([{ "sku": "mug", "quantity": 2 }, { "sku": "cup" }, { "sku": "mug", "quantity": 2 }]);
    assert_sold_out(&fill(items).await, &[short("mug", 4, 3), short("cup", 1, 0)]);
    assert_eq!(catalog.looks().await, looks + 1, "one look for all");
    let filled = fill(json!([{ "sku": "mug", "quantity": 3 }])).await;
    assert_eq!((filled.status, &filled.body["items"][0]["quantity"]), (201, &json!(3)), "{}", filled.body);
    assert_sold_out(&fill(json!([{ "product_id": PRODUCT }])).await, &[short("mug", 4, 3)]);
}

#[tokio::test]
async fn a_guests_cart_is_taken_over_whole_whatever_there_is() {
    let (shop, catalog) = cart_service().await;
    let (guest, from) = a_guest_cart(&shop).await;
    let (buyer, cart) = a_customer_cart(&shop).await;
    for (who, cart) in [(&guest, &from), (&buyer, &cart)] {
        add(&shop, who, cart, "mug", 2).await;
    }
    catalog.stock("mug", 3).await;
    let from = from.rsplit('/').next().unwrap();
    let merge = request(&shop, &buyer, Method::POST, &format!("{cart}/merge")).header("X-Guest-Token", &guest.1);
    let merged = answer(merge.json(&json!({ "from": from, "policy": "merge" }))).await;
    assert_eq!((merged.status, merged.lines()), (200, vec![("mug", 4)]));
}
