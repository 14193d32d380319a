//! Each rule: a healthy order has no findings, and each contradiction has exactly its own.

mod clients;

use jiff::SignedDuration;
use serde_json::json;
use shop_mongo::{Document, bson, doc};

use super::{Cause, Dossier, Finding, Hold, Move, Moved, Shelf, Timestamp, Weight, shelf};
use crate::history::Answer;
use crate::record::{Order, Payment, Reservation, Stock};

const ID: &str = "01900000-0000-7000-8000-000000000001";

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

/// The steps of an order that has come to a state.
fn steps(state: &str) -> Vec<&'static str> {
    match state {
        "placed" => vec!["placed"],
        "rejected" => vec!["placed", "rejected"],
        "confirmed" => vec!["placed", "confirmed"],
        "paid" => vec!["placed", "confirmed", "paid"],
        "shipped" => vec!["placed", "confirmed", "paid", "shipped"],
        "delivered" => vec!["placed", "confirmed", "paid", "shipped", "delivered"],
        "cancelling" => vec!["placed", "confirmed", "cancelling"],
        "cancelled" => vec!["placed", "confirmed", "paid", "cancelling", "cancelled"],
        "returning" => vec!["placed", "confirmed", "paid", "shipped", "returning"],
        "refunded" => vec!["placed", "confirmed", "paid", "shipped", "delivered", "returning", "refunded"],
        other => panic!("no state {other}"),
    }
}

/// An order of two mugs at 5.00 and one cup at 2.50.
fn order_document(state: &str, phase: &str) -> Document {
    let steps = steps(state);
    let time = |second| bson::DateTime::from(at(second));
    let history: Vec<Document> =
        steps.iter().zip(0..).map(|(step, n)| doc! { "state": *step, "at": time(n) }).collect();
    let named = steps.len() > 2 || state == "confirmed";
    doc! {
        "_id": ID,
        "user": "ada",
        "lines": [
            { "sku": "mug", "quantity": 2_i64, "unit_price": 500_i64, "total": 1000_i64 },
            { "sku": "cup", "quantity": 1_i64, "unit_price": 250_i64, "total": 250_i64 },
        ],
        "total": 1250_i64,
        "currency": "EUR",
        "state": state,
        "phase": phase,
        "payment": named.then(|| format!("{ID}:1")),
        "version": i64::try_from(history.len()).unwrap(),
        "history": history,
        "deadline": time(900),
        "created_at": time(0),
    }
}

fn order(state: &str) -> Order {
    let phase = if state == "placed" { "driving" } else { "settled" };
    Order::read(&order_document(state, phase)).unwrap()
}

fn reservation(state: &str) -> Reservation {
    let lines = vec![doc! { "sku": "cup", "quantity": 1_i64 }, doc! { "sku": "mug", "quantity": 2_i64 }];
    Reservation::read(&doc! { "_id": ID, "state": state, "lines": lines }).unwrap()
}

fn payment(state: &str) -> Payment {
    let document = doc! {
        "_id": format!("{ID}:1"), "amount": 1250_i64, "currency": "EUR", "state": state,
        "since": bson::DateTime::from(at(1)),
    };
    Payment::read(&document).unwrap()
}

fn hold(open: i64, captured: i64, refunded: i64) -> Hold {
    Hold {
        authorization: "auth".into(),
        reference: format!("{ID}:1"),
        currency: "EUR".into(),
        open,
        captures: u32::from(captured > 0),
        captured,
        refunded,
    }
}

fn moves(reservation: &Reservation) -> Vec<Moved> {
    let of = |cause: Cause| {
        let lines = reservation.lines.iter();
        lines.map(move |line| Moved { stock: line.stock(), cause, change: cause.change(line.pieces) })
    };
    reservation.state.causes().iter().flat_map(|cause| of(*cause)).collect()
}

fn dossier(state: &str, stock: &str, paid: &str, money: Hold) -> Dossier {
    let reservation = reservation(stock);
    Dossier {
        id: ID.into(),
        order: Some(order(state)),
        moves: Some(moves(&reservation)),
        reservation: Some(reservation),
        payments: vec![payment(paid)],
        holds: Some(vec![money]),
        answers: Vec::new(),
    }
}

