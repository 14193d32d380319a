//! Numbers in blocks.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::join_all;
use shop_mongo::{Numbers, doc};

use crate::database::with_store;

#[tokio::test]
async fn numbers_start_at_one_and_cost_one_write_in_a_hundred() {
    with_store(|store| async move {
        let numbers = Numbers::new(&store.mongo, "orders");
        for expected in 1..=100 {
            assert_eq!(numbers.next().await.unwrap(), expected);
        }
        assert_eq!(store.metric("mongodb_operation_duration_seconds_count{operation=\"take numbers\"}"), 1);
        assert_eq!(numbers.next().await.unwrap(), 101);
    })
    .await;
}

#[tokio::test]
async fn pods_never_give_the_same_number() {
    with_store(|store| async move {
        let pods = [store.clone(), store.another_pod().await, store.another_pod().await];
        let numbers: Vec<_> = pods.iter().map(|pod| Arc::new(Numbers::new(&pod.mongo, "orders"))).collect();
        let other_series = Numbers::new(&store.mongo, "users");

        let all = join_all((0..900).map(|n| {
            let numbers = Arc::clone(&numbers[n % 3]);
            tokio::spawn(async move { numbers.next().await.unwrap() })
        }))
        .await;

        let different: BTreeSet<i64> = all.into_iter().map(Result::unwrap).collect();
        assert_eq!(different.len(), 900);
        assert_eq!(different.last(), Some(&900), "each pod has used up whole blocks");
        assert_eq!(other_series.next().await.unwrap(), 1);
        assert_eq!(store.count("counters", doc! {}).await, 2);
    })
    .await;
}
