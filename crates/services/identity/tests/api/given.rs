//! What the tests of this service start from: the running service, its accounts, its database.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use shop_config::Config;
use shop_mongo::{Document, Mongo, doc};
use shop_testkit::{FakeClock, TestShop};
use tokio::sync::Notify;

use crate::first_admin;

/// A password that the rules allow.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// The running service.
pub(crate) async fn identity() -> TestShop {
    identity_with(|_| {}).await
}

/// The running service with other settings.
pub(crate) async fn identity_with(change: impl FnOnce(&mut Config)) -> TestShop {
    TestShop::start(async |mut config| {
        change(&mut config);
        identity::service(&config).await
    })
    .await
}

/// The running service with a clock that moves by hand.
pub(crate) async fn identity_at(clock: &Arc<FakeClock>) -> TestShop {
    TestShop::start(async |config| identity::service_with_clock(&config, Arc::clone(clock) as _).await).await
}

/// A second pod of the same shop.
pub(crate) async fn another_pod(config: &Config) -> TestShop {
    TestShop::start(async |_| identity::service(config).await).await
}

/// The running service, and the tokens of its first admin.
pub(crate) async fn identity_with_admin() -> (TestShop, Answer) {
    let shop = identity_with(|config| first_admin::mount(config, "boss@example.org", PASSWORD)).await;
    let boss = login(&shop, "boss@example.org", PASSWORD).await;
    assert_eq!(boss.status, 200, "{boss:?}");
    (shop, boss)
}

/// What came back: status, headers that matter, body.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) async fn of(reply: Response) -> Self {
        let status = reply.status().as_u16();
        let text = reply.text().await.unwrap();
        let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() };
        Self { status, body }
    }

    /// A text field of the body.
    pub(crate) fn text(&self, name: &str) -> String {
        self.body[name].as_str().unwrap_or_else(|| panic!("no {name} in {self:?}")).to_owned()
    }

    /// Fails unless it is this refusal.
    pub(crate) fn must_be(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{self:?}");
    }
}

/// A request to a path.
pub(crate) fn request(shop: &TestShop, method: Method, path: &str) -> RequestBuilder {
    shop.client().request(method, shop.url(path))
}

/// Sends JSON.
pub(crate) async fn post(shop: &TestShop, path: &str, body: &Value) -> Answer {
    Answer::of(request(shop, Method::POST, path).json(body).send().await.unwrap()).await
}

/// A call by whoever has the token, without a body.
pub(crate) async fn call(shop: &TestShop, method: Method, path: &str, token: &str) -> Answer {
    Answer::of(request(shop, method, path).bearer_auth(token).send().await.unwrap()).await
}

/// A change by whoever has the token, of what is at a version.
pub(crate) async fn change(
    shop: &TestShop,
    method: Method,
    (path, version): (&str, i64),
    token: &str,
    body: &Value,
) -> Answer {
    let request = request(shop, method, path).bearer_auth(token).header("If-Match", format!("\"{version}\""));
    Answer::of(request.json(body).send().await.unwrap()).await
}

/// Opens an account.
pub(crate) async fn register(shop: &TestShop, email: &str) -> Answer {
    let body = json!({ "email": email, "password": PASSWORD, "name": "Ada" });
    let answer = post(shop, "/api/v1/auth/register", &body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer
}

/// Tries to log in.
pub(crate) async fn login(shop: &TestShop, email: &str, password: &str) -> Answer {
    post(shop, "/api/v1/auth/login", &json!({ "email": email, "password": password })).await
}

/// Exchanges a refresh token.
pub(crate) async fn refresh(shop: &TestShop, token: &str) -> Answer {
    post(shop, "/api/v1/auth/refresh", &json!({ "refreshToken": token })).await
}

/// Ends the session of an access token.
pub(crate) async fn logout(shop: &TestShop, token: &str) -> Answer {
    Answer::of(request(shop, Method::POST, "/api/v1/auth/logout").bearer_auth(token).send().await.unwrap()).await
}

/// Reads one's own account.
pub(crate) async fn me(shop: &TestShop, token: &str) -> Answer {
    Answer::of(request(shop, Method::GET, "/api/v1/me").bearer_auth(token).send().await.unwrap()).await
}

/// All documents of a collection that match.
pub(crate) async fn documents(mongo: &Mongo, collection: &str, filter: Document) -> Vec<Document> {
    let mut cursor = mongo.collection::<Document>(collection).find(filter).await.unwrap();
    let mut found = Vec::new();
    while cursor.advance().await.unwrap() {
        found.push(cursor.deserialize_current().unwrap());
    }
    found
}

/// The bodies of all events of a topic that were ever written.
pub(crate) async fn events(mongo: &Mongo, topic: &str) -> Vec<Value> {
    let rows = documents(mongo, "outbox", doc! { "topic": topic }).await;
    rows.iter().map(|row| serde_json::from_str(row.get_str("body").unwrap()).unwrap()).collect()
}

/// The sum of a counter over the labels that hold `label`.
pub(crate) async fn counted(shop: &TestShop, metric: &str, label: &str) -> u64 {
    let text = shop.client().get(shop.admin_url("/metrics")).send().await.unwrap().text().await.unwrap();
    let lines = text.lines().filter(|line| line.starts_with(&format!("{metric}{{")) && line.contains(label));
    lines.map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum()
}

/// Deletes an account as identity does, and lets something happen before that is committed: until it is done, or for a second,
/// as what meets the deletion has to wait for it.
pub(crate) async fn while_deleting<T>(mongo: &Mongo, user: &str, meanwhile: impl Future<Output = T>) -> T {
    let (begun, done, user) = (Arc::new(Notify::new()), Arc::new(Notify::new()), user.to_owned());
    let signals = (Arc::clone(&begun), Arc::clone(&done));
    let deletion = mongo.transact("delete by hand", move |txn| {
        let ((begun, done), user) = (signals.clone(), user.clone());
        Box::pin(async move {
            for (collection, field) in [("users", "_id"), ("letters", "user"), ("customer_orders", "user")] {
                let documents = txn.collection::<Document>(collection);
                let deleted = documents.delete_many(doc! { field: &user }).session(&mut *txn.session).await;
                deleted.map_err(|error| txn.sort(error))?;
            }
            begun.notify_one();
            let _in_time = tokio::time::timeout(Duration::from_secs(1), done.notified()).await;
            Ok(())
        })
    });
    let meanwhile = async {
        begun.notified().await;
        let answer = meanwhile.await;
        done.notify_one();
        answer
    };
    let (deleted, answer) = tokio::join!(deletion, meanwhile);
    deleted.unwrap();
    answer
}

/// Asks again until it holds, for 10 s.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    for _ in 0..200 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("after 10 s still not so: {what}");
}
