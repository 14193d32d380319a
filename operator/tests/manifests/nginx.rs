//! The configuration of the bundled NGINX, tried with the real NGINX before stand-ins of the services.

mod given;
mod status;

use operator::plan::{ClusterDns, Settings};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use self::given::{PROTECTION, echo, free_address, get, json, localised, nginx, raw, request, sent_to, start, text};
use crate::fixture::settings;

#[test]
fn nginx_takes_every_form_of_its_configuration() {
    let label = "a".repeat(63);
    let longest = format!("ingress: {{host: {label}.{label}.{label}.{}}}", "a".repeat(61));
    let v6 = ClusterDns { servers: vec!["fd00::a".parse().unwrap()], domain: "example.local".into() };
    for (spec, settings) in [
        ("{}", settings()),
        ("ingress: {host: shop.example.com, maxBodySize: 2Mi}", settings()),
        (longest.as_str(), settings()),
        ("{}", Settings { dns: None, ..settings() }),
        ("{}", Settings { dns: Some(v6), ..settings() }),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (listen, service) = ([free_address(), free_address()], free_address());
        let text = localised(&text(spec, &settings), &folder, listen, service, service);
        let output = nginx(&folder, &text, &["-t"]).output().expect("no nginx on PATH: run `make deps`");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(
            !String::from_utf8_lossy(&output.stderr).contains("[warn]"),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[tokio::test]
async fn every_route_leads_to_its_service_by_whole_path_elements() {
    let service = echo("service", "200 OK").await;
    let nginx = start("{}", &settings(), service, free_address()).await;
    for entry in shop_config::SERVICES {
        for route in entry.routes.iter().chain(entry.aliases) {
            for path in [(*route).to_owned(), format!("{}/x?y=1", route.trim_end_matches('/'))] {
                let body = get(&nginx, &path).await.unwrap().text().await.unwrap();
                assert_eq!(sent_to(&body), entry.name, "{path}");
                assert!(body.contains(&format!("GET {path} HTTP/1.1")), "{path}: {body}");
            }
        }
    }
    // Of a pair such as /product and /products neither is the beginning of the other, and words that begin alike are edge's.
    for path in ["/api/v1/merge", "/api/v1/productsx", "/unknown", "/userfoo", "/ordersx", "/api", "/api/product"] {
        assert_eq!(sent_to(&get(&nginx, path).await.unwrap().text().await.unwrap()), "edge", "{path}");
    }
    assert_eq!(sent_to(&get(&nginx, "/api/v1/me/cart").await.unwrap().text().await.unwrap()), "cart");
    assert_eq!(sent_to(&get(&nginx, "/api/v1/me/carts").await.unwrap().text().await.unwrap()), "identity");
}

#[tokio::test]
async fn aliases_that_are_off_lead_to_nobody_but_edge() {
    let service = echo("service", "200 OK").await;
    let nginx = start("aliases: \"Off\"", &settings(), service, free_address()).await;
    for alias in shop_config::SERVICES.iter().flat_map(|entry| entry.aliases) {
        assert_eq!(sent_to(&get(&nginx, alias).await.unwrap().text().await.unwrap()), "edge", "{alias}");
    }
    assert_eq!(sent_to(&get(&nginx, "/api/v1/orders").await.unwrap().text().await.unwrap()), "order");
}

#[tokio::test]
async fn a_read_without_an_answer_is_sent_once_more_to_the_single_pods() {
    let pods = echo("pods", "200 OK").await;
    let nginx = start("{}", &settings(), free_address(), pods).await;
    let answer = get(&nginx, "/api/v1/products/p1?q=2").await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let body = answer.text().await.unwrap();
    assert!(body.starts_with("pods\n") && body.contains("GET /api/v1/products/p1?q=2 HTTP/1.1"), "{body}");
    let head = request(&nginx, Method::HEAD, "/api/v1/products").send().await.unwrap();
    assert_eq!(head.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_write_without_an_answer_is_never_sent_again() {
    let pods = echo("pods", "200 OK").await;
    let nginx = start("{}", &settings(), free_address(), pods).await;
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
        let answer = request(&nginx, method, "/api/v1/orders").header("X-Request-Id", "r-1").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(
            (&answer.headers()["retry-after"], &answer.headers()["x-request-id"]),
            (&"1".parse().unwrap(), &"r-1".parse().unwrap())
        );
        let body = json(answer).await;
        assert_eq!(
            (&body["code"], &body["status"], &body["requestId"]),
            (&"unavailable".into(), &503.into(), &"r-1".into())
        );
    }
}

#[tokio::test]
async fn without_a_service_and_without_pods_the_error_body_is_the_shops_own() {
    for settings in [settings(), Settings { dns: None, ..settings() }] {
        let nginx = start("{}", &settings, free_address(), free_address()).await;
        let answer = get(&nginx, "/api/v1/products").await.unwrap();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(json(answer).await["code"], "unavailable");
    }
}

#[tokio::test]
async fn an_error_of_a_service_is_passed_on_as_it_is() {
    let service = echo("service", "502 Bad Gateway").await;
    let pods = echo("pods", "200 OK").await;
    let nginx = start("{}", &settings(), service, pods).await;
    let answer = get(&nginx, "/api/v1/products").await.unwrap();
    assert_eq!(answer.status(), StatusCode::BAD_GATEWAY);
    for (name, _) in PROTECTION {
        assert!(!answer.headers().contains_key(name), "{name} is for the service to send");
    }
    assert!(answer.text().await.unwrap().starts_with("service\n"));
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_with_the_shops_own_error_body() {
    let service = echo("service", "200 OK").await;
    let nginx = start("ingress: {maxBodySize: 1Ki}", &settings(), service, service).await;
    let answer = request(&nginx, Method::POST, "/api/v1/carts").body(vec![b'x'; 2000]).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(json(answer).await["code"], "body_too_large");
}

#[tokio::test]
async fn only_the_catalog_is_sent_files() {
    let service = echo("service", "200 OK").await;
    let nginx = start("ingress: {maxBodySize: 1Mi}", &settings(), service, service).await;
    let image = "/api/v1/products/0190b3c0-0000-7000-8000-000000000001/images";
    for (path, bytes, status) in [
        ("/api/v1/carts", 64 * 1024, StatusCode::OK),
        ("/api/v1/carts", 64 * 1024 + 1, StatusCode::PAYLOAD_TOO_LARGE),
        ("/api/v1/auth/login", 64 * 1024 + 1, StatusCode::PAYLOAD_TOO_LARGE),
        (image, 1024 * 1024, StatusCode::OK),
        (image, 1024 * 1024 + 1, StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        let answer = request(&nginx, Method::POST, path).body(vec![b'x'; bytes]).send().await.unwrap();
        assert_eq!(answer.status(), status, "{bytes} to {path}");
    }
}

#[tokio::test]
async fn a_method_that_nginx_itself_refuses_gets_the_shops_own_error_body() {
    let service = echo("service", "200 OK").await;
    for spec in ["{}", "ingress: {host: shop.example}"] {
        let nginx = start(spec, &settings(), service, service).await;
        for host in ["shop.example", "other.example"] {
            for path in ["/", "/api/v1/orders"] {
                let answer = request(&nginx, Method::TRACE, path).header("Host", host).send().await.unwrap();
                assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{spec} {host} {path}");
                assert_eq!(answer.headers()["allow"], "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
                assert_eq!(json(answer).await["code"], "method_not_allowed");
            }
            let answer = raw(&nginx, &format!("CONNECT / HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
            assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("method_not_allowed"), "{spec}: {answer}");
        }
    }
    let service = echo("service", "405 Method Not Allowed").await;
    let nginx = start("{}", &settings(), service, service).await;
    let answer = request(&nginx, Method::PUT, "/api/v1/orders").send().await.unwrap();
    assert!(answer.text().await.unwrap().starts_with("service\n"), "the refusal of a service is passed on as it is");
}

#[tokio::test]
async fn what_nginx_cannot_read_gets_the_shops_own_error_body() {
    let service = echo("service", "200 OK").await;
    let long = "x".repeat(40_000);
    let requests = [
        "GET /api/v1/products HTTP/1.1\r\nHost: jI\t+\r\n\r\n".to_owned(),
        "GET /api/v1/products HTTP/1.1\r\n\r\n".to_owned(),
        "nonsense\r\n\r\n".to_owned(),
        format!("GET /{long} HTTP/1.1\r\nHost: shop\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: shop\r\nX-Long: {long}\r\n\r\n"),
        "POST /api/v1/carts HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n".to_owned(),
        "POST /api/v1/carts HTTP/1.1\r\nHost: shop\r\nTransfer-Encoding: nonsense\r\n\r\n".to_owned(),
        "GET / HTTP/9.9\r\nHost: shop\r\n\r\n".to_owned(),
    ];
    for spec in ["{}", "ingress: {host: shop.example}"] {
        let nginx = start(spec, &settings(), service, service).await;
        for request in &requests {
            let answer = raw(&nginx, request).await;
            let first: String = request.chars().take(60).collect();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{first}: {answer}"));
            assert!(head.starts_with("HTTP/1.1 400 "), "{first}: {head}");
            for (name, value) in PROTECTION {
                let line = format!("{name}: {value}");
                assert_eq!(head.lines().filter(|sent| sent.eq_ignore_ascii_case(&line)).count(), 1, "{first}: {line}");
            }
            let body: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{first}: {error}: {body}"));
            assert_eq!((&body["code"], &body["status"]), (&"bad_request".into(), &400.into()), "{first}");
        }
    }
    let nginx = start("{}", &settings(), service, service).await;
    let answer = get(&nginx, "/nginx-unreadable").await.unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    assert_eq!(json(answer).await["code"], "not_found");
}

#[tokio::test]
async fn a_request_id_is_passed_on_if_it_is_one() {
    let service = echo("service", "200 OK").await;
    let nginx = start("{}", &settings(), service, service).await;
    for (sent, is_kept) in [("abc-1", true), ("a\"b", true), ("with space", false), (&*"x".repeat(129), false)] {
        let answer = request(&nginx, Method::GET, "/").header("X-Request-Id", sent).send().await.unwrap();
        let body = answer.text().await.unwrap();
        let seen = body.lines().find_map(|line| line.strip_prefix("X-Request-Id: ")).unwrap();
        assert_eq!(seen == sent, is_kept, "{sent}: {seen}");
        assert!(is_kept || seen.len() == 32, "{seen}");
    }
}

#[tokio::test]
async fn another_host_name_is_not_found_but_nginx_stays_healthy() {
    let service = echo("service", "200 OK").await;
    let nginx = start("ingress: {host: shop.example.com}", &settings(), service, service).await;
    let with_host = |host: &str, path: &str| request(&nginx, Method::GET, path).header("Host", host).send();
    assert_eq!(with_host("shop.example.com", "/api/v1/products").await.unwrap().status(), StatusCode::OK);
    assert_eq!(with_host("10.0.0.1", "/nginx-health").await.unwrap().status(), StatusCode::OK);
    let other = with_host("other.example.com", "/api/v1/products").await.unwrap();
    assert_eq!(other.status(), StatusCode::NOT_FOUND);
    assert_eq!(json(other).await["code"], "not_found");
}
