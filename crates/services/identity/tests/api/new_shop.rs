//! A Shop that is made anew on the same database: its Secret counts for the first admin, once.

use shop_config::Config;
use shop_mongo::{bson, doc};
use shop_service::SystemClock;
use shop_testkit::TestShop;
use shop_types::{Clock as _, SessionId};

use crate::first_admin::mount;
use crate::given::{PASSWORD, another_pod, documents, events, eventually, identity_with, login, me, refresh, register};

const EMAIL: &str = "boss@example.org";

/// The service as the first Shop has made it, and its settings.
async fn first_shop() -> (TestShop, Config) {
    let mut config = None;
    let shop = identity_with(|given| {
        mount(given, EMAIL, "the first password");
        given.identity.shop_uid = Some("one".to_owned());
        config = Some(given.clone());
    })
    .await;
    (shop, config.unwrap())
}

/// The settings of another Shop on the same database, with a folder and a Secret of its own.
fn of_shop(config: &Config, uid: &str, email: &str, password: &str) -> Config {
    let mut config = config.clone();
    let folder = config.auth.key_set_file.parent().unwrap().join(format!("{uid}-{email}"));
    std::fs::create_dir(&folder).unwrap();
    let key_set = folder.join(config.auth.key_set_file.file_name().unwrap());
    std::fs::copy(&config.auth.key_set_file, &key_set).unwrap();
    config.auth.key_set_file = key_set;
    config.identity.shop_uid = Some(uid.to_owned());
    mount(&mut config, email, password);
    config
}

async fn first_admins(shop: &TestShop) -> Vec<shop_mongo::Document> {
    documents(&shop.mongo("identity").await, "users", doc! { "first_admin": true }).await
}

#[tokio::test]
async fn a_shop_made_anew_gives_the_first_admin_its_secret_and_ends_their_sessions() {
    let (shop, config) = first_shop().await;
    let before = login(&shop, EMAIL, "the first password").await;
    let customer = register(&shop, "ada@example.org").await;
    let users = shop.mongo("identity").await.collection::<shop_mongo::Document>("users");
    let proved = doc! { "$set": { "email_verified": true } };
    users.update_one(doc! { "first_admin": true }, proved).await.unwrap();

    let anew = another_pod(&of_shop(&config, "two", "chief@example.org", "the second password")).await;

    let after = login(&anew, "chief@example.org", "the second password").await;
    assert_eq!(after.status, 200, "{after:?}");
    assert_eq!(
        (&after.body["user"]["role"], &after.body["user"]["id"]),
        (&"admin".into(), &before.body["user"]["id"]),
        "the same account"
    );
    assert_eq!(after.body["user"]["emailVerified"], false, "nobody has proved the new address");
    login(&anew, EMAIL, "the first password").await.must_be(401, "wrong_credentials");
    login(&anew, EMAIL, "the second password").await.must_be(401, "wrong_credentials");
    me(&anew, &before.text("token")).await.must_be(401, "invalid_token");
    refresh(&anew, &before.text("refreshToken")).await.must_be(401, "invalid_refresh_token");
    let told = events(&shop.mongo("identity").await, "session.revoked").await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(me(&anew, &customer.text("token")).await.status, 200, "nobody else is disturbed");
    assert_eq!(me(&anew, &after.text("token")).await.status, 200);
}

#[tokio::test]
async fn the_same_shop_never_looks_at_its_secret_again() {
    let (_shop, config) = first_shop().await;
    let mut anew = of_shop(&config, "two", EMAIL, "the second password");
    another_pod(&anew).await;
    for (email, password) in [(EMAIL, "an edited password"), ("other@example.org", "an edited password"), ("", "")] {
        mount(&mut anew, email, password);
        let restarted = another_pod(&anew).await;
        let kept = login(&restarted, EMAIL, "the second password").await;
        assert_eq!(kept.status, 200, "{kept:?}");
        login(&restarted, EMAIL, "an edited password").await.must_be(401, "wrong_credentials");
    }
}

#[tokio::test]
async fn a_late_pod_of_the_earlier_shop_takes_nothing_back() {
    let (_shop, config) = first_shop().await;
    let anew = another_pod(&of_shop(&config, "two", EMAIL, "the second password")).await;
    let session = login(&anew, EMAIL, "the second password").await;

    let late = another_pod(&config).await;

    assert_eq!(login(&late, EMAIL, "the second password").await.status, 200);
    login(&late, EMAIL, "the first password").await.must_be(401, "wrong_credentials");
    assert_eq!(me(&late, &session.text("token")).await.status, 200);
}

