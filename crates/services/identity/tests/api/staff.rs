//! What staff sees and admins change of other people's accounts, and the log of it.

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use shop_mongo::{Document, doc};
use shop_testkit::TestShop;

use crate::given::{
    Answer, PASSWORD, call, change, documents, identity, identity_with_admin, login, me, post, refresh, register,
    request,
};

const USERS: &str = "/api/v1/users";
const AUDIT: &str = "/api/v1/audit";

fn id(opened: &Answer) -> String {
    opened.body["user"]["id"].as_str().unwrap().to_owned()
}

async fn set_role(shop: &TestShop, admin: &str, id: &str, version: i64, role: &str) -> Answer {
    change(shop, Method::PUT, (&format!("{USERS}/{id}/roles"), version), admin, &json!({ "role": role })).await
}

async fn switch(shop: &TestShop, admin: &str, id: &str, what: &str) -> Answer {
    call(shop, Method::POST, &format!("{USERS}/{id}/{what}"), admin).await
}

/// What was done to accounts; the calls themselves stand in the same log, some moments later.
async fn audit(shop: &TestShop, admin: &str, query: &str) -> Vec<Value> {
    let list = call(shop, Method::GET, &format!("{AUDIT}{query}"), admin).await;
    assert_eq!(list.status, 200, "{list:?}");
    let entries = list.body["items"].as_array().unwrap();
    entries.iter().filter(|entry| entry["action"] != "call").cloned().collect()
}

#[tokio::test]
async fn a_new_role_counts_from_the_next_login_and_the_old_one_ends_at_once() {
    let (shop, boss) = identity_with_admin().await;
    let (admin, ada) = (boss.text("token"), register(&shop, "ada@example.org").await);
    let promoted = set_role(&shop, &admin, &id(&ada), 1, "staff").await;
    assert_eq!((promoted.status, promoted.text("role").as_str()), (200, "staff"), "{promoted:?}");
    assert_eq!((promoted.body["version"].as_i64(), promoted.body["active"].as_bool()), (Some(2), Some(true)));
    me(&shop, &ada.text("token")).await.must_be(401, "invalid_token");
    refresh(&shop, &ada.text("refreshToken")).await.must_be(401, "invalid_refresh_token");
    let staff = login(&shop, "ada@example.org", PASSWORD).await;
    assert_eq!(staff.body["user"]["role"], "staff");
    let read = call(&shop, Method::GET, &format!("{USERS}/{}", id(&boss)), &staff.text("token")).await;
    assert_eq!((read.status, read.text("email").as_str()), (200, "boss@example.org"), "{read:?}");
    // Staff reads, and changes nothing.
    set_role(&shop, &staff.text("token"), &id(&boss), 1, "customer").await.must_be(403, "forbidden");
    set_role(&shop, &admin, &id(&ada), 2, "customer").await;
    me(&shop, &staff.text("token")).await.must_be(401, "invalid_token");
    let log = audit(&shop, &admin, "").await;
    let of = |entry: &Value| ["action", "from", "to"].map(|name| entry[name].as_str().unwrap().to_owned());
    let rows: Vec<_> = log.iter().map(of).collect();
    assert_eq!(rows, [["role_changed", "staff", "customer"], ["role_changed", "customer", "staff"]]);
    assert!(log.iter().all(|entry| entry["actorId"] == id(&boss).as_str() && entry["userId"] == id(&ada).as_str()));
}

#[tokio::test]
async fn a_role_changes_at_the_version_that_was_read_only() {
    let (shop, boss) = identity_with_admin().await;
    let (admin, ada) = (boss.text("token"), register(&shop, "ada@example.org").await);
    let path = format!("{USERS}/{}/roles", id(&ada));
    let without = request(&shop, Method::PUT, &path).bearer_auth(&admin).json(&json!({ "role": "staff" }));
    Answer::of(without.send().await.unwrap()).await.must_be(428, "if_match_required");
    set_role(&shop, &admin, &id(&ada), 7, "staff").await.must_be(412, "version_conflict");
    for (body, code) in [
        (json!({ "role": "service" }), "invalid_field"),
        (json!({ "role": "root" }), "invalid_field"),
        (json!({}), "invalid_field"),
        (json!({ "role": "staff", "version": 1 }), "unknown_field"),
    ] {
        change(&shop, Method::PUT, (&path, 1), &admin, &body).await.must_be(422, code);
    }
    // The role it has already: nothing happens, and nothing is written down.
    assert_eq!(set_role(&shop, &admin, &id(&ada), 1, "customer").await.body["version"], 1);
    assert_eq!(me(&shop, &ada.text("token")).await.status, 200);
    let adas = id(&ada);
    let answers = join_all((0..6).map(|_| set_role(&shop, &admin, &adas, 1, "staff"))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|answer| [200, 412].contains(&answer.status)), "{answers:?}");
    assert_eq!(audit(&shop, &admin, "").await.len(), 1);
    set_role(&shop, &admin, &id(&boss), 1, "staff").await.must_be(409, "own_account");
}