fn paid() -> Dossier {
    dossier("paid", "COMMITTED", "CAPTURED", hold(0, 1250, 0))
}

/// What is found, as `I4 by ledger since 1`: the invariant, what it rests on, and since when it is so.
fn found(dossier: &Dossier) -> Vec<String> {
    super::order(dossier).iter().map(told).collect()
}

fn told(finding: &Finding) -> String {
    let by = if finding.by_ledger { " by ledger" } else { "" };
    let since = match finding.weight {
        Weight::Firm => String::new(),
        Weight::Moving { since } => format!(" since {}", since.as_second() - at(0).as_second()),
    };
    format!("{}{by}{since}", finding.invariant)
}

fn answer(method: &str, route: &str, status: Option<u16>, more: &serde_json::Value) -> Answer {
    let mut line = json!({
        "at": at(10), "ms": 500, "user": "ada", "key": "k", "method": method, "route": route, "status": status,
        "order_id": ID, "total": 1250,
    });
    line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(line).unwrap()
}

#[test]
fn healthy_orders_at_rest_have_nothing_against_them() {
    let healthy = [
        paid(),
        dossier("shipped", "COMMITTED", "CAPTURED", hold(0, 1250, 0)),
        dossier("delivered", "COMMITTED", "CAPTURED", hold(0, 1250, 0)),
        dossier("rejected", "REFUSED", "CANCELLED", hold(0, 0, 0)),
        dossier("rejected", "RELEASED", "VOIDED", hold(0, 0, 0)),
        // Staff took the money by hand before the order was confirmed, and its deadline came first.
        dossier("rejected", "RESTOCKED", "REFUNDED", hold(0, 1250, 1250)),
        dossier("cancelled", "RESTOCKED", "REFUNDED", hold(0, 1250, 1250)),
        dossier("cancelled", "RELEASED", "VOIDED", hold(0, 0, 0)),
        dossier("refunded", "RESTOCKED", "REFUNDED", hold(0, 1250, 1250)),
    ];
    for dossier in healthy {
        assert_eq!(found(&dossier), [""; 0]);
    }
}

#[test]
fn what_is_on_its_way_is_said_with_the_time_since_when() {
    let driving = Dossier { payments: vec![], ..dossier("placed", "HELD", "CREATED", hold(0, 0, 0)) };
    assert_eq!(found(&driving), ["I8 since 0"]);
    let confirmed = dossier("confirmed", "HELD", "AUTHORIZED", hold(1250, 0, 0));
    assert_eq!(found(&confirmed), ["I8 since 1"]);
    let cancelling = dossier("cancelling", "HELD", "VOIDING", hold(1250, 0, 0));
    assert_eq!(found(&cancelling), ["I8 since 2"]);
    let late_stock = dossier("paid", "HELD", "CAPTURED", hold(0, 1250, 0));
    assert_eq!(found(&late_stock), ["I3 since 2"]);
    let late_void = dossier("rejected", "RELEASED", "VOIDING", hold(1250, 0, 0));
    assert_eq!(found(&late_void), ["I4 since 1", "I4 by ledger since 1"]);
    let late_restock = dossier("rejected", "COMMITTED", "REFUNDED", hold(0, 1250, 1250));
    assert_eq!(found(&late_restock), ["I3 since 1"], "sold by staff before it was rejected");
    let waiting = Dossier {
        order: Some(Order::read(&order_document("placed", "declined")).unwrap()),
        ..dossier("placed", "HELD", "DECLINED", hold(0, 0, 0))
    };
    assert_eq!(found(&waiting), ["I8 since 900"], "its deadline, not its last step");
}

