//! The first admin: once, from the mounted Secret.

use std::path::PathBuf;

use shop_config::Config;
use shop_mongo::doc;
use shop_testkit::TestShop;

use crate::given::{PASSWORD, another_pod, documents, events, identity, identity_with, login, register};

const EMAIL: &str = "boss@example.org";

/// Mounts a Secret with these two texts.
pub(crate) fn mount(config: &mut Config, email: &str, password: &str) {
    let folder = config.auth.key_set_file.parent().unwrap().to_owned();
    let file = |name: &str, text: &str| -> Option<PathBuf> {
        std::fs::write(folder.join(name), text).unwrap();
        Some(folder.join(name))
    };
    config.identity.admin_email_file = file("email", email);
    config.identity.admin_password_file = file("password", password);
}

async fn admins(shop: &TestShop) -> usize {
    documents(&shop.mongo("identity").await, "users", doc! { "role": "admin" }).await.len()
}

#[tokio::test]
async fn the_first_admin_logs_in_with_what_was_mounted() {
    let shop = identity_with(|config| mount(config, "Boss@example.org\n", "a mounted password\n")).await;
    let answer = login(&shop, EMAIL, "a mounted password").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body["user"]["role"], "admin");
    assert_eq!(events(&shop.mongo("identity").await, "user.created").await.len(), 1);
}

#[tokio::test]
async fn a_replaced_secret_changes_nothing() {
    let mut config = None;
    let shop = identity_with(|given| {
        mount(given, EMAIL, "a mounted password");
        config = Some(given.clone());
    })
    .await;
    let mut config = config.unwrap();
    for (email, password) in [(EMAIL, "a replaced password"), ("other@example.org", "a replaced password"), ("", "")] {
        mount(&mut config, email, password);
        let restarted = another_pod(&config).await;
        assert_eq!(login(&restarted, EMAIL, "a mounted password").await.status, 200);
        login(&restarted, EMAIL, "a replaced password").await.must_be(401, "wrong_credentials");
        login(&restarted, "other@example.org", "a replaced password").await.must_be(401, "wrong_credentials");
    }
    assert_eq!(admins(&shop).await, 1);
}

#[tokio::test]
async fn pods_that_start_at_once_create_one_admin() {
    // Two Secrets, as while one is replaced: still one admin.
    let mut config = None;
    let seed = identity_with(|given| config = Some(given.clone())).await;
    let (mut one, mut two) = (config.clone().unwrap(), config.unwrap());
    mount(&mut one, EMAIL, "a mounted password");
    let folder = one.auth.key_set_file.parent().unwrap().join("other");
    std::fs::create_dir(&folder).unwrap();
    std::fs::copy(&one.auth.key_set_file, folder.join("jwks.json")).unwrap();
    two.auth.key_set_file = folder.join("jwks.json");
    mount(&mut two, "other@example.org", "another mounted password");
    let (_one, _two) = tokio::join!(another_pod(&one), another_pod(&two));
    assert_eq!(admins(&seed).await, 1);
    assert_eq!(events(&seed.mongo("identity").await, "user.created").await.len(), 1);
}

#[tokio::test]
async fn an_account_that_somebody_opened_is_never_made_an_admin() {
    let mut config = None;
    let shop = identity_with(|given| config = Some(given.clone())).await;
    register(&shop, EMAIL).await;
    let mut config = config.unwrap();
    mount(&mut config, EMAIL, "a mounted password");
    let restarted = another_pod(&config).await;
    let answer = login(&restarted, EMAIL, PASSWORD).await;
    assert_eq!(answer.body["user"]["role"], "customer", "{answer:?}");
    login(&restarted, EMAIL, "a mounted password").await.must_be(401, "wrong_credentials");
    assert_eq!(admins(&shop).await, 0);
}

#[tokio::test]
async fn without_a_secret_there_is_no_admin_and_the_shop_runs() {
    let shop = identity().await;
    register(&shop, "ada@example.org").await;
    assert_eq!(admins(&shop).await, 0);
}

#[tokio::test]
async fn half_a_secret_keeps_the_service_from_starting() {
    let shop = identity().await;
    let mut config = shop.config().clone();
    mount(&mut config, EMAIL, "a mounted password");
    config.identity.admin_password_file = None;
    let error = identity::service(&config).await.err().unwrap();
    assert!(format!("{error:#}").contains("first admin"), "{error:#}");
}