#[tokio::test]
async fn a_closed_account_ends_its_sessions_and_opens_none() {
    let (shop, boss) = identity_with_admin().await;
    let (admin, ada) = (boss.text("token"), register(&shop, "ada@example.org").await);
    for _ in 0..2 {
        let closed = switch(&shop, &admin, &id(&ada), "deactivate").await;
        assert_eq!((closed.status, &closed.body["active"], &closed.body["version"]), (200, &json!(false), &json!(2)));
    }
    me(&shop, &ada.text("token")).await.must_be(401, "invalid_token");
    refresh(&shop, &ada.text("refreshToken")).await.must_be(401, "invalid_refresh_token");
    login(&shop, "ada@example.org", PASSWORD).await.must_be(403, "account_deactivated");
    // Only who knows the password learns of it.
    login(&shop, "ada@example.org", "another password").await.must_be(401, "wrong_credentials");
    let again = json!({ "email": "ada@example.org", "password": PASSWORD, "name": "Ada" });
    post(&shop, "/api/v1/auth/register", &again).await.must_be(409, "email_taken");
    let opened = switch(&shop, &admin, &id(&ada), "activate").await;
    assert_eq!((opened.status, &opened.body["active"]), (200, &json!(true)), "{opened:?}");
    assert_eq!(login(&shop, "ada@example.org", PASSWORD).await.status, 200);
    refresh(&shop, &ada.text("refreshToken")).await.must_be(401, "invalid_refresh_token");
    switch(&shop, &admin, &id(&boss), "deactivate").await.must_be(409, "own_account");
    let actions: Vec<_> = audit(&shop, &admin, "").await.iter().map(|entry| entry["action"].clone()).collect();
    assert_eq!(actions, ["activated", "deactivated"]);
}

#[tokio::test]
async fn of_logins_while_an_account_is_closed_none_lasts() {
    let (shop, boss) = identity_with_admin().await;
    let (admin, ada) = (boss.text("token"), register(&shop, "ada@example.org").await);
    let logins = join_all((0..8).map(|_| login(&shop, "ada@example.org", PASSWORD)));
    let adas = id(&ada);
    let (answers, closed) = tokio::join!(logins, switch(&shop, &admin, &adas, "deactivate"));
    assert_eq!(closed.status, 200, "{closed:?}");
    for answer in answers {
        match answer.status {
            200 => {
                me(&shop, &answer.text("token")).await.must_be(401, "invalid_token");
                refresh(&shop, &answer.text("refreshToken")).await.must_be(401, "invalid_refresh_token");
            }
            401 => answer.must_be(401, "wrong_credentials"),
            _ => answer.must_be(403, "account_deactivated"),
        }
    }
    let mongo = shop.mongo("identity").await;
    let open = documents(&mongo, "sessions", doc! { "user": &adas, "revoked_until": null }).await;
    assert!(open.is_empty(), "{open:?}");
}

#[tokio::test]
async fn two_admins_cannot_take_the_role_from_each_other() {
    let (shop, boss) = identity_with_admin().await;
    let ada = register(&shop, "ada@example.org").await;
    assert_eq!(set_role(&shop, &boss.text("token"), &id(&ada), 1, "admin").await.status, 200);
    let ada = login(&shop, "ada@example.org", PASSWORD).await;
    let (tokens, ids) = ([boss.text("token"), ada.text("token")], [id(&boss), id(&ada)]);
    let (one, other) = tokio::join!(
        set_role(&shop, &tokens[0], &ids[1], 2, "staff"),
        set_role(&shop, &tokens[1], &ids[0], 1, "staff"),
    );
    let statuses = [one.status, other.status];
    assert!(statuses.contains(&200) && statuses.iter().any(|status| *status != 200), "{one:?} {other:?}");
    let admins = documents(&shop.mongo("identity").await, "users", doc! { "role": "admin" }).await;
    assert_eq!(admins.len(), 1);
    // A token of the role alone does not do: the account must have it, too.
    let stranger = shop.callers().admin().token;
    let winner = usize::from(one.status != 200);
    let loser = &ids[1 - winner];
    switch(&shop, &stranger, loser, "deactivate").await.must_be(403, "forbidden");
}

