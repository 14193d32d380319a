//! Events that a consumer has had.

use std::collections::HashSet;
use std::time::Duration;

use shop_mongo::{Document, Error, doc, inbox};
use shop_types::EventId;
use tokio::time::sleep;

use crate::database::{Store, with_store};

fn event(n: u128) -> EventId {
    EventId::from_uuid(uuid::Uuid::from_u128(n))
}

async fn claim(store: &Store, group: &'static str, ids: &[EventId]) -> Result<HashSet<EventId>, Error> {
    let ids = ids.to_vec();
    let ended = store.mongo.transact("consume", move |txn| {
        let ids = ids.clone();
        Box::pin(async move { inbox::claim(txn, group, &ids).await })
    });
    ended.await
}

async fn prepared(store: &Store) {
    store.mongo.ensure(&[inbox::setup()]).await.unwrap();
}

#[tokio::test]
async fn what_was_had_before_is_told_for_each_group_apart() {
    with_store(|store| async move {
        prepared(&store).await;
        assert_eq!(claim(&store, "cart", &[event(1), event(2), event(2)]).await.unwrap(), HashSet::new());
        let first_seen = store.get("inbox", &format!("cart:{}", event(2))).await;
        sleep(Duration::from_millis(5)).await;
        assert_eq!(claim(&store, "cart", &[event(2), event(3)]).await.unwrap(), HashSet::from([event(2)]));
        assert_eq!(store.get("inbox", &format!("cart:{}", event(2))).await, first_seen, "its time is not renewed");
        assert_eq!(claim(&store, "payment", &[event(2)]).await.unwrap(), HashSet::new());
        assert_eq!(claim(&store, "cart", &[]).await.unwrap(), HashSet::new());
        assert_eq!(store.count("inbox", doc! { "at": { "$type": "date" } }).await, 4);
    })
    .await;
}

#[tokio::test]
async fn a_claim_is_taken_back_with_the_effect() {
    with_store(|store| async move {
        prepared(&store).await;
        let failed = store.mongo.transact("consume", |txn| {
            Box::pin(async move {
                inbox::claim(txn, "cart", &[event(1)]).await?;
                Err::<(), Error>(Error::Timeout { what: "effect" })
            })
        });
        assert!(failed.await.is_err());
        assert_eq!(claim(&store, "cart", &[event(1)]).await.unwrap(), HashSet::new());
    })
    .await;
}

#[tokio::test]
async fn two_pods_with_the_same_event_have_one_effect() {
    with_store(|store| async move {
        prepared(&store).await;
        store.insert("effects", doc! { "_id": "a", "n": 0 }).await;
        let other = store.another_pod().await;
        let consume = |pod: Store| async move {
            pod.mongo
                .transact("consume", |txn| {
                    Box::pin(async move {
                        if inbox::claim(txn, "cart", &[event(1)]).await?.contains(&event(1)) {
                            return Ok(false);
                        }
                        sleep(Duration::from_millis(20)).await;
                        let effects = txn.collection::<Document>("effects");
                        let add = effects.update_one(doc! { "_id": "a" }, doc! { "$inc": { "n": 1 } });
                        match add.session(&mut *txn.session).await {
                            Ok(_) => Ok(true),
                            Err(error) => Err(txn.sort(error)),
                        }
                    })
                })
                .await
                .unwrap()
        };
        let (one, two) = tokio::join!(consume(store.clone()), consume(other));
        assert!(one ^ two);
        assert_eq!(store.get("effects", "a").await.unwrap().get_i32("n").unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_was_given_up_counts_as_had_until_it_is_taken_up() {
    with_store(|store| async move {
        prepared(&store).await;
        claim(&store, "cart", &[event(1)]).await.unwrap();
        let given_up = store.mongo.transact("give up", |txn| {
            Box::pin(async move { inbox::give_up(txn, "cart", &[event(1), event(2)]).await })
        });
        assert_eq!(given_up.await.unwrap(), HashSet::from([event(1)]));
        assert_eq!(claim(&store, "cart", &[event(2)]).await.unwrap(), HashSet::from([event(2)]));

        for id in [event(1), event(2), event(3)] {
            let taken_up = store
                .mongo
                .transact("take up", move |txn| Box::pin(async move { inbox::take_up(txn, "cart", id).await }));
            taken_up.await.unwrap();
        }

        let had = claim(&store, "cart", &[event(1), event(2)]).await.unwrap();
        assert_eq!(had, HashSet::from([event(1)]), "only what had its effect stays had");
    })
    .await;
}
