//! Much to carry, and no room to carry it to.

use std::time::{Duration, Instant};

use crate::shop::{Shop, eventually, with_shop};

const SOON: Duration = Duration::from_secs(10);
const DRAINED: Duration = Duration::from_secs(90);

fn waiting(shop: &Shop) -> i64 {
    shop.metric("outbox_backlog_rows{state=\"unpublished\"}")
}

#[tokio::test]
async fn events_wait_in_the_database_while_the_stream_is_full() {
    with_shop("inventory", |shop| async move {
        let relay = shop.relay().await;
        shop.tell_stock(0..1).await;
        eventually("the way is open", SOON, async || shop.length() == 1).await;
        let fill = "for i = 2, 100000 do
            redis.call('XADD', KEYS[1], '*', 'id', i, 'topic', 'order.created', 'json', '{}') end";
        shop.server.cli(&["EVAL", fill, "1", "t:events:{inventory}"]);

        // Of a service that a later version had, which was rolled back.
        shop.server.cli(&["XGROUP", "CREATE", "t:events:{inventory}", "later", "0"]);

        shop.tell_stock(1..4).await;

        eventually("the backlog is shown", SOON, async || waiting(&shop) == 3).await;
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert_eq!((shop.length(), waiting(&shop)), (100_000, 3), "and goes on being shown");
        }
        let consumer = shop.consumer(shop.remembering().await).await;
        eventually("all effects are there", DRAINED, async || shop.remembered().await.len() == 4).await;
        eventually("all are confirmed", DRAINED, async || shop.unconfirmed().await == 0).await;
        eventually("the stream is trimmed", SOON, async || shop.length() == 0).await;
        assert_eq!(shop.remembered().await, [0, 1, 2, 3]);
        relay.stop().await;
        consumer.stop().await;
    })
    .await;
}

#[tokio::test]
async fn events_wait_in_the_database_while_redis_has_no_memory() {
    with_shop("inventory", |shop| async move {
        let relay = shop.relay().await;
        let consumer = shop.consumer(shop.remembering().await).await;
        shop.tell_stock(0..1).await;
        eventually("the way is open", SOON, async || shop.remembered().await.len() == 1).await;
        shop.server.cli(&["CONFIG", "SET", "maxmemory-policy", "volatile-lru"]);
        shop.server.cli(&["CONFIG", "SET", "maxmemory", "1"]);

        shop.tell_stock(1..4).await;

        eventually("the backlog is shown", SOON, async || waiting(&shop) == 3).await;
        shop.server.cli(&["CONFIG", "SET", "maxmemory", "0"]);
        eventually("all effects are there", SOON, async || shop.remembered().await.len() == 4).await;
        eventually("all are confirmed", DRAINED, async || shop.unconfirmed().await == 0).await;
        relay.stop().await;
        consumer.stop().await;
    })
    .await;
}

/// 1,000 orders per second tell of 3,000 events in the service that tells most.
#[tokio::test]
async fn a_relay_carries_more_than_a_busy_shop_tells() {
    with_shop("inventory", |shop| async move {
        for thousand in 0..12 {
            shop.tell_stock(thousand * 1_000..(thousand + 1) * 1_000).await;
        }

        let start = Instant::now();
        let relay = shop.relay().await;
        eventually("all are in the stream", Duration::from_secs(30), async || shop.length() == 12_000).await;
        let taken = start.elapsed();

        #[expect(clippy::disallowed_macros, reason = "a figure for whoever runs it with --nocapture")]
        {
            println!("12,000 events in {taken:?}: {:.0} per second", 12_000.0 / taken.as_secs_f64());
        }
        relay.stop().await;
    })
    .await;
}
