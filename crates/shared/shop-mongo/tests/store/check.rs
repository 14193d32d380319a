//! What `shopmesh check-database` finds out before a roll-out.

use std::path::PathBuf;
use std::process::Command;

use shop_config::{MongoConfig, Secret};
use shop_mongo::{Document, Verdict, check, doc, options::ClientOptions};

use crate::database::{Store, uri, with_store};

const SERVICES: [&str; 2] = ["order", "test"];

async fn verdict(uri: &str, prefix: &str, owner: Option<&str>) -> Verdict {
    let settings = MongoConfig {
        uri: Secret::new(uri),
        database_prefix: prefix.to_owned(),
        owner: owner.map(str::to_owned),
        max_pool_size: 2,
    };
    check(&settings, &SERVICES).await
}

async fn code(uri: &str, prefix: &str, owner: Option<&str>) -> &'static str {
    verdict(uri, prefix, owner).await.code
}

/// The prefix of a test's databases.
fn prefix(store: &Store) -> String {
    store.mongo.database().name().strip_suffix("_test").unwrap().to_owned()
}

/// Removes what `with_store` does not know of.
async fn drop_order(store: &Store) {
    let order = store.mongo.database().client().database(&format!("{}_order", prefix(store)));
    order.drop().await.unwrap();
}

#[tokio::test]
async fn a_database_belongs_to_its_first_shop_also_when_that_is_made_again() {
    with_store(|store| async move {
        let prefix = prefix(&store);
        let first = verdict(&uri(), &prefix, Some("west/shop")).await;
        assert!(first.is_ok(), "{first:?}");
        let owner = store.get("shopmesh_owner", "owner").await.unwrap();
        assert_eq!(owner, doc! { "_id": "owner", "owner": "west/shop" });

        let other = verdict(&uri(), &prefix, Some("east/shop")).await;
        assert_eq!(other.code, "database_in_use");
        assert!(other.text.contains("west/shop") && other.text.contains(&prefix), "{}", other.text);
        assert_eq!(store.get("shopmesh_owner", "owner").await.unwrap(), owner, "left alone");

        assert_eq!(code(&uri(), &prefix, Some("west/shop")).await, "ok", "the same Shop again adopts its data");
        assert_eq!(code(&uri(), &prefix, None).await, "ok", "without an owner nothing is claimed");
        drop_order(&store).await;
    })
    .await;
}

