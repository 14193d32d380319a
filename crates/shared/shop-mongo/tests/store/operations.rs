//! Single operations: deadlines, errors, concerns, metrics, versions.

use std::time::Duration;

use serde::Deserialize;
use shop_config::{MongoConfig, Secret};
use shop_mongo::options::{Acknowledgment, IndexOptions, ReadConcern};
use shop_mongo::{Document, Error, IndexModel, Mongo, doc, update_versioned};
use shop_telemetry::metrics::Metrics;
use shop_types::ErrorKind;
use tokio::time::{Instant, sleep};

use crate::database::{Store, connect, eventually, uri, with_store, within};

#[tokio::test]
async fn connecting_does_not_wait_for_the_server_and_operations_fail_within_the_deadline() {
    let away = connect("mongodb://127.0.0.1:1/?directConnection=true", "t_away").await;
    let started = Instant::now();
    let error = away.mongo.run("find", find_one(&away, "x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(started.elapsed() < Duration::from_millis(5500), "{:?}", started.elapsed());
    assert!(!within(Duration::from_millis(50), away.mongo.ping()).await);
}

#[tokio::test]
async fn a_connection_string_that_is_none_is_an_error_that_hides_it() {
    let config = MongoConfig {
        uri: Secret::new("mongodb://ada:lovelace@"),
        database_prefix: "t".into(),
        max_pool_size: 1,
        owner: None,
    };
    let error = Mongo::connect("test", &config, &Metrics::new("test")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(!format!("{error} {error:?}").contains("lovelace"), "{error:?}");
}

#[tokio::test]
async fn the_majority_is_asked_whatever_the_connection_string_says() {
    let careless = connect(&format!("{}&w=0&readConcernLevel=local&retryWrites=false", uri()), "t_careless").await;
    let rows = careless.mongo.collection::<Document>("rows");
    assert_eq!(rows.read_concern(), Some(&ReadConcern::majority()));
    assert_eq!(rows.write_concern().unwrap().w, Some(Acknowledgment::Majority));
}

#[tokio::test]
async fn an_operation_goes_on_when_its_caller_gives_up() {
    with_store(|store| async move {
        let late = late_insert(&store, "given up");
        let given_up = within(Duration::from_millis(50), store.mongo.run("insert", late)).await;
        assert!(matches!(given_up, Err(Error::Timeout { what: "insert" })), "{given_up:?}");

        let (mongo, late) = (store.mongo.clone(), late_insert(&store, "dropped"));
        let caller = tokio::spawn(async move { mongo.run("insert", late).await });
        sleep(Duration::from_millis(50)).await;
        caller.abort();

        store.mongo.close().await;
        assert_eq!(store.count("rows", doc! {}).await, 2, "close waits for what nobody waits for");
    })
    .await;
}

#[tokio::test]
async fn nothing_is_sent_once_the_request_has_no_time_left() {
    with_store(|store| async move {
        let insert = late_insert(&store, "too late");
        assert!(matches!(within(Duration::ZERO, store.mongo.run("insert", insert)).await, Err(Error::Timeout { .. })));
        store.mongo.close().await;
        assert_eq!(store.count("rows", doc! {}).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_taken_key_is_told_with_its_index() {
    with_store(|store| async move {
        let unique = IndexOptions::builder().unique(true).name("users_email".to_owned()).build();
        let users = store.mongo.collection::<Document>("users");
        users.create_index(IndexModel::builder().keys(doc! { "email": 1 }).options(unique).build()).await.unwrap();
        let row = |id: i32, email: &str| doc! { "_id": id, "email": email };
        users.insert_one(row(1, "ada@example.org")).await.unwrap();

        let (again, same_id) = (row(2, "ada@example.org"), row(1, "bob@example.org"));
        let rows = users.clone();
        let error = store.mongo.run("insert", async move { rows.insert_one(again).await }).await.unwrap_err();
        let of_id = store.mongo.run("insert", async move { users.insert_many([same_id]).await }).await.unwrap_err();

        assert!(error.is_duplicate_of("users_email"), "{error:?}");
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(!format!("{error:?}").contains("ada"), "no value in the error: {error:?}");
        assert!(of_id.is_duplicate_of("_id_"), "{of_id:?}");
    })
    .await;
}

#[tokio::test]
async fn a_document_of_another_shape_is_corrupt() {
    #[derive(Debug, Deserialize)]
    struct Row {
        #[expect(dead_code, reason = "never read: it must not be there")]
        version: i64,
    }
    with_store(|store| async move {
        store.insert("rows", doc! { "_id": "a", "version": "one" }).await;
        let rows = store.mongo.collection::<Row>("rows");
        let error = store.mongo.run("find", async move { rows.find_one(doc! {}).await }).await.unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
    })
    .await;
}

#[tokio::test]
async fn of_two_writers_with_one_version_one_wins() {
    with_store(|store| async move {
        store.insert("rows", doc! { "_id": "mug", "version": 1_i64, "name": "Mug" }).await;
        let rows = store.mongo.collection::<Document>("rows");
        let rename = |name: &'static str| {
            let rows = rows.clone();
            store.mongo.run("rename", async move { update_versioned(&rows, "mug", 1, doc! { "name": name }).await })
        };

        let (one, other) = tokio::join!(rename("Cup"), rename("Jar"));

        let won: Vec<Document> = [one.unwrap(), other.unwrap()].into_iter().flatten().collect();
        assert_eq!(won.len(), 1);
        assert_eq!(won[0].get_i64("version").unwrap(), 2);
        assert_eq!(store.get("rows", "mug").await.as_ref(), won.first());
    })
    .await;
}

#[tokio::test]
async fn operations_and_connections_are_measured() {
    with_store(|store| async move {
        store.mongo.run("find", find_one(&store, "a")).await.unwrap();
        let taken = doc! { "_id": "a" };
        store.insert("rows", taken.clone()).await;
        let rows = store.mongo.collection::<Document>("rows");
        store.mongo.run("insert", async move { rows.insert_one(taken).await }).await.unwrap_err();

        assert_eq!(store.metric("mongodb_operation_duration_seconds_count{operation=\"find\"}"), 1);
        assert_eq!(store.metric("mongodb_operations_failed_total{kind=\"duplicate\",operation=\"insert\"}"), 1);
        assert!(store.metric("mongodb_pool_connections{state=\"open\"}") >= 1);
        eventually("all connections are given back", || async {
            store.metric("mongodb_pool_connections{state=\"in_use\"}") == 0
                && store.metric("mongodb_pool_connections{state=\"waiting\"}") == 0
        })
        .await;
    })
    .await;
}

fn find_one(store: &Store, id: &'static str) -> impl Future<Output = mongodb_result::Found> + Send + 'static {
    let rows = store.mongo.collection::<Document>("rows");
    async move { rows.find_one(doc! { "_id": id }).await }
}

fn late_insert(store: &Store, id: &'static str) -> impl Future<Output = mongodb_result::Done> + Send + 'static {
    let rows = store.mongo.collection::<Document>("rows");
    async move {
        sleep(Duration::from_millis(200)).await;
        rows.insert_one(doc! { "_id": id }).await.map(|_| ())
    }
}

mod mongodb_result {
    use shop_mongo::{Document, DriverError};

    pub(super) type Found = Result<Option<Document>, DriverError>;
    pub(super) type Done = Result<(), DriverError>;
}
