//! What clients were told, held against the orders.

use super::*;

#[test]
fn what_clients_were_told_is_held_against_the_order() {
    let told = |state, stock, paid, money, answers: Vec<Answer>| {
        found(&Dossier { answers, ..dossier(state, stock, paid, money) })
    };
    let paid_one = |answers| told("paid", "COMMITTED", "CAPTURED", hold(0, 1250, 0), answers);
    let post = |status, more| answer("POST", "/api/v1/orders", Some(status), &more);
    let firm = ["I3"];
    assert_eq!(paid_one(vec![post(201, json!({})), post(202, json!({}))]), [""; 0]);
    assert_eq!(paid_one(vec![post(201, json!({ "total": 1249 }))]), firm);
    assert_eq!(paid_one(vec![post(201, json!({ "user": "eve" }))]), firm);
    assert_eq!(paid_one(vec![post(409, json!({ "err": "sold_out" }))]), firm);
    assert_eq!(paid_one(vec![post(409, json!({ "err": "request_in_progress" }))]), [""; 0]);
    assert_eq!(paid_one(vec![post(402, json!({ "err": "payment_declined" }))]), firm);
    let again = answer("POST", "/api/v1/orders/{id}/payments", Some(201), &json!({}));
    assert_eq!(paid_one(vec![post(402, json!({ "err": "payment_declined" })), again]), [""; 0]);
    let refused = vec![post(409, json!({ "err": "sold_out" }))];
    assert_eq!(told("rejected", "REFUSED", "CANCELLED", hold(0, 0, 0), refused), [""; 0]);
}

#[test]
fn whoever_was_told_of_an_order_can_read_it() {
    let read = |user: &str, seconds, status| {
        let more = json!({ "user": user, "at": at(10) + SignedDuration::from_millis(seconds) });
        answer("GET", "/api/v1/orders/{id}", Some(status), &more)
    };
    let told = answer("POST", "/api/v1/orders", Some(201), &json!({}));
    let with = |read: Answer| found(&Dossier { answers: vec![told.clone(), read], ..paid() });
    assert_eq!(with(read("ada", 501, 200)), [""; 0]);
    assert_eq!(with(read("ada", 501, 404)), ["I10"]);
    assert_eq!(with(read("ada", 499, 404)), [""; 0], "it was asked before the answer was there");
    assert_eq!(with(read("eve", 501, 404)), [""; 0], "a stranger");
}

#[test]
fn a_guest_who_was_told_says_nothing_of_what_another_guest_can_read() {
    let nobody = |method, route, seconds, status| {
        let more = json!({ "user": null, "at": at(10) + SignedDuration::from_millis(seconds) });
        answer(method, route, Some(status), &more)
    };
    let told = nobody("POST", "/api/v1/orders", 0, 201);
    let read = nobody("GET", "/api/v1/orders/{id}", 501, 404);
    assert_eq!(found(&Dossier { answers: vec![told, read], ..paid() }), [""; 0]);
}
