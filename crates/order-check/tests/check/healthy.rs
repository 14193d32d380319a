//! Books in which nothing contradicts, and books that cannot be judged.

use std::collections::BTreeMap;

use order_check::{Error, Invariant};
use shop_mongo::doc;

use crate::given::{Books, DECLINED, movement, only, said, violated};

#[tokio::test]
async fn a_shop_in_which_nothing_contradicts_holds_and_says_what_was_looked_at() {
    let books = Books::healthy().await;

    let report = books.check().await;

    assert!(report.holds(), "{report}");
    let seen: BTreeMap<_, _> = report
        .lines
        .iter()
        .flat_map(|line| line.seen.iter().map(|(what, n)| ((line.invariant.name(), *what), *n)))
        .collect();
    let expected = [
        (("I1", "SKUs"), 1),
        (("I2", "reservations"), 4),
        (("I3", "orders"), 4),
        (("I3", "acknowledgements"), 2),
        (("I4", "ledger entries"), 6),
        (("I6", "events"), 6),
        (("I7", "movements"), 7),
        (("I10", "reads"), 1),
    ];
    for (what, count) in expected {
        assert_eq!(seen.get(&what), Some(&count), "{what:?}");
    }
    assert!(report.lines.iter().all(|line| line.not_checked.is_none()), "{report}");
    assert_eq!(report.json()["holds"], true);
    assert_eq!(report.json()["invariants"].as_array().unwrap().len(), 11);
}

#[tokio::test]
async fn an_order_that_is_served_from_another_location_holds() {
    let books = Books::healthy().await;
    // Two pieces go to berlin, and the hold with them.
    let gone = doc! { "$set": { "cause": "adjusted", "reserved": 0_i64 }, "$unset": { "order": "" } };
    books.change("inventory", "movements", "mug@main:4", gone).await;
    books.change("inventory", "stock", "mug@main", doc! { "$set": { "reserved": 0_i64, "received": 8_i64 } }).await;
    let (came, held) = (movement(1, "adjusted", None, [2, 0, 0]), movement(2, "reserved", Some(DECLINED), [-2, 2, 0]));
    for (version, mut movement) in (1..).zip([came, held]) {
        movement.insert("_id", format!("mug@berlin:{version}"));
        movement.insert("location", "berlin");
        books.insert("inventory", "movements", movement).await;
    }
    let berlin = doc! {
        "_id": "mug@berlin", "sku": "mug", "location": "berlin", "version": 2_i64,
        "available": 0_i64, "reserved": 2_i64, "sold": 0_i64, "received": 2_i64,
    };
    books.insert("inventory", "stock", berlin).await;
    let there = doc! { "$set": { "lines.0.location": "berlin" } };
    books.change("inventory", "reservations", DECLINED, there).await;

    let report = books.check().await;

    assert!(report.holds(), "{report}");
}

#[tokio::test]
async fn what_is_not_given_is_said_to_be_not_checked() {
    let books = Books::healthy().await;
    let mut settings = books.settings();
    (settings.ledger, settings.history) = (None, None);

    let report = order_check::check(&settings).await.unwrap();

    assert!(report.holds(), "{report}");
    let left_out: Vec<_> =
        report.lines.iter().filter(|line| line.not_checked.is_some()).map(|line| line.invariant).collect();
    assert_eq!(left_out, [Invariant::I10]);
    assert!(report.to_string().contains("no ledger was given"), "{report}");
}

#[tokio::test]
async fn without_a_ledger_the_shops_own_books_still_tell_of_money() {
    let books = Books::healthy().await;
    books
        .change("payment", "payments", &format!("{}:1", crate::given::PAID), doc! { "$set": { "state": "VOIDED" } })
        .await;
    let mut settings = books.settings();
    settings.ledger = None;

    let report = order_check::check(&settings).await.unwrap();

    assert_eq!(violated(&report), ["I4"], "{report}");
}

#[tokio::test]
async fn a_database_without_a_collection_is_an_error_and_never_holds() {
    for (service, name) in
        [("payment", "payments"), ("order", "orders"), ("catalog", "inbox"), ("cart", "dead_letters")]
    {
        let books = Books::healthy().await;
        books.of(service, name).drop().await.unwrap();

        let error = order_check::check(&books.settings()).await.unwrap_err();

        assert!(matches!(&error, Error::Missing { collection, .. } if *collection == name), "{error}");
    }
}

