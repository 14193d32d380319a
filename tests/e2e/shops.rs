//! Shops as a whole: beside each other, refused, stalled, deleted, and begun by an operator that was killed.

use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret, Service, ServiceAccount};
use reqwest::StatusCode;
use serde_json::json;
use tests::wait::until;

use crate::cluster::{Site, mongodb_uri, shared, spec, system};
use crate::visitor::{Visitor, fresh};

#[tokio::test(flavor = "multi_thread")]
async fn a_second_shop_survives_the_operator_shares_nothing_and_goes_without_a_trace() {
    let first = shared().await;
    let second = Site::new(&fresh("second")).await;
    second.put_mongodb(&mongodb_uri()).await;
    second.apply(&spec()).await;
    until("some objects were made", || second.names::<Service>(), |names| names.len() >= 3).await;
    let operator = system().await;
    let pods = operator.names::<Pod>().await;
    for pod in pods.iter().filter(|pod| pod.starts_with("shopmesh-operator")) {
        operator.kill(pod).await;
    }
    second.ready().await;

    let (admin_of_first, admin_of_second) = (Visitor::admin(&first).await, Visitor::admin(&second).await);
    let sku = fresh("beans");
    let beans = admin_of_second.sell(&sku, 2250, 5).await;
    let eve = Visitor::customer(&second, "eve").await;
    let account =
        json!({ "email": format!("{}@example.com", fresh("eve")), "password": "correct horse battery staple" });
    let visitor_of_first = Visitor::new(&first).await;
    assert_eq!(visitor_of_first.get(&format!("/api/v1/products/{beans}")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(visitor_of_first.post("/api/v1/auth/login", &account).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(eve.at(&first).await.get("/api/v1/me").await.status, StatusCode::UNAUTHORIZED, "a key of its own");
    let stock = format!("/api/v1/stock/{sku}");
    assert_eq!(admin_of_second.at(&first).await.get(&stock).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(admin_of_first.get(&stock).await.status, StatusCode::NOT_FOUND);
    let password_of_second = second.admin().await.1;
    assert_ne!(first.admin().await.1, password_of_second);
    let prefix = |shop: operator::crd::Shop| shop.status.and_then(|status| status.database_prefix).unwrap();
    assert_ne!(prefix(first.shop().await), prefix(second.shop().await));

    second.delete().await;
    let look = || async {
        let mut left = second.names::<Pod>().await;
        left.extend(second.names::<Deployment>().await);
        left.extend(second.names::<ReplicaSet>().await);
        left.extend(second.names::<Job>().await);
        left.extend(second.names::<Service>().await);
        left.extend(second.names::<ConfigMap>().await);
        left.extend(second.names::<ServiceAccount>().await);
        left.extend(second.names::<Secret>().await);
        left
    };
    until("nothing is left but the user's Secret", look, |left| *left == ["mongodb"]).await;
    assert_eq!(visitor_of_first.get("/api/v1/products").await.status, StatusCode::OK, "the other shop goes on");

    second.apply(&spec()).await;
    second.ready().await;
    let adopted = Visitor::new(&second).await.get(&format!("/api/v1/products/{beans}")).await;
    assert_eq!(adopted.status, StatusCode::OK, "a Shop of the same name adopts the data: {adopted:?}");
    let old = admin_of_second.at(&second).await.get(&stock).await;
    assert_eq!(old.status, StatusCode::UNAUTHORIZED, "a key of its own: {old:?}");
    let anew = Visitor::admin(&second).await;
    assert_eq!(anew.get(&stock).await.status, StatusCode::OK, "its Secret opens the account of the first admin");
    assert_ne!(second.admin().await.1, password_of_second);
    second.delete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_edit_is_refused_or_stalls_and_the_shop_goes_on() {
    let site = shared().await;
    let anybody = Visitor::new(&site).await;
    let before = site.pods().await;

    let mut bad = spec();
    bad["defaults"] = json!({ "replicas": 0 });
    let refusal = site.try_apply(&bad).await.unwrap_err().to_string();
    assert!(refusal.contains("spec.defaults.replicas"), "{refusal}");

    let (scheme, rest) = mongodb_uri().split_once("://").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    let (user, host) = rest.split_once('@').expect("the MongoDB of this tier wants a password");
    let user = user.split(':').next().unwrap();
    site.put_mongodb(&format!("{scheme}://{user}:wrong@{host}")).await;
    let stalled = site.condition("Stalled", "True", "AuthenticationFailed").await;
    assert!(!stalled.message.contains("wrong"), "a condition never shows a password: {}", stalled.message);
    assert_eq!(site.pods().await, before);
    assert_eq!(anybody.get("/api/v1/products").await.status, StatusCode::OK);

    site.put_mongodb(&mongodb_uri()).await;
    site.ready().await;
    assert_eq!(site.pods().await, before, "the URI that works is the one that runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_that_names_the_databases_of_another_is_stalled() {
    let first = shared().await;
    let third = Site::new(&fresh("third")).await;
    third.put_mongodb(&mongodb_uri()).await;
    let mut theirs = spec();
    theirs["mongodb"]["databasePrefix"] = json!(first.shop().await.status.unwrap().database_prefix.unwrap());
    third.apply(&theirs).await;

    let stalled = third.condition("Stalled", "True", "DatabaseInUse").await;

    assert!(stalled.message.contains("shop/demo"), "it says whose they are: {}", stalled.message);
    third.delete().await;
}
