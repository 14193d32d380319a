//! Writes beside each other: whatever order they commit in, what the rules promise holds.

use futures::future::join_all;
use reqwest::Method;
use serde_json::json;
use shop_mongo::{Document, doc};
use shop_testkit::TestShop;

use crate::given::{
    Answer, CATEGORIES, PRODUCTS, answer, catalog, category, count, delete, patch, path, post, product, read, sold,
    staff, with,
};

const ROUNDS: usize = 10;

#[tokio::test]
async fn a_category_is_either_deleted_or_used() {
    let (shop, _) = catalog().await;
    let waiting = sold(&shop, &product("Waiting", 1)).await;
    let mut version = 1;
    for round in 0..ROUNDS {
        let shelf = category(&shop, &format!("Shelf {round}"), None).await;
        let shelf_path = path(CATEGORIES, &shelf);
        let new = with(product("Mug", 1), json!({ "categoryId": shelf.id() }));
        let below = json!({ "name": format!("Below {round}"), "parentId": shelf.id() });
        let (waiting_path, tag) = (path(PRODUCTS, &waiting), format!("\"{version}\""));
        let moved = json!({ "categoryId": shelf.id() });
        let (deleted, made, child, moved) = tokio::join!(
            delete(&shop, &shelf_path, shelf.etag()),
            post(&shop, PRODUCTS, &new),
            post(&shop, CATEGORIES, &below),
            patch(&shop, &waiting_path, &tag, &moved),
        );
        let users = [made.status, child.status, moved.status];
        match deleted.status {
            204 => assert_eq!(users, [422, 422, 422], "{} {}", made.body, child.body),
            409 => assert!(users.iter().any(|status| matches!(status, 200 | 201)), "{users:?}"),
            other => panic!("{other}: {}", deleted.body),
        }
        assert_eq!(read(&shop, &shelf_path).await.status == 404, deleted.status == 204);
        version += i64::from(moved.status == 200);
    }
}

#[tokio::test]
async fn of_many_new_products_at_once_only_the_wrong_ones_fail() {
    let (shop, _) = catalog().await;
    let shelf = category(&shop, "Shelf", None).await;
    let nowhere = "0190a000-0000-7000-8000-000000000000";
    let new = |n: usize| {
        let place = if n % 10 == 3 { nowhere } else { shelf.id() };
        let sku = if n % 10 == 7 { "wanted-by-all".to_owned() } else { format!("mug-{n}") };
        with(product(&format!("Mug {n}"), 1), json!({ "categoryId": place, "sku": sku }))
    };
    let bodies: Vec<_> = (0..40).map(new).collect();

    let answers = join_all(bodies.iter().map(|body| post(&shop, PRODUCTS, body))).await;

    let (mut first, mut later) = (0, 0);
    for (n, answer) in answers.iter().enumerate() {
        match (n % 10, answer.status) {
            (3, 422) => assert_eq!(answer.field(), "categoryId"),
            (7, 201) => first += 1,
            (7, 409) => later += usize::from(answer.code() == "sku_taken"),
            (0..3 | 4..7 | 8.., 201) => assert_eq!(answer.body["categoryId"], shelf.id(), "{}", answer.body),
            (_, other) => panic!("{n}: {other}: {}", answer.body),
        }
    }
    assert_eq!((first, later), (1, 3));
    assert_eq!(count(&shop, "products").await, 33);
    let transactions = transactions(&shop).await;
    assert!(transactions < 40, "{transactions} for 40 products");

    let again = join_all(bodies.iter().map(|body| post(&shop, PRODUCTS, body))).await;

    let codes: Vec<&str> = again.iter().map(Answer::code).collect();
    assert_eq!(codes.iter().filter(|code| **code == "sku_taken").count(), 36, "{codes:?}");
    let more = self::transactions(&shop).await - transactions;
    assert!(more < 40, "{more} to find that 36 are taken");
}

#[tokio::test]
async fn a_product_of_many_variants_is_written_like_any_other() {
    let (shop, _) = catalog().await;
    let variant = |n| json!({ "sku": format!("mug-{n}"), "price": { "amount": 1, "currency": "EUR" } });
    let variants: Vec<_> = (0..20).map(variant).collect();
    let made = sold(&shop, &with(product("Mug", 1), json!({ "variants": variants }))).await;
    assert_eq!(made.body["variants"].as_array().unwrap().len(), 21);
    let again = post(&shop, PRODUCTS, &with(product("Mug", 1), json!({ "variants": variants }))).await;
    assert_eq!((again.status, again.code()), (409, "sku_taken"));
}

