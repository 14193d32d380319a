//! Query parameters: what is read, and every way to be refused.

use serde::Deserialize;
use shop_types::Sku;

use super::*;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Filter {
    #[serde(default)]
    search: Option<String>,
    #[serde(default)]
    min_price: Option<i64>,
    #[serde(default)]
    count: Option<u8>,
    #[serde(default)]
    in_stock: Option<bool>,
    #[serde(default)]
    sku: Option<Sku>,
    #[serde(default)]
    order: Option<Direction>,
    #[serde(default)]
    ratio: Option<f64>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Direction {
    Up,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Forgetful {
    a: String,
}

fn read<T: DeserializeOwned>(pairs: &[(&str, &str)]) -> Result<T, (Kind, String)> {
    let pairs: Pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    decode(&pairs, Unknown::Refused).map_err(|fault| (fault.kind, format!("{} {fault}", fault.field("query"))))
}

#[track_caller]
fn assert_refused(pairs: &[(&str, &str)], kind: Kind, words: &str) {
    assert_eq!(read::<Filter>(pairs), Err((kind, words.to_owned())));
}

#[test]
fn text_becomes_what_the_field_is() {
    let pairs = [
        ("search", "12"),
        ("minPrice", "-5"),
        ("count", "255"),
        ("inStock", "true"),
        ("sku", "mug"),
        ("order", "up"),
        ("ratio", "0.5"),
    ];
    let filter = Filter {
        search: Some("12".to_owned()),
        min_price: Some(-5),
        count: Some(255),
        in_stock: Some(true),
        sku: Some("mug".parse().unwrap()),
        order: Some(Direction::Up),
        ratio: Some(0.5),
    };
    assert_eq!(read(&pairs), Ok(filter));
}

#[test]
fn a_name_stands_once() {
    assert_refused(&[("count", "1"), ("count", "1")], Kind::Rule, "count must be sent only once");
}

#[test]
fn unknown_names_are_refused_whatever_the_struct_says() {
    let known = "is not known; known are search, minPrice, count, inStock, sku, order, ratio";
    assert_refused(&[("search[$ne]", "")], Kind::Unknown, &format!("search[$ne] {known}"));
    assert_eq!(read::<Forgetful>(&[("a", ""), ("b", "")]), Err((Kind::Unknown, "b is not known".to_owned())));
    assert_eq!(read::<Forgetful>(&[]), Err((Kind::Missing, "a is required".to_owned())));
}

#[test]
fn values_that_do_not_fit_are_refused() {
    assert_refused(&[("count", "256")], Kind::Rule, "count must be 0 to 255");
    assert_refused(&[("count", "-1")], Kind::Rule, "count must be 0 to 255");
    assert_refused(&[("count", "99999999999999999999")], Kind::Rule, "count must be 0 to 255");
    for bad in ["", "+1", " 1", "1.0", "1e3", "0x1", "a", "-"] {
        assert_refused(&[("count", bad)], Kind::Type, "count must be an integer");
    }
    for bad in ["NaN", "inf", "a", ""] {
        assert_refused(&[("ratio", bad)], Kind::Type, "ratio must be a number");
    }
    assert_refused(&[("inStock", "1")], Kind::Rule, "inStock must be true or false");
    assert_refused(&[("order", "down")], Kind::Rule, "order must be one of up");
    assert_refused(&[("sku", "a b")], Kind::Rule, "sku must be 1 to 64 letters, digits, '.', '_' or '-'");
    assert_refused(&[("search", "\0")], Kind::Rule, "search must not hold the character NUL");
}
