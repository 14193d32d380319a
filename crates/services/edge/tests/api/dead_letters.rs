//! What admins do about events that services have given up.

use reqwest::Method;
use serde_json::{Value, json};
use shop_mesh::status;
use shop_proto::pod::DeadLetter;
use shop_testkit::{Callers, TestShop};
use shop_types::{Detail, ErrorKind, ServiceError};

use crate::edge_service;

const LIST: &str = "/api/v1/admin/dead-letters?service=payment";
const LETTER: &str = "/api/v1/admin/dead-letters/payment/00000000-0000-0000-0000-000000000001";
const RETRY: &str = "/api/v1/admin/dead-letters/payment/00000000-0000-0000-0000-000000000001/retry";
const ROUTES: [(Method, &str); 3] = [(Method::GET, LIST), (Method::POST, RETRY), (Method::DELETE, LETTER)];

/// Status and body of an answer, null when there is none.
async fn send(shop: &TestShop, method: Method, path: &str, bearer: Option<&str>) -> (u16, Value) {
    let mut request = shop.client().request(method, shop.url(path));
    if let Some(bearer) = bearer {
        request = request.header("Authorization", bearer);
    }
    let reply = request.send().await.unwrap();
    let status = reply.status().as_u16();
    (status, serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap_or(Value::Null))
}

fn letter() -> DeadLetter {
    DeadLetter {
        id: "00000000-0000-0000-0000-000000000001".into(),
        producer: "order".into(),
        topic: "order.confirmed".into(),
        reason: "too odd".into(),
        deliveries: 5,
        at: "2026-01-02T03:04:05Z".into(),
        body: "{not json".into(),
    }
}

/// What a pod says when it fails.
#[derive(Debug, thiserror::Error)]
#[error("the event failed again: too odd")]
struct Said(ErrorKind, &'static str);

impl ServiceError for Said {
    fn kind(&self) -> ErrorKind {
        self.0
    }

    fn code(&self) -> &'static str {
        self.1
    }

    fn details(&self) -> Vec<Detail> {
        if self.0 == ErrorKind::Invalid { vec![Detail::new("cursor", "must be a cursor")] } else { Vec::new() }
    }
}

#[tokio::test]
async fn an_admin_sees_letters_page_by_page() {
    let (shop, pods) = edge_service().await;
    pods.give_up(vec![letter()]).await;
    let admin = shop.callers().admin().bearer();

    let (status, body) = send(&shop, Method::GET, LIST, Some(&admin)).await;
    let (_, last) = send(&shop, Method::GET, &format!("{LIST}&cursor=the-next"), Some(&admin)).await;

    assert_eq!(status, 200, "{body}");
    let item = json!({
        "id": "00000000-0000-0000-0000-000000000001", "service": "payment", "producer": "order",
        "topic": "order.confirmed", "reason": "too odd", "deliveries": 5, "at": "2026-01-02T03:04:05Z",
        "body": "{not json",
    });
    assert_eq!(body, json!({ "items": [item], "page": { "size": 20, "total": 21, "nextCursor": "the-next" } }));
    assert_eq!(last["page"], json!({ "size": 20, "total": 21 }));
    let asked: Vec<_> = pods.admins().await;
    assert_eq!(asked[0], ("list payment 20 ''".into(), admin.clone()), "the token travels along");
    assert_eq!(asked[1], ("list payment 20 'the-next'".into(), admin));
}

#[tokio::test]
async fn an_admin_has_a_letter_tried_again_or_thrown_away() {
    let (shop, pods) = edge_service().await;
    let admin = shop.callers().admin().bearer();

    assert_eq!(send(&shop, Method::POST, RETRY, Some(&admin)).await, (204, Value::Null));
    assert_eq!(send(&shop, Method::DELETE, LETTER, Some(&admin)).await, (204, Value::Null));

    let id = letter().id;
    let expected = [(format!("retry payment {id}"), admin.clone()), (format!("discard payment {id}"), admin)];
    assert_eq!(pods.admins().await, expected);
}

