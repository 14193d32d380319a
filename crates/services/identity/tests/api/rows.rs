//! What the database itself refuses, and what is forgotten.

use shop_mongo::{Document, bson, doc};

use crate::given::{documents, identity, logout, register};

#[tokio::test]
async fn the_database_itself_refuses_what_breaks_a_rule() {
    let shop = identity().await;
    let first = register(&shop, "ada@example.org").await;
    register(&shop, "eve@example.org").await;
    let mongo = shop.mongo("identity").await;
    let (users, sessions) = (mongo.collection::<Document>("users"), mongo.collection::<Document>("sessions"));
    let ada = doc! { "_id": first.body["user"]["id"].as_str().unwrap() };
    for change in [
        doc! { "role": "service" },
        doc! { "role": "root" },
        doc! { "password": "plain text" },
        doc! { "email": "eve@example.org" },
        doc! { "version": 0_i64 },
        doc! { "number": -1_i64 },
    ] {
        assert!(users.update_one(ada.clone(), doc! { "$set": change.clone() }).await.is_err(), "{change}");
    }
    for change in [doc! { "counter": -1_i64 }, doc! { "current": "text" }, doc! { "forget_at": "never" }] {
        assert!(sessions.update_one(doc! {}, doc! { "$set": change.clone() }).await.is_err(), "{change}");
    }
    assert!(users.update_one(ada, doc! { "$unset": { "email": "" } }).await.is_err());
}

#[tokio::test]
async fn a_session_is_forgotten_only_when_nothing_about_it_matters() {
    let shop = identity().await;
    let token = register(&shop, "ada@example.org").await.text("token");
    let mongo = shop.mongo("identity").await;
    let date = |session: &Document, name: &str| *session.get_datetime(name).unwrap();
    let open = documents(&mongo, "sessions", doc! {}).await.remove(0);
    assert_eq!(date(&open, "forget_at"), date(&open, "ends_at"));
    // As if it were about to end when it is revoked.
    let soon = bson::DateTime::from_millis(date(&open, "refreshed_at").timestamp_millis() + 1000);
    let set = doc! { "$set": { "forget_at": soon } };
    mongo.collection::<Document>("sessions").update_one(doc! {}, set).await.unwrap();
    assert_eq!(logout(&shop, &token).await.status, 204);
    let revoked = documents(&mongo, "sessions", doc! {}).await.remove(0);
    assert_eq!(date(&revoked, "forget_at"), date(&revoked, "revoked_until"));
}
