//! Collections, validators and indexes.

use shop_mongo::options::IndexOptions;
use shop_mongo::{Document, Error, IndexModel, Setup, doc, inbox, outbox};

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
        assert_eq!(names, ["inbox", "outbox", "stock"]);
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
