//! What older names promise beyond their shapes: what was deleted is gone, filters of old count, keys count for everybody.

use reqwest::Method;
use serde_json::{Value, json};
use shop_config::Aliases;

use crate::given::{
    Answer, CATEGORIES, PRODUCTS, answer, anybody, catalog, catalog_with, category, count, post, product, read, sold,
    staff, with,
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
