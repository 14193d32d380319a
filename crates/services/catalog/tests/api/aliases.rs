//! Older names of the routes: their shapes, who may call them, and that they come to the same.

use reqwest::Method;
use serde_json::{Value, json};
use shop_config::Aliases;
use shop_testkit::TestShop;

use crate::given::{
    Answer, CATEGORIES, NOBODY, PRODUCTS, answer, anybody, catalog, catalog_with, eventually, post, product, read,
    sold, staff,
};

async fn put(shop: &TestShop, path: &str, body: &Value) -> Answer {
    answer(staff(shop, Method::PUT, path).json(body)).await
}

fn mug() -> Value {
    json!({ "name": "Mug", "description": "Holds tea", "price": 29.99, "category": "Mugs", "stock": 3, "rating": 5 })
}

/// The id under both names.
fn id(thing: &Value) -> String {
    assert_eq!(thing["id"], thing["_id"], "{thing}");
    thing["id"].as_str().unwrap_or_else(|| panic!("no id: {thing}")).to_owned()
}

#[tokio::test]
async fn a_product_is_written_and_read_in_an_envelope_and_bare() {
    let (shop, _) = catalog().await;
    for prefix in ["/products", "/api/products"] {
        let made = post(&shop, prefix, &mug()).await;
        assert_eq!(
            (made.status, &made.body["message"]),
            (201, &json!("Product created successfully")),
            "{}",
            made.body
        );
        let made = &made.body["product"];
        assert_eq!((&made["price"], &made["stock"], &made["category"]), (&json!(29.99), &json!(3), &json!("Mugs")));
        let path = format!("{prefix}/{}", id(made));
        let first = read(&shop, &path).await;
        assert_eq!((first.status, &first.body["cached"]), (200, &json!(false)));
        eventually("it is kept", || async { read(&shop, &path).await.body["cached"] == json!(true) }).await;
        assert_eq!(first.body["product"]["price"], json!(29.99));
        let bare = read(&shop, &format!("/product/{}", id(made))).await;
        assert_eq!((bare.status, &bare.body), (200, &first.body["product"]));

        let changed = put(&shop, &path, &json!({ "price": 10, "stock": 8, "version": 99 })).await;
        assert_eq!((changed.status, &changed.body["product"]["price"]), (200, &json!(10.0)), "{}", changed.body);
        assert_eq!((&changed.body["product"]["stock"], &changed.body["product"]["name"]), (&json!(8), &json!("Mug")));
        let gone = answer(staff(&shop, Method::DELETE, &path)).await;
        assert_eq!((gone.status, &gone.body), (200, &json!({ "message": "Product deleted successfully" })));
    }
    let bare = post(&shop, "/product", &mug()).await;
    assert_eq!((bare.status, &bare.body["name"]), (201, &json!("Mug")), "{}", bare.body);
    let path = format!("/product/{}", id(&bare.body));
    let changed = put(&shop, &path, &json!({ "name": "Jug" })).await;
    assert_eq!((changed.status, &changed.body["name"], &changed.body["price"]), (200, &json!("Jug"), &json!(29.99)));
    let stale =
        answer(staff(&shop, Method::PUT, &path).header("If-Match", "\"1\"").json(&json!({ "name": "X" }))).await;
    assert_eq!((stale.status, stale.code()), (412, "version_conflict"), "who says a version means it");
    assert_eq!(answer(staff(&shop, Method::DELETE, &path)).await.status, 200);
}

