//! Streams: nothing counts as handled in data that was lost.

use std::time::Duration;

use shop_redis::{Error, Mark, Retry, Stream, StreamId};

use crate::eventually;
use crate::server::Server;
use crate::stream::{IDLE, entries, event_ids, opened};

/// Does everything that must be refused once the data is not what it was.
async fn assert_refused(stream: &Stream, mark: &Mark, group: &str, id: StreamId) {
    let refused = |result: Result<(), Error>, what: &str| {
        assert!(matches!(result, Err(Error::EpochChanged { .. })), "{what}: {result:?}");
    };
    refused(stream.append(mark, &entries(&["z"])).await.map(drop), "append");
    refused(stream.floor(mark, &[]).await.map(drop), "floor");
    refused(stream.trim_below(mark, id).await.map(drop), "trim");
    refused(stream.remove_abandoned_groups(mark, &[], Duration::ZERO).await.map(drop), "remove groups");
    refused(stream.acknowledge(mark, group, &[id]).await.map(drop), "acknowledge");
    let retry = Retry { stream_id: id, after: IDLE, deliveries: 1 };
    refused(stream.give_back(mark, group, "one", IDLE, &[retry]).await, "give back");
}

#[tokio::test]
async fn a_flush_is_noticed_by_every_step_and_begins_a_new_epoch() {
    let server = Server::start();
    let (_redis, stream, mark) = opened(&server).await;
    let ids = stream.append(&mark, &entries(&["a"])).await.unwrap();

    server.cli(&["FLUSHALL"]);
    stream.ensure_group("payment").await.unwrap();

    assert_refused(&stream, &mark, "payment", ids[0]).await;
    let reopened = stream.open("second").await.unwrap();
    assert_eq!(reopened, Mark { run_id: mark.run_id.clone(), epoch: "second".into() });
    assert_eq!(stream.open("third").await.unwrap(), reopened, "an epoch goes on while nothing is lost");
    assert_refused(&stream, &mark, "payment", ids[0]).await;
    stream.append(&reopened, &entries(&["a"])).await.unwrap();
    assert_eq!(event_ids(&stream.read("payment", "one", 9).await.unwrap()), ["a"]);
}

#[tokio::test]
async fn a_deleted_stream_is_noticed_although_its_epoch_is_there() {
    let server = Server::start();
    let (_redis, stream, mark) = opened(&server).await;
    let ids = stream.append(&mark, &entries(&["a"])).await.unwrap();

    server.cli(&["DEL", "t:events:{order}"]);

    assert_refused(&stream, &mark, "payment", ids[0]).await;
    assert_eq!(stream.open("second").await.unwrap().epoch, "second");
}

#[tokio::test]
async fn a_deleted_stream_is_noticed_although_a_consumer_has_made_it_again() {
    let server = Server::start();
    let (_redis, stream, mark) = opened(&server).await;
    let ids = stream.append(&mark, &entries(&["a"])).await.unwrap();

    server.cli(&["DEL", "t:events:{order}"]);
    stream.ensure_group("cart").await.unwrap();

    assert_refused(&stream, &mark, "payment", ids[0]).await;
    assert_eq!(stream.open("second").await.unwrap().epoch, "second");
}

#[tokio::test]
async fn a_server_that_comes_back_with_older_data_is_noticed() {
    let server = Server::start();
    let (redis, stream, mark) = opened(&server).await;
    stream.ensure_group("payment").await.unwrap();
    server.cli(&["SAVE"]);
    let ids = stream.append(&mark, &entries(&["a"])).await.unwrap();
    stream.read("payment", "one", 1).await.unwrap();

    server.crash();
    eventually("the client is back", async || redis.ping().await).await;

    eventually("streams are back", async || stream.floor(&mark, &[]).await.is_err_and(|e| !is_away(&e))).await;
    assert_refused(&stream, &mark, "payment", ids[0]).await;
    let reopened = stream.open("second").await.unwrap();
    assert_eq!(reopened.epoch, mark.epoch, "the epoch key was saved");
    assert_ne!(reopened.run_id, mark.run_id);
}

#[tokio::test]
async fn a_promoted_replica_is_noticed_even_when_the_process_is_the_same() {
    let server = Server::start();
    let primary = Server::start();
    let (_redis, stream, mark) = opened(&server).await;
    let ids = stream.append(&mark, &entries(&["a"])).await.unwrap();

    // The server loses its data to another primary's and is made a primary again before anybody asked it anything.
    primary.cli(&["SET", "t:events:{order}:epoch", "first"]);
    primary.cli(&["XADD", "t:events:{order}", "*", "id", "other"]);
    let port = primary.url().trim_end_matches("/0").rsplit(':').next().unwrap().to_owned();
    server.cli(&["REPLICAOF", "127.0.0.1", &port]);
    eventually("it has copied", async || server.cli(&["INFO", "replication"]).contains("master_link_status:up")).await;
    server.cli(&["REPLICAOF", "NO", "ONE"]);

    assert_eq!(server.cli(&["GET", "t:events:{order}:epoch"]), "first");
    assert_refused(&stream, &mark, "payment", ids[0]).await;
}

fn is_away(error: &Error) -> bool {
    matches!(error, Error::Unavailable { .. })
}