#[test]
fn a_history_that_is_no_path_is_found() {
    let broken = |change: fn(&mut Order)| {
        let mut dossier = paid();
        change(dossier.order.as_mut().unwrap());
        found(&dossier)
    };
    let found = ["I9"];
    assert_eq!(broken(|order| order.version = 4), found);
    assert_eq!(broken(|order| order.history[1].state = crate::record::State::Shipped)[..1], found);
    let short = broken(|order| {
        order.history.remove(0);
        order.version = 2;
    });
    assert_eq!(short, found, "it must begin as placed");
    let elsewhere = broken(|order| order.history[2].state = crate::record::State::Cancelling);
    assert_eq!(elsewhere, found, "it must end where the order stands");
    let mut shipped = dossier("shipped", "COMMITTED", "CAPTURED", hold(0, 1250, 0));
    let order = shipped.order.as_mut().unwrap();
    let step = *order.history.last().unwrap();
    order.history.push(crate::record::Step { forgets_address: true, ..step });
    order.version += 1;
    assert!(super::order(&shipped).is_empty(), "what forgets its address stays what it is");
    let leads_on = |order: &mut Order| order.history[2].forgets_address = true;
    assert_eq!(broken(leads_on), found, "forgetting leads nowhere");
}

#[test]
fn lines_that_do_not_come_to_the_total_are_found() {
    let broken = |change: fn(&mut Order)| {
        let mut dossier = paid();
        change(dossier.order.as_mut().unwrap());
        found(&dossier)
    };
    assert_eq!(broken(|order| order.lines[0].unit_price = 400), ["I11"]);
    let whole = broken(|order| order.lines[1].total += 1);
    assert_eq!(whole, ["I11", "I11"]);
}

#[test]
fn stock_that_does_not_follow_the_verdict_is_found() {
    let with = |state: &str, stock: Option<&str>| {
        let mut dossier = dossier(state, stock.unwrap_or("HELD"), "CAPTURED", hold(0, 1250, 0));
        if stock.is_none() {
            (dossier.reservation, dossier.moves) = (None, None);
        }
        found(&dossier).into_iter().filter(|told| told.starts_with("I3")).collect::<Vec<_>>()
    };
    assert_eq!(with("paid", Some("REFUSED")), ["I3"], "sold what was never there");
    assert_eq!(with("paid", None), ["I3"]);
    assert_eq!(with("confirmed", Some("RELEASED")), ["I3"]);
    assert_eq!(with("rejected", Some("COMMITTED")), ["I3 since 1"]);
    assert_eq!(with("rejected", Some("HELD")), ["I3 since 1"]);
    assert_eq!(with("cancelled", Some("COMMITTED")), ["I3 since 4"]);
    let mut other = paid();
    other.reservation.as_mut().unwrap().lines[0].pieces = 7;
    other.moves = None;
    assert_eq!(found(&other), ["I3"]);
}

#[test]
fn a_movement_too_many_or_too_few_is_found() {
    let mut twice = paid();
    let again = twice.moves.as_ref().unwrap()[0].clone();
    twice.moves.as_mut().unwrap().push(again);
    assert_eq!(found(&twice), ["I7"]);
    let mut never = paid();
    never.moves.as_mut().unwrap().pop();
    assert_eq!(found(&never), ["I7"]);
    let mut elsewhere = paid();
    elsewhere.reservation.as_mut().unwrap().lines[1].location = "berlin".into();
    assert_eq!(found(&elsewhere), ["I7"; 4], "held and sold: of berlin too little, of main too much");
    elsewhere.moves = Some(moves(elsewhere.reservation.as_ref().unwrap()));
    assert_eq!(found(&elsewhere), [""; 0]);
    let mut nobody = paid();
    (nobody.order, nobody.reservation, nobody.payments, nobody.holds) = (None, None, vec![], None);
    assert_eq!(found(&nobody).len(), 4, "two lines, held and sold, for nobody");
}

#[test]
fn money_that_the_ledger_counts_otherwise_is_found() {
    let with = |state, stock, paid, money| found(&dossier(state, stock, paid, money));
    let by_ledger = ["I4 by ledger"];
    assert_eq!(with("paid", "COMMITTED", "CAPTURED", hold(0, 0, 0)), by_ledger);
    assert_eq!(with("paid", "COMMITTED", "CAPTURED", hold(0, 1250, 50)), by_ledger);
    assert_eq!(with("cancelled", "RESTOCKED", "REFUNDED", hold(0, 1250, 0)), by_ledger);
    assert_eq!(with("paid", "COMMITTED", "CAPTURED", Hold { currency: "USD".into(), ..hold(0, 1250, 0) }), by_ledger);
    assert_eq!(with("paid", "COMMITTED", "AUTHORIZED", hold(0, 1250, 0)), ["I4"]);
    assert_eq!(with("paid", "COMMITTED", "CAPTURED", hold(1250, 1250, 0)), ["I4 by ledger since 2"]);
    assert_eq!(with("rejected", "RELEASED", "VOIDED", hold(1250, 0, 0)), ["I4 by ledger since 1"]);
}

