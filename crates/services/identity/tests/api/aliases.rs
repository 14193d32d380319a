//! Older names of the routes: their shapes, who may call them, and that they come to the same.

use reqwest::Method;
use serde_json::{Value, json};
use shop_config::Aliases;
use shop_proto::identity::FindUserRequest;
use shop_proto::identity::find_user_request::User;
use shop_proto::identity::identity_client::IdentityClient;
use shop_testkit::TestShop;

use crate::given::{
    Answer, PASSWORD, call, change, identity, identity_with, identity_with_admin, login, me, post, request,
};

const NOBODY: &str = "00000000-0000-0000-0000-000000000001";

fn ada(email: &str) -> Value {
    json!({ "email": email, "password": PASSWORD, "name": "Ada", "role": "admin", "is_verified": true })
}

async fn put(shop: &TestShop, path: &str, token: &str, body: &Value) -> Answer {
    Answer::of(request(shop, Method::PUT, path).bearer_auth(token).json(body).send().await.unwrap()).await
}

#[tokio::test]
async fn an_account_is_opened_under_four_names_and_is_a_customers() {
    let shop = identity().await;
    for (n, path) in ["/user", "/users/register", "/auth/register", "/api/auth/register"].into_iter().enumerate() {
        let opened = post(&shop, path, &ada(&format!("Ada{n}@Example.org"))).await;
        assert_eq!(opened.status, 201, "{path}: {opened:?}");
        let user = &opened.body["user"];
        assert_eq!((&user["email"], &user["role"]), (&json!(format!("ada{n}@example.org")), &json!("customer")));
        assert_eq!((&user["id"], user["number"].is_i64()), (&user["_id"], true));
        assert_eq!(me(&shop, &opened.text("token")).await.status, 200);
        post(&shop, path, &ada(&format!("ada{n}@example.org"))).await.must_be(409, "email_taken");
    }
    post(&shop, "/auth/register", &json!({ "email": "b@example.org", "password": "short", "name": "B" }))
        .await
        .must_be(422, "invalid_field");
}

#[tokio::test]
async fn a_session_is_opened_used_and_ended() {
    let shop = identity().await;
    let names = [
        ["/auth/register", "/auth/login", "/auth/profile", "/auth/logout"],
        ["/api/auth/register", "/api/auth/login", "/api/auth/profile", "/api/auth/logout"],
    ];
    for (n, [register, login, profile_path, logout]) in names.into_iter().enumerate() {
        let email = format!("ada{n}@example.org");
        post(&shop, register, &ada(&email)).await;
        let opened = post(&shop, login, &json!({ "email": email, "password": PASSWORD })).await;
        assert_eq!((opened.status, &opened.body["message"]), (200, &json!("Login successful")), "{opened:?}");
        let token = opened.text("token");
        let profile = call(&shop, Method::GET, profile_path, &token).await;
        assert_eq!(profile.body, json!({ "user": opened.body["user"], "cached": false }));
        let renamed = put(&shop, profile_path, &token, &json!({ "name": "Ada King", "email": "x@y.z" })).await;
        assert_eq!((renamed.status, &renamed.body["user"]["name"]), (200, &json!("Ada King")), "{renamed:?}");
        assert_eq!(renamed.body["user"]["email"], json!(email));
        let ended = call(&shop, Method::POST, logout, &token).await;
        assert_eq!((ended.status, &ended.body), (200, &json!({ "message": "Logged out successfully" })));
        call(&shop, Method::GET, profile_path, &token).await.must_be(401, "invalid_token");
        let wrong = json!({ "email": email, "password": "wrong password" });
        post(&shop, login, &wrong).await.must_be(401, "wrong_credentials");
    }
}