/// How many transactions have written new products.
async fn transactions(shop: &TestShop) -> u64 {
    let text = shop.client().get(shop.admin_url("/metrics")).send().await.unwrap().text().await.unwrap();
    let lines = text.lines().filter(|line| line.starts_with("mongodb_transactions_total{"));
    let ours = lines.filter(|line| line.contains("insert products"));
    ours.map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum()
}

#[tokio::test]
async fn two_moves_at_once_never_close_a_circle() {
    let (shop, _) = catalog().await;
    for round in 0..ROUNDS {
        let one = category(&shop, &format!("One {round}"), None).await;
        let other = category(&shop, &format!("Other {round}"), None).await;
        let between = category(&shop, &format!("Between {round}"), Some(other.id())).await;
        let (one_path, other_path) = (path(CATEGORIES, &one), path(CATEGORIES, &other));
        let (below_between, below_one) = (json!({ "parentId": between.id() }), json!({ "parentId": one.id() }));
        let (first, second) = tokio::join!(
            patch(&shop, &one_path, one.etag(), &below_between),
            patch(&shop, &other_path, other.etag(), &below_one),
        );
        let mut codes = [first.status, second.status];
        codes.sort_unstable();
        assert_eq!(codes, [200, 409], "{} {}", first.body, second.body);
    }
}

#[tokio::test]
async fn of_two_changes_at_once_one_is_stale() {
    let (shop, _) = catalog().await;
    let made = sold(&shop, &product("Mug", 1)).await;
    let mug = path(PRODUCTS, &made);
    for version in 1..=ROUNDS {
        let tag = format!("\"{version}\"");
        let (red, blue) = (json!({ "name": "Red" }), json!({ "name": "Blue" }));
        let (first, second) = tokio::join!(patch(&shop, &mug, &tag, &red), patch(&shop, &mug, &tag, &blue));
        let mut codes = [first.status, second.status];
        codes.sort_unstable();
        assert_eq!(codes, [200, 412], "{} {}", first.body, second.body);
        let winner = if first.status == 200 { first } else { second };
        assert_eq!(read(&shop, &mug).await.body, winner.body);
    }
}

#[tokio::test]
async fn of_changes_at_once_that_name_no_version_none_is_told_to_be_stale() {
    let (shop, _) = catalog().await;
    let (shelf, mug) = (category(&shop, "Mugs", None).await, sold(&shop, &product("Mug", 1)).await);
    for (older, present) in [
        (format!("/products/{}", mug.id()), path(PRODUCTS, &mug)),
        (format!("/categories/{}", shelf.id()), path(CATEGORIES, &shelf)),
    ] {
        let named = |n: usize| json!({ "name": format!("Name {n}") });
        let put = |n: usize| answer(staff(&shop, Method::PUT, &older).json(&named(n)));
        let answers = join_all((0..20).map(put)).await;
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        assert!(statuses.iter().all(|status| matches!(status, 200 | 503)), "{statuses:?}");
        let done = statuses.iter().filter(|status| **status == 200).count();
        assert_eq!(read(&shop, &present).await.body["version"], 1 + done, "{statuses:?}");
    }
}

#[tokio::test]
async fn there_are_at_most_a_thousand_categories_also_when_many_are_created_at_once() {
    let (shop, _) = catalog().await;
    let create = async |names: &str| {
        let bodies: Vec<_> = (0..8).map(|n| json!({ "name": format!("{names} {n}") })).collect();
        let answers = join_all(bodies.iter().map(|body| post(&shop, CATEGORIES, body))).await;
        let mut codes: Vec<_> = answers.iter().map(|answer| (answer.status, answer.code().to_owned())).collect();
        codes.sort_unstable();
        codes
    };
    let code = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(create("First").await, vec![code(201, ""); 8]);
    let categories = shop.mongo("catalog").await.collection::<Document>("categories");
    let one = categories.find_one(doc! {}).await.unwrap().unwrap();
    let other = |n: u32| {
        let mut other = one.clone();
        other.insert("_id", format!("0190b3c0-0000-7000-8000-{n:012}"));
        other.insert("name", format!("Shelf {n}"));
        other
    };
    categories.insert_many((8..996).map(other)).await.unwrap();
    let refused = vec![code(409, "too_many_categories"); 4];
    assert_eq!(create("Last").await, [vec![code(201, ""); 4], refused].concat());
    assert_eq!(count(&shop, "categories").await, 1000);
}
