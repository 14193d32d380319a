//! The location that an order is served from: chosen once, by `Reserve`, and where its pieces go whatever becomes of it.

use shop_mongo::{Document, doc};
use shop_proto::inventory::{CommitRequest, GetAvailableRequest, ReleaseRequest, ReservationState, ReserveReply};
use shop_testkit::TestShop;
use shop_types::OrderId;

use crate::given::{
    an_order, assert_sound, client, counts, counts_at, documents, inventory, opened, reserve, stocked, stocked_at,
};

async fn ask(shop: &TestShop, order: OrderId, lines: &[(&str, u32)]) -> ReserveReply {
    client(shop).await.reserve(reserve(order, lines)).await.unwrap().into_inner()
}

/// A shop with three locations.
async fn shop() -> TestShop {
    let shop = inventory().await;
    opened(&shop, &["berlin", "zoo"]).await;
    shop
}

#[tokio::test]
async fn an_order_is_served_from_one_location_that_has_all_of_it() {
    let shop = shop().await;
    stocked(&shop, "cup", 5).await;
    stocked_at(&shop, "berlin", "mug", 5).await;
    for sku in ["cup", "mug"] {
        stocked_at(&shop, "zoo", sku, 2).await;
    }
    let whole = an_order();
    assert_eq!(ask(&shop, whole, &[("cup", 2), ("mug", 2)]).await.state(), ReservationState::Held);
    assert_eq!(counts_at(&shop, "zoo", "mug").await, (0, 2, 0));
    assert_eq!((counts_at(&shop, "zoo", "cup").await, counts(&shop, "cup").await), ((0, 2, 0), (5, 0, 0)));
    // Nothing has both any more, so the next order comes in two parcels.
    assert_eq!(ask(&shop, an_order(), &[("cup", 2), ("mug", 2)]).await.state(), ReservationState::Held);
    assert_eq!((counts_at(&shop, "berlin", "mug").await, counts(&shop, "cup").await), ((3, 2, 0), (3, 2, 0)));
    assert_eq!(ask(&shop, whole, &[("cup", 2), ("mug", 2)]).await.state(), ReservationState::Held, "as it is");
    assert_sound(&shop.mongo("inventory").await).await;
}

#[tokio::test]
async fn pieces_are_sold_and_given_back_where_they_were_taken_from() {
    let shop = shop().await;
    stocked_at(&shop, "berlin", "mug", 4).await;
    let (mut inventory, sold, back) = (client(&shop).await, an_order(), an_order());
    for order in [sold, back] {
        assert_eq!(ask(&shop, order, &[("mug", 2)]).await.state(), ReservationState::Held);
    }
    // Had it come earlier, it would have been taken first.
    stocked(&shop, "mug", 9).await;
    for _ in 0..2 {
        inventory.commit(CommitRequest { order_id: sold.to_string() }).await.unwrap();
        inventory.release(ReleaseRequest { order_id: back.to_string() }).await.unwrap();
    }
    assert_eq!((counts_at(&shop, "berlin", "mug").await, counts(&shop, "mug").await), ((2, 0, 2), (9, 0, 0)));
    assert_sound(&shop.mongo("inventory").await).await;
}

#[tokio::test]
async fn a_line_is_not_split_and_what_lies_in_the_fullest_location_is_told() {
    let shop = shop().await;
    stocked(&shop, "mug", 2).await;
    stocked_at(&shop, "zoo", "mug", 3).await;
    let refused = ask(&shop, an_order(), &[("mug", 4)]).await;
    assert_eq!(refused.state(), ReservationState::Refused);
    assert_eq!((refused.shortages[0].requested, refused.shortages[0].available), (4, 3));
    assert_eq!(ask(&shop, an_order(), &[("mug", 3)]).await.state(), ReservationState::Held);
    assert_sound(&shop.mongo("inventory").await).await;
}

#[tokio::test]
async fn a_reservation_from_before_there_was_a_choice_is_one_of_main() {
    let shop = shop().await;
    let (mongo, order) = (shop.mongo("inventory").await, an_order());
    stocked_at(&shop, "berlin", "mug", 5).await;
    stocked(&shop, "mug", 5).await;
    ask(&shop, order, &[("mug", 2)]).await;
    let stored = documents(&mongo, "reservations", doc! {}).await;
    let lines = vec![
        doc! { "sku": "mug", "quantity": stored[0].get_array("lines").unwrap()[0].as_document().unwrap().get("quantity").unwrap() },
    ];
    assert_eq!(stored, [doc! { "_id": order.to_string(), "state": "HELD", "lines": lines }], "what it was before");
    client(&shop).await.commit(CommitRequest { order_id: order.to_string() }).await.unwrap();
    assert_eq!(counts(&shop, "mug").await, (3, 0, 2));
    assert_sound(&mongo).await;
}

#[tokio::test]
async fn a_shop_with_one_location_writes_no_more_than_the_stock_that_moved() {
    let shop = inventory().await;
    stocked(&shop, "mug", 5).await;
    ask(&shop, an_order(), &[("mug", 2)]).await;
    let mongo = shop.mongo("inventory").await;
    let stock: Vec<Document> = documents(&mongo, "stock", doc! {}).await;
    assert_eq!((stock.len(), stock[0].get_i64("version").unwrap()), (1, 2));
    assert!(!stock[0].contains_key("touched"), "{stock:?}");
}

#[tokio::test]
async fn what_one_line_can_get_is_what_lies_in_the_fullest_location() {
    let shop = shop().await;
    stocked(&shop, "cup", 5).await;
    stocked_at(&shop, "berlin", "mug", 4).await;
    stocked_at(&shop, "zoo", "mug", 3).await;
    assert_eq!(ask(&shop, an_order(), &[("cup", 5)]).await.state(), ReservationState::Held);
    let look = async |skus: Vec<String>| client(&shop).await.get_available(GetAvailableRequest { skus }).await;
    let asked = ["mug", "cup", "never"].map(str::to_owned).to_vec();
    let found = look(asked).await.unwrap().into_inner().skus;
    let mut found: Vec<_> = found.into_iter().map(|found| (found.sku, found.available)).collect();
    found.sort();
    assert_eq!(found, [("cup".to_owned(), 0), ("mug".to_owned(), 4)]);
    let short = ask(&shop, an_order(), &[("mug", 5), ("never", 1)]).await;
    let short: Vec<_> = short.shortages.iter().map(|short| (short.sku.as_str(), short.available)).collect();
    assert_eq!(short, [("mug", 4), ("never", 0)], "orders say the same");
    assert!(look((0..201).map(|n| format!("s{n}")).collect()).await.is_err());
    assert!(look(vec!["no sku!".to_owned()]).await.is_err());
}
