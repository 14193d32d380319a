//! Wrong passwords: how many of an address are looked at, counted with a real Redis.

use std::time::Duration;

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

/// How often the pods asked Redis in vain.
async fn late(pods: &[&TestShop]) -> u64 {
    let mut late = 0;
    for pod in pods {
        late += counted(pod, "redis_errors_total", "lease_").await;
    }
    late
}

/// What the first try finds in which Redis was never late; each has a number for addresses of its own. On a busy machine it may
/// be, and a pod counts alone then, for a second.
async fn in_time<T>(pods: &[&TestShop], find: impl AsyncFn(usize) -> T) -> T {
    for number in 0..20 {
        let before = late(pods).await;
        if before > 0 {
            tokio::time::sleep(Duration::from_millis(1_200)).await;
        }
        let found = find(number).await;
        if late(pods).await == before {
            return found;
        }
    }
    panic!("Redis was late in every try");
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
    register(&here, "bob@example.org").await;

    let (ada, found) = in_time(&pods, async |number| {
        let ada = register(&here, &format!("ada-{number}@example.org")).await;
        let mut found = Vec::new();
        for name in ["ada", "nobody"] {
            let email = format!("{name}-{number}@example.org");
            let looked = exhaust(&pods, &email).await;
            let before = counted(&here, "password_hashes_total", "compare").await;
            let mut refused = Vec::new();
            for (path, password) in [(LOGIN, PASSWORD), (LOGIN, WRONG), ("/auth/login", PASSWORD)] {
                refused.push(try_login(&here, path, &email.to_uppercase(), password).await);
            }
            let hashed = counted(&here, "password_hashes_total", "compare").await - before;
            found.push((looked, hashed, refused));
        }
        (ada, found)
    })
    .await;

    let mut refusals = Vec::new();
    for (looked, hashed, refused) in found {
        assert_eq!((looked, hashed), (10, 0), "nobody looks at what comes then");
        for answer in refused {
            refusals.push(must_wait(answer).await);
        }
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
    let (refused, looked) = in_time(&[&shop], async |number| {
        let email = format!("ada-{number}@example.org");
        register(&shop, &email).await;
        let mut answers = Vec::new();
        for _ in 0..12 {
            answers.push(login(&shop, &email, PASSWORD).await);
        }
        // They wait for each other.
        answers.extend(join_all((0..15).map(|_| login(&shop, &email, PASSWORD))).await);
        (answers.iter().filter(|answer| answer.status != 200).count(), exhaust(&[&shop], &email).await)
    })
    .await;
    assert_eq!((refused, looked), (0, 10));
}

#[tokio::test]
async fn the_present_password_is_guessed_no_more_often_with_a_token() {
    let shop = identity().await;
    let calls = [
        (
            Method::PUT,
            "/api/v1/me/password",
            json!({ "currentPassword": "P", "newPassword": "a staple of another kind" }),
        ),
        (Method::PUT, "/api/v1/me/email", json!({ "email": "eve@example.org", "password": "P" })),
        (Method::DELETE, "/api/v1/me", json!({ "password": "P" })),
    ];
    let send = async |token: &str, n: usize, password: &str| {
        let (method, path, body) = &calls[n % calls.len()];
        let body = serde_json::from_str::<Value>(&body.to_string().replace("\"P\"", &json!(password).to_string()));
        let call = request(&shop, method.clone(), path).bearer_auth(token).header("If-Match", "\"1\"");
        call.json(&body.unwrap()).send().await.unwrap()
    };
    let (token, looked, refused) = in_time(&[&shop], async |number| {
        let email = format!("ada-{number}@example.org");
        let token = register(&shop, &email).await.text("token");
        let mut looked = 0;
        while send(&token, looked, WRONG).await.status() == 403 {
            looked += 1;
        }
        let mut refused = Vec::new();
        for n in 0..calls.len() {
            refused.push(send(&token, n, PASSWORD).await);
        }
        refused.push(try_login(&shop, LOGIN, &email, PASSWORD).await);
        (token, looked, refused)
    })
    .await;
    assert_eq!(looked, 10);
    for answer in refused {
        must_wait(answer).await;
    }
    assert_eq!(me(&shop, &token).await.body["version"], 1, "nothing has changed");
}
