//! One contradiction at a time, planted by hand: each invariant finds its own, and says the ids and numbers.

use order_check::Invariant;
use serde_json::json;
use shop_mongo::doc;

use crate::given::{ADA, Books, CANCELLED, DECLINED, PAID, REJECTED, event_id, ledger_entry, movement, said, violated};

#[tokio::test]
async fn i1_a_piece_that_is_nowhere() {
    let books = Books::healthy().await;
    books.change("inventory", "stock", "mug@main", doc! { "$inc": { "available": -1_i64 } }).await;
    let report = books.check().await;
    assert_eq!(violated(&report), ["I1"], "{report}");
    let expected = "stock mug@main has received another number of pieces than it has: \
                    received 10, available 5, reserved 2, sold 2";
    assert!(report.to_string().contains(expected), "{report}");
}

#[tokio::test]
async fn i1_stock_below_zero() {
    let books = Books::healthy().await;
    let oversold = doc! { "$inc": { "available": -8_i64, "reserved": 8_i64 } };
    books.change("inventory", "stock", "mug@main", oversold).await;
    let report = books.check().await;
    assert_eq!(violated(&report), ["I1", "I2"], "{report}");
    assert!(said(&report, Invariant::I1)[0].contains("fewer pieces than none"), "{report}");
}

#[tokio::test]
async fn i2_a_hold_that_nobody_counted() {
    let books = Books::healthy().await;
    let lines = vec![doc! { "sku": "mug", "quantity": 3_i64 }];
    let stranger = "01900000-0000-7000-8000-000000000099";
    books.insert("inventory", "reservations", doc! { "_id": stranger, "state": "HELD", "lines": lines }).await;
    let report = books.check().await;
    assert_eq!(violated(&report), ["I2", "I3", "I7"], "{report}");
    assert!(report.to_string().contains("reserved 2, heldByOrders 5"), "{report}");
    assert!(said(&report, Invariant::I3)[0].contains(stranger), "{report}");
}

#[tokio::test]
async fn i2_a_hold_in_another_location_than_it_was_counted_in() {
    let books = Books::healthy().await;
    let berlin = doc! { "$set": { "lines.0.location": "berlin" } };
    books.change("inventory", "reservations", DECLINED, berlin).await;
    let report = books.check().await;
    assert_eq!(violated(&report), ["I2", "I7"], "{report}");
    assert!(report.to_string().contains("reserved 2, heldByOrders 0"), "{report}");
    assert!(
        said(&report, Invariant::I2).iter().any(|one| one.starts_with("stock mug@berlin is not there")),
        "{report}"
    );
}

#[tokio::test]
async fn i3_an_acknowledged_order_that_is_gone() {
    let books = Books::healthy().await;
    books.of("order", "orders").delete_one(doc! { "_id": PAID }).await.unwrap();
    let report = books.check().await;
    assert_eq!(violated(&report), ["I3", "I4"], "{report}");
    assert_eq!(said(&report, Invariant::I3)[0], format!("order {PAID} was acknowledged and is not there"));
}

#[tokio::test]
async fn i3_another_total_than_was_acknowledged() {
    let books = Books::healthy().await;
    let mut told = books.answer(20, "POST", "/api/v1/orders", "k1", 201, PAID);
    told["total"] = json!(999);
    books.append("history", &told);
    let report = books.check().await;
    assert_eq!(violated(&report), ["I3"], "{report}");
    assert!(report.to_string().contains("acknowledged 999, total 1000"), "{report}");
}

#[tokio::test]
async fn i3_one_key_that_led_to_two_orders() {
    let books = Books::healthy().await;
    books.append("history", &books.answer(20, "POST", "/api/v1/orders", "k1", 201, CANCELLED));
    let report = books.check().await;
    assert_eq!(violated(&report), ["I3"], "{report}");
    assert_eq!(said(&report, Invariant::I3), ["key k1 led to 2 orders"]);
}

