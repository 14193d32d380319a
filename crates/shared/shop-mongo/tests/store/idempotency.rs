//! Idempotency rows.

use shop_mongo::idempotency::{self, Finish, Start};
use shop_mongo::{Error, doc};
use shop_types::{Fingerprint, IdempotencyKey};

use crate::database::{Store, with_store};

fn fingerprint(hex: &str) -> Fingerprint {
    Fingerprint::from_stored(hex.to_owned())
}

fn start(id: &str, resource: &str) -> Start {
    Start { id: id.to_owned(), fingerprint: fingerprint("f00d"), resource: resource.to_owned() }
}

async fn insert(store: &Store, starts: &[Start]) -> Result<(), Error> {
    let starts = starts.to_vec();
    let ended = store.mongo.transact("start", move |txn| {
        let starts = starts.clone();
        Box::pin(async move { idempotency::insert(txn, &starts).await })
    });
    ended.await
}

async fn finish(store: &Store, id: &str, status: u16, version: i64) {
    let end = Finish { id: id.to_owned(), status, outcome: "placed".to_owned(), version };
    let ended = store.mongo.transact("finish", move |txn| {
        let end = end.clone();
        Box::pin(async move { idempotency::finish(txn, &[end]).await })
    });
    ended.await.unwrap();
}

#[test]
fn a_key_belongs_to_its_subject_and_route() {
    let key = IdempotencyKey::parse("a|b").unwrap();
    assert_eq!(idempotency::row_id("ada", "POST /orders", &key), "ada|POST /orders|a|b");
}

#[tokio::test]
async fn a_row_is_started_once_and_finished_once() {
    with_store(|store| async move {
        store.mongo.ensure(&[idempotency::setup()]).await.unwrap();
        assert_eq!(idempotency::find(&store.mongo, "k").await.unwrap(), None);

        insert(&store, &[start("k", "order-1"), start("other", "order-2")]).await.unwrap();
        let row = idempotency::find(&store.mongo, "k").await.unwrap().unwrap();
        assert!(!row.is_finished() && row.fits(&fingerprint("f00d")) && !row.fits(&fingerprint("beef")));
        assert_eq!(row.resource, "order-1");

        finish(&store, "k", 201, 2).await;
        finish(&store, "k", 402, 9).await;
        finish(&store, "forgotten", 201, 1).await;
        let finished = idempotency::find(&store.mongo, "k").await.unwrap().unwrap();
        assert_eq!((finished.status, finished.version), (Some(201), Some(2)));
        assert_eq!(finished.outcome.as_deref(), Some("placed"));
        assert_eq!(finished.started, row.started);
        assert_eq!(store.count("idempotency", doc! {}).await, 2, "finishing makes no row");
    })
    .await;
}

#[tokio::test]
async fn a_row_that_is_there_takes_the_whole_transaction_back() {
    with_store(|store| async move {
        store.mongo.ensure(&[idempotency::setup()]).await.unwrap();
        insert(&store, &[start("k", "order-1")]).await.unwrap();

        let again = insert(&store, &[start("new", "order-2"), start("k", "order-3")]).await;

        assert!(again.unwrap_err().is_duplicate());
        assert_eq!(idempotency::find(&store.mongo, "k").await.unwrap().unwrap().resource, "order-1");
        assert_eq!(idempotency::find(&store.mongo, "new").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn what_looks_like_an_expression_is_stored_as_it_is() {
    with_store(|store| async move {
        store.mongo.ensure(&[idempotency::setup()]).await.unwrap();
        insert(&store, &[start("ada|POST /orders|$$ROOT", "$_id")]).await.unwrap();
        let rows = store.mongo.transact("read", |txn| {
            Box::pin(async move {
                let ids = ["ada|POST /orders|$$ROOT".to_owned(), "unknown".to_owned()];
                idempotency::find_many(txn, &ids).await
            })
        });
        let rows = rows.await.unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!(rows["ada|POST /orders|$$ROOT"].resource, "$_id");
    })
    .await;
}

#[tokio::test]
async fn the_last_of_the_keys_that_begin_alike_is_found() {
    with_store(|store| async move {
        store.mongo.ensure(&[idempotency::setup()]).await.unwrap();
        let rows = [
            start("ada|place|cart:1:0", "first"),
            start("ada|place|cart:1:1", "last"),
            start("ada|place|cart:10:9", "of another cart"),
            start("ada|pay|cart:1:2", "on another route"),
            start("eve|place|cart:1:3", "of somebody else"),
        ];
        insert(&store, &rows).await.unwrap();
        for (beginning, expected) in [("cart:1:", Some("last")), ("cart:2:", None)] {
            let found = idempotency::find_last(&store.mongo, "ada", "place", beginning).await.unwrap();
            assert_eq!(found.as_ref().map(|row| row.resource.as_str()), expected, "{beginning}");
        }
    })
    .await;
}
