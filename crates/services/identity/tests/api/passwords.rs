//! How much work a login is, and what a flood of them gets.

use futures::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::given::{PASSWORD, counted, identity, login, register, request};

const HASHES: &str = "password_hashes_total";

#[tokio::test]
async fn an_unknown_address_is_answered_like_a_wrong_password_after_the_same_work() {
    let shop = identity().await;
    register(&shop, "ada@example.org").await;
    let compared = || counted(&shop, HASHES, "operation=\"compare\"");
    assert_eq!(compared().await, 0);
    let mut bodies = Vec::new();
    for (email, expected) in [("ada@example.org", 1), ("nobody@example.org", 2)] {
        let mut answer = login(&shop, email, "wrong horse battery").await;
        answer.must_be(401, "wrong_credentials");
        assert_eq!(compared().await, expected);
        for name in ["requestId", "timestamp"] {
            answer.body.as_object_mut().unwrap().remove(name).unwrap();
        }
        bodies.push(answer);
    }
    assert_eq!(bodies[0], bodies[1]);
    assert_eq!(login(&shop, "ada@example.org", PASSWORD).await.status, 200);
    assert_eq!(compared().await, 3);
    assert_eq!(counted(&shop, HASHES, "operation=\"hash\"").await, 1);
}

#[tokio::test]
async fn refused_input_and_refreshes_cost_no_hash() {
    let shop = identity().await;
    register(&shop, "ada@example.org").await;
    let before = counted(&shop, HASHES, "").await;
    let short = json!({ "email": "eve@example.org", "password": "short", "name": "Eve" });
    let taken = json!({ "email": "ada@example.org", "password": PASSWORD, "name": "Eve" });
    for (path, body) in [
        ("/api/v1/auth/register", short),
        ("/api/v1/auth/register", taken),
        ("/api/v1/auth/login", json!({ "email": "ada@example.org" })),
        ("/api/v1/auth/refresh", json!({ "refreshToken": "nonsense" })),
    ] {
        let reply = request(&shop, Method::POST, path).json(&body).send().await.unwrap();
        assert!(reply.status().is_client_error());
    }
    assert_eq!(counted(&shop, HASHES, "").await, before);
}

#[tokio::test]
async fn a_flood_of_logins_is_refused_and_other_routes_go_on() {
    let shop = identity().await;
    let token = register(&shop, "ada@example.org").await.text("token");
    let cores = std::thread::available_parallelism().unwrap().get();
    let flood = join_all((0..cores + 150).map(|n| {
        let body = json!({ "email": format!("nobody{n}@example.org"), "password": "wrong horse battery" });
        let login = request(&shop, Method::POST, "/api/v1/auth/login").json(&body);
        async move { login.send().await.unwrap() }
    }));
    let others = async {
        for _ in 0..20 {
            let started = std::time::Instant::now();
            let reply = request(&shop, Method::GET, "/api/v1/me").bearer_auth(&token).send().await.unwrap();
            assert_eq!(reply.status(), 200);
            assert!(started.elapsed() < std::time::Duration::from_secs(2), "{:?}", started.elapsed());
        }
    };
    let (replies, ()) = tokio::join!(flood, others);
    let mut refused = 0;
    for reply in replies {
        match reply.status().as_u16() {
            401 => {}
            503 => {
                assert_eq!(reply.headers()["retry-after"], "1");
                let body: serde_json::Value = reply.json().await.unwrap();
                // Where the whole machine is slow, some come too late, or are not let in.
                let code = body["code"].as_str().unwrap();
                assert!(["busy", "overloaded", "unavailable"].contains(&code), "{body}");
                refused += u32::from(code == "busy");
            }
            other => panic!("status {other}"),
        }
    }
    assert!(refused > 0, "nobody was refused");
    assert_eq!(login(&shop, "ada@example.org", PASSWORD).await.status, 200);
}
