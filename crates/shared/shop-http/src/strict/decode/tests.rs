//! Every way a value can be wrong, each with its kind, its place and its words.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;
use shop_types::{Email, Money, ProductId, Quantity, Sku};

use super::*;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Order {
    sku: Sku,
    #[serde(default)]
    email: Option<Email>,
    #[serde(default)]
    product_id: Option<ProductId>,
    #[serde(default)]
    lines: Vec<Line>,
    #[serde(default)]
    price: Option<Money>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    #[serde(default)]
    stock: BTreeMap<Sku, u32>,
    #[serde(default)]
    level: Option<Level>,
    #[serde(default)]
    payment: Option<Payment>,
    #[serde(default)]
    small: Option<i8>,
    #[serde(default)]
    big: Option<u64>,
    #[serde(default)]
    ratio: Option<f64>,
    #[serde(default)]
    lenient: Option<Lenient>,
    #[serde(default)]
    pair: Option<(u8, u8)>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    quantity: Quantity,
}

/// A struct whose author forgot `deny_unknown_fields`.
#[derive(Debug, PartialEq, Deserialize)]
struct Lenient {
    a: bool,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Low,
    High,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Payment {
    Card { token: String },
    Invoice(u8),
}

/// Kind, place and words of the fault in an order with this field beside a good SKU.
fn fault(field: &str, value: Value) -> (Kind, String, String) {
    let mut order = json!({"sku": "mug"});
    order[field] = value;
    let fault = decode::<Order>(&order).unwrap_err();
    (fault.kind, fault.field("body"), fault.message)
}

#[track_caller]
fn assert_fault(field: &str, value: Value, kind: Kind, place: &str, words: &str) {
    assert_eq!(fault(field, value), (kind, place.to_owned(), words.to_owned()));
}

#[test]
fn a_good_value_is_read_whole() {
    let order = json!({
        "sku": "mug", "email": "Ada@example.org", "productId": "00000000-0000-7000-8000-000000000001",
        "lines": [{"quantity": 2}], "price": {"amount": -1, "currency": "EUR"}, "attributes": {"colour": "red"},
        "stock": {"mug": 1}, "level": "high", "payment": {"card": {"token": "t"}}, "small": -128,
        "big": 18_446_744_073_709_551_615_u64, "ratio": 1, "lenient": {"a": true}, "pair": [1, 2],
    });
    let order: Order = decode(&order).unwrap();
    assert_eq!(order.lines, [Line { quantity: Quantity::new(2).unwrap() }]);
    assert_eq!(order.level, Some(Level::High));
    assert_eq!(order.payment, Some(Payment::Card { token: "t".to_owned() }));
    assert_eq!(
        (order.small, order.big, order.ratio, order.pair),
        (Some(-128), Some(u64::MAX), Some(1.0), Some((1, 2)))
    );
    assert_eq!(
        decode::<Order>(&json!({"sku": "mug", "payment": {"invoice": 7}})).unwrap().payment,
        Some(Payment::Invoice(7))
    );
    assert_eq!(decode::<Order>(&json!({"sku": "mug", "email": null})).unwrap().email, None);
}

#[test]
fn another_json_type_is_a_type_fault() {
    assert_fault("sku", json!({"$gt": ""}), Kind::Type, "sku", "must be a string");
    assert_fault("sku", json!(7), Kind::Type, "sku", "must be a string");
    assert_fault("sku", json!(null), Kind::Type, "sku", "must be a string");
    assert_fault("sku", json!(["mug"]), Kind::Type, "sku", "must be a string");
    assert_fault("lines", json!({"0": {}}), Kind::Type, "lines", "must be an array");
    assert_fault("lines", json!([{"quantity": "2"}]), Kind::Type, "lines[0].quantity", "must be an integer");
    assert_fault(
        "lines",
        json!([{"quantity": 1}, {"quantity": 1.5}]),
        Kind::Type,
        "lines[1].quantity",
        "must be an integer",
    );
    assert_fault("lines", json!([{"quantity": true}]), Kind::Type, "lines[0].quantity", "must be an integer");
    assert_fault("attributes", json!({"a": {"$ne": 1}}), Kind::Type, "attributes.a", "must be a string");
    assert_fault("attributes", json!([]), Kind::Type, "attributes", "must be an object");
    assert_fault("ratio", json!("1"), Kind::Type, "ratio", "must be a number");
    assert_fault("lenient", json!({"a": 1}), Kind::Type, "lenient.a", "must be a boolean");
    assert_fault("level", json!(1), Kind::Type, "level", "must be one of low, high");
    assert_fault("payment", json!({"card": {}, "invoice": 1}), Kind::Type, "payment", "must be one of card, invoice");
    assert_fault("level", json!({"low": null}), Kind::Type, "level", "must be a string");
    assert_fault("pair", json!({}), Kind::Type, "pair", "must be an array");
}

#[test]
fn an_array_is_never_an_object() {
    assert_eq!(decode::<Order>(&json!(["mug"])).unwrap_err().kind, Kind::Type);
    assert_eq!(decode::<Order>(&json!(["mug"])).unwrap_err().field("body"), "body");
    assert_fault("lines", json!([[2]]), Kind::Type, "lines[0]", "must be an object");
    assert_fault("price", json!([1, "EUR"]), Kind::Type, "price", "must be an object");
    assert_fault("payment", json!({"card": ["t"]}), Kind::Type, "payment.card", "must be an object");
}

#[test]
fn an_integer_may_be_written_with_a_point() {
    assert_eq!(decode::<u32>(&json!(2.0)), Ok(2));
    assert_eq!(decode::<i64>(&json!(-352.0)), Ok(-352));
    assert_eq!(decode::<i64>(&json!(9_007_199_254_740_991.0)), Ok(9_007_199_254_740_991));
    assert_eq!(decode::<f64>(&json!(2.0)), Ok(2.0));
    assert!(decode::<u32>(&json!(-2.0)).is_err());
    assert!(decode::<i64>(&json!(9_007_199_254_740_992.0)).is_err());
    assert!(decode::<String>(&json!(2.0)).is_err());
}

#[test]
fn integers_out_of_range_break_a_rule() {
    let quantity = "lines[0].quantity";
    assert_fault("lines", json!([{"quantity": 0}]), Kind::Rule, quantity, "must be 1 to 1000000");
    assert_fault("lines", json!([{"quantity": -1}]), Kind::Rule, quantity, "must be 0 to 4294967295");
    assert_fault("lines", json!([{"quantity": 4_294_967_296_u64}]), Kind::Rule, quantity, "must be 0 to 4294967295");
    assert_fault("lines", json!([{"quantity": 1e30}]), Kind::Rule, quantity, "must be 0 to 4294967295");
    assert_fault("small", json!(128), Kind::Rule, "small", "must be -128 to 127");
    let amount = |amount: Value| json!({"amount": amount, "currency": "EUR"});
    let range = "must be -9223372036854775808 to 9223372036854775807";
    assert_fault("price", amount(json!(9_223_372_036_854_775_808_u64)), Kind::Rule, "price.amount", range);
    assert_fault("price", amount(json!(-1e19)), Kind::Rule, "price.amount", range);
    assert_fault("price", amount(json!(0.1)), Kind::Type, "price.amount", "must be an integer");
    assert_fault("sku", json!(1e30), Kind::Type, "sku", "must be a string");
}

#[test]
fn the_rules_of_our_values_are_rule_faults_in_their_own_words() {
    assert_fault("sku", json!("a b"), Kind::Rule, "sku", "must be 1 to 64 letters, digits, '.', '_' or '-'");
    assert_fault("email", json!("a"), Kind::Rule, "email", "must be an e-mail address of at most 254 characters");
    assert_fault("productId", json!("7"), Kind::Rule, "productId", "not an id: must be a UUID");
    let price = json!({"amount": 1, "currency": "eur"});
    assert_fault("price", price, Kind::Rule, "price.currency", "must be an ISO 4217 code of three upper-case letters");
    assert_fault("level", json!("middle"), Kind::Rule, "level", "must be one of low, high");
    assert_fault(
        "stock",
        json!({"a b": 1}),
        Kind::Rule,
        "stock.a b",
        "must be 1 to 64 letters, digits, '.', '_' or '-'",
    );
    assert_fault("pair", json!([1]), Kind::Rule, "pair", "must hold 2 items");
    assert_fault("pair", json!([1, 2, 3]), Kind::Rule, "pair", "must hold 2 items");
}

#[test]
fn unknown_fields_are_named_wherever_they_stand() {
    let (kind, place, words) = fault("isAdmin", json!(true));
    assert_eq!((kind, place.as_str()), (Kind::Unknown, "isAdmin"));
    assert!(words.starts_with("is not known; known are sku, email, productId"), "{words}");
    assert_fault(
        "lines",
        json!([{"quantity": 1, "$where": "1"}]),
        Kind::Unknown,
        "lines[0].$where",
        "is not known; known are quantity",
    );
    assert_fault("lenient", json!({"a": true, "b": {}}), Kind::Unknown, "lenient.b", "is not known");
}

#[test]
fn missing_fields_are_named_wherever_they_stand() {
    let fault = decode::<Order>(&json!({})).unwrap_err();
    assert_eq!(
        (fault.kind, fault.field("body").as_str(), fault.message.as_str()),
        (Kind::Missing, "sku", "is required")
    );
    assert_fault("lines", json!([{}]), Kind::Missing, "lines[0].quantity", "is required");
}

#[test]
fn nul_is_refused_in_every_text() {
    let words = "must not hold the character NUL";
    assert_fault("sku", json!("mug\0"), Kind::Rule, "sku", words);
    assert_fault("attributes", json!({"a": "\0"}), Kind::Rule, "attributes.a", words);
    assert_fault("attributes", json!({"a\0b": ""}), Kind::Rule, "attributes.a\u{fffd}b", words);
    assert_fault("level", json!("low\0"), Kind::Rule, "level", words);
}

#[test]
fn two_hundred_items_are_read_and_one_more_is_not() {
    let lines = |count: usize| Value::Array(vec![json!({"quantity": 1}); count]);
    assert_eq!(decode::<Order>(&json!({"sku": "mug", "lines": lines(MAX_ITEMS)})).unwrap().lines.len(), MAX_ITEMS);
    assert_fault("lines", lines(MAX_ITEMS + 1), Kind::Rule, "lines", "must hold at most 200 items");
}

#[test]
fn what_the_client_wrote_is_not_repeated_at_length() {
    let (_, place, words) = fault(&"x".repeat(60_000), json!(1));
    assert!(place.chars().count() <= 201 && words.chars().count() <= 201, "{} {}", place.len(), words.len());
    assert!(!fault("email", json!("secret@")).2.contains("secret"));
}

#[test]
fn loosely_unknown_fields_are_passed_over_at_every_depth_also_where_they_are_denied() {
    let loose = |value: Value| decode_loosely::<Order>(&value);
    let order = json!({"sku": "mug", "lines": [{"quantity": 1}]});
    let more = json!({"sku": "mug", "gift": {"wrap": [1]}, "lines": [{"quantity": 1, "note": "soon"}]});
    assert_eq!(loose(more).unwrap(), decode::<Order>(&order).unwrap());
    let fault = loose(json!({"sku": "mug", "lines": [{"note": "soon"}]})).unwrap_err();
    assert_eq!((fault.kind, fault.field("body").as_str()), (Kind::Missing, "lines[0].quantity"));
    assert_eq!(loose(json!({"sku": "mug", "lines": [[1]]})).unwrap_err().kind, Kind::Type);
}