#[tokio::test]
async fn a_document_that_cannot_be_read_is_a_contradiction() {
    let books = Books::healthy().await;
    books.change("order", "orders", crate::given::PAID, doc! { "$set": { "state": "lost" } }).await;
    books
        .change("payment", "payments", &format!("{}:1", crate::given::REJECTED), doc! { "$unset": { "amount": "" } })
        .await;
    books.change("inventory", "stock", "mug@main", doc! { "$set": { "sold": "two" } }).await;
    books.change("order", "outbox", &crate::given::event_id(1), doc! { "$set": { "topic": "order.lost" } }).await;

    let report = books.check().await;

    assert_eq!(violated(&report), ["I1", "I4", "I6", "I9"], "{report}");
    let found = said(&report, Invariant::I9);
    assert!(found[0].contains("state says \"lost\", which is unknown here"), "{found:?}");
}

#[tokio::test]
async fn a_ledger_or_history_that_is_none_is_an_error() {
    let books = Books::healthy().await;
    books.append("ledger", &serde_json::json!({ "sequence": 7, "kind": "stolen" }));
    let error = order_check::check(&books.settings()).await.unwrap_err();
    assert!(matches!(error, Error::Line { line: 7, .. }), "{error}");

    let books = Books::healthy().await;
    let again = crate::given::ledger_entry(3, "a9", crate::given::PAID, "voided", 1);
    books.append("ledger", &again);
    let error = order_check::check(&books.settings()).await.unwrap_err();
    assert!(matches!(error, Error::LedgerOrder { last: 6, found: 3 }), "{error}");

    let books = Books::healthy().await;
    books.append("history", &serde_json::json!({ "at": "yesterday" }));
    let error = order_check::check(&books.settings()).await.unwrap_err();
    assert!(matches!(error, Error::Line { line: 7, .. }), "{error}");
    std::fs::remove_file(books.path("history")).unwrap();
    assert!(matches!(order_check::check(&books.settings()).await, Err(Error::File(..))));
}

#[tokio::test]
async fn more_orders_than_a_page_are_all_looked_at() {
    const MANY: u32 = 1203;
    let books = Books::healthy().await;
    let id = |n: u32| format!("01900000-0000-7000-8000-00001000{n:04}");
    let orders = (0..MANY).map(|n| {
        let mut order = books.order(&id(n), &["placed", "rejected"], "settled", None);
        order.insert("user", shop_mongo::Bson::Null);
        order
    });
    books.of("order", "orders").insert_many(orders).await.unwrap();
    let lines = vec![doc! { "sku": "mug", "quantity": 2_i64 }];
    let refused = (0..MANY).map(|n| doc! { "_id": id(n), "state": "REFUSED", "lines": lines.clone() });
    books.of("inventory", "reservations").insert_many(refused).await.unwrap();
    let payments = (0..MANY).map(|n| books.payment(&id(n), "CANCELLED"));
    books.of("payment", "payments").insert_many(payments).await.unwrap();

    let report = books.check().await;

    assert!(report.holds(), "{report}");
    let text = report.to_string();
    assert!(text.contains(&format!("{} orders", MANY + 4)), "{text}");
    // The last of the last page counts, too.
    books.change("inventory", "reservations", &id(MANY - 1), doc! { "$set": { "state": "HELD" } }).await;
    assert_eq!(violated(&books.check().await), ["I2", "I3", "I7"]);
}

#[tokio::test]
async fn what_is_not_asked_for_is_not_judged() {
    let books = Books::healthy().await;
    books.change("order", "orders", crate::given::PAID, doc! { "$set": { "version": 9_i64 } }).await;
    let mut settings = books.settings();
    settings.only = only(&[Invariant::I1, Invariant::I2]);
    assert!(order_check::check(&settings).await.unwrap().holds());
    settings.only = only(&[Invariant::I9]);
    assert_eq!(violated(&order_check::check(&settings).await.unwrap()), ["I9"]);
}
