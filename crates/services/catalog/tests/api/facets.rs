//! Attributes, what lists can be narrowed to by them, and cursors.

use serde_json::{Value, json};
use shop_testkit::TestShop;

use crate::given::{Answer, PRODUCTS, catalog, category, delete, patch, path, product, read, sold, with};

async fn list(shop: &TestShop, query: &str) -> Answer {
    let list = read(shop, &format!("{PRODUCTS}?{query}")).await;
    assert_eq!(list.status, 200, "{query} gave {}", list.body);
    list
}

async fn made(shop: &TestShop, name: &str, cents: i64, attributes: Value) -> Answer {
    sold(shop, &with(product(name, cents), json!({ "attributes": attributes }))).await
}

#[tokio::test]
async fn a_list_is_narrowed_by_attributes_together() {
    let (shop, _) = catalog().await;
    let blue = made(&shop, "Blue mug", 1, json!({ "colour": "blue", "size": " L " })).await;
    made(&shop, "Red mug", 1, json!({ "colour": "red", "size": "L" })).await;
    sold(&shop, &product("Plain mug", 1)).await;
    assert_eq!(blue.body["attributes"], json!({ "colour": "blue", "size": "L" }));
    for (query, names) in [
        ("attr.colour=blue", vec!["Blue mug"]),
        ("attr.size=L&sort=name", vec!["Blue mug", "Red mug"]),
        ("attr.size=L&attr.colour=red", vec!["Red mug"]),
        ("attr.colour=BLUE", vec![]),
        ("attr.colour=.*", vec![]),
        ("attr.size=blue", vec![]),
        ("attr.size=L&search=blue", vec!["Blue mug"]),
    ] {
        assert_eq!(list(&shop, query).await.names(), names, "{query}");
    }
    let change = json!({ "attributes": { "colour": "green" } });
    let changed = patch(&shop, &path(PRODUCTS, &blue), blue.etag(), &change).await;
    assert_eq!(changed.body["attributes"], change["attributes"], "they are replaced as a whole");
    assert_eq!(list(&shop, "attr.colour=green").await.names(), ["Blue mug"]);
    assert!(list(&shop, "attr.colour=blue").await.names().is_empty());
}

#[tokio::test]
async fn facets_count_the_whole_list_and_nothing_else() {
    let (shop, _) = catalog().await;
    let (mugs, cups) = (category(&shop, "Mugs", None).await, category(&shop, "Cups", None).await);
    for (name, cents, shelf, colour) in
        [("A", 300, mugs.id(), "blue"), ("B", 100, mugs.id(), "red"), ("C", 200, cups.id(), "blue")]
    {
        let more = json!({ "categoryId": shelf, "attributes": { "colour": colour } });
        sold(&shop, &with(product(name, cents), more)).await;
    }
    sold(&shop, &product("D", 900)).await;
    let gone = sold(&shop, &with(product("E", 1), json!({ "categoryId": cups.id() }))).await;
    delete(&shop, &path(PRODUCTS, &gone), gone.etag()).await;

    let all = list(&shop, "size=1").await;
    let attribute = |value: &str, count: u64| json!({ "name": "colour", "value": value, "count": count });
    assert_eq!(
        all.body["facets"],
        json!({
            "categories": [{ "id": mugs.id(), "count": 2 }, { "id": cups.id(), "count": 1 }],
            "attributes": [attribute("blue", 2), attribute("red", 1)],
            "price": { "min": 100, "max": 900 },
            "inStock": 0,
            "exact": true,
        })
    );
    let blue = list(&shop, "attr.colour=blue&maxPrice=250").await;
    assert_eq!(blue.body["facets"]["attributes"], json!([attribute("blue", 1)]));
    assert_eq!(blue.body["facets"]["price"], json!({ "min": 200, "max": 200 }));
    let none = list(&shop, "attr.colour=none").await;
    let empty = json!({ "categories": [], "attributes": [], "inStock": 0, "exact": true });
    assert_eq!(none.body["facets"], empty);
}

#[tokio::test]
async fn cursors_walk_every_list_once_though_products_come_and_go() {
    let (shop, _) = catalog().await;
    for (n, name) in ["Ape", "Bee", "Cat", "Dog", "Eel", "Fox", "Gnu"].iter().enumerate() {
        sold(&shop, &product(name, [100, 200, 300][n % 3])).await;
    }
    let all = |query: &str| format!("{query}&size=100");
    for sort in ["-createdAt", "createdAt", "price", "-price", "name", "-name"] {
        for filter in ["", "minPrice=100", "search=bee"] {
            let query = format!("sort={sort}&{filter}");
            let whole = list(&shop, &all(&query)).await;
            let mut walked: Vec<String> = Vec::new();
            let mut cursor = String::new();
            for number in 1..=5 {
                let page = list(&shop, &format!("{query}&size=2{cursor}")).await;
                assert_eq!(page.body["page"]["number"], number);
                assert_eq!(page.body["page"]["total"], whole.body["page"]["total"]);
                walked.extend(page.names().into_iter().map(str::to_owned));
                match page.body["page"]["nextCursor"].as_str() {
                    Some(next) => cursor = format!("&cursor={next}"),
                    None => break,
                }
            }
            assert_eq!(walked, whole.names(), "{query}");
        }
    }
    let first = list(&shop, "sort=name&size=3").await;
    assert_eq!(first.names(), ["Ape", "Bee", "Cat"]);
    let bee = path(PRODUCTS, &Answer { body: first.body["items"][1].clone(), ..list(&shop, "size=1").await });
    delete(&shop, &bee, "\"1\"").await;
    sold(&shop, &product("Ant", 1)).await;
    let cursor = first.body["page"]["nextCursor"].as_str().unwrap();
    assert_eq!(list(&shop, &format!("size=3&cursor={cursor}")).await.names(), ["Dog", "Eel", "Fox"]);
}
