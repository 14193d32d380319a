//! Revoked sessions, as another pod comes to know them.

use std::sync::Arc;

use shop_auth::Verifier;
use shop_config::{Config, RedisConfig};
use shop_events::spawn_revocations;
use shop_mongo::doc;
use shop_redis::Redis;
use shop_service::SystemClock;
use shop_telemetry::metrics::Metrics;
use shop_types::{Caller, Clock as _, SessionId};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::given::{documents, events, eventually, identity, logout, me, refresh, register};

/// A pod of some other service: all that it knows of sessions is what it hears.
struct OtherPod {
    verifier: Arc<Verifier>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl OtherPod {
    async fn start(config: &Config) -> Self {
        let redis: &RedisConfig = config.redis.as_ref().unwrap();
        let redis = Redis::connect(redis, &Metrics::new("cart")).unwrap();
        let verifier = Verifier::load(&config.auth).await.unwrap();
        let stop = CancellationToken::new();
        let task = spawn_revocations(&redis, Arc::clone(&verifier), Arc::new(SystemClock), stop.clone());
        Self { verifier, stop, task }
    }

    fn accepts(&self, token: &str) -> bool {
        self.verifier.verify(token, SystemClock.now()).is_ok()
    }

    fn session(&self, token: &str) -> SessionId {
        let caller = self.verifier.verify(token, SystemClock.now()).unwrap();
        let Caller::User { session, .. } = caller else { panic!("{caller:?}") };
        session
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

#[tokio::test]
async fn every_pod_hears_of_a_logout_within_seconds() {
    let shop = identity().await;
    let other = OtherPod::start(shop.config()).await;
    let (one, two) = (register(&shop, "one@example.org").await, register(&shop, "two@example.org").await);
    let (one, two) = (one.text("token"), two.text("token"));
    assert!(other.accepts(&one));
    assert_eq!(logout(&shop, &one).await.status, 204);
    eventually("the other pod refuses the token", async || !other.accepts(&one)).await;
    assert!(other.accepts(&two));
    other.stop().await;
}

#[tokio::test]
async fn every_pod_hears_of_a_stolen_refresh_token() {
    let shop = identity().await;
    let other = OtherPod::start(shop.config()).await;
    let opened = register(&shop, "ada@example.org").await;
    let first = opened.text("refreshToken");
    let second = refresh(&shop, &first).await.text("refreshToken");
    let third = refresh(&shop, &second).await;
    assert!(other.accepts(&third.text("token")));
    refresh(&shop, &first).await.must_be(401, "invalid_refresh_token");
    eventually("the other pod refuses the token", async || !other.accepts(&third.text("token"))).await;
    assert!(!other.accepts(&opened.text("token")));
    other.stop().await;
}

#[tokio::test]
async fn a_pod_that_starts_later_knows_of_earlier_logouts() {
    let shop = identity().await;
    let tokens: Vec<String> = {
        let mut tokens = Vec::new();
        for n in 0..3 {
            tokens.push(register(&shop, &format!("n{n}@example.org")).await.text("token"));
        }
        tokens
    };
    for token in &tokens[..2] {
        assert_eq!(logout(&shop, token).await.status, 204);
    }
    let mongo = shop.mongo("identity").await;
    eventually("the events are out", async || {
        documents(&mongo, "outbox", doc! { "topic": "session.revoked", "published": null }).await.is_empty()
    })
    .await;
    // Nobody tells it: it asks.
    let other = OtherPod::start(shop.config()).await;
    eventually("it refuses both", async || tokens[..2].iter().all(|token| !other.accepts(token))).await;
    assert!(other.accepts(&tokens[2]));
    other.stop().await;
}

#[tokio::test]
async fn more_revocations_than_one_message_holds_are_all_told() {
    let shop = identity().await;
    let mongo = shop.mongo("identity").await;
    let token = register(&shop, "ada@example.org").await.text("token");
    let probe = OtherPod::start(shop.config()).await;
    let mut template = documents(&mongo, "sessions", doc! {}).await.remove(0);
    assert_eq!(template.get_str("_id").unwrap(), probe.session(&token).to_string());
    probe.stop().await;
    let until = SystemClock.now() + std::time::Duration::from_secs(600);
    template.insert("revoked_until", shop_mongo::bson::DateTime::from(until));
    let ids: Vec<SessionId> = (0..1234).map(|_| SessionId::from_uuid(SystemClock.new_id())).collect();
    let sessions = ids.iter().map(|id| {
        let mut session = template.clone();
        session.insert("_id", id.to_string());
        session
    });
    mongo.collection("sessions").insert_many(sessions).await.unwrap();
    let other = OtherPod::start(shop.config()).await;
    eventually("it knows all of them", async || ids.iter().all(|id| other.verifier.revocations().is_revoked(*id)))
        .await;
    assert!(other.accepts(&token));
    other.stop().await;
}

#[tokio::test]
async fn a_revocation_lasts_as_long_as_the_last_access_token() {
    let shop = identity().await;
    let token = register(&shop, "ada@example.org").await.text("token");
    let before = SystemClock.now();
    assert_eq!(logout(&shop, &token).await.status, 204);
    let told = events(&shop.mongo("identity").await, "session.revoked").await;
    let until: jiff::Timestamp = told[0]["body"]["until"].as_str().unwrap().parse().unwrap();
    let life = until.duration_since(before);
    assert!((630..=650).contains(&life.as_secs()), "{life}");
    assert_eq!(told[0]["aggregate"], told[0]["body"]["sessionId"]);
}

#[tokio::test]
async fn a_token_whose_session_is_not_in_the_store_can_be_revoked_as_well() {
    let shop = identity().await;
    let stranger = shop.callers().customer();
    assert_eq!(logout(&shop, &stranger.token).await.status, 204);
    me(&shop, &stranger.token).await.must_be(401, "invalid_token");
    let told = events(&shop.mongo("identity").await, "session.revoked").await;
    assert_eq!(told[0]["body"]["sessionId"], stranger.session.to_string());
}
