//! What handlers read from headers and query, and the headers that every answer carries.

use serde_json::json;
use shop_types::Role;

use crate::shop::{Shop, answer, refusal};

const PRODUCT: &str = "/api/v1/products/00000000-0000-0000-0000-000000000001";

fn refused(status: u16, code: &str, field: &str) -> (u16, String, String) {
    (status, code.to_owned(), field.to_owned())
}

#[tokio::test]
async fn an_idempotency_key_is_required_well_formed_and_single() {
    let shop = Shop::start().await;
    let order = || {
        let request = shop.client.post(shop.url("/api/v1/orders")).bearer_auth(shop.token(Role::Customer));
        request.header("Content-Type", "application/json").body("{}")
    };
    assert_eq!(refusal(order()).await, refused(400, "idempotency_key_required", "Idempotency-Key"));
    let invalid = refused(400, "invalid_idempotency_key", "Idempotency-Key");
    for bad in ["", "\"\"", &"k".repeat(256), "kö"] {
        assert_eq!(refusal(order().header("Idempotency-Key", bad)).await, invalid, "{bad}");
    }
    let twice = order().header("Idempotency-Key", "a").header("Idempotency-Key", "a");
    assert_eq!(refusal(twice).await, invalid);
    assert_eq!(answer(order().header("Idempotency-Key", "\"a\"")).await.1["key"], json!("a"));
    let optional = shop.post_product("{}").header("Idempotency-Key", "");
    assert_eq!(refusal(optional).await, invalid);
}

#[tokio::test]
async fn a_change_needs_the_version_that_was_read() {
    let shop = Shop::start().await;
    let change = || shop.request("PATCH", PRODUCT).bearer_auth(shop.token(Role::Staff));
    assert_eq!(refusal(change()).await, refused(428, "if_match_required", "If-Match"));
    for stale in ["7", "*", "W/\"7\"", "\"x\"", "\"-7\"", "\"\"", "\"7\", \"8\"", "\"99999999999999999999\"", "\"7"] {
        let refusal = refusal(change().header("If-Match", stale)).await;
        assert_eq!(refusal, refused(412, "version_conflict", "If-Match"), "{stale}");
    }
    let twice = change().header("If-Match", "\"7\"").header("If-Match", "\"7\"");
    assert_eq!(refusal(twice).await.0, 412);
    let changed = change().header("If-Match", "\"7\"").send().await.unwrap();
    assert_eq!((changed.status().as_u16(), &changed.headers()["etag"]), (200, &"\"8\"".parse().unwrap()));
}

#[tokio::test]
async fn a_read_of_what_the_client_has_is_304() {
    let shop = Shop::start().await;
    for (tags, status) in [
        ("\"7\"", 304),
        ("W/\"7\"", 304),
        ("\"6\", \"7\"", 304),
        ("*", 304),
        ("\"6\"", 200),
        ("7", 200),
        ("\"77\"", 200),
    ] {
        let response = shop.get(PRODUCT).header("If-None-Match", tags).send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{tags}");
        assert_eq!(response.headers()["etag"], "\"7\"");
    }
}

#[tokio::test]
async fn pages_have_defaults_and_bounds() {
    let shop = Shop::start().await;
    let list = |query: &str| shop.get(&format!("/api/v1/products{query}"));
    let filter = json!({"search": null, "minPrice": null});
    let first = json!({"page": 1, "size": 20, "sort": null, "skip": 0, "filter": filter});
    assert_eq!(answer(list("")).await, (200, first));
    let third =
        json!({"page": 3, "size": 100, "sort": "-price", "skip": 200, "filter": {"search": "a b", "minPrice": 5}});
    assert_eq!(answer(list("?page=3&size=100&sort=-price&search=a+b&minPrice=5")).await, (200, third));
    let bad = [
        ("page=0", "page"),
        ("page=-1", "page"),
        ("page=x", "page"),
        ("size=0", "size"),
        ("size=101", "size"),
        ("page=1&page=2", "page"),
        ("minPrice=1.5", "minPrice"),
        ("page=2147483648", "page"),
        ("page=4294967296", "page"),
    ];
    for (query, field) in bad {
        assert_eq!(refusal(list(&format!("?{query}"))).await, refused(422, "invalid_parameter", field), "{query}");
    }
    for (query, field) in [("offset=1", "offset"), ("search[$ne]=", "search[$ne]"), ("a%5B%24ne%5D=1", "a[$ne]")] {
        assert_eq!(refusal(list(&format!("?{query}"))).await, refused(422, "unknown_parameter", field), "{query}");
    }
    assert_eq!(refusal(shop.get("/api/v1/search?page=1")).await, refused(422, "unknown_parameter", "page"));
    assert_eq!(answer(shop.get("/api/v1/search?search=%E2%82%AC")).await.1["search"], json!("€"));
}