#[tokio::test]
async fn pods_of_a_new_shop_that_start_at_once_renew_the_first_admin_once() {
    let (shop, config) = first_shop().await;
    login(&shop, EMAIL, "the first password").await;
    let anew = of_shop(&config, "two", EMAIL, "the second password");

    let (one, two) = tokio::join!(another_pod(&anew), another_pod(&anew));

    let admins = first_admins(&shop).await;
    assert_eq!(admins.len(), 1);
    assert_eq!(admins[0].get_i64("version").unwrap(), 2, "one change: {admins:?}");
    assert_eq!(events(&shop.mongo("identity").await, "session.revoked").await.len(), 1);
    for pod in [one, two] {
        assert_eq!(login(&pod, EMAIL, "the second password").await.status, 200);
    }
}

#[tokio::test]
async fn an_address_that_somebody_took_meanwhile_stays_theirs_and_the_next_secret_counts() {
    let (shop, config) = first_shop().await;
    register(&shop, "chief@example.org").await;

    let refused = another_pod(&of_shop(&config, "two", "chief@example.org", "the second password")).await;
    assert_eq!(login(&refused, "chief@example.org", PASSWORD).await.body["user"]["role"], "customer");
    login(&refused, "chief@example.org", "the second password").await.must_be(401, "wrong_credentials");
    let kept = login(&refused, EMAIL, "the first password").await;
    assert_eq!(kept.body["user"]["role"], "admin", "all or nothing: {kept:?}");

    let renewed = another_pod(&of_shop(&config, "two", "head@example.org", "the second password")).await;
    assert_eq!(login(&renewed, "head@example.org", "the second password").await.body["user"]["role"], "admin");
    me(&renewed, &kept.text("token")).await.must_be(401, "invalid_token");
}

#[tokio::test]
async fn an_admin_of_before_there_were_shops_is_taken_over() {
    let mut config = None;
    let _shop = identity_with(|given| {
        mount(given, EMAIL, "the first password");
        config = Some(given.clone());
    })
    .await;
    let anew = another_pod(&of_shop(&config.unwrap(), "one", EMAIL, "the second password")).await;
    assert_eq!(login(&anew, EMAIL, "the second password").await.status, 200);
}

#[tokio::test]
async fn outside_of_kubernetes_nothing_changes_on_a_database_of_a_shop() {
    let (_shop, mut config) = first_shop().await;
    config.identity.shop_uid = None;
    mount(&mut config, EMAIL, "the second password");
    let outside = another_pod(&config).await;
    assert_eq!(login(&outside, EMAIL, "the first password").await.status, 200);
}

#[tokio::test]
async fn more_sessions_than_one_transaction_ends_all_end() {
    let (shop, config) = first_shop().await;
    login(&shop, EMAIL, "the first password").await;
    let mongo = shop.mongo("identity").await;
    let mut template = documents(&mongo, "sessions", doc! {}).await.remove(0);
    let copies = (0..1100).map(|_| {
        template.insert("_id", SessionId::from_uuid(SystemClock.new_id()).to_string());
        template.clone()
    });
    mongo.collection("sessions").insert_many(copies.collect::<Vec<_>>()).await.unwrap();

    let anew = another_pod(&of_shop(&config, "two", EMAIL, "the second password")).await;

    eventually("no session is left", async || {
        documents(&mongo, "sessions", doc! { "revoked_until": bson::Bson::Null }).await.is_empty()
    })
    .await;
    assert_eq!(events(&mongo, "session.revoked").await.len(), 1101);
    assert_eq!(login(&anew, EMAIL, "the second password").await.status, 200);
}

#[tokio::test]
async fn somebody_who_is_no_admin_any_more_is_left_alone() {
    let (shop, config) = first_shop().await;
    let mongo = shop.mongo("identity").await;
    let demote = doc! { "$set": { "role": "customer" } };
    mongo.collection::<shop_mongo::Document>("users").update_one(doc! {}, demote).await.unwrap();

    let anew = another_pod(&of_shop(&config, "two", EMAIL, "the second password")).await;

    login(&anew, EMAIL, "the second password").await.must_be(401, "wrong_credentials");
    assert_eq!(login(&anew, EMAIL, "the first password").await.body["user"]["role"], "customer");
}
