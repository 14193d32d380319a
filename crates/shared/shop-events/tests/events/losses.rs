//! What Redis may lose without an event being lost: everything.

use std::sync::Arc;
use std::time::Duration;

use crate::shop::{Shop, eventually, with_shop};

/// What a consumer was given and did not hear of is claimed after 30 s, and confirmed 5 s later.
const RECOVERED: Duration = Duration::from_secs(60);

async fn remembered_once_each(shop: &Shop, count: i64) {
    let expected: Vec<i64> = (0..count).collect();
    eventually("all effects are there", RECOVERED, async || shop.remembered().await.len() >= expected.len()).await;
    eventually("all are confirmed", RECOVERED, async || shop.unconfirmed().await == 0).await;
    let mut remembered = shop.remembered().await;
    remembered.sort_unstable();
    assert_eq!(remembered, expected, "each once");
}

#[tokio::test]
async fn events_flushed_before_anybody_read_them_arrive() {
    with_shop("inventory", |shop| async move {
        let relay = shop.relay().await;
        shop.tell_stock(0..200).await;
        eventually("all are in the stream", RECOVERED, async || shop.length() == 200).await;

        shop.server.cli(&["FLUSHALL"]);
        let consumer = shop.consumer(shop.remembering().await).await;

        remembered_once_each(&shop, 200).await;
        relay.stop().await;
        consumer.stop().await;
    })
    .await;
}

#[tokio::test]
async fn flushing_again_and_again_under_load_loses_and_doubles_nothing() {
    with_shop("inventory", |shop| async move {
        let relay = shop.relay().await;
        let pods = [shop.consumer(shop.remembering().await).await, shop.consumer(shop.remembering().await).await];

        let flushing = Arc::clone(&shop);
        let flush = tokio::spawn(async move {
            for _ in 0..10 {
                tokio::time::sleep(Duration::from_millis(170)).await;
                flushing.server.cli(&["FLUSHALL"]);
            }
        });
        for turn in 0..100 {
            shop.tell_stock(turn * 10..turn * 10 + 10).await;
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
        flush.await.unwrap();

        remembered_once_each(&shop, 1_000).await;
        for pod in pods {
            pod.stop().await;
        }
        relay.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_redis_that_comes_back_with_older_data_loses_and_doubles_nothing() {
    with_shop("inventory", |shop| async move {
        let relay = shop.relay().await;
        let consumer = shop.consumer(shop.remembering().await).await;
        shop.tell_stock(0..50).await;
        eventually("some are handled", RECOVERED, async || shop.remembered().await.len() == 50).await;
        shop.server.cli(&["SAVE"]);
        shop.tell_stock(50..100).await;
        consumer.stop().await;
        shop.tell_stock(100..150).await;
        eventually("the last are in the stream", RECOVERED, async || shop.length() >= 50).await;
        // What was read and acknowledged, what was read alone, and what nobody read is gone.
        shop.server.crash();

        let consumer = shop.consumer(shop.remembering().await).await;

        remembered_once_each(&shop, 150).await;
        relay.stop().await;
        consumer.stop().await;
    })
    .await;
}

#[tokio::test]
async fn events_told_while_redis_hangs_arrive_when_it_goes_on() {
    with_shop("inventory", |shop| async move {
        let relay = shop.relay().await;
        let consumer = shop.consumer(shop.remembering().await).await;
        shop.tell_stock(0..1).await;
        eventually("the way is open", RECOVERED, async || shop.remembered().await.len() == 1).await;

        shop.server.signal("STOP");
        for turn in 1..40 {
            shop.tell_stock(turn..turn + 1).await;
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
        shop.server.signal("CONT");

        remembered_once_each(&shop, 40).await;
        relay.stop().await;
        consumer.stop().await;
    })
    .await;
}

#[tokio::test]
async fn pods_that_start_without_redis_begin_when_it_is_there() {
    with_shop("inventory", |shop| async move {
        shop.server.stop();
        let relay = shop.relay().await;
        let consumer = shop.consumer(shop.remembering().await).await;
        shop.tell_stock(0..20).await;
        let waiting = || shop.metric("outbox_backlog_rows{state=\"unpublished\"}");
        eventually("somebody can see what waits", RECOVERED, async || waiting() == 20).await;

        shop.server.start_again();

        remembered_once_each(&shop, 20).await;
        relay.stop().await;
        consumer.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_relay_that_was_away_during_the_flush_notices_it_too() {
    with_shop("inventory", |shop| async move {
        let relay = shop.relay().await;
        shop.tell_stock(0..20).await;
        eventually("all are in the stream", RECOVERED, async || shop.length() == 20).await;
        relay.stop().await;

        shop.server.cli(&["FLUSHALL"]);
        let relay = shop.relay().await;
        let consumer = shop.consumer(shop.remembering().await).await;

        remembered_once_each(&shop, 20).await;
        relay.stop().await;
        consumer.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_pod_that_died_with_events_in_hand_is_replaced_by_another() {
    with_shop("inventory", |shop| async move {
        let relay = shop.relay().await;
        let stuck = shop.consumer(crate::shop::each(|_| std::future::pending())).await;
        shop.tell_stock(0..5).await;
        eventually("they were given out", RECOVERED, async || {
            shop.server.cli(&["XPENDING", "t:events:{inventory}", "catalog"]).starts_with('5')
        })
        .await;

        stuck.kill().await;
        let consumer = shop.consumer(shop.remembering().await).await;

        // Claimed after 30 s.
        eventually("all effects are there", Duration::from_secs(45), async || shop.remembered().await.len() == 5).await;
        remembered_once_each(&shop, 5).await;
        relay.stop().await;
        consumer.stop().await;
    })
    .await;
}