#[tokio::test]
async fn i3_an_order_that_no_key_asked_for() {
    let books = Books::healthy().await;
    let double = "01900000-0000-7000-8000-000000000098";
    books.insert("order", "orders", books.order(double, &["placed", "rejected"], "settled", None)).await;
    books.insert("payment", "payments", books.payment(double, "CANCELLED")).await;
    books.insert("inventory", "reservations", doc! { "_id": double, "state": "RELEASED", "lines": [] }).await;
    let report = books.check().await;
    assert_eq!(violated(&report), ["I3"], "{report}");
    let expected = format!("user {ADA} has more orders than keys that may have led to one: orders 5, keys 4");
    assert!(report.to_string().contains(&expected), "{report}");
}

#[tokio::test]
async fn i3_a_rejected_order_that_keeps_its_stock() {
    let books = Books::healthy().await;
    books
        .change(
            "order",
            "orders",
            DECLINED,
            doc! {
                "$set": { "state": "rejected", "phase": "settled", "version": 3_i64 },
                "$push": { "history": { "state": "rejected", "at": books.time(60) } },
            },
        )
        .await;
    let report = books.check().await;
    assert_eq!(violated(&report), ["I3"], "{report}");
    assert!(report.to_string().contains("state rejected, reservation HELD"), "{report}");
}

#[tokio::test]
async fn i4_money_that_was_given_back_without_a_record() {
    let books = Books::healthy().await;
    books.append("ledger", &ledger_entry(7, "a1", PAID, "refunded", 50));
    let report = books.check().await;
    assert_eq!(violated(&report), ["I4"], "{report}");
    assert!(
        report.to_string().contains("total 1000, recordedRefunds 0, held 0, captured 1000, refunded 50"),
        "{report}"
    );
}

#[tokio::test]
async fn i4_a_hold_that_nobody_gives_back() {
    let books = Books::healthy().await;
    books.append("ledger", &ledger_entry(7, "a9", REJECTED, "authorized", 1000));
    assert_eq!(violated(&books.check().await), ["I4"]);
    let books = Books::healthy().await;
    books.append("ledger", &ledger_entry(7, "a9", "01900000-0000-7000-8000-000000000097", "authorized", 1000));
    assert_eq!(violated(&books.check().await), ["I4"], "money under the name of no order");
}

#[tokio::test]
async fn i5_money_that_was_taken_twice() {
    let books = Books::healthy().await;
    books.append("ledger", &ledger_entry(7, "a9", PAID, "authorized", 1000));
    books.append("ledger", &ledger_entry(8, "a9", PAID, "captured", 1000));
    let report = books.check().await;
    assert_eq!(violated(&report), ["I4", "I5"], "{report}");
    assert!(report.to_string().contains("captures 2, captured [1000,1000]"), "{report}");
}

#[tokio::test]
async fn i6_an_event_that_somebody_has_not_had() {
    let books = Books::healthy().await;
    let row = format!("inventory:{}", event_id(3));
    books.of("inventory", "inbox").delete_one(doc! { "_id": row }).await.unwrap();
    let report = books.check().await;
    assert_eq!(violated(&report), ["I6"], "{report}");
    assert!(report.to_string().contains(&format!("event {} of payment", event_id(3))), "{report}");
    assert!(report.to_string().contains("notHadBy [\"inventory\"]"), "{report}");

    // Given up is not lost, but somebody has to look at it.
    books.insert("inventory", "dead_letters", doc! { "_id": event_id(3), "topic": "payment.captured" }).await;
    let report = books.check().await;
    assert!(report.holds(), "{report}");
    assert!(report.to_string().contains("1 events are dead letters"), "{report}");
}

#[tokio::test]
async fn i6_an_event_that_never_left() {
    let books = Books::healthy().await;
    let unsent = doc! { "$set": { "confirmed": false, "published": shop_mongo::Bson::Null } };
    books.change("order", "outbox", &event_id(2), unsent).await;
    let report = books.check().await;
    assert_eq!(violated(&report), ["I6"], "{report}");
    assert!(said(&report, Invariant::I6)[0].ends_with("is not sent"), "{report}");
}

#[tokio::test]
async fn i6_what_inboxes_have_forgotten_is_not_lost() {
    let books = Books::healthy().await;
    let old = books.time(-14 * 24 * 3600);
    books.change("order", "outbox", &event_id(2), doc! { "$set": { "created_at": old } }).await;
    books.of("cart", "inbox").delete_many(doc! {}).await.unwrap();
    assert!(books.check().await.holds());
}

