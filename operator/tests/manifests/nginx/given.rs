//! The real NGINX with the operator's configuration, and stand-ins of the services.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use kube::ResourceExt;
use operator::build::build;
use operator::plan::{Settings, plan};
use reqwest::{Method, StatusCode};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::fixture::{shop, world};

/// The text that NGINX is given.
pub(super) fn text(spec: &str, settings: &Settings) -> String {
    let shop = shop(spec);
    let objects = build(&plan(&shop, &world(&shop), settings).unwrap()).objects;
    let map = objects.config_maps.into_iter().find(|map| map.name_any().starts_with("demo-nginx-")).unwrap();
    map.data.unwrap().remove("nginx.conf").unwrap()
}

/// A running NGINX with a stand-in for every service.
pub(super) struct Nginx {
    child: Child,
    pub(super) address: SocketAddr,
    pub(super) status: SocketAddr,
    _folder: TempDir,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

pub(super) fn nginx(folder: &TempDir, text: &str, arguments: &[&str]) -> Command {
    let file = folder.path().join("nginx.conf");
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new("nginx");
    command.args(["-e", "stderr", "-p"]).arg(folder.path()).arg("-c").arg(file).args(arguments);
    command
}

/// The same configuration with addresses of this machine; it listens at two of them.
pub(super) fn localised(
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
pub(super) const PROTECTION: [(&str, &str); 5] = [
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

pub(super) fn free_address() -> SocketAddr {
    StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

pub(super) async fn start(spec: &str, settings: &Settings, service: SocketAddr, pods: SocketAddr) -> Nginx {
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

pub(super) async fn get(nginx: &Nginx, path: &str) -> reqwest::Result<reqwest::Response> {
    request(nginx, Method::GET, path).send().await
}

pub(super) fn request(nginx: &Nginx, method: Method, path: &str) -> reqwest::RequestBuilder {
    reqwest::Client::new().request(method, format!("http://{}{path}", nginx.address))
}

/// A server that answers each request with its own request line and headers.
pub(super) async fn echo(name: &'static str, status: &'static str) -> SocketAddr {
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
                stream.shutdown().await.unwrap();
                // Whoever closes on a body that is under way takes the answer back.
                drop(tokio::io::copy(&mut stream, &mut tokio::io::sink()).await);
            });
        }
    });
    address
}

/// The service that a request was sent to, by the header that the test adds.
pub(super) fn sent_to(body: &str) -> &str {
    body.lines().find_map(|line| line.strip_prefix("X-Service: ")).unwrap_or("nobody")
}

pub(super) async fn json(answer: reqwest::Response) -> Value {
    assert_eq!(answer.headers()["content-type"], "application/json");
    for (name, value) in PROTECTION {
        let sent: Vec<_> = answer.headers().get_all(name).iter().collect();
        assert_eq!(sent, [value], "{name}");
    }
    serde_json::from_str(&answer.text().await.unwrap()).unwrap()
}

/// What is answered to bytes.
pub(super) async fn raw(nginx: &Nginx, request: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(nginx.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // It may close before it has read all.
    let _closed = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await.unwrap();
    String::from_utf8(answer).unwrap()
}