#[tokio::test]
async fn without_an_owner_nothing_is_written() {
    with_store(|store| async move {
        assert_eq!(code(&uri(), &prefix(&store), None).await, "ok");
        assert_eq!(store.mongo.database().list_collection_names().await.unwrap(), Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn of_many_shops_at_once_one_gets_the_database() {
    with_store(|store| async move {
        let (uri, prefix) = (uri(), prefix(&store));
        let owners: Vec<String> = (0..6).map(|n| format!("ns/shop-{n}")).collect();
        let asked = owners.iter().map(|owner| code(&uri, &prefix, Some(owner)));
        let mut codes = futures::future::join_all(asked).await;
        codes.sort_unstable();
        assert_eq!(codes[..5], ["database_in_use"; 5]);
        // Two databases are claimed one after the other, always in the same order: who has the first has both.
        assert_eq!(codes[5], "ok");
        drop_order(&store).await;
    })
    .await;
}

#[tokio::test]
async fn an_owner_that_cannot_be_read_is_somebody_elses() {
    with_store(|store| async move {
        store.insert("shopmesh_owner", doc! { "_id": "owner", "owner": 7 }).await;
        assert_eq!(code(&uri(), &prefix(&store), Some("west/shop")).await, "database_in_use");
        drop_order(&store).await;
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_used_is_named_without_the_connection_string() {
    for (uri, expected) in [
        ("", "invalid_uri"),
        ("postgres://user:hunter2@localhost/", "invalid_uri"),
        ("mongodb://", "invalid_uri"),
        ("mongodb://user:hunter2@localhost:port/", "invalid_uri"),
        ("mongodb://user:hunter2@a,b/?directConnection=true", "invalid_uri"),
        ("mongodb+srv://user:hunter2@cluster.invalid/", "connection_failed"),
        ("mongodb://user:hunter2@127.0.0.1:1/?replicaSet=rs0", "connection_failed"),
    ] {
        let found = verdict(uri, "t_none", Some("west/shop")).await;
        assert_eq!(found.code, expected, "{uri}: {}", found.text);
        assert!(!found.text.contains("hunter2") && !found.text.contains("user:"), "{}", found.text);
    }
}

/// A mongod that wants a login, for one test; ends with it.
struct WithLogin {
    name: String,
    uri: String,
}

impl WithLogin {
    fn up() -> Self {
        let name = format!("check-{}", std::process::id());
        let started = servers(&name, &["up", "--auth", "--no-redis"]);
        assert!(started.0, "tests/servers/servers up --auth failed: run `make deps`\n{}", started.1);
        let mut server = Self { name, uri: String::new() };
        let (_, env) = servers(&server.name, &["env"]);
        let uri = env.lines().find_map(|line| line.strip_prefix("SHOPMESH_TEST_MONGODB_URI='")?.strip_suffix('\''));
        uri.unwrap().clone_into(&mut server.uri);
        server
    }
}

impl Drop for WithLogin {
    fn drop(&mut self) {
        servers(&self.name, &["down"]);
    }
}

/// Runs the script; whether it succeeded, and what it said.
fn servers(name: &str, arguments: &[&str]) -> (bool, String) {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../tests/servers/servers");
    let mut command = Command::new(script);
    // Not where those stand that the other tests use.
    command.args(arguments).env("SERVERS_NAME", name).env_remove("SERVERS_DIR").env_remove("SERVERS_MONGODB_PORT");
    let ended = command.output().unwrap();
    let text = [ended.stdout, ended.stderr].concat();
    (ended.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// What the reaper of the sessions needs is no right of its own: the pods of a service share one user.
async fn may_kill_its_own_sessions(uri: &str) {
    let pod = || async { mongodb::Client::with_options(ClientOptions::parse(uri).await.unwrap()).unwrap() };
    let (dead, alive) = (pod().await, pod().await);
    let rows = dead.database("t_check_test").collection::<Document>("rows");
    rows.insert_one(doc! { "_id": "a" }).await.unwrap();
    let mut session = dead.start_session().await.unwrap();
    session.start_transaction().await.unwrap();
    let change = doc! { "$set": { "held": true } };
    rows.update_one(doc! { "_id": "a" }, change).session(&mut session).await.unwrap();
    let kill = doc! { "killSessions": [session.id()] };
    alive.database("t_check_test").run_command(kill).await.unwrap();
    session.commit_transaction().await.expect_err("its transaction was ended");
}

#[tokio::test]
async fn logins_and_rights_are_told_apart() {
    let server = tokio::task::spawn_blocking(WithLogin::up).await.unwrap();
    let (login, host) = server.uri.strip_prefix("mongodb://").unwrap().split_once('@').unwrap();
    let asked = |user: &str| {
        let uri = format!("mongodb://{user}{host}");
        async move { code(&uri, "t_check", Some("west/shop")).await }
    };
    assert_eq!(asked(&format!("{login}@")).await, "ok");
    assert_eq!(asked("test:wrong@").await, "authentication_failed");
    assert_eq!(asked("nobody:secret@").await, "authentication_failed");

    let client = mongodb::Client::with_options(ClientOptions::parse(&server.uri).await.unwrap()).unwrap();
    let role = |role: &str| SERVICES.map(|service| doc! { "role": role, "db": format!("t_check_{service}") }).to_vec();
    let users: [(&str, Vec<Document>, &str); 4] = [
        ("none", Vec::new(), "permission_denied"),
        ("reader", role("read"), "permission_denied"),
        ("writer", role("readWrite"), "permission_denied"),
        ("owner", [role("readWrite"), role("dbAdmin")].concat(), "ok"),
    ];
    for (user, roles, expected) in users {
        let made = doc! { "createUser": user, "pwd": "secret", "roles": roles };
        client.database("admin").run_command(made).await.unwrap();
        assert_eq!(asked(&format!("{user}:secret@")).await, expected, "{user}");
    }
    may_kill_its_own_sessions(&format!("mongodb://owner:secret@{host}")).await;
    let anonymous = format!("mongodb://{}", host.replace("&authSource=admin", ""));
    assert_eq!(code(&anonymous, "t_check", Some("west/shop")).await, "authentication_failed");
    assert_eq!(code(&anonymous, "t_check", None).await, "authentication_failed", "also when nothing is claimed");
    tokio::task::spawn_blocking(move || drop(server)).await.unwrap();
}
