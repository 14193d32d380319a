//! Wrong passwords: how many of an address are looked at, counted with a real Redis.

use futures::future::join_all;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use shop_testkit::TestShop;

use crate::given::{PASSWORD, another_pod, counted, identity, login, me, refresh, register, request};

const LOGIN: &str = "/api/v1/auth/login";
const WRONG: &str = "wrong horse battery";

async fn try_login(pod: &TestShop, path: &str, email: &str, password: &str) -> Response {
    request(pod, Method::POST, path).json(&json!({ "email": email, "password": password })).send().await.unwrap()
}

/// How often the pods asked Redis in vain, and counted alone then, on a busy machine.
async fn late(pods: &[&TestShop]) -> u64 {
    let mut late = 0;
    for pod in pods {
        late += counted(pod, "redis_errors_total", "lease_take").await;
    }
    late
}

/// Gets the password of an address wrong until nobody looks any more; how often somebody did.
async fn exhaust(pods: &[&TestShop], email: &str) -> usize {
    for n in 0..40 {
        let answer = try_login(pods[n % pods.len()], LOGIN, email, WRONG).await;
        match answer.status().as_u16() {
            401 => {}
            429 => return n,
            other => panic!("status {other}"),
        }
    }
    panic!("nobody is refused");
}

/// The refusal, without what differs from answer to answer.
async fn must_wait(answer: Response) -> Value {
    assert_eq!(answer.status(), 429);
    let header: u64 = answer.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    let mut body: Value = answer.json().await.unwrap();
    let seconds = body["retryAfter"].as_u64().unwrap();
    assert!(header == seconds && (1..=300).contains(&seconds), "{body}");
    assert_eq!((&body["code"], &body["limit"]), (&json!("rate_limited"), &json!("misses")), "{body}");
    for name in ["requestId", "timestamp", "retryAfter", "error"] {
        body.as_object_mut().unwrap().remove(name).unwrap();
    }
    body
}

#[tokio::test]
async fn an_address_has_ten_misses_over_all_pods_with_and_without_an_account() {
    let here = identity().await;
    let there = another_pod(here.config()).await;
    let pods = [&here, &there];
    let ada = register(&here, "ada@example.org").await;
    register(&here, "bob@example.org").await;
    let mut refusals = Vec::new();
    for email in ["ada@example.org", "nobody@example.org"] {
        let looked = exhaust(&pods, email).await;
        assert!(looked == 10 || late(&pods).await > 0, "{email}: {looked}");
        let hashed = counted(&here, "password_hashes_total", "compare").await;
        for (path, password) in [(LOGIN, PASSWORD), (LOGIN, WRONG), ("/auth/login", PASSWORD)] {
            refusals.push(must_wait(try_login(&here, path, &email.to_uppercase(), password).await).await);
        }
        assert_eq!(counted(&here, "password_hashes_total", "compare").await, hashed, "nobody looks at it");
    }
    assert!(refusals.iter().all(|refusal| *refusal == refusals[0]), "{refusals:?}");
    assert_eq!(login(&there, "bob@example.org", PASSWORD).await.status, 200, "others have their own");
    // Who is logged in goes on.
    assert_eq!(me(&here, &ada.text("token")).await.status, 200);
    assert_eq!(refresh(&there, &ada.text("refreshToken")).await.status, 200);
    assert!(counted(&here, "logins_total", "rate_limited").await > 0);
}

#[tokio::test]
async fn right_passwords_take_no_miss() {
    let shop = identity().await;
    register(&shop, "ada@example.org").await;
    for _ in 0..12 {
        assert_eq!(login(&shop, "ada@example.org", PASSWORD).await.status, 200);
    }
    let at_once = join_all((0..15).map(|_| login(&shop, "ada@example.org", PASSWORD))).await;
    assert!(at_once.iter().all(|answer| answer.status == 200), "they wait for each other");
    let looked = exhaust(&[&shop], "ada@example.org").await;
    assert!(looked == 10 || late(&[&shop]).await > 0, "{looked}");
}

#[tokio::test]
async fn the_present_password_is_guessed_no_more_often_with_a_token() {
    let shop = identity().await;
    let token = register(&shop, "ada@example.org").await.text("token");
    let calls = [
        (
            Method::PUT,
            "/api/v1/me/password",
            json!({ "currentPassword": "P", "newPassword": "a staple of another kind" }),
        ),
        (Method::PUT, "/api/v1/me/email", json!({ "email": "eve@example.org", "password": "P" })),
        (Method::DELETE, "/api/v1/me", json!({ "password": "P" })),
    ];
    let send = async |n: usize, password: &str| {
        let (method, path, body) = &calls[n % calls.len()];
        let body = serde_json::from_str::<Value>(&body.to_string().replace("\"P\"", &json!(password).to_string()));
        let call = request(&shop, method.clone(), path).bearer_auth(&token).header("If-Match", "\"1\"");
        call.json(&body.unwrap()).send().await.unwrap()
    };
    let mut looked = 0;
    while send(looked, WRONG).await.status() == 403 {
        looked += 1;
    }
    assert!(looked == 10 || late(&[&shop]).await > 0, "{looked}");
    for n in 0..calls.len() {
        must_wait(send(n, PASSWORD).await).await;
    }
    must_wait(try_login(&shop, LOGIN, "ada@example.org", PASSWORD).await).await;
    assert_eq!(me(&shop, &token).await.body["version"], 1, "nothing has changed");
}