#[tokio::test]
async fn one_sees_and_changes_oneself_and_staff_see_everybody() {
    let (shop, boss) = identity_with_admin().await;
    let (ada, bob) =
        (post(&shop, "/user", &ada("ada@example.org")).await, post(&shop, "/user", &ada("bob@example.org")).await);
    let (token, user) = (ada.text("token"), &ada.body["user"]);
    let (id, number) = (user["id"].as_str().unwrap(), &user["number"]);
    let callers = shop.callers();
    for path in [format!("/user/{id}"), format!("/users/{id}"), format!("/user/{number}"), format!("/users/{number}")] {
        let mut who = vec![token.clone(), boss.text("token")];
        if path.ends_with(id) {
            who.extend([callers.staff().token, callers.service().token]);
        }
        for who in who {
            let shown = call(&shop, Method::GET, &path, &who).await;
            assert_eq!((shown.status, &shown.body), (200, user), "{path}");
        }
        call(&shop, Method::GET, &path, &bob.text("token")).await.must_be(404, "not_found");
        assert_eq!(Answer::of(request(&shop, Method::GET, &path).send().await.unwrap()).await.status, 401);
    }
    for unknown in [format!("/users/{NOBODY}"), "/users/999999".to_owned(), "/users/abc".to_owned()] {
        call(&shop, Method::GET, &unknown, &boss.text("token")).await.must_be(404, "not_found");
    }
    let renamed = put(&shop, &format!("/user/{number}"), &token, &json!({ "name": "Ada King" })).await;
    assert_eq!((renamed.status, &renamed.body["name"]), (200, &json!("Ada King")), "{renamed:?}");
    for other in [bob.text("token"), callers.staff().token] {
        put(&shop, &format!("/user/{id}"), &other, &json!({ "name": "Eve" })).await.must_be(404, "not_found");
    }
    // A token of the role alone does not do: the account must have it, too.
    put(&shop, &format!("/user/{id}"), &callers.admin().token, &json!({ "name": "Eve" }))
        .await
        .must_be(403, "forbidden");
    assert_eq!(call(&shop, Method::GET, &format!("/user/{id}"), &token).await.body["name"], "Ada King");
    let named = put(&shop, &format!("/user/{number}"), &boss.text("token"), &json!({ "name": "A. King" })).await;
    assert_eq!((named.status, &named.body["name"]), (200, &json!("A. King")), "{named:?}");
    let log = call(&shop, Method::GET, "/api/v1/audit", &boss.text("token")).await;
    assert_eq!(
        (&log.body["items"][0]["action"], &log.body["items"][0]["userId"]),
        (&json!("details_changed"), &json!(id))
    );
    let own = put(
        &shop,
        &format!("/user/{}", boss.body["user"]["id"].as_str().unwrap()),
        &boss.text("token"),
        &json!({ "name": "Boss" }),
    )
    .await;
    assert_eq!((own.status, &own.body["name"]), (200, &json!("Boss")), "{own:?}");
    let list = call(&shop, Method::GET, "/users?limit=2", &boss.text("token")).await;
    assert_eq!((list.status, &list.body["pagination"]["total"]), (200, &json!(3)), "{list:?}");
    assert_eq!(list.body["users"].as_array().map(Vec::len), Some(2));
    for other in [token, callers.staff().token, callers.service().token] {
        call(&shop, Method::GET, "/users", &other).await.must_be(403, "forbidden");
    }
}

#[tokio::test]
async fn admins_alone_find_others_by_number_so_that_nobody_else_counts_through_all_accounts() {
    let (shop, boss) = identity_with_admin().await;
    let ada = post(&shop, "/user", &ada("ada@example.org")).await;
    let user = &ada.body["user"];
    let callers = shop.callers();
    let mut said = Vec::new();
    for number in [user["number"].to_string(), "999999".to_owned()] {
        for path in [format!("/user/{number}"), format!("/users/{number}")] {
            for who in [callers.staff().token, callers.service().token] {
                let refused = call(&shop, Method::GET, &path, &who).await;
                refused.must_be(404, "not_found");
                said.push((refused.body["error"].clone(), refused.body["details"].clone()));
            }
        }
    }
    assert!(said.windows(2).all(|pair| pair[0] == pair[1]), "other people's are told from unknown ones: {said:?}");
    let path = format!("/user/{}", user["number"]);
    for who in [boss.text("token"), ada.text("token")] {
        assert_eq!(&call(&shop, Method::GET, &path, &who).await.body, user);
    }
    // Staff has an account, too, and its number is its own.
    let role = format!("/api/v1/users/{}/roles", user["id"].as_str().unwrap());
    let given = change(&shop, Method::PUT, (&role, 1), &boss.text("token"), &json!({ "role": "staff" })).await;
    assert_eq!(given.status, 200, "{given:?}");
    let staff = login(&shop, "ada@example.org", PASSWORD).await.text("token");
    assert_eq!(call(&shop, Method::GET, &path, &staff).await.body["id"], user["id"]);
}

