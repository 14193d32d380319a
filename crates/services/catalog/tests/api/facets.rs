//! Attributes, what lists can be narrowed to by them, and cursors.

use serde_json::{Value, json};
use shop_testkit::TestShop;

use crate::given::{Answer, CATEGORIES, PRODUCTS, catalog, category, delete, patch, path, product, read, sold, with};

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
async fn a_facet_of_a_category_counts_what_narrowing_by_it_gives() {
    let (shop, _) = catalog().await;
    let kitchen = category(&shop, "Kitchen", None).await;
    let mugs = category(&shop, "Mugs", Some(kitchen.id())).await;
    let tall = category(&shop, "Tall mugs", Some(mugs.id())).await;
    let cups = category(&shop, "Cups", Some(kitchen.id())).await;
    let garden = category(&shop, "Garden", None).await;
    for (name, shelf) in [("A", &kitchen), ("B", &mugs), ("C", &tall), ("D", &tall), ("E", &cups), ("F", &garden)] {
        let more =
            json!({ "categoryId": shelf.id(), "attributes": { "colour": if name > "C" { "blue" } else { "red" } } });
        sold(&shop, &with(product(name, 100), more)).await;
    }
    category(&shop, "Empty", Some(garden.id())).await;
    sold(&shop, &product("G", 100)).await;
    for (query, wanted) in [
        (String::new(), vec![(&kitchen, 5), (&mugs, 3), (&tall, 2), (&cups, 1), (&garden, 1)]),
        ("attr.colour=blue&".to_owned(), vec![(&kitchen, 2), (&mugs, 1), (&tall, 1), (&cups, 1), (&garden, 1)]),
        (format!("category={}&", mugs.id()), vec![(&mugs, 3), (&tall, 2)]),
        (format!("category={}&", tall.id()), vec![(&tall, 2)]),
    ] {
        let mut wanted: Vec<_> = wanted.into_iter().map(|(shelf, count)| (shelf.id().to_owned(), count)).collect();
        wanted.sort_by(|one, other| (other.1, &one.0).cmp(&(one.1, &other.0)));
        let facets = list(&shop, &query).await.body["facets"]["categories"].clone();
        let told = facets.as_array().unwrap().iter();
        let told: Vec<_> =
            told.map(|one| (one["id"].as_str().unwrap().to_owned(), one["count"].as_u64().unwrap())).collect();
        assert_eq!(told, wanted, "{query}");
        for (shelf, count) in told {
            let others = query.split('&').filter(|part| !part.starts_with("category"));
            let narrowed = others.chain([format!("category={shelf}").as_str()]).collect::<Vec<_>>().join("&");
            assert_eq!(list(&shop, &narrowed).await.body["page"]["total"], count, "{narrowed}");
        }
    }
    let moved = json!({ "parentId": garden.id() });
    assert_eq!(patch(&shop, &path(CATEGORIES, &mugs), &etag(&shop, &mugs).await, &moved).await.status, 200);
    let facets = list(&shop, "").await.body["facets"]["categories"].clone();
    let counts: Vec<_> = facets.as_array().unwrap().iter().map(|one| one["count"].as_u64().unwrap()).collect();
    assert_eq!((counts, &facets[0]["id"]), (vec![4, 3, 2, 2, 1], &json!(garden.id())), "those above it are others now");
}

async fn etag(shop: &TestShop, category: &Answer) -> String {
    read(shop, &path(CATEGORIES, category)).await.etag().to_owned()
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
