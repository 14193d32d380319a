//! Routing: unknown paths, wrong methods, HEAD and OPTIONS, and routes that the table does not know.

use shop_http::{Access, Method, Mount, Route};
use shop_telemetry::metrics::Metrics;
use shop_types::Role;

use crate::service::{ACCESS, App, configure};
use crate::shop::{Shop, raw, refusal};

const PRODUCT: &str = "/api/v1/products/00000000-0000-0000-0000-000000000001";

#[tokio::test]
async fn unknown_paths_are_404_and_wrong_methods_405() {
    let shop = Shop::start().await;
    let not_found = (404, "not_found".to_owned(), String::new());
    for path in ["/", "/api/v1/product", "/api/v1/products/", "//api/v1/products", "/api/v1/stock/a/b", "/metrics"] {
        assert_eq!(refusal(shop.get(path)).await, not_found, "{path}");
    }
    for method in ["PUT", "TRACE", "PROPFIND"] {
        let response = shop.request(method, "/api/v1/products").send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["allow"]),
            (405, &"GET, HEAD, POST, OPTIONS".parse().unwrap())
        );
    }
    let overridden = shop.request("GET", PRODUCT).header("X-HTTP-Method-Override", "DELETE");
    assert_eq!(refusal(overridden).await.0, 200);
}

#[tokio::test]
async fn malformed_ids_and_texts_in_the_path_are_404() {
    let shop = Shop::start().await;
    for id in ["1", "x", "%7B%22$gt%22:1%7D", "00000000000000000000000000000001", "%00", "exports%2F"] {
        let refused = refusal(shop.get(&format!("/api/v1/products/{id}"))).await;
        assert_eq!(refused, (404, "not_found".to_owned(), String::new()), "{id}");
    }
    let stock = shop.get("/api/v1/stock/a%20b").bearer_auth(shop.token(Role::Staff));
    assert_eq!(refusal(stock).await.0, 404);
}

#[tokio::test]
async fn a_path_in_another_spelling_does_not_pass_the_table() {
    let shop = Shop::start().await;
    for path in ["/api/v1/products/exports", "/api/v1/products/%65xports", "/api/v1/%70roducts/export%73"] {
        assert_eq!(refusal(shop.get(path)).await.0, 401, "{path}");
    }
}

#[tokio::test]
async fn head_is_get_without_its_body() {
    let shop = Shop::start().await;
    let ask = async |method: &str, path: &str| {
        raw(&shop, &format!("{method} {path} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n")).await
    };
    let (get, head) = (ask("GET", PRODUCT).await, ask("HEAD", PRODUCT).await);
    let (get_head, body) = get.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, r#"{"id":"00000000-0000-0000-0000-000000000001"}"#);
    let (head_head, nothing) = head.split_once("\r\n\r\n").unwrap();
    assert_eq!(nothing, "");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    for line in ["content-length: 45", "etag: \"7\"", "content-type: application/json"] {
        assert!(get_head.contains(line) && head_head.contains(line), "{line}: {head_head}");
    }
    let refused = ask("HEAD", "/api/v1/stock/mug").await;
    assert!(refused.starts_with("HTTP/1.1 401 ") && refused.ends_with("\r\n\r\n"), "{refused}");
}

#[tokio::test]
async fn options_lists_the_methods_and_asks_for_no_token() {
    let shop = Shop::start().await;
    let response = shop.request("OPTIONS", PRODUCT).header("Authorization", "Bearer x").send().await.unwrap();
    assert_eq!(response.status(), 204);
    assert_eq!(response.headers()["allow"], "GET, HEAD, PATCH, DELETE, OPTIONS");
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    assert_eq!(refusal(shop.request("OPTIONS", "/nowhere")).await.0, 404);
}

const TOO_SHORT: &[Route] = &[(Method::Get, "/api/v1/products", Access::PUBLIC)];

#[tokio::test]
async fn a_route_that_the_table_does_not_list_is_refused() {
    let shop = Shop::start_with(TOO_SHORT).await;
    assert_eq!(refusal(shop.get("/api/v1/products")).await.0, 200);
    let admin = shop.token(Role::Admin);
    assert_eq!(
        refusal(shop.get("/api/v1/page").bearer_auth(&admin)).await,
        (403, "forbidden".to_owned(), String::new())
    );
    assert_eq!(refusal(shop.post_product("{}")).await.0, 405);
}

#[test]
fn the_table_is_compared_with_what_is_served() {
    let app = std::sync::Arc::new(App::default());
    let mount = |access| Mount::new("sample", Metrics::new("sample"), &app, access, configure);
    assert_eq!(mount(ACCESS).differences(), Vec::<String>::new());
    let differences = mount(TOO_SHORT).differences();
    assert_eq!(differences.len(), ACCESS.len() - 1);
    assert!(differences.contains(&"POST /api/v1/products is served but not in the access table".to_owned()));
}

#[tokio::test]
async fn names_in_paths_are_what_was_meant_and_not_how_it_was_sent() {
    let shop = Shop::start().await;
    for (sent, meant) in [
        ("C%2B%2B", "C++"),
        ("C++", "C++"),
        ("50%25", "50%"),
        ("50%", "50%"),
        ("50%2525", "50%25"),
        ("salt%2Fpepper", "salt/pepper"),
        ("%2E%2E%2Fetc", "../etc"),
        ("Caf%C3%A9%20%26%20bar", "Caf\u{e9} & bar"),
    ] {
        let request = format!("GET /api/v1/names/{sent} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n");
        let answer = raw(&shop, &request).await;
        let body = serde_json::json!([meant, meant]).to_string();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with(&body), "{sent}: {answer}");
    }
}

#[test]
fn handlers_with_our_extractors_are_documented() {
    let app = std::sync::Arc::new(App::default());
    let mount = Mount::new("sample", Metrics::new("sample"), &app, ACCESS, configure);
    let document = serde_json::to_value(mount.openapi("1.2.3")).unwrap();
    assert_eq!(
        (&document["info"]["title"], &document["info"]["version"]),
        (&"shopmesh sample".into(), &"1.2.3".into())
    );
    let create = &document["paths"]["/api/v1/products"]["post"];
    assert_eq!(create["operationId"], "create_product");
    assert_eq!(
        create["requestBody"]["content"]["application/json"]["schema"]["$ref"],
        "#/components/schemas/NewProduct"
    );
    let parameters = |path: &str| {
        let listed = document["paths"][path]["get"]["parameters"].as_array().cloned().unwrap_or_default();
        listed.iter().map(|parameter| parameter["name"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(parameters("/api/v1/products"), ["page", "size", "sort", "search", "minPrice"]);
    assert_eq!(parameters("/api/v1/search"), ["search", "minPrice"]);
    assert_eq!(parameters("/api/v1/products/{id}"), ["id"]);
    for schema in ["NewProduct", "Product", "ErrorBody", "Money", "Sku", "Detail"] {
        assert!(document["components"]["schemas"][schema].is_object(), "{schema}");
    }
}