#[tokio::test]
async fn nobody_but_an_admin_may_look_or_decide() {
    let (shop, pods) = edge_service().await;
    let callers = shop.callers();
    let refused = |callers: &Callers| {
        [
            (None, 401, "unauthenticated"),
            (Some(callers.expired().bearer()), 401, "token_expired"),
            (Some("Bearer forged".to_owned()), 401, "invalid_token"),
            (Some(callers.customer().bearer()), 403, "forbidden"),
            (Some(callers.staff().bearer()), 403, "forbidden"),
            (Some(callers.service().bearer()), 403, "forbidden"),
        ]
    };
    for (method, path) in ROUTES {
        for (bearer, status, code) in refused(callers) {
            let (found, body) = send(&shop, method.clone(), path, bearer.as_deref()).await;
            assert_eq!((found, &body["code"]), (status, &json!(code)), "{method} {path}: {body}");
        }
    }
    assert_eq!(pods.admins().await, [], "no pod was asked");
}

#[tokio::test]
async fn what_a_pod_says_is_what_the_admin_reads() {
    let (shop, pods) = edge_service().await;
    let admin = shop.callers().admin().bearer();
    for (kind, code, status_code, told) in [
        (ErrorKind::Conflict, "dead_letter_failed_again", 409, "dead_letter_failed_again"),
        (ErrorKind::Conflict, "dead_letter_unreadable", 409, "dead_letter_unreadable"),
        (ErrorKind::NotFound, "not_found", 404, "not_found"),
        (ErrorKind::Forbidden, "forbidden", 403, "forbidden"),
        (ErrorKind::Unauthenticated, "token_expired", 401, "invalid_token"),
        (ErrorKind::Unavailable, "unavailable", 503, "unavailable"),
        (ErrorKind::Internal, "internal", 500, "internal"),
        (ErrorKind::Conflict, "unheard_of", 500, "internal"),
    ] {
        pods.refuse(status(&Said(kind, code))).await;
        for (method, path) in ROUTES {
            let (found, body) = send(&shop, method.clone(), path, Some(&admin)).await;
            assert_eq!((found, &body["code"]), (status_code, &json!(told)), "{method} {path} {kind:?}: {body}");
        }
    }
    pods.refuse(status(&Said(ErrorKind::Conflict, "dead_letter_failed_again"))).await;
    let (_, body) = send(&shop, Method::POST, RETRY, Some(&admin)).await;
    assert_eq!(body["error"], "the event failed again: too odd");
    pods.refuse(status(&Said(ErrorKind::Invalid, "invalid_parameter"))).await;
    let (found, body) = send(&shop, Method::GET, &format!("{LIST}&cursor=x"), Some(&admin)).await;
    assert_eq!((found, &body["details"][0]["field"]), (422, &json!("cursor")), "{body}");
}

#[tokio::test]
async fn what_is_said_to_a_retry_is_refused_and_not_overlooked() {
    let (shop, pods) = edge_service().await;
    let admin = shop.callers().admin().bearer();
    let request = shop.client().post(shop.url(RETRY)).header("Authorization", &admin).json(&json!({ "times": 3 }));
    let refused: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!((&refused["code"], &refused["details"][0]["field"]), (&json!("unknown_field"), &json!("times")));
    assert_eq!(pods.admins().await, []);
}

#[tokio::test]
async fn services_that_consume_nothing_have_no_letters() {
    let (shop, pods) = edge_service().await;
    let admin = shop.callers().admin().bearer();
    for service in ["edge", "nobody", "PAYMENT", "", "..", "%00"] {
        let list = format!("/api/v1/admin/dead-letters?service={service}");
        let (found, body) = send(&shop, Method::GET, &list, Some(&admin)).await;
        assert_eq!((found, &body["details"][0]["field"]), (422, &json!("service")), "{service}: {body}");
    }
    for service in ["edge", "nobody"] {
        let path = format!("/api/v1/admin/dead-letters/{service}/1");
        assert_eq!(send(&shop, Method::DELETE, &path, Some(&admin)).await.0, 404, "{service}");
        assert_eq!(send(&shop, Method::POST, &format!("{path}/retry"), Some(&admin)).await.0, 404, "{service}");
    }
    for (query, code) in [("", "invalid_parameter"), ("?service=payment&page=2", "unknown_parameter")] {
        let (found, body) = send(&shop, Method::GET, &format!("/api/v1/admin/dead-letters{query}"), Some(&admin)).await;
        assert_eq!((found, &body["code"]), (422, &json!(code)), "{body}");
    }
    assert_eq!(pods.admins().await, []);
}
