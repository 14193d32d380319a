//! An event that nobody can read: the shop goes on, and an admin decides.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use shop_proto::pod::pod_client::PodClient;
use shop_proto::pod::{DiscardDeadLetterRequest, ListDeadLettersRequest, RetryDeadLetterRequest};
use tests::wait::until;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tonic::{Code, Request, Status};

use crate::given::{Person, Shop, order_of};

const PAYMENT: &str = "/api/v1/admin/dead-letters?service=payment";
const CART: &str = "/api/v1/admin/dead-letters?service=cart";

/// Puts something into the stream of orders that no order service would.
async fn forge(shop: &Shop, json: &str) {
    let settings = shop.services.config().redis.as_ref().unwrap();
    let address = settings.url.expose().trim_start_matches("redis://").split('/').next().unwrap().to_owned();
    let stream = format!("{}events:{{order}}", settings.key_prefix);
    let words = ["XADD", &stream, "*", "id", "forged", "topic", "order.confirmed", "json", json];
    let words = words.map(|word| format!("${}\r\n{word}\r\n", word.len()));
    let command = format!("*{}\r\n{}", words.len(), words.concat());
    let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
    connection.write_all(command.as_bytes()).await.unwrap();
    let mut answer = [0; 1];
    connection.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"$", "Redis took it");
}

async fn letters(admin: &Person<'_>, list: &str) -> Value {
    admin.send(Method::GET, list, None, None).await.body
}

async fn is_paid(shop: &Shop, key: &str) {
    let ada = shop.customer();
    let cart = ada.cart("mug", 1).await;
    let placed = ada.order(&cart, "tok_visa", key).await;
    ada.status(&order_of(&placed), "paid").await;
}

fn with_token<T>(message: T, token: Option<&str>) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(token) = token {
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_finds_and_discards_what_nobody_can_read() {
    let shop = Shop::open().await;
    shop.on_sale("mug", 1290, 5).await;
    is_paid(&shop, "before").await;

    forge(&shop, "{not json").await;

    is_paid(&shop, "after").await;
    let admin = shop.admin();
    let found = until("it is a letter", || letters(&admin, PAYMENT), |body| body["page"]["total"] == 1).await;
    let letter = &found["items"][0];
    assert_eq!((&letter["topic"], &letter["producer"]), (&json!("order.confirmed"), &json!("order")));
    assert_eq!((&letter["body"], &letter["service"]), (&json!("{not json"), &json!("payment")));
    let metrics = || async {
        let text = shop.services.client().get(shop.services.admin_url("/metrics")).send().await.unwrap();
        text.text()
            .await
            .unwrap()
            .lines()
            .filter(|line| line.starts_with("dead_letters{"))
            .collect::<Vec<_>>()
            .join(" ")
    };
    until("the gauge shows it", metrics, |text| text.contains("dead_letters{service=\"payment\"} 1")).await;

    let path = format!("/api/v1/admin/dead-letters/payment/{}", letter["id"].as_str().unwrap());
    let retried = admin.send(Method::POST, &format!("{path}/retry"), None, None).await;
    assert_eq!((retried.status, &retried.body["code"]), (StatusCode::CONFLICT, &json!("dead_letter_unreadable")));
    assert_eq!(admin.send(Method::DELETE, &path, None, None).await.status, StatusCode::NO_CONTENT);

    assert_eq!(letters(&admin, PAYMENT).await["page"]["total"], 0);
    assert_eq!(letters(&admin, CART).await["page"]["total"], 1, "what cart has given up is cart's");
    assert_eq!(admin.send(Method::DELETE, &path, None, None).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_ask_for_the_admins_token_themselves() {
    let shop = Shop::open().await;
    let endpoint = tonic::transport::Endpoint::from_shared(shop.services.grpc_url()).unwrap();
    let pod = PodClient::new(endpoint.connect().await.unwrap());
    let codes = |token: Option<String>| {
        let mut pod = pod.clone();
        async move {
            let token = token.as_deref();
            let service = || "payment".to_owned();
            let list = ListDeadLettersRequest { service: service(), limit: 10, after: String::new() };
            let retry = RetryDeadLetterRequest { service: service(), id: "1".into() };
            let discard = DiscardDeadLetterRequest { service: service(), id: "1".into() };
            let code = |ended: Result<(), Status>| ended.map_or_else(|status| status.code(), |()| Code::Ok);
            [
                code(pod.list_dead_letters(with_token(list, token)).await.map(drop)),
                code(pod.retry_dead_letter(with_token(retry, token)).await.map(drop)),
                code(pod.discard_dead_letter(with_token(discard, token)).await.map(drop)),
            ]
        }
    };

    assert_eq!(codes(None).await, [Code::Unauthenticated; 3]);
    assert_eq!(codes(Some("forged".into())).await, [Code::Unauthenticated; 3]);
    for person in [shop.customer(), shop.staff()] {
        assert_eq!(codes(Some(person.token)).await, [Code::PermissionDenied; 3]);
    }
    assert_eq!(codes(Some(shop.admin().token)).await, [Code::Ok, Code::NotFound, Code::NotFound]);
}