#[tokio::test]
async fn an_account_is_deleted_by_its_owners_password_or_by_an_admin_and_by_nobody_else() {
    let (shop, boss) = identity_with_admin().await;
    let (ada, bob) =
        (post(&shop, "/user", &ada("ada@example.org")).await, post(&shop, "/user", &ada("bob@example.org")).await);
    let path = |opened: &Answer, name: &str| {
        let named = &opened.body["user"][name];
        format!("/user/{}", named.as_str().map_or_else(|| named.to_string(), str::to_owned))
    };
    let (adas, bobs) = (path(&ada, "number"), path(&bob, "id"));
    let delete = async |token: &str, path: &str, body: &Value| {
        Answer::of(request(&shop, Method::DELETE, path).bearer_auth(token).json(body).send().await.unwrap()).await
    };
    let (proof, callers) = (json!({ "password": PASSWORD }), shop.callers());
    let mut said = Vec::new();
    for path in [&adas, &path(&ada, "id"), &format!("/user/{NOBODY}"), "/user/999999", "/user/x"] {
        for other in [bob.text("token"), callers.staff().token] {
            let refused = delete(&other, path, &proof).await;
            refused.must_be(404, "not_found");
            said.push((refused.body["error"].clone(), refused.body["details"].clone()));
        }
    }
    assert!(said.windows(2).all(|pair| pair[0] == pair[1]), "other people's are told from unknown ones: {said:?}");
    delete(&callers.service().token, &adas, &proof).await.must_be(403, "forbidden");
    delete(&callers.expired().token, &adas, &proof).await.must_be(401, "token_expired");
    delete(&callers.admin().token, &adas, &proof).await.must_be(403, "forbidden");
    Answer::of(request(&shop, Method::DELETE, &adas).json(&proof).send().await.unwrap())
        .await
        .must_be(401, "unauthenticated");
    let token = ada.text("token");
    for (body, status, code) in [
        (json!({ "password": "another password" }), 403, "wrong_password"),
        (json!({ "user_id": 1 }), 422, "invalid_field"),
        (json!({ "password": 1 }), 400, "malformed_body"),
    ] {
        delete(&token, &adas, &body).await.must_be(status, code);
    }
    call(&shop, Method::DELETE, &adas, &token).await.must_be(422, "invalid_field");
    assert_eq!(me(&shop, &token).await.status, 200, "nothing was deleted");

    let deleted = delete(&token, &adas, &json!({ "password": PASSWORD, "reason": "passed over" })).await;
    assert_eq!((deleted.status, &deleted.body), (200, &json!({ "message": "User deleted successfully" })));
    me(&shop, &token).await.must_be(401, "invalid_token");
    let admin = boss.text("token");
    delete(&admin, &bobs, &json!(-1)).await.must_be(400, "malformed_body");
    assert_eq!(call(&shop, Method::DELETE, &bobs, &admin).await.status, 200, "an admin needs no body");
    for path in [&adas, &bobs] {
        call(&shop, Method::DELETE, path, &admin).await.must_be(404, "not_found");
    }
    call(&shop, Method::DELETE, &path(&boss, "id"), &admin).await.must_be(409, "own_account");
    let log = call(&shop, Method::GET, "/api/v1/audit?action=deleted", &admin).await;
    assert_eq!((&log.body["page"]["total"], &log.body["items"][0]["action"]), (&json!(1), &json!("deleted")));
    assert_eq!(log.body["items"][0]["userId"], bob.body["user"]["id"]);
}

#[tokio::test]
async fn open_aliases_list_and_show_accounts_to_everybody_and_change_none() {
    let shop = identity_with(|config| config.aliases = Aliases::Open).await;
    let opened = post(&shop, "/user", &ada("ada@example.org")).await;
    let number = &opened.body["user"]["number"];
    let ask = async |method, path: &str| Answer::of(request(&shop, method, path).send().await.unwrap()).await;
    let list = ask(Method::GET, "/users").await;
    assert_eq!((list.status, &list.body["users"]), (200, &json!([opened.body["user"]])), "{list:?}");
    assert_eq!(ask(Method::GET, &format!("/users/{number}")).await.body, opened.body["user"]);
    ask(Method::PUT, &format!("/user/{number}")).await.must_be(401, "unauthenticated");
    ask(Method::DELETE, &format!("/user/{number}")).await.must_be(401, "unauthenticated");
    ask(Method::GET, "/auth/profile").await.must_be(401, "unauthenticated");
    ask(Method::GET, "/api/v1/users").await.must_be(401, "unauthenticated");
    let off = identity_with(|config| config.aliases = Aliases::Off).await;
    post(&off, "/user", &ada("ada@example.org")).await.must_be(404, "not_found");
}

#[tokio::test]
async fn peers_find_accounts_by_id_and_number() {
    let shop = identity().await;
    let opened = post(&shop, "/user", &ada("ada@example.org")).await;
    let (id, number) = (opened.body["user"]["id"].as_str().unwrap(), opened.body["user"]["number"].as_i64().unwrap());
    let channel = tonic::transport::Endpoint::from_shared(shop.grpc_url()).unwrap().connect().await.unwrap();
    let find = |user| {
        let mut client = IdentityClient::new(channel.clone());
        async move { client.find_user(FindUserRequest { user }).await.map(tonic::Response::into_inner) }
    };
    for user in [User::Id(id.to_owned()), User::Number(number)] {
        let found = find(Some(user)).await.unwrap();
        assert_eq!((found.user_id.as_str(), found.number), (id, number));
    }
    for user in [Some(User::Id(NOBODY.to_owned())), Some(User::Id("x".to_owned())), Some(User::Number(-1)), None] {
        assert_eq!(find(user).await.unwrap_err().code(), tonic::Code::NotFound);
    }
}