#[tokio::test]
async fn accounts_are_listed_in_pages_and_found_by_address_number_name_and_role() {
    let (shop, boss) = identity_with_admin().await;
    let admin = boss.text("token");
    for (email, name) in [
        ("a@example.org", "Ada Byron"),
        ("b@example.org", "ada king"),
        ("c@example.org", "Zoë"),
        ("d@example.org", ".*"),
    ] {
        let body = json!({ "email": email, "password": PASSWORD, "name": name });
        assert_eq!(post(&shop, "/api/v1/auth/register", &body).await.status, 201);
    }
    let found = async |query: &str| {
        let list = call(&shop, Method::GET, &format!("{USERS}{query}"), &admin).await;
        assert_eq!(list.status, 200, "{list:?}");
        let names = list.body["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned());
        (names.collect::<Vec<_>>(), list.body["page"]["total"].as_u64().unwrap())
    };
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(found("?size=2").await, (names(&[".*", "Zoë"]), 5));
    assert_eq!(found("?size=2&page=3").await, (names(&["Admin"]), 5));
    assert_eq!(found("?search=B@Example.org").await, (names(&["ada king"]), 1));
    assert_eq!(found("?search=ADA").await, (names(&["Ada Byron", "ada king"]), 2));
    assert_eq!(found("?search=zo").await, (names(&["Zoë"]), 1));
    assert_eq!(found("?search=.*").await, (names(&[".*"]), 1));
    assert_eq!(found("?search=nobody").await, (Vec::new(), 0));
    assert_eq!(found("?role=admin").await, (names(&["Admin"]), 1));
    assert_eq!(found("?role=customer&search=ad").await.1, 2);
    let number = boss.body["user"]["number"].as_i64().unwrap();
    assert_eq!(found(&format!("?search={number}")).await, (names(&["Admin"]), 1));
    for (query, code) in [
        ("size=101", "invalid_parameter"),
        ("role=service", "invalid_parameter"),
        ("search=", "invalid_parameter"),
        ("sort=name", "unknown_parameter"),
        ("email=a@example.org", "unknown_parameter"),
    ] {
        call(&shop, Method::GET, &format!("{USERS}?{query}"), &admin).await.must_be(422, code);
    }
}

#[tokio::test]
async fn the_log_is_read_by_account_and_by_admin() {
    let (shop, boss) = identity_with_admin().await;
    let admin = boss.text("token");
    let (ada, eve) = (register(&shop, "ada@example.org").await, register(&shop, "eve@example.org").await);
    for opened in [&ada, &eve] {
        assert_eq!(switch(&shop, &admin, &id(opened), "deactivate").await.status, 200);
    }
    assert_eq!(audit(&shop, &admin, "").await.len(), 2);
    assert_eq!(audit(&shop, &admin, "?size=1&action=deactivated").await[0]["userId"], id(&eve).as_str());
    assert!(audit(&shop, &admin, "?action=activated").await.is_empty());
    assert_eq!(audit(&shop, &admin, &format!("?userId={}", id(&ada))).await.len(), 1);
    assert_eq!(audit(&shop, &admin, &format!("?actorId={}", id(&boss))).await.len(), 2);
    assert!(audit(&shop, &admin, &format!("?actorId={}", id(&ada))).await.is_empty());
    for query in ["userId=nobody", "actorId=1", "action=forgotten", "size=1000"] {
        call(&shop, Method::GET, &format!("{AUDIT}?{query}"), &admin).await.must_be(422, "invalid_parameter");
    }
    call(&shop, Method::GET, &format!("{AUDIT}?sort=at"), &admin).await.must_be(422, "unknown_parameter");
}

#[tokio::test]
async fn the_database_itself_refuses_an_entry_that_says_nothing() {
    let shop = identity().await;
    let log = shop.mongo("identity").await.collection::<Document>("audit");
    assert!(log.insert_one(doc! { "_id": "x", "action": "deactivated" }).await.is_err());
}

#[tokio::test]
async fn an_account_that_did_not_change_is_not_sent_again() {
    let (shop, boss) = identity_with_admin().await;
    let path = format!("{USERS}/{}", id(&boss));
    let service = shop.callers().service().token;
    let known = request(&shop, Method::GET, &path).bearer_auth(&service).header("If-None-Match", "\"1\"");
    assert_eq!(known.send().await.unwrap().status(), 304);
    let read = call(&shop, Method::GET, &path, &service).await;
    let fields: Vec<_> = read.body.as_object().unwrap().keys().cloned().collect();
    assert_eq!(
        fields,
        ["id", "number", "email", "emailVerified", "name", "role", "version", "createdAt", "updatedAt", "active"]
    );
}