#[tokio::test]
async fn a_price_is_exact_both_ways() {
    let (shop, _) = catalog().await;
    for (sent, shown, cents) in [
        ("0.1", "0.10", 10),
        ("9999999999.99", "9999999999.99", 999_999_999_999_i64),
        ("5", "5.00", 500),
        ("7.500", "7.50", 750),
    ] {
        let body = format!("{{\"name\": \"Mug\", \"price\": {sent}}}");
        let request = staff(&shop, Method::POST, "/products").header("Content-Type", "application/json").body(body);
        let text = request.send().await.unwrap().text().await.unwrap();
        assert!(text.contains(&format!("\"price\":{shown},")), "{sent} gave {text}");
        let made: Value = serde_json::from_str(&text).unwrap();
        let canonical = read(&shop, &format!("{PRODUCTS}/{}", id(&made["product"]))).await;
        assert_eq!(canonical.body["price"], json!({ "amount": cents, "currency": "EUR" }));
    }
    for (price, status) in [("29.999", 422), ("-1", 422), ("1e2", 422), ("\"30\"", 400), ("null", 400), ("[1]", 400)] {
        let body = format!("{{\"name\": \"Mug\", \"price\": {price}}}");
        let request = staff(&shop, Method::POST, "/products").header("Content-Type", "application/json").body(body);
        let refused = answer(request).await;
        assert_eq!((refused.status, refused.field()), (status, "price"), "{price} gave {}", refused.body);
    }
}

#[tokio::test]
async fn lists_are_paged_searched_and_narrowed_by_the_name_of_a_category() {
    let (shop, _) = catalog().await;
    for name in ["Blue mug", "Red mug"] {
        post(&shop, "/products", &json!({ "name": name, "price": 1, "category": "Mugs" })).await;
    }
    sold(&shop, &product("Cup", 1)).await;
    let names = |list: &Answer| -> Vec<String> {
        let products = list.body["products"].as_array().unwrap_or_else(|| panic!("no list: {}", list.body));
        products.iter().map(|product| product["name"].as_str().unwrap().to_owned()).collect()
    };
    for prefix in ["/products", "/api/products"] {
        let list = read(&shop, &format!("{prefix}?page=2&limit=2&order=7")).await;
        assert_eq!((list.status, names(&list)), (200, vec!["Blue mug".to_owned()]), "{}", list.body);
        assert_eq!(list.body["pagination"], json!({ "page": 2, "limit": 2, "total": 3, "pages": 2 }));
        assert_eq!(names(&read(&shop, &format!("{prefix}?search=red")).await), ["Red mug"]);
        assert_eq!(names(&read(&shop, &format!("{prefix}?category=Mugs")).await), ["Red mug", "Blue mug"]);
        assert_eq!(names(&read(&shop, &format!("{prefix}?category=.*")).await), Vec::<String>::new());
        let shelf = read(&shop, &format!("{prefix}/category/Mugs")).await;
        assert_eq!((names(&shelf).len(), &shelf.body["category"]), (2, &json!("Mugs")));
        let none = read(&shop, &format!("{prefix}/category/Cups")).await;
        assert_eq!((none.status, names(&none).len(), &none.body["pagination"]["total"]), (200, 0, &json!(0)));
        assert_eq!(read(&shop, &format!("{prefix}?limit=0")).await.status, 422);
    }
}

#[tokio::test]
async fn categories_are_written_and_read_in_an_envelope() {
    let (shop, _) = catalog().await;
    for prefix in ["/categories", "/api/categories"] {
        let made = post(&shop, prefix, &json!({ "name": "Mugs", "description": "For tea" })).await;
        assert_eq!(
            (made.status, &made.body["message"]),
            (201, &json!("Category created successfully")),
            "{}",
            made.body
        );
        let path = format!("{prefix}/{}", id(&made.body["category"]));
        assert_eq!(post(&shop, prefix, &json!({ "name": "Mugs" })).await.code(), "category_name_taken");
        let found = read(&shop, &path).await;
        assert_eq!(found.body, json!({ "category": made.body["category"], "cached": false }));
        let list = read(&shop, prefix).await;
        assert_eq!(list.body["categories"], json!([made.body["category"]]), "{}", list.body);
        let changed = put(&shop, &path, &json!({ "name": "Cups" })).await;
        assert_eq!((changed.status, &changed.body["category"]["name"]), (200, &json!("Cups")), "{}", changed.body);
        let gone = answer(staff(&shop, Method::DELETE, &path)).await;
        assert_eq!((gone.status, &gone.body), (200, &json!({ "message": "Category deleted successfully" })));
        assert_eq!(read(&shop, &path).await.status, 404);
    }
}

