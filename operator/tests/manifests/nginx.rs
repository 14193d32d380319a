//! The configuration of the bundled NGINX, tried with the real NGINX before stand-ins of the services.

mod status;

use std::net::{SocketAddr, TcpListener as StdListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use operator::build::build;
use operator::plan::{ClusterDns, Settings, plan};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::fixture::{settings, shop, world};

/// The text that NGINX is given.
fn text(spec: &str, settings: &Settings) -> String {
    let shop = shop(spec);
    let objects = build(&plan(&shop, &world(&shop), settings).unwrap()).objects;
    let map = objects.config_maps.into_iter().find(|map| map.metadata.name.as_deref() == Some("demo-nginx")).unwrap();
    map.data.unwrap().remove("nginx.conf").unwrap()
}

/// A running NGINX with a stand-in for every service.
struct Nginx {
    child: Child,
    address: SocketAddr,
    status: SocketAddr,
    _folder: TempDir,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn nginx(folder: &TempDir, text: &str, arguments: &[&str]) -> Command {
    let file = folder.path().join("nginx.conf");
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new("nginx");
    command.args(["-e", "stderr", "-p"]).arg(folder.path()).arg("-c").arg(file).args(arguments);
    command
}

/// The same configuration with addresses of this machine; it listens at two of them.
fn localised(
    text: &str,
    folder: &TempDir,
    [listen, status]: [SocketAddr; 2],
    service: SocketAddr,
    pods: SocketAddr,
) -> String {
    let mut text = text
        .replace("/tmp/", &format!("{}/", folder.path().display()))
        .replace("/dev/stdout", &folder.path().join("access.log").display().to_string())
        .replace("listen 8080", &format!("listen {listen}"))
        .replace("listen 8081", &format!("listen {status}"))
        .replace("http://$shop_pods:8080", &format!("http://$shop_pods:{}", pods.port()));
    for (service_name, n) in shop_config::SERVICES.iter().map(|service| service.name).zip(1..) {
        text = text
            .replace(&format!("server 192.0.2.{n}:8080"), &format!("server {service}"))
            .replace(
                &format!("set $shop_pods demo-{service_name}-headless.shop.svc.cluster.local"),
                "set $shop_pods 127.0.0.1",
            )
            // So that the stand-in can tell whom it stands for.
            .replace(
                &format!("proxy_pass http://{service_name};"),
                &format!("proxy_pass http://{service_name}; proxy_set_header X-Service {service_name}; {HEADERS}"),
            );
    }
    text
}

/// What services send with every answer, and NGINX with its own.
const PROTECTION: [(&str, &str); 5] = [
    ("strict-transport-security", "max-age=31536000"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("cache-control", "no-store"),
];

/// Headers of a level are dropped by those of a deeper one.
const HEADERS: &str = "proxy_set_header Host $http_host; proxy_set_header Connection \"\"; \
                       proxy_set_header X-Request-Id $shop_request_id; \
                       proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;";

fn free_address() -> SocketAddr {
    StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

async fn start(spec: &str, settings: &Settings, service: SocketAddr, pods: SocketAddr) -> Nginx {
    let folder = tempfile::tempdir().unwrap();
    let (address, status) = (free_address(), free_address());
    let text = localised(&text(spec, settings), &folder, [address, status], service, pods);
    let child = nginx(&folder, &text, &["-g", "daemon off; master_process off;"])
        .stderr(Stdio::inherit())
        .spawn()
        .expect("no nginx on PATH: run `make deps`");
    let nginx = Nginx { child, address, status, _folder: folder };
    for _ in 0..100 {
        if get(&nginx, "/nginx-health").await.is_ok_and(|answer| answer.status() == StatusCode::OK) {
            return nginx;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("nginx did not start");
}

async fn get(nginx: &Nginx, path: &str) -> reqwest::Result<reqwest::Response> {
    request(nginx, Method::GET, path).send().await
}

fn request(nginx: &Nginx, method: Method, path: &str) -> reqwest::RequestBuilder {
    reqwest::Client::new().request(method, format!("http://{}{path}", nginx.address))
}

/// A server that answers each request with its own request line and headers.
async fn echo(name: &'static str, status: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    match stream.read_u8().await {
                        Ok(byte) => head.push(byte),
                        Err(_) => return,
                    }
                }
                let body = format!("{name}\n{}", String::from_utf8(head).unwrap());
                let answer =
                    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
                stream.write_all(answer.as_bytes()).await.unwrap();
            });
        }
    });
    address
}

/// The service that a request was sent to, by the header that the test adds.
fn sent_to(body: &str) -> &str {
    body.lines().find_map(|line| line.strip_prefix("X-Service: ")).unwrap_or("nobody")
}

async fn json(answer: reqwest::Response) -> Value {
    assert_eq!(answer.headers()["content-type"], "application/json");
    for (name, value) in PROTECTION {
        let sent: Vec<_> = answer.headers().get_all(name).iter().collect();
        assert_eq!(sent, [value], "{name}");
    }
    serde_json::from_str(&answer.text().await.unwrap()).unwrap()
}

#[test]
fn nginx_takes_every_form_of_its_configuration() {
    let v6 = ClusterDns { servers: vec!["fd00::a".parse().unwrap()], domain: "example.local".into() };
    for (spec, settings) in [
        ("{}", settings()),
        ("ingress: {host: shop.example.com, maxBodySize: 2Mi}", settings()),
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
async fn a_method_that_nginx_itself_refuses_gets_the_shops_own_error_body() {
    let service = echo("service", "200 OK").await;
    let nginx = start("{}", &settings(), service, service).await;
    for path in ["/", "/api/v1/orders"] {
        let answer = request(&nginx, Method::TRACE, path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.headers()["allow"], "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
        assert_eq!(json(answer).await["code"], "method_not_allowed");
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

/// What is answered to bytes.
async fn raw(nginx: &Nginx, request: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(nginx.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // It may close before it has read all.
    let _closed = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await.unwrap();
    String::from_utf8(answer).unwrap()
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
