//! Books of more names than are held in memory at once.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use payment::domain::reconciliation::Portions;
use shop_types::OrderId;

use super::*;

/// Everything is cut: two names at once, two suspects at once.
const SMALL: Portions = Portions { names: 2, suspects: 2, differences: 100 };

fn seconds_after(time: Timestamp, seconds: u32) -> Timestamp {
    time.checked_add(SignedDuration::from_secs(seconds.into())).unwrap()
}

/// Entries of a ledger, one a second from a time on: the name, the kind, and which hold of that name it is about.
fn booked(from: Timestamp, entries: &[(&str, &str, u32)]) -> Vec<Value> {
    (1..)
        .zip(entries)
        .map(|(sequence, (reference, kind, hold))| {
            json!({
                "sequence": sequence, "at": seconds_after(from, sequence), "kind": kind,
                "authorization": format!("auth_{reference}_{hold}"), "reference": reference, "amount": 500,
                "currency": "EUR", "method": "tok_visa", "key": format!("key {sequence}"), "fingerprint": "f",
            })
        })
        .collect()
}

impl Given {
    /// A payment that was captured so many seconds after a time, and at which nobody works any more.
    async fn left_captured(&self, order: OrderId, from: Timestamp, seconds: u32) {
        let then = DateTime::from_millis(seconds_after(from, seconds).as_millisecond());
        let hold = format!("auth_{order}:1_1");
        self.left_behind(order, doc! { "state": "CAPTURED", "hold": hold, "since": then, "created_at": then }).await;
        let all = self.mongo.collection::<Document>("payments");
        all.update_many(doc! {}, doc! { "$unset": { "next_try_at": "" } }).await.unwrap();
    }

    /// Compares everything, and says what differs: kind and name.
    async fn found(&self) -> BTreeSet<String> {
        eventually("the first comparison has ended", || async { self.last_run().await.is_some() }).await;
        let everything = doc! { "$unset": { "read_everything_at": "" } };
        self.mongo.collection::<Document>("reconciliation_runs").update_one(doc! {}, everything).await.unwrap();
        self.compare().await;
        let rows = documents(&self.mongo, "reconciliation_differences", doc! {}).await;
        rows.iter().map(|row| row.get_str("_id").unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn books_that_agree_have_no_differences_however_their_names_are_cut() {
    let hours_ago = SystemClock.now().checked_sub(SignedDuration::from_hours(5)).unwrap();
    let orders: Vec<_> = (0..6).map(|_| an_order()).collect();
    let names: Vec<_> = orders.iter().map(|order| format!("{order}:1")).collect();
    let name = |n: usize| names[n].as_str();
    // Each is held in one part and taken in a later one.
    let held = (0..6).map(|n| (name(n), "authorized", 1));
    let ledger: Vec<_> = held.chain((0..6).map(|n| (name(n), "captured", 1))).collect();
    let given = Given::in_portions(&booked(hours_ago, &ledger), SMALL).await;
    for (order, second) in orders.iter().zip(7..) {
        given.left_captured(*order, hours_ago, second).await;
    }

    assert_eq!(given.found().await, BTreeSet::new());
    let run = documents(&given.mongo, "reconciliation_runs", doc! {}).await.remove(0);
    assert_eq!(run.get_i64("bookings").unwrap(), 12);
}

#[tokio::test]
async fn every_difference_is_found_however_its_names_are_cut() {
    let hours_ago = SystemClock.now().checked_sub(SignedDuration::from_hours(5)).unwrap();
    let [twice, missing, given_back] = [an_order(), an_order(), an_order()];
    let [twice_name, missing_name, back_name] = [twice, missing, given_back].map(|order| format!("{order}:1"));
    let (twice_name, back_name) = (twice_name.as_str(), back_name.as_str());
    let ledger = [
        (twice_name, "authorized", 1),
        (twice_name, "captured", 1),
        (back_name, "authorized", 1),
        ("other 1", "authorized", 1),
        ("other 1", "voided", 1),
        (back_name, "captured", 1),
        ("other 2", "authorized", 1),
        // Fits by itself, as the first two do.
        (twice_name, "authorized", 2),
        (twice_name, "captured", 2),
        ("by hand", "authorized", 1),
        (back_name, "refunded", 1),
    ];
    let given = Given::in_portions(&booked(hours_ago, &ledger), SMALL).await;
    for (order, second) in [(twice, 2), (missing, 4), (given_back, 6)] {
        given.left_captured(order, hours_ago, second).await;
    }

    let expected = [
        format!("captured:{twice_name}"),
        format!("captured:{missing_name}"),
        format!("refunded:{back_name}"),
        "unknown:other 2".into(),
        "unknown:by hand".into(),
    ];
    assert_eq!(given.found().await, BTreeSet::from(expected));
}

#[tokio::test]
async fn no_more_differences_are_kept_than_may_be() {
    let hours_ago = SystemClock.now().checked_sub(SignedDuration::from_hours(5)).unwrap();
    let ledger: Vec<_> = ["a", "b", "c", "d", "e", "f", "g"].map(|name| (name, "authorized", 1)).into();
    let given = Given::in_portions(&booked(hours_ago, &ledger), Portions { differences: 3, ..SMALL }).await;

    assert_eq!(given.found().await.len(), 3);
    given.compare().await;
    assert_eq!(documents(&given.mongo, "reconciliation_differences", doc! {}).await.len(), 3, "and looked at again");
}
