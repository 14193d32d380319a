//! A shop that goes on while it is read: what moves is no contradiction, what stays is one.

use std::time::Instant;

use futures::FutureExt as _;
use order_check::Invariant;
use shop_mongo::{Bson, Setup, UpdateOp, doc};
use shop_service::SystemClock;
use shop_telemetry::metrics::Metrics;
use shop_types::Clock as _;
use tokio::time::{sleep, timeout};

use crate::given::{Books, DECLINED, PAID, SECOND, append, ledger_entry, movement, only, said, violated};

#[tokio::test]
async fn an_order_on_its_way_is_waited_for() {
    let books = Books::healthy().await;
    let unpaid = doc! {
        "$set": { "state": "confirmed", "version": 2_i64 },
        "$pop": { "history": 1 },
    };
    books.change("order", "orders", PAID, unpaid).await;
    let mut settings = books.settings();
    settings.wait = Some(SECOND * 20);
    let started = Instant::now();
    let pays = async {
        sleep(SECOND).await;
        let paid = doc! {
            "$set": { "state": "paid", "version": 3_i64 },
            "$push": { "history": { "state": "paid", "at": books.time(2) } },
        };
        books.change("order", "orders", PAID, paid).await;
    };
    let (report, ()) = tokio::join!(order_check::check(&settings), pays);
    let report = report.unwrap();
    assert!(report.holds(), "{report}");
    assert!((SECOND..SECOND * 15).contains(&started.elapsed()), "{:?}", started.elapsed());
}

#[tokio::test]
async fn what_does_not_come_to_rest_in_time_is_said() {
    let books = Books::healthy().await;
    // Young enough to be fine for a shop that goes on.
    let young = shop_mongo::bson::DateTime::now();
    let confirmed = doc! {
        "$set": { "state": "confirmed", "version": 2_i64, "history.1.at": young },
    };
    books.change("order", "orders", PAID, confirmed).await;
    books.change("order", "orders", PAID, doc! { "$pop": { "history": 1 } }).await;
    let unsent = doc! { "$set": { "confirmed": false, "published": Bson::Null, "created_at": young } };
    books.change("order", "outbox", &crate::given::event_id(1), unsent).await;
    assert!(books.check().await.holds());
    let mut settings = books.settings();
    settings.wait = Some(SECOND);
    let report = timeout(SECOND * 30, order_check::check(&settings)).await.unwrap().unwrap();
    assert_eq!(violated(&report), ["I6", "I8"], "{report}");
    assert_eq!(said(&report, Invariant::I8), [format!("order {PAID} is confirmed")]);
    assert!(report.notes.iter().any(|note| note.contains("order: 1 events are on their way")), "{report}");
}

#[tokio::test]
async fn a_ledger_that_is_a_moment_behind_is_looked_at_again() {
    let books = Books::healthy().await;
    let whole = std::fs::read_to_string(books.path("ledger")).unwrap();
    let (before, after) = whole.split_at(whole.match_indices('\n').nth(3).unwrap().0 + 1);
    std::fs::write(books.path("ledger"), before).unwrap();
    let goes_on = async {
        sleep(SECOND).await;
        for line in after.lines() {
            append(books.path("ledger"), &serde_json::from_str(line).unwrap());
        }
    };
    let settings = books.settings();
    let (report, ()) = tokio::join!(order_check::check(&settings), goes_on);
    let report = report.unwrap();
    assert!(report.holds(), "{report}");
}

#[tokio::test]
async fn a_line_that_is_still_being_written_does_not_count() {
    let books = Books::healthy().await;
    let whole = std::fs::read_to_string(books.path("ledger")).unwrap();
    let half = ledger_entry(7, "a1", PAID, "refunded", 50).to_string();
    std::fs::write(books.path("ledger"), format!("{whole}{}", &half[..half.len() / 2])).unwrap();
    assert!(books.check().await.holds());
}

/// Holds move in transactions all the time; at each single moment the counts add up.
#[tokio::test(flavor = "multi_thread")]
async fn stock_that_moves_while_it_is_read_adds_up() {
    let books = Books::healthy().await;
    let mut settings = books.settings();
    settings.only = only(&[Invariant::I1, Invariant::I2]);
    let mongo = shop_mongo::Mongo::connect("inventory", &settings.mongodb, &Metrics::new("test")).await.unwrap();
    mongo.ensure(&["stock", "reservations", "movements"].map(|name| Setup::new(name, []))).await.unwrap();
    let moves = async {
        for version in 8..400 {
            let order = SystemClock.new_id().to_string();
            let moved = mongo.transact("move", move |txn| {
                let lines = vec![doc! { "sku": "mug", "quantity": 1_i64 }];
                let reservation = doc! { "_id": &order, "state": "HELD", "lines": lines };
                let row = movement(version, "reserved", Some(&order), [-1, 1, 0]);
                async move {
                    let take = doc! { "$inc": { "available": -1_i64, "reserved": 1_i64, "version": 1_i64 } };
                    txn.update_each("stock", vec![UpdateOp::new(doc! { "_id": "mug@main" }, take)]).await?;
                    txn.insert_many("reservations", vec![reservation]).await?;
                    txn.insert_many("movements", vec![row]).await
                }
                .boxed()
            });
            moved.await.unwrap();
        }
    };
    let looks = async {
        let mut seen = Vec::new();
        for _ in 0..12 {
            let report = order_check::check(&settings).await.unwrap();
            // Nothing but the sign: six mugs were there.
            let found: Vec<_> = [Invariant::I1, Invariant::I2].iter().flat_map(|i| said(&report, *i)).collect();
            assert!(found.iter().all(|says| says.contains("fewer pieces than none")), "{report}");
            seen.push(report.lines[1].seen.clone());
        }
        seen
    };
    let (seen, ()) = tokio::join!(looks, moves);
    assert!(seen.first() != seen.last(), "nothing moved while it was read: {seen:?}");
}

#[tokio::test]
async fn a_stopped_shop_is_read_without_a_snapshot() {
    let books = Books::healthy().await;
    let mut settings = books.settings();
    settings.stopped = true;
    assert!(order_check::check(&settings).await.unwrap().holds());
    books.change("inventory", "reservations", DECLINED, doc! { "$set": { "state": "RELEASED" } }).await;
    let report = order_check::check(&settings).await.unwrap();
    assert_eq!(violated(&report), ["I2", "I3", "I7"], "{report}");
}
