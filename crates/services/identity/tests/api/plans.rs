//! No query reads more than it shows: MongoDB's own record of what the service asked, and how it was answered.

use std::collections::BTreeSet;

use reqwest::Method;
use shop_mongo::{Document, doc};

use crate::given::{PASSWORD, call, identity_with_admin, login, refresh, register};

#[tokio::test]
async fn every_query_uses_an_index() {
    let (shop, boss) = identity_with_admin().await;
    let (mongo, admin) = (shop.mongo("identity").await, boss.text("token"));
    mongo.database().run_command(doc! { "profile": 2, "filter": "unset" }).await.unwrap();

    let ada = register(&shop, "ada@example.org").await;
    let id = ada.body["user"]["id"].as_str().unwrap();
    let token = login(&shop, "ada@example.org", PASSWORD).await.text("token");
    assert_eq!(refresh(&shop, &ada.text("refreshToken")).await.status, 200);
    let calls = [
        (Method::GET, "/api/v1/me".to_owned(), &token),
        (Method::POST, "/api/v1/me/email/verification".into(), &token),
        (Method::GET, "/api/v1/me/addresses".into(), &token),
        (Method::GET, "/api/v1/me/sessions".into(), &token),
        (Method::DELETE, "/api/v1/me/sessions".into(), &token),
        (Method::GET, "/api/v1/users".into(), &admin),
        (Method::GET, "/api/v1/users?role=customer".into(), &admin),
        (Method::GET, "/api/v1/users?search=ada@example.org".into(), &admin),
        (Method::GET, "/api/v1/users?search=1".into(), &admin),
        (Method::GET, "/api/v1/users?search=ada&role=customer".into(), &admin),
        (Method::GET, format!("/api/v1/users/{id}"), &admin),
        (Method::POST, format!("/api/v1/users/{id}/deactivate"), &admin),
        (Method::GET, format!("/api/v1/customers/{id}/orders"), &admin),
        (Method::GET, "/api/v1/api-keys".into(), &admin),
        (Method::GET, "/api/v1/audit".into(), &admin),
        (Method::GET, format!("/api/v1/audit?userId={id}"), &admin),
        (Method::GET, format!("/api/v1/audit?actorId={id}"), &admin),
        (Method::GET, "/api/v1/audit?action=call".into(), &admin),
    ];
    for (method, path, token) in calls {
        let answer = call(&shop, method, &path, token).await;
        assert!((200..300).contains(&answer.status), "{path}: {answer:?}");
    }

    mongo.database().run_command(doc! { "profile": 0 }).await.unwrap();
    let own = ["users", "sessions", "letters", "addresses", "audit", "api_keys", "tombstones", "customer_orders"]
        .map(|name| format!("{}.{name}", mongo.database().name()));
    let profile = mongo.collection::<Document>("system.profile");
    let filter = doc! { "ns": { "$in": own.as_slice() }, "planSummary": { "$exists": true } };
    let mut rows = profile.find(filter).await.unwrap();
    let mut plans = BTreeSet::new();
    while rows.advance().await.unwrap() {
        let row = rows.deserialize_current().unwrap();
        let plan = row.get_str("planSummary").unwrap();
        assert!(!plan.contains("COLLSCAN"), "{row}");
        assert!(!row.get_bool("hasSortStage").unwrap_or(false), "{row}");
        plans.insert(plan.to_owned());
    }
    // The record is worth something only if it holds what the service does.
    for index in [
        "IXSCAN { email: 1 }",
        "IXSCAN { number: 1 }",
        "IXSCAN { name: 1, _id: 1 }",
        "IXSCAN { created_at: -1, _id: -1 }",
        "IXSCAN { role: 1, created_at: -1, _id: -1 }",
        "IXSCAN { user: 1, refreshed_at: -1, _id: -1 }",
        "IXSCAN { user: 1, purpose: 1, expires_at: 1 }",
        "IXSCAN { revoked_until: 1, created_at: -1, _id: -1 }",
        "IXSCAN { at: -1, _id: -1 }",
        "IXSCAN { user: 1, at: -1, _id: -1 }",
        "IXSCAN { actor: 1, at: -1, _id: -1 }",
        "IXSCAN { action: 1, at: -1, _id: -1 }",
    ] {
        // A search for what is absent looks twice, for null and for undefined.
        assert!(plans.iter().any(|plan| plan.starts_with(index)), "{index} is not used: {plans:#?}");
    }
}