#[test]
fn refunds_of_a_part_count_once_they_are_recorded() {
    let with = |state: &str, refunded| {
        let mut dossier = dossier("paid", "COMMITTED", "CAPTURED", hold(0, 1250, refunded));
        let document = doc! {
            "_id": format!("{ID}:1"), "amount": 1250_i64, "currency": "EUR", "state": "CAPTURED",
            "since": bson::DateTime::from(at(1)), "refunds": [{ "n": 1_i64, "amount": 250_i64, "state": state, "at": bson::DateTime::from(at(5)) }],
        };
        dossier.payments = vec![Payment::read(&document).unwrap()];
        found(&dossier)
    };
    assert_eq!(with("DONE", 250), [""; 0]);
    assert_eq!(with("DONE", 0), ["I4 by ledger"]);
    assert_eq!(with("DONE", 500), ["I4 by ledger"]);
    assert_eq!(with("FAILED", 0), [""; 0]);
    assert_eq!(with("FAILED", 250), ["I4 by ledger"]);
    assert_eq!(with("PENDING", 0), ["I4 since 5"]);
    assert_eq!(with("PENDING", 250), ["I4 since 5"]);
    assert_eq!(with("PENDING", 251), ["I4 since 5", "I4 by ledger"]);
}

#[test]
fn money_that_was_taken_twice_is_found() {
    let mut twice = paid();
    twice.holds = Some(vec![hold(0, 1250, 0), hold(0, 1250, 1250)]);
    assert_eq!(found(&twice), ["I5 by ledger"]);
    let mut books = paid();
    books.payments.push(Payment { id: format!("{ID}:2"), ..payment("CAPTURED") });
    assert_eq!(found(&books), ["I5"]);
}

#[test]
fn what_belongs_to_no_order_is_found() {
    let lost = Dossier {
        id: ID.into(),
        answers: vec![answer("POST", "/api/v1/orders", Some(201), &json!({}))],
        ..Dossier::default()
    };
    assert_eq!(found(&lost), ["I3"]);
    let orphans = Dossier { order: None, moves: None, ..dossier("paid", "HELD", "CAPTURED", hold(1250, 0, 0)) };
    let expected = ["I3", "I4", "I4 by ledger"];
    assert_eq!(found(&orphans), expected);
}

#[test]
fn the_stock_of_a_sku_is_judged_by_its_counts_reservations_and_movements() {
    let stock = Stock { id: "mug@main".into(), available: 5, reserved: 2, sold: 1, received: 8, version: 4 };
    let good = Shelf { held: 2, sold: 1, moved: Move { available: 5, reserved: 2, sold: 1 }, movements: 4, newest: 4 };
    let found = |stock: &Stock, of: &Shelf| {
        shelf("mug@main", Some(stock), of).into_iter().map(|f| f.invariant.name()).collect::<Vec<_>>()
    };
    assert_eq!(found(&stock, &good), [""; 0]);
    assert_eq!(found(&Stock { received: 9, ..stock.clone() }, &good), ["I1"]);
    let below = Shelf { moved: Move { available: -5, ..good.moved }, ..good };
    assert_eq!(found(&Stock { available: -5, received: -2, ..stock.clone() }, &below), ["I1"]);
    assert_eq!(found(&stock, &Shelf { moved: Move { available: 4, ..good.moved }, ..good }), ["I1"]);
    assert_eq!(found(&stock, &Shelf { held: 3, ..good }), ["I2"]);
    assert_eq!(found(&stock, &Shelf { sold: 0, ..good }), ["I2"]);
    assert_eq!(found(&stock, &Shelf { movements: 5, ..good }), ["I7"]);
    assert_eq!(found(&stock, &Shelf { newest: 5, ..good }), ["I7"]);
    assert_eq!(shelf("gone@main", None, &good).len(), 1);
}
