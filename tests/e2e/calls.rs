//! Every promised call and alias through NGINX: the table of tests/conformance against a Shop of its own, which nobody has used.

use std::collections::BTreeMap;

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tests::calls::broken_promises;

use crate::cluster::{Site, mongodb_uri, spec};
use crate::visitor::{Visitor, fresh};

#[tokio::test(flavor = "multi_thread")]
async fn every_call_of_the_table_answers_as_promised_through_nginx() {
    let site = Site::new(&fresh("calls")).await;
    site.put_mongodb(&mongodb_uri()).await;
    let mut single = spec();
    // What one pod has changed, another may show as it was for a second. That is promised, and no row's matter.
    single["services"] = json!([]);
    site.apply(&single).await;
    site.ready().await;
    let admin = Visitor::admin(&site).await;
    let (email, password) = site.admin().await;
    let given = [
        ("bossEmail", email),
        ("bossPassword", password),
        ("admin", admin.token().to_owned()),
        ("customer", Visitor::customer(&site, "carl").await.token().to_owned()),
        ("staff", staff(&site, &admin).await),
        ("service", program(&site, &admin).await),
    ];
    let given = BTreeMap::from(given.map(|(name, value)| (name.to_owned(), value)));

    let broken = broken_promises(&site.url().await, given).await;

    assert!(broken.is_empty(), "{} promises:\n{}", broken.len(), broken.join("\n"));
    site.delete().await;
}

/// The token of a customer who was made staff, which has ended the first session.
async fn staff(site: &Site, admin: &Visitor) -> String {
    let me = Visitor::customer(site, "sid").await.get("/api/v1/me").await.body;
    let url = format!("{}/api/v1/users/{}/roles", site.url().await, me["id"].as_str().unwrap());
    let version = format!("\"{}\"", me["version"]);
    let change = Client::new().put(url).bearer_auth(admin.token()).header("If-Match", version);
    let changed = change.json(&json!({ "role": "staff" })).send().await.unwrap();
    assert_eq!(changed.status(), StatusCode::OK, "{}", changed.text().await.unwrap());
    let mut sid = Visitor::new(site).await;
    sid.log_in(me["email"].as_str().unwrap(), Visitor::PASSWORD).await;
    sid.token().to_owned()
}

/// The token of a program, for a new API key.
async fn program(site: &Site, admin: &Visitor) -> String {
    let key = admin.post("/api/v1/api-keys", &json!({ "name": "Conformance", "role": "service" })).await;
    assert_eq!(key.status, StatusCode::CREATED, "{key:?}");
    let text = |field: &str| key.body[field].as_str().unwrap().to_owned();
    let form = format!("grant_type=client_credentials&client_id={}&client_secret={}", text("id"), text("secret"));
    let request = Client::new().post(format!("{}/api/v1/auth/token", site.url().await)).body(form);
    let granted = request.header("Content-Type", "application/x-www-form-urlencoded").send().await.unwrap();
    let granted: Value = granted.json().await.unwrap();
    granted["access_token"].as_str().unwrap_or_else(|| panic!("{granted}")).to_owned()
}
