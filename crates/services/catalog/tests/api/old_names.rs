//! What older names promise beyond their shapes: what was deleted is gone, filters of old count, keys count for everybody.

use reqwest::Method;
use serde_json::{Value, json};
use shop_config::Aliases;
use shop_mongo::{Document, doc};

use crate::given::{
    Answer, CATEGORIES, PRODUCTS, answer, anybody, catalog, catalog_with, category, count, path, post, product, read,
    sold, staff, with,
};

fn names(list: &Answer) -> Vec<&str> {
    let products = list.body["products"].as_array().unwrap_or_else(|| panic!("no list: {}", list.body));
    products.iter().map(|product| product["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn what_was_deleted_is_gone_under_every_older_name_and_archived_under_the_present_one() {
    let (shop, _) = catalog().await;
    let shelf = category(&shop, "Mugs", None).await;
    for (n, prefix) in ["/product", "/products", "/api/products"].into_iter().enumerate() {
        let made = sold(&shop, &with(product(&format!("Mug {n}"), 1), json!({ "categoryId": shelf.id() }))).await;
        let (id, slug) = (made.id(), made.body["slug"].as_str().unwrap());
        let path = format!("{prefix}/{id}");
        assert_eq!(answer(staff(&shop, Method::DELETE, &path)).await.status, 200);

        for path in [&path, &format!("{prefix}/{slug}")] {
            assert_eq!((read(&shop, path).await.status, read(&shop, path).await.code()), (404, "not_found"), "{path}");
        }
        let archived = read(&shop, &format!("{PRODUCTS}/{id}")).await;
        assert_eq!((archived.status, &archived.body["status"]), (200, &json!("archived")));
        for tag in [None, Some(archived.etag()), Some("\"1\"")] {
            let tagged = |method: Method| {
                let request = staff(&shop, method, &path);
                tag.iter().fold(request, |request, tag| request.header("If-Match", *tag))
            };
            let changed =
                answer(tagged(Method::PUT).json(&json!({ "name": "Jug", "category": "Jugs", "stock": 3 }))).await;
            assert_eq!((changed.status, changed.code()), (404, "not_found"), "{path} {tag:?}");
            let again = answer(tagged(Method::DELETE)).await;
            assert_eq!((again.status, again.code()), (404, "not_found"), "{path} {tag:?}");
        }
        let canonical =
            answer(staff(&shop, Method::DELETE, &format!("{PRODUCTS}/{id}")).header("If-Match", archived.etag()));
        assert_eq!(canonical.await.code(), "product_archived");
    }
    for list in ["/products", "/api/products", "/products/category/Mugs", "/api/products?category=Mugs&search=mug"] {
        assert!(names(&read(&shop, list).await).is_empty(), "{list}");
    }
    assert_eq!(read(&shop, CATEGORIES).await.names(), ["Mugs"], "a refused change makes no category");
}

#[tokio::test]
async fn fewer_pieces_than_orders_hold_are_refused_before_anything_is_done() {
    let (shop, inventory) = catalog().await;
    for (n, prefix) in ["/product", "/products", "/api/products"].into_iter().enumerate() {
        let shelf = format!("Shelf {n}");
        inventory.hold(0).await;
        let made = sold(&shop, &product(&format!("Mug {n}"), 1)).await;
        let (before, path) = (path(PRODUCTS, &made), format!("{prefix}/{}", made.id()));
        let change = json!({ "name": "Jug", "price": 5, "category": &shelf, "stock": 2 });
        let set = inventory.calls().await.len();

        inventory.hold(3).await;
        for tag in [None, Some("\"1\"")] {
            let request = tag.into_iter().fold(staff(&shop, Method::PUT, &path), |it, tag| it.header("If-Match", tag));
            let refused = answer(request.json(&change)).await;
            assert_eq!((refused.status, refused.code()), (409, "stock_below_zero"), "{path} {tag:?}: {}", refused.body);
        }
        assert_eq!(read(&shop, &before).await.body, made.body, "nothing has changed");
        let new = json!({ "name": "Bowl", "price": 5, "sku": format!("bowl-{n}"), "stock": 2, "category": "Bowls" });
        for key in [None, Some(format!("bowl-{n}"))] {
            let request = staff(&shop, Method::POST, prefix).json(&new);
            let request = key.into_iter().fold(request, |it, key| it.header("Idempotency-Key", key));
            let refused = answer(request).await;
            assert_eq!((refused.status, refused.code()), (409, "stock_below_zero"), "{}", refused.body);
        }
        assert_eq!(post(&shop, prefix, &with(new, json!({ "stock": 3 }))).await.status, 201, "the SKU is free again");
        assert_eq!(inventory.calls().await.len(), set + 1);

        inventory.hold(2).await;
        let changed = answer(staff(&shop, Method::PUT, &path).json(&change)).await;
        assert_eq!(changed.status, 200, "{}", changed.body);
        assert_eq!(read(&shop, &path).await.body.to_string().matches(&shelf).count(), 1);
    }
    assert_eq!(count(&shop, "categories").await, 3 + 1, "of what was done");
}

#[tokio::test]
async fn a_refused_request_makes_no_category_and_sets_no_stock() {
    let (shop, inventory) = catalog().await;
    let made = sold(&shop, &with(product("Mug", 1), json!({ "sku": "mug" }))).await;
    let path = format!("/products/{}", made.id());
    let jug = json!({ "name": "Jug", "price": 1, "category": "Jugs", "stock": 3 });
    let who = shop.callers().staff().bearer();
    let keyed = |body: &Value| {
        let request = anybody(&shop, Method::POST, "/products").header("Authorization", &who);
        request.header("Idempotency-Key", "jug").json(body)
    };
    assert_eq!(answer(keyed(&json!({ "name": "Cup", "price": 1 }))).await.status, 201);
    let set = inventory.calls().await.len();

    let put = |tag: &str, body: &Value| staff(&shop, Method::PUT, &path).header("If-Match", tag).json(body);
    let create = |change: Value| staff(&shop, Method::POST, "/products").json(&with(jug.clone(), change));
    let long = "x".repeat(101);
    for (request, status, code, field) in [
        (keyed(&jug), 422, "idempotency_key_reused", ""),
        (create(json!({ "name": "" })), 422, "invalid_field", "name"),
        (create(json!({ "stock": 1_000_001 })), 422, "invalid_field", "stock"),
        (create(json!({ "category": " " })), 422, "invalid_field", "category"),
        (create(json!({ "category": long })), 422, "invalid_field", "category"),
        (create(json!({ "sku": "mug" })), 409, "sku_taken", ""),
        (put("\"7\"", &jug), 412, "version_conflict", ""),
        (put("\"1\"", &with(jug.clone(), json!({ "name": "" }))), 422, "invalid_field", "name"),
        (put("\"1\"", &with(jug.clone(), json!({ "stock": 1_000_001 }))), 422, "invalid_field", "stock"),
        (put("\"1\"", &with(jug.clone(), json!({ "category": long }))), 422, "invalid_field", "category"),
    ] {
        let refused = answer(request).await;
        assert_eq!((refused.status, refused.code(), refused.field()), (status, code, field), "{}", refused.body);
    }
    assert_eq!((count(&shop, "categories").await, count(&shop, "products").await), (0, 2));
    assert_eq!(inventory.calls().await.len(), set);
    assert_eq!(answer(put("\"1\"", &jug)).await.status, 200);
    assert_eq!((count(&shop, "categories").await, inventory.calls().await.len()), (1, set + 1));
}

#[tokio::test]
async fn without_room_for_a_category_nothing_is_done() {
    let (shop, inventory) = catalog().await;
    let mug = category(&shop, "Mugs", None).await;
    let path = format!("/products/{}", sold(&shop, &product("Mug", 1)).await.id());
    let categories = shop.mongo("catalog").await.collection::<Document>("categories");
    let one = categories.find_one(doc! { "_id": mug.id() }).await.unwrap().unwrap();
    let other = |n: u32| {
        let mut other = one.clone();
        other.insert("_id", format!("0190b3c0-0000-7000-8000-{n:012}"));
        other.insert("name", format!("Shelf {n}"));
        other
    };
    categories.insert_many((1..1000).map(other)).await.unwrap();

    let jug = json!({ "name": "Jug", "price": 1, "category": "Jugs", "stock": 3 });
    for request in [staff(&shop, Method::POST, "/products"), staff(&shop, Method::PUT, &path)] {
        let refused = answer(request.json(&jug)).await;
        assert_eq!((refused.status, refused.code()), (409, "too_many_categories"), "{}", refused.body);
    }
    assert_eq!((count(&shop, "products").await, inventory.calls().await.len()), (1, 0));
    let known = with(jug, json!({ "category": "Shelf 7" }));
    assert_eq!(answer(staff(&shop, Method::PUT, &path).json(&known)).await.status, 200);
}

#[tokio::test]
async fn a_repeat_does_not_make_a_category_again_that_was_deleted() {
    let (shop, _) = catalog().await;
    let who = shop.callers().staff().bearer();
    let create = || {
        let jug = json!({ "name": "Jug", "price": 1, "category": "Jugs" });
        let request = anybody(&shop, Method::POST, "/products").header("Authorization", &who);
        request.header("Idempotency-Key", "jug").json(&jug)
    };
    let made = answer(create()).await;
    assert_eq!((made.status, &made.body["product"]["category"]), (201, &json!("Jugs")), "{}", made.body);
    let path = format!("/products/{}", made.body["product"]["id"].as_str().unwrap());
    assert_eq!(answer(staff(&shop, Method::PUT, &path).json(&json!({ "category": "Pots" }))).await.status, 200);
    let list = read(&shop, CATEGORIES).await;
    let jugs = list.body["items"].as_array().unwrap().iter().find(|one| one["name"] == "Jugs").unwrap();
    let deleted = staff(&shop, Method::DELETE, &format!("{CATEGORIES}/{}", jugs["id"].as_str().unwrap()));
    assert_eq!(answer(deleted.header("If-Match", "\"1\"")).await.status, 204);

    let again = answer(create()).await;
    assert_eq!((again.status, &again.body["product"]["category"]), (201, &json!("Pots")), "{}", again.body);
    assert_eq!(read(&shop, CATEGORIES).await.names(), ["Pots"]);
}

#[tokio::test]
async fn an_offset_counts_products_and_an_empty_category_is_none() {
    let (shop, _) = catalog().await;
    for n in 0..5 {
        sold(&shop, &product(&format!("Mug {n}"), 1)).await;
    }
    for (query, found, page) in [
        ("limit=2&offset=0", vec!["Mug 4", "Mug 3"], 1),
        ("limit=2&offset=2", vec!["Mug 2", "Mug 1"], 2),
        ("limit=2&offset=3", vec!["Mug 1", "Mug 0"], 2),
        ("limit=2&offset=4", vec!["Mug 0"], 3),
        ("limit=2&offset=9", vec![], 5),
        ("limit=2&page=2", vec!["Mug 2", "Mug 1"], 2),
        ("limit=2&page=2&offset=4", vec!["Mug 2", "Mug 1"], 2),
        ("limit=2&category=", vec!["Mug 4", "Mug 3"], 1),
        ("limit=2&category=%20&offset=1", vec!["Mug 3", "Mug 2"], 1),
    ] {
        let list = read(&shop, &format!("/api/products?{query}")).await;
        assert_eq!((list.status, names(&list)), (200, found), "{query}");
        let pagination = json!({ "page": page, "limit": 2, "total": 5, "pages": 3 });
        assert_eq!(list.body["pagination"], pagination, "{query}");
    }
    for query in ["offset=-1", "offset=x", "offset=10001", "offset=10001&page=2", "offset=10001&category=none"] {
        let refused = read(&shop, &format!("/products?{query}")).await;
        assert_eq!((refused.status, refused.field()), (422, "offset"), "{query}");
    }
}

#[tokio::test]
async fn a_category_is_found_by_its_name_whatever_stands_in_it() {
    let (shop, _) = catalog().await;
    for (name, path) in [("C++", "C%2B%2B"), ("50%", "50%25"), ("Salt/pepper", "Salt%2Fpepper"), ("C++", "C++")] {
        let one = json!({ "name": name, "price": 1, "category": name });
        if path != name {
            assert_eq!(post(&shop, "/products", &one).await.status, 201);
        }
        for prefix in ["/products", "/api/products"] {
            let list = read(&shop, &format!("{prefix}/category/{path}")).await;
            assert_eq!((names(&list), &list.body["category"]), (vec![name], &json!(name)), "{path}");
        }
    }
}

#[tokio::test]
async fn a_key_of_somebody_without_a_token_counts_too_where_aliases_are_open() {
    let shop = catalog_with(Aliases::Open).await;
    let send = async |path: &str, key: &str, body: Value| {
        answer(anybody(&shop, Method::POST, path).header("Idempotency-Key", key).json(&body)).await
    };
    for path in ["/products", "/api/products"] {
        let (one, two) = (format!("{path}:1"), format!("{path}:2"));
        let mug = json!({ "name": "Mug", "price": 1, "stock": 1 });
        let [first, again] = [send(path, &one, mug.clone()).await, send(path, &one, mug.clone()).await];
        assert_eq!((first.status, again.status), (201, 201), "{} {}", first.body, again.body);
        assert_eq!(first.body["product"]["id"], again.body["product"]["id"]);
        let other = send(path, &one, json!({ "name": "Jug", "price": 1 })).await;
        assert_eq!((other.status, other.code()), (422, "idempotency_key_reused"));
        assert_eq!(send(path, &two, mug).await.status, 201);
        let cups = json!({ "name": format!("Cups of {path}") });
        let path = path.replace("products", "categories");
        let [first, again] = [send(&path, &one, cups.clone()).await, send(&path, &one, cups).await];
        assert_eq!((first.status, &first.body["category"]), (201, &again.body["category"]), "{}", again.body);
    }
    assert_eq!((count(&shop, "products").await, count(&shop, "categories").await), (4, 2));
}