#[tokio::test]
async fn a_request_id_is_kept_when_it_is_good_and_made_when_it_is_not() {
    let shop = Shop::start().await;
    let id_of = async |sent: Option<&[u8]>| {
        let request = shop.get(PRODUCT);
        let request = match sent {
            Some(id) => request.header("X-Request-Id", reqwest::header::HeaderValue::from_bytes(id).unwrap()),
            None => request,
        };
        request.send().await.unwrap().headers()["x-request-id"].to_str().unwrap().to_owned()
    };
    let longest = "r".repeat(128);
    for good in ["r", "a-b_c:1", longest.as_str()] {
        assert_eq!(id_of(Some(good.as_bytes())).await, good);
    }
    let mut made = vec![id_of(None).await];
    for bad in [&b""[..], b"a b", b"\xc3\xa4", "r".repeat(129).as_bytes()] {
        made.push(id_of(Some(bad)).await);
    }
    assert!(made.iter().all(|id| id.len() == 36), "{made:?}");
    made.dedup();
    assert_eq!(made.len(), 5);
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let shop = Shop::start().await;
    for (path, status) in [
        (PRODUCT, 200),
        ("/nowhere", 404),
        ("/api/v1/stock/mug", 401),
        ("/api/v1/fail/internal", 500),
        ("/api/v1/panic", 500),
    ] {
        let response = shop.get(path).send().await.unwrap();
        assert_eq!(response.status().as_u16(), status);
        let expected = [
            ("strict-transport-security", "max-age=31536000"),
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
        ];
        for (name, value) in expected {
            assert_eq!(response.headers().get(name).map(|value| value.to_str().unwrap()), Some(value), "{path}");
        }
        assert!(response.headers().contains_key("x-request-id"));
        assert!(!response.headers().contains_key("server") && !response.headers().contains_key("x-powered-by"));
    }
}

#[tokio::test]
async fn a_handler_keeps_its_own_policy_and_caching_but_not_a_server_header() {
    let shop = Shop::start().await;
    let response = shop.get("/api/v1/page").send().await.unwrap();
    assert_eq!(response.headers()["content-security-policy"], "default-src 'self'");
    assert_eq!(response.headers()["cache-control"], "public, max-age=60");
    assert_eq!(response.headers()["content-type"], "text/html");
    assert!(!response.headers().contains_key("server"));
}

#[tokio::test]
async fn an_alias_names_its_successor_also_when_its_handler_gives_nothing_back() {
    let shop = Shop::start().await;
    for (path, status, successor) in [("/products", 204, "/api/v1/products"), ("/panic", 500, "/api/v1/panic")] {
        let answered = shop.get(path).send().await.unwrap();
        let header =
            |name: &str| answered.headers().get_all(name).iter().map(|value| value.to_str().unwrap()).collect();
        let (deprecation, link): (Vec<_>, Vec<_>) = (header("deprecation"), header("link"));
        assert_eq!(answered.status(), status);
        assert_eq!(deprecation, ["@1795219200"], "{path}");
        assert_eq!(link, [format!("<{successor}>; rel=\"successor-version\"")], "{path}");
    }
    let canonical = shop.get("/api/v1/panic").send().await.unwrap();
    assert!(!canonical.headers().contains_key("deprecation"));
}
