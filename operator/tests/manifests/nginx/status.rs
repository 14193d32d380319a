//! NGINX' own numbers.

use operator::build::build;
use operator::plan::plan;

use super::*;
use crate::fixture::{shop, world};

#[tokio::test]
async fn nginx_tells_its_numbers_to_its_neighbours_at_a_port_of_its_own() {
    let service = echo("service", "200 OK").await;
    let nginx = start("{}", &settings(), service, service).await;
    let ask =
        |method, path: &str| reqwest::Client::new().request(method, format!("http://{}{path}", nginx.status)).send();

    let told = ask(Method::GET, "/nginx_status").await.unwrap();
    assert_eq!((told.status(), told.headers()["content-type"].to_str().unwrap()), (StatusCode::OK, "text/plain"));
    let text = told.text().await.unwrap();
    assert!(text.starts_with("Active connections: ") && text.contains("server accepts handled requests"), "{text}");

    for (method, path) in [(Method::GET, "/"), (Method::GET, "/api/v1/products"), (Method::POST, "/nginx_status")] {
        let nothing = ask(method, path).await.unwrap();
        assert_eq!(nothing.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(json(nothing).await["code"], "not_found");
    }
    let public = get(&nginx, "/nginx_status").await.unwrap();
    assert_eq!(sent_to(&public.text().await.unwrap()), "edge", "the shop's own port says nothing of it");
}

#[test]
fn the_numbers_of_nginx_are_for_private_networks_and_behind_no_service() {
    let shop = shop("{}");
    let objects = build(&plan(&shop, &world(&shop), &settings()).unwrap()).objects;
    let text = text("{}", &settings());
    let place = text.split("location = /nginx_status {").nth(1).unwrap().split('}').next().unwrap();
    let rules: Vec<_> =
        place.lines().map(str::trim).filter(|line| line.starts_with("allow") || line.starts_with("deny")).collect();
    let near = ["127.0.0.0/8", "::1", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"];
    let expected: Vec<_> =
        near.map(|network| format!("allow {network};")).into_iter().chain(["deny all;".to_owned()]).collect();
    assert_eq!(rules, expected);
    let ports = objects.services.iter().filter(|service| service.metadata.name.as_deref() == Some("demo-nginx"));
    let ports: Vec<_> = ports.flat_map(|service| service.spec.clone().unwrap().ports.unwrap()).collect();
    assert_eq!(ports.iter().map(|port| port.port).collect::<Vec<_>>(), [80]);
}
