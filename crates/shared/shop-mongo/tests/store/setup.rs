//! Collections, validators and indexes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use shop_mongo::options::IndexOptions;
use shop_mongo::{Document, Error, IndexModel, Setup, UpdateOp, doc, inbox, outbox};

use crate::database::{Store, with_store};

fn stock(least: i64) -> Setup {
    let unique = IndexOptions::builder().unique(true).name("by_sku".to_owned()).build();
    Setup::new("stock", [IndexModel::builder().keys(doc! { "sku": 1 }).options(unique).build()])
        .validated(doc! { "available": { "$gte": least } })
}

async fn insert(store: &Store, available: i64) -> Result<(), Error> {
    let stock = store.mongo.collection::<Document>("stock");
    let row = doc! { "sku": format!("sku{available}"), "available": available };
    store.mongo.run("insert", async move { stock.insert_one(row).await }).await.map(|_| ())
}

#[tokio::test]
async fn several_pods_may_ensure_at_once_and_again() {
    with_store(|store| async move {
        let other = store.another_pod().await;
        let all = [stock(0), outbox::setup(), inbox::setup()];
        let (one, two) = tokio::join!(store.mongo.ensure(&all), other.mongo.ensure(&all));
        one.unwrap();
        two.unwrap();
        store.mongo.ensure(&all).await.unwrap();

        let mut names = store.mongo.database().list_collection_names().await.unwrap();
        names.sort();
        assert_eq!(names, ["driver_sessions", "inbox", "outbox", "stock"]);
        let indexes = store.mongo.collection::<Document>("stock").list_index_names().await.unwrap();
        assert_eq!(indexes, ["_id_", "by_sku"]);
    })
    .await;
}

#[tokio::test]
async fn a_validator_is_added_changed_and_removed() {
    with_store(|store| async move {
        store.mongo.ensure(&[stock(0)]).await.unwrap();
        assert!(matches!(insert(&store, -1).await, Err(Error::Failed { .. })));
        insert(&store, 0).await.unwrap();

        store.mongo.ensure(&[stock(-5)]).await.unwrap();
        insert(&store, -1).await.unwrap();
        assert!(insert(&store, -6).await.is_err());

        store.mongo.ensure(&[Setup { validator: None, ..stock(0) }]).await.unwrap();
        insert(&store, -6).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn an_index_that_cannot_be_made_is_an_error() {
    with_store(|store| async move {
        store.insert("stock", doc! { "sku": "mug", "available": 1_i64 }).await;
        store.insert("stock", doc! { "sku": "mug", "available": 2_i64 }).await;
        assert!(store.mongo.ensure(&[stock(0)]).await.unwrap_err().is_duplicate(), "two rows share the unique key");

        store
            .mongo
            .ensure(&[Setup::new("stock", [IndexModel::builder().keys(doc! { "at": 1 }).build()])])
            .await
            .unwrap();
        let with_ttl = IndexOptions::builder().expire_after(std::time::Duration::from_secs(60)).build();
        let other = Setup::new("stock", [IndexModel::builder().keys(doc! { "at": 1 }).options(with_ttl).build()]);
        assert!(matches!(store.mongo.ensure(&[other]).await, Err(Error::Failed { .. })));
    })
    .await;
}

fn with_schema() -> Setup {
    Setup::new("stock", []).validated(doc! {
        "$jsonSchema": { "required": ["sku"], "properties": { "available": { "minimum": 0 } } },
    })
}

fn assert_names_the_collection(error: &Error, fields: &str) {
    assert!(matches!(error, Error::Failed { .. }), "internal, and not repeated: {error:?}");
    let source = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    assert_eq!(source, format!("the validator of collection 'stock' refused a document{fields}"));
}

#[tokio::test]
async fn a_refusal_by_a_validator_names_the_collection_in_every_kind_of_write() {
    with_store(|store| async move {
        store.mongo.ensure(&[with_schema()]).await.unwrap();
        assert_names_the_collection(&insert(&store, -1).await.unwrap_err(), ": see available");

        let stock = store.mongo.collection::<Document>("stock");
        let (filter, change) = (doc! { "_id": 1, "sku": "mug" }, doc! { "$set": { "available": -1 } });
        let upsert = async move { stock.find_one_and_update(filter, change).upsert(true).await };
        assert_names_the_collection(&store.mongo.run("upsert", upsert).await.unwrap_err(), ": see available");

        let op = || UpdateOp::new(doc! { "_id": 1 }, doc! { "$set": { "available": -1 } }).upsert();
        let batch = store.mongo.update_many_ops("write", "stock", vec![op()]).await;
        assert_names_the_collection(&batch.unwrap_err(), ": see available, sku");

        let in_txn = store.mongo.transact("write", move |txn| Box::pin(txn.update_many_ops("stock", vec![op()])));
        assert_names_the_collection(&in_txn.await.unwrap_err(), ": see available, sku");
        assert_eq!(store.count("stock", doc! {}).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_refusal_without_a_schema_is_run_once_and_names_the_collection_in_transactions() {
    with_store(|store| async move {
        store.mongo.ensure(&[stock(0)]).await.unwrap();
        let runs = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&runs);
        let ended = store.mongo.transact("insert", move |txn| {
            count.fetch_add(1, Ordering::SeqCst);
            Box::pin(txn.insert_many("stock", vec![doc! { "sku": "mug", "available": -1 }]))
        });
        assert_names_the_collection(&ended.await.unwrap_err(), "");
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    })
    .await;
}