/// Every alias, in a call that those who may make it can make.
fn calls() -> Vec<(Method, String, Option<Value>)> {
    let mut calls = vec![
        (Method::POST, "/product".to_owned(), Some(mug())),
        (Method::GET, format!("/product/{NOBODY}"), None),
        (Method::PUT, format!("/product/{NOBODY}"), Some(json!({}))),
        (Method::DELETE, format!("/product/{NOBODY}"), None),
    ];
    for prefix in ["/products", "/api/products", "/categories", "/api/categories"] {
        let new = if prefix.ends_with("products") { mug() } else { json!({ "name": prefix }) };
        calls.extend([
            (Method::GET, prefix.to_owned(), None),
            (Method::POST, prefix.to_owned(), Some(new)),
            (Method::GET, format!("{prefix}/{NOBODY}"), None),
            (Method::PUT, format!("{prefix}/{NOBODY}"), Some(json!({}))),
            (Method::DELETE, format!("{prefix}/{NOBODY}"), None),
        ]);
    }
    let shelves = ["/products/category/Mugs", "/api/products/category/Mugs"];
    calls.extend(shelves.map(|shelf| (Method::GET, shelf.to_owned(), None)));
    calls
}

async fn called(
    shop: &TestShop,
    (method, path, body): &(Method, String, Option<Value>),
    token: Option<String>,
) -> Answer {
    let mut request = anybody(shop, method.clone(), path);
    if let Some(token) = token {
        request = request.header("Authorization", token);
    }
    answer(match body {
        Some(body) => request.json(body),
        None => request,
    })
    .await
}

#[tokio::test]
async fn everybody_reads_and_staff_alone_writes_unless_the_aliases_are_open() {
    let (shop, _) = catalog().await;
    let open = catalog_with(Aliases::Open).await;
    for call in calls() {
        let reads = call.0 == Method::GET;
        let creates = call.0 == Method::POST && call.1 != "/product";
        for (shop, opens) in [(&shop, false), (&open, creates)] {
            let callers = shop.callers();
            let good = |status: u16| matches!(status, 200 | 201 | 404 | 409);
            let anonymous = called(shop, &call, None).await.status;
            assert!(if reads || opens { good(anonymous) } else { anonymous == 401 }, "{call:?} gave {anonymous}");
            for role in [callers.customer(), callers.service()] {
                let status = called(shop, &call, Some(role.bearer())).await.status;
                assert!(if reads { good(status) } else { status == 403 }, "{call:?} gave {status}");
            }
            for role in [callers.staff(), callers.admin()] {
                let status = called(shop, &call, Some(role.bearer())).await.status;
                assert!(good(status), "{call:?} gave {status}");
            }
            assert_eq!(called(shop, &call, Some(callers.expired().bearer())).await.status, 401, "{call:?}");
        }
    }
}

#[tokio::test]
async fn aliases_name_their_successor_and_are_gone_when_they_are_off() {
    let (shop, _) = catalog().await;
    for (path, successor) in [("/products", PRODUCTS), ("/api/categories", CATEGORIES), ("/product/none", PRODUCTS)] {
        let shown = read(&shop, path).await;
        assert_eq!(shown.header("deprecation"), "@1795219200", "{path}");
        assert_eq!(shown.header("link"), format!("<{successor}>; rel=\"successor-version\""));
    }
    let off = catalog_with(Aliases::Off).await;
    for path in ["/products", "/api/products", "/categories", "/product/none"] {
        assert_eq!(read(&off, path).await.status, 404, "{path}");
    }
    assert_eq!(read(&off, PRODUCTS).await.status, 200);
}
