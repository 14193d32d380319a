//! Revoked sessions reach every pod, whatever was not there when they were told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use shop_auth::Verifier;
use shop_config::{AuthConfig, RedisConfig, Secret};
use shop_events::{answer_revocations, spawn_revocations};
use shop_redis::Redis;
use shop_telemetry::metrics::Metrics;
use shop_types::event::RevocationFact;
use shop_types::{Clock, Envelope, Event, EventId, SessionId};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::server::Server;
use crate::shop::eventually;

const SOON: Duration = Duration::from_secs(15);

#[derive(Debug, Default)]
struct FixedClock(AtomicU32);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn new_id(&self) -> Uuid {
        Uuid::from_u128(u128::from(self.0.fetch_add(1, Ordering::SeqCst)))
    }
}

fn session(number: u32) -> SessionId {
    SessionId::from_uuid(Uuid::from_u128(u128::from(number)))
}

fn fact(number: u32) -> RevocationFact {
    RevocationFact { session_id: session(number), until: Timestamp::UNIX_EPOCH + Duration::from_secs(600) }
}

fn connect(server: &Server) -> Redis {
    let config = RedisConfig { url: Secret::new(server.url()), key_prefix: "t:".into() };
    Redis::connect(&config, &Metrics::new("cart")).unwrap()
}

/// A pod that listens.
struct Pod {
    verifier: Arc<Verifier>,
    stop: CancellationToken,
    task: JoinHandle<()>,
    _keys: TempDir,
}

impl Pod {
    async fn start(server: &Server) -> Self {
        let keys = tempfile::tempdir().unwrap();
        let file = keys.path().join("jwks.json");
        std::fs::write(&file, shop_auth::key_set_json(&[shop_auth::jwk_from_public(&[7; 32])])).unwrap();
        let auth = AuthConfig { key_set_file: file, issuer: "shop".into(), audience: "shop".into() };
        let verifier = Verifier::load(&auth).await.unwrap();
        let stop = CancellationToken::new();
        let clock = Arc::new(FixedClock::default());
        let task = spawn_revocations(&connect(server), Arc::clone(&verifier), clock, stop.clone());
        Self { verifier, stop, task, _keys: keys }
    }

    fn refuses(&self, number: u32) -> bool {
        self.verifier.revocations().is_revoked(session(number))
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

/// Identity: `count` sessions are revoked, and it may fail to say so.
#[derive(Default)]
struct Identity {
    count: AtomicU32,
    fails: AtomicBool,
}

#[derive(Debug, thiserror::Error)]
#[error("the database is away")]
struct Away;

impl Identity {
    fn revoking(count: u32) -> Arc<Self> {
        Arc::new(Self { count: AtomicU32::new(count), fails: AtomicBool::new(false) })
    }

    fn answers(self: &Arc<Self>, server: &Server, stop: &CancellationToken) -> JoinHandle<()> {
        let identity = Arc::clone(self);
        let list = move || {
            let identity = Arc::clone(&identity);
            async move {
                if identity.fails.load(Ordering::SeqCst) {
                    return Err(Away);
                }
                Ok((0..identity.count.load(Ordering::SeqCst)).map(fact).collect())
            }
        };
        tokio::spawn(answer_revocations(connect(server), list, stop.clone()))
    }
}

#[tokio::test]
async fn a_pod_asks_until_identity_is_there_and_can_answer() {
    let (server, stop) = (Server::start(), CancellationToken::new());
    let pod = Pod::start(&server).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let identity = Identity::revoking(3);
    identity.fails.store(true, Ordering::SeqCst);

    let answering = identity.answers(&server, &stop);
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(!pod.refuses(0));
    identity.fails.store(false, Ordering::SeqCst);

    eventually("it knows all three", SOON, async || (0..3).all(|number| pod.refuses(number))).await;
    assert!(!pod.refuses(3));
    stop.cancel();
    answering.await.unwrap();
    pod.stop().await;
}

#[tokio::test]
async fn a_pod_learns_what_it_missed_while_redis_was_away() {
    let (server, stop) = (Server::start(), CancellationToken::new());
    let identity = Identity::revoking(1);
    let answering = identity.answers(&server, &stop);
    let pod = Pod::start(&server).await;
    eventually("it knows the first", SOON, async || pod.refuses(0)).await;

    server.stop();
    // Revoked while nobody could be told, and the Redis that comes back is empty.
    identity.count.store(2, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(500)).await;
    server.start_again();

    eventually("it knows the second", SOON, async || pod.refuses(1)).await;
    stop.cancel();
    answering.await.unwrap();
    pod.stop().await;
}

#[tokio::test]
async fn what_cannot_be_read_does_not_keep_a_pod_from_hearing_the_next() {
    let server = Server::start();
    let pod = Pod::start(&server).await;
    let subscribed = async || server.cli(&["PUBSUB", "NUMSUB", "t:session.revoked"]).ends_with('1');
    eventually("it is subscribed", SOON, subscribed).await;
    let envelope = Envelope {
        id: EventId::from_uuid(Uuid::from_u128(1)),
        aggregate: session(5).to_string(),
        version: 1,
        occurred_at: Timestamp::UNIX_EPOCH,
        traceparent: None,
        event: Event::SessionRevoked(fact(5)),
    };

    for text in ["", "{", "null", r#"{"topic":"session.revoked"}"#] {
        server.cli(&["PUBLISH", "t:session.revoked", text]);
        server.cli(&["PUBLISH", "t:session.revoked:answers", text]);
    }
    server.cli(&["PUBLISH", "t:session.revoked", &serde_json::to_string(&envelope).unwrap()]);

    eventually("it knows the session", SOON, async || pod.refuses(5)).await;
    pod.stop().await;
}
