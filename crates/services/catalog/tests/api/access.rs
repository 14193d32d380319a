//! Who may do what: every route by every kind of caller. What is refused has changed nothing.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use shop_testkit::TestShop;

use crate::given::{CATEGORIES, PRODUCTS, answer, anybody, catalog, category, path, product, read, sold, with};

const IMPORTS: &str = "/api/v1/products/imports";

struct Route {
    method: Method,
    path: String,
    body: Option<Value>,
    public: bool,
    /// Whether programs alone may, instead of staff.
    programs: bool,
    /// What those who may get.
    good: u16,
}

impl Route {
    fn sent(&self, shop: &TestShop) -> RequestBuilder {
        let request = anybody(shop, self.method.clone(), &self.path);
        match &self.body {
            Some(Value::String(file)) if self.path.contains("/images") => {
                request.header("Content-Type", "image/jpeg").body([&[0xff, 0xd8, 0xff], file.as_bytes()].concat())
            }
            Some(Value::String(file)) => request.header("Content-Type", "text/csv").body(file.clone()),
            Some(body) => request.json(body),
            None => request,
        }
    }
}

fn route(method: Method, path: &str, body: Option<Value>, good: u16) -> Route {
    let programs = path.ends_with("batch-get");
    let files = path.contains("/imports") || path.contains("/exports");
    Route { public: method == Method::GET && !files, programs, method, path: path.to_owned(), body, good }
}

fn mug_to_be() -> Value {
    with(product("Mug", 1), json!({ "sku": "mug" }))
}

/// Begins an import and gives its path.
async fn an_import(shop: &TestShop) -> String {
    let begun = route(Method::POST, IMPORTS, Some(file()), 202).sent(shop);
    let begun = answer(begun.header("Authorization", shop.callers().staff().bearer())).await;
    path(IMPORTS, &begun)
}

/// Adds an image to a product and gives its path.
async fn an_image(shop: &TestShop, mug: &str) -> String {
    let added = route(Method::POST, &format!("{mug}/images"), Some(file()), 201).sent(shop);
    let added = answer(added.header("Authorization", shop.callers().staff().bearer())).await;
    assert_eq!(added.status, 201, "{}", added.body);
    added.body["url"].as_str().unwrap().to_owned()
}

/// A file that makes nothing.
fn file() -> Value {
    Value::String("sku\n".to_owned())
}

/// Every route, the deleting ones last.
fn routes(mug: &str, mugs: &str, import: &str, image: &str) -> Vec<Route> {
    let large = json!({ "sku": "mug-l", "price": { "amount": 2, "currency": "EUR" } });
    vec![
        route(Method::GET, PRODUCTS, None, 200),
        route(Method::GET, mug, None, 200),
        route(Method::GET, CATEGORIES, None, 200),
        route(Method::GET, mugs, None, 200),
        route(Method::POST, PRODUCTS, Some(product("Cup", 1)), 201),
        route(Method::POST, &format!("{PRODUCTS}/batch-get"), Some(json!({ "skus": ["mug"] })), 200),
        route(Method::POST, IMPORTS, Some(file()), 202),
        route(Method::GET, import, None, 200),
        route(Method::GET, "/api/v1/products/exports", None, 200),
        route(Method::POST, CATEGORIES, Some(json!({ "name": "Cups" })), 201),
        route(Method::PATCH, mug, Some(json!({ "name": "Jug" })), 200),
        route(Method::PATCH, mugs, Some(json!({ "name": "Jugs" })), 200),
        route(Method::GET, &format!("{mug}/variants"), None, 200),
        route(Method::GET, &format!("{mug}/variants/mug"), None, 200),
        route(Method::POST, &format!("{mug}/variants"), Some(large), 201),
        route(Method::PATCH, &format!("{mug}/variants/mug-l"), Some(json!({ "name": "L" })), 200),
        route(Method::DELETE, &format!("{mug}/variants/mug-l"), None, 204),
        route(Method::GET, &format!("{mug}/images"), None, 200),
        route(Method::POST, &format!("{mug}/images"), Some(file()), 201),
        route(Method::GET, image, None, 200),
        route(Method::PATCH, image, Some(json!({ "alt": "Mug" })), 200),
        route(Method::DELETE, image, None, 204),
        route(Method::DELETE, mug, None, 204),
        route(Method::DELETE, mugs, None, 204),
    ]
}

#[tokio::test]
async fn only_staff_and_admins_write_and_a_bad_token_does_not_even_read() {
    let (shop, _) = catalog().await;
    let (made, shelf) = (sold(&shop, &mug_to_be()).await, category(&shop, "Mugs", None).await);
    let (mug, mugs) = (path(PRODUCTS, &made), path(CATEGORIES, &shelf));
    let callers = shop.callers();
    let image = an_image(&shop, &mug).await;
    let before = read(&shop, &mug).await;
    let forged = format!("{}x", callers.admin().bearer());
    let unsigned = "Bearer eyJhbGciOiJub25lIn0.eyJyb2xlIjoiYWRtaW4ifQ.".to_owned();
    for route in routes(&mug, &mugs, &an_import(&shop).await, &image) {
        let read_or = |refused: (u16, &'static str)| if route.public { (route.good, "") } else { refused };
        let service = if route.programs { (route.good, "") } else { read_or((403, "forbidden")) };
        for (who, token, (status, code)) in [
            ("nobody", None, read_or((401, "unauthenticated"))),
            ("a customer", Some(callers.customer().bearer()), read_or((403, "forbidden"))),
            ("a service", Some(callers.service().bearer()), service),
            ("an expired token", Some(callers.expired().bearer()), (401, "token_expired")),
            ("a forged token", Some(forged.clone()), (401, "invalid_token")),
            ("an unsigned token", Some(unsigned.clone()), (401, "invalid_token")),
        ] {
            let request = route.sent(&shop).header("If-Match", "\"1\"");
            let got = answer(match token {
                Some(token) => request.header("Authorization", token),
                None => request,
            })
            .await;
            let what = format!("{who}: {} {} gave {}", route.method, route.path, got.body);
            assert_eq!((got.status, got.code()), (status, code), "{what}");
        }
    }
    assert_eq!(read(&shop, &mug).await.body, before.body);
    assert_eq!(read(&shop, PRODUCTS).await.names(), ["Mug"]);
    assert_eq!(read(&shop, CATEGORIES).await.body["items"], json!([shelf.body]));
}

#[tokio::test]
async fn staff_and_admins_may_do_everything_but_what_is_for_programs() {
    for role in ["staff", "admin"] {
        let (shop, _) = catalog().await;
        let (made, shelf) = (sold(&shop, &mug_to_be()).await, category(&shop, "Mugs", None).await);
        let who = if role == "staff" { shop.callers().staff() } else { shop.callers().admin() };
        let (mug, mugs) = (path(PRODUCTS, &made), path(CATEGORIES, &shelf));
        let image = an_image(&shop, &mug).await;
        for route in routes(&mug, &mugs, &an_import(&shop).await, &image) {
            let whole = if route.path.starts_with(&mug) { &mug } else { &mugs };
            let version = format!("\"{}\"", read(&shop, whole).await.body["version"]);
            let request = route.sent(&shop).header("If-Match", version).header("Authorization", who.bearer());
            let got = answer(request).await;
            let good = if route.programs { 403 } else { route.good };
            assert_eq!(got.status, good, "{role}: {} {} gave {}", route.method, route.path, got.body);
        }
    }
}