#[tokio::test]
async fn i7_stock_that_moved_twice_for_one_step() {
    let books = Books::healthy().await;
    books.insert("inventory", "movements", movement(8, "committed", Some(PAID), [0, -2, 2])).await;
    let twice = doc! { "$inc": { "version": 1_i64, "reserved": -2_i64, "sold": 2_i64 } };
    books.change("inventory", "stock", "mug@main", twice).await;
    let report = books.check().await;
    assert_eq!(violated(&report), ["I2", "I7"], "{report}");
    assert!(report.to_string().contains("cause committed, times 2, expectedTimes 1"), "{report}");
}

#[tokio::test]
async fn i7_a_version_without_its_movement() {
    let books = Books::healthy().await;
    books.of("inventory", "movements").delete_one(doc! { "_id": "mug@main:1" }).await.unwrap();
    let report = books.check().await;
    assert_eq!(violated(&report), ["I1", "I7"], "{report}");
    assert!(report.to_string().contains("version 7, movements 6, newestMovement 7"), "{report}");
}

#[tokio::test]
async fn i8_an_order_that_nobody_drives() {
    let books = Books::healthy().await;
    let stuck = "01900000-0000-7000-8000-000000000096";
    let mut order = books.order(stuck, &["placed"], "driving", None);
    order.insert("user", shop_mongo::Bson::Null);
    books.insert("order", "orders", order).await;
    let report = books.check().await;
    assert_eq!(violated(&report), ["I8"], "{report}");
    assert_eq!(said(&report, Invariant::I8), [format!("order {stuck} is being placed")]);
    // For a while it may be on its way.
    let young = shop_mongo::bson::DateTime::now();
    books.change("order", "orders", stuck, doc! { "$set": { "history.0.at": young } }).await;
    let report = books.check().await;
    assert!(report.holds(), "{report}");
    assert!(report.to_string().contains("1 on the way"), "{report}");
}

#[tokio::test]
async fn i8_an_order_that_waits_beyond_its_deadline() {
    let books = Books::healthy().await;
    books.change("order", "orders", DECLINED, doc! { "$set": { "deadline": books.time(900) } }).await;
    assert_eq!(violated(&books.check().await), ["I8"]);
}

#[tokio::test]
async fn i9_a_history_with_a_gap() {
    let books = Books::healthy().await;
    books.change("order", "orders", PAID, doc! { "$set": { "version": 4_i64 } }).await;
    let report = books.check().await;
    assert_eq!(violated(&report), ["I9"], "{report}");
    assert!(report.to_string().contains("version 4, steps 3"), "{report}");
    let books = Books::healthy().await;
    books.change("order", "orders", CANCELLED, doc! { "$set": { "history.1.state": "shipped" } }).await;
    assert_eq!(violated(&books.check().await), ["I9"]);
}

#[tokio::test]
async fn i10_an_order_that_its_buyer_could_not_read() {
    let books = Books::healthy().await;
    books.append("history", &books.answer(30, "GET", "/api/v1/orders/{id}", "", 404, PAID));
    let report = books.check().await;
    assert_eq!(violated(&report), ["I10"], "{report}");
    assert!(said(&report, Invariant::I10)[0].contains(PAID), "{report}");
}

#[tokio::test]
async fn i11_lines_that_do_not_come_to_the_total() {
    let books = Books::healthy().await;
    books.change("order", "orders", REJECTED, doc! { "$set": { "lines.0.unit_price": 499_i64 } }).await;
    assert_eq!(violated(&books.check().await), ["I11"]);
    let books = Books::healthy().await;
    let mut shown = books.answer(40, "GET", "/api/v1/orders/{id}", "", 200, PAID);
    let money = |amount: i64| json!({ "amount": amount, "currency": "EUR" });
    shown["reply"] =
        json!({ "id": PAID, "total": money(1000), "items": [{ "total": money(500) }, { "total": money(499) }] });
    books.append("history", &shown);
    let report = books.check().await;
    assert_eq!(violated(&report), ["I11"], "{report}");
    assert!(report.to_string().contains("lines 999, total 1000"), "{report}");
}
