//! Pub/Sub: what listeners hear, and that they are told when they may have missed something.

use std::time::Duration;

use shop_redis::{Notice, Subscription};
use tokio::time::timeout;

use crate::server::Server;
use crate::{connect, eventually};

#[tokio::test]
async fn listeners_of_a_channel_hear_what_is_published_there_and_nothing_else() {
    let server = Server::start();
    let redis = connect(&server).await;
    let mut mugs = redis.subscribe("mugs");
    let mut pots = redis.subscribe("pots");
    assert_eq!(soon(&mut mugs).await, Notice::Lost);
    assert_eq!(soon(&mut pots).await, Notice::Lost);

    eventually("publishing works", async || redis.publish("pots", "one").await.is_ok()).await;
    eventually("publishing works", async || redis.publish("mugs", "two").await.is_ok()).await;

    assert_eq!(soon(&mut mugs).await, Notice::Message("two".into()));
    assert_eq!(soon(&mut pots).await, Notice::Message("one".into()));
}

/// The next notice, which must come within ten seconds.
async fn soon(listener: &mut Subscription) -> Notice {
    let Ok(notice) = timeout(Duration::from_secs(10), listener.next()).await else { panic!("nothing was heard") };
    notice.unwrap()
}

#[tokio::test]
async fn a_listener_is_told_after_the_connection_came_back_and_then_hears_again() {
    let server = Server::start();
    let redis = connect(&server).await;
    let mut mugs = redis.subscribe("mugs");
    assert_eq!(soon(&mut mugs).await, Notice::Lost);

    server.crash();

    assert_eq!(soon(&mut mugs).await, Notice::Lost);
    eventually("publishing works", async || redis.publish("mugs", "two").await.is_ok()).await;
    assert_eq!(soon(&mut mugs).await, Notice::Message("two".into()));
}

#[tokio::test]
async fn a_listener_that_came_before_the_server_is_served_when_it_is_there() {
    let server = Server::start();
    server.stop();
    let config = shop_config::RedisConfig { url: shop_config::Secret::new(server.url()), key_prefix: "t:".into() };
    let redis = shop_redis::Redis::connect(&config, &shop_telemetry::metrics::Metrics::new("test")).unwrap();
    let mut mugs = redis.subscribe("mugs");
    assert!(!redis.ping().await);
    assert!(timeout(Duration::from_millis(300), mugs.next()).await.is_err());

    server.start_again();

    assert_eq!(soon(&mut mugs).await, Notice::Lost);
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_and_found_again() {
    let server = Server::start();
    let redis = connect(&server).await;
    let mut mugs = redis.subscribe("mugs");
    assert_eq!(soon(&mut mugs).await, Notice::Lost);

    server.signal("STOP");
    let start = std::time::Instant::now();
    let published = redis.publish("mugs", "one").await;
    let waited = start.elapsed();
    let answered = redis.ping().await;
    let asked = start.elapsed();
    // Longer than a connection may owe an answer: from here on only new ones will do.
    tokio::time::sleep(Duration::from_secs(6)).await;
    server.signal("CONT");

    assert!(published.is_err() && !answered);
    assert!(waited < Duration::from_secs(1), "{waited:?}");
    assert!(asked < Duration::from_secs(2), "{asked:?}");
    assert_eq!(soon(&mut mugs).await, Notice::Lost);
    eventually("publishing works", async || redis.publish("mugs", "two").await.is_ok()).await;
    assert_eq!(soon(&mut mugs).await, Notice::Message("two".into()));
}

#[tokio::test]
async fn the_connections_end_with_the_last_clone() {
    let server = Server::start();
    let redis = connect(&server).await;
    let mut mugs = redis.subscribe("mugs");
    assert_eq!(soon(&mut mugs).await, Notice::Lost);

    drop(redis);

    assert_eq!(mugs.next().await, None);
    // What is left is the connection of redis-cli itself.
    eventually("all are closed", async || server.cli(&["CLIENT", "LIST"]).lines().count() == 1).await;
}

#[tokio::test]
async fn a_redis_that_is_slow_for_a_moment_is_not_called_away() {
    let server = Server::start();
    let redis = connect(&server).await;

    server.signal("STOP");
    let (answered, ()) = tokio::join!(redis.ping(), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        server.signal("CONT");
    });

    assert!(answered);
}
