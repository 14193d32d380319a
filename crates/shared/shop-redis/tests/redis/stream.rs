//! Streams: what is given to whom, what is kept, and what wakes readers.

use std::time::Duration;

use shop_redis::{Batch, Entry, Error, Mark, Notice, Redis, Retry, Stream, StreamId};

use crate::connect;
use crate::server::Server;

pub(crate) const IDLE: Duration = Duration::from_secs(30);

pub(crate) fn entries(ids: &[&str]) -> Vec<Entry> {
    let entry = |id: &&str| Entry {
        event_id: (*id).to_owned(),
        topic: "order.confirmed".into(),
        json: format!("{{\"id\":\"{id}\"}}"),
        mirror: None,
    };
    ids.iter().map(entry).collect()
}

pub(crate) fn event_ids(batch: &Batch) -> Vec<&str> {
    batch.deliveries.iter().map(|delivery| delivery.event_id.as_str()).collect()
}

pub(crate) async fn opened(server: &Server) -> (Redis, Stream, Mark) {
    let redis = connect(server).await;
    let stream = redis.stream("order");
    let mark = stream.open("first").await.unwrap();
    (redis, stream, mark)
}

#[tokio::test]
async fn a_group_is_given_every_event_once_and_in_order() {
    let server = Server::start();
    let (_redis, stream, mark) = opened(&server).await;
    stream.append(&mark, &entries(&["a", "b"])).await.unwrap();
    stream.ensure_group("payment").await.unwrap();
    stream.ensure_group("payment").await.unwrap();
    stream.append(&mark, &entries(&["c"])).await.unwrap();

    let first = stream.read("payment", "one", 2).await.unwrap();
    let second = stream.read("payment", "two", 2).await.unwrap();
    let third = stream.read("payment", "one", 2).await.unwrap();

    assert_eq!(event_ids(&first), ["a", "b"]);
    assert_eq!(event_ids(&second), ["c"]);
    assert_eq!(event_ids(&third), [""; 0]);
    assert_eq!(first.mark, mark);
    assert_eq!(first.deliveries[0].topic, "order.confirmed");
    assert_eq!(first.deliveries[0].json, "{\"id\":\"a\"}");
    assert_eq!(first.deliveries[0].deliveries, 1);
    assert_eq!(server.cli(&["TTL", "t:events:{order}:epoch"]), "-1");
    assert_eq!(server.cli(&["TTL", "t:events:{order}"]), "-1");
}

#[tokio::test]
async fn a_missing_group_is_named() {
    let server = Server::start();
    let (_redis, stream, _mark) = opened(&server).await;

    assert!(matches!(stream.read("payment", "one", 1).await, Err(Error::NoGroup { group }) if group == "payment"));
    let claim = stream.claim_idle("payment", "one", IDLE, 1, StreamId::ZERO).await;
    assert!(matches!(claim, Err(Error::NoGroup { .. })));
}

#[tokio::test]
async fn the_floor_is_the_oldest_event_that_any_group_has_not_acknowledged() {
    let server = Server::start();
    let (_redis, stream, mark) = opened(&server).await;
    let ids = stream.append(&mark, &entries(&["a", "b", "c"])).await.unwrap();
    stream.ensure_group("payment").await.unwrap();
    assert_eq!(stream.floor(&mark, &["payment", "cart"]).await.unwrap().below, None, "cart has no group yet");
    stream.ensure_group("cart").await.unwrap();
    let batch = stream.read("payment", "one", 10).await.unwrap();
    stream.acknowledge(&batch.mark, "payment", &[ids[0], ids[2]]).await.unwrap();

    let untouched = stream.floor(&mark, &["payment", "cart"]).await.unwrap();
    stream.read("cart", "one", 10).await.unwrap();
    stream.acknowledge(&mark, "cart", &ids).await.unwrap();
    let out_of_order = stream.floor(&mark, &["payment", "cart"]).await.unwrap();
    stream.acknowledge(&mark, "payment", &[ids[1]]).await.unwrap();
    let all = stream.floor(&mark, &["payment", "cart"]).await.unwrap();

    assert!(untouched.below.unwrap() <= ids[0]);
    assert_eq!(untouched.groups.iter().find(|group| group.name == "cart").unwrap().lag, 3);
    assert_eq!(untouched.groups.iter().find(|group| group.name == "payment").unwrap().lag, 1);
    assert_eq!(out_of_order.below, Some(ids[1]));
    assert_eq!(all.below, Some(ids[2].next()));
    assert_eq!(stream.trim_below(&mark, ids[1]).await.unwrap(), 1);
    assert_eq!(server.cli(&["XLEN", "t:events:{order}"]), "2");
}

#[tokio::test]
async fn a_group_that_has_everything_is_not_behind_whatever_redis_has_counted() {
    let server = Server::start();
    let (_redis, stream, mark) = opened(&server).await;
    stream.append(&mark, &entries(&["a", "b", "c"])).await.unwrap();
    stream.ensure_group("cart").await.unwrap();
    let lag = async || stream.floor(&mark, &[]).await.unwrap().groups[0].lag;
    let count = |read: &str, last: &str| {
        server.cli(&["XGROUP", "SETID", "t:events:{order}", "cart", last, "ENTRIESREAD", read])
    };

    // As after a crash that its file has not survived whole.
    count("1", "$");
    assert_eq!(lag().await, 0);
    let ids = stream.append(&mark, &entries(&["d"])).await.unwrap();
    stream.trim_below(&mark, ids[0]).await.unwrap();
    assert_eq!(lag().await, 1, "never more than there are");
    let batch = stream.read("cart", "one", 10).await.unwrap();
    assert_eq!((event_ids(&batch), lag().await), (vec!["d"], 1), "given, and not acknowledged");
    stream.acknowledge(&mark, "cart", &ids).await.unwrap();
    assert_eq!(lag().await, 0);
}

#[tokio::test]
async fn a_group_that_nobody_expected_holds_the_floor_too() {
    let server = Server::start();
    let (_redis, stream, mark) = opened(&server).await;
    let ids = stream.append(&mark, &entries(&["a"])).await.unwrap();

    let alone = stream.floor(&mark, &[]).await.unwrap();
    stream.ensure_group("newcomer").await.unwrap();
    let joined = stream.floor(&mark, &[]).await.unwrap();

    assert_eq!(alone.below, Some(ids[0].next()));
    assert!(joined.below.unwrap() <= ids[0]);
}

#[tokio::test]
async fn a_group_is_removed_only_when_nobody_expects_it_or_has_asked_for_it() {
    let server = Server::start();
    let (_redis, stream, mark) = opened(&server).await;
    let ids = stream.append(&mark, &entries(&["a"])).await.unwrap();
    for group in ["payment", "newcomer", "gone", "never-read"] {
        stream.ensure_group(group).await.unwrap();
    }
    for group in ["payment", "gone"] {
        stream.read(group, "one", 1).await.unwrap();
    }
    let idle = Duration::from_secs(2);
    tokio::time::sleep(idle + Duration::from_millis(10)).await;
    stream.read("newcomer", "one", 1).await.unwrap();

    let too_early = stream.remove_abandoned_groups(&mark, &["payment", "never-read"], IDLE).await.unwrap();
    let removed = stream.remove_abandoned_groups(&mark, &["payment"], idle).await.unwrap();

    assert_eq!((too_early, removed), (vec![], vec!["gone".to_owned(), "never-read".to_owned()]));
    assert!(matches!(stream.read("gone", "one", 1).await, Err(Error::NoGroup { .. })), "and may come again");
    stream.acknowledge(&mark, "payment", &ids).await.unwrap();
    stream.acknowledge(&mark, "newcomer", &ids).await.unwrap();
    assert_eq!(stream.floor(&mark, &["payment"]).await.unwrap().below, Some(ids[0].next()));
}

#[tokio::test]
async fn what_a_consumer_did_not_acknowledge_is_claimed_and_counted() {
    let server = Server::start();
    let (_redis, stream, mark) = opened(&server).await;
    stream.ensure_group("payment").await.unwrap();
    stream.append(&mark, &entries(&["a", "b", "c"])).await.unwrap();
    stream.read("payment", "one", 3).await.unwrap();

    let (none, end) = stream.claim_idle("payment", "two", IDLE, 10, StreamId::ZERO).await.unwrap();
    let (some, next) = stream.claim_idle("payment", "two", Duration::ZERO, 2, StreamId::ZERO).await.unwrap();
    let (rest, _) = stream.claim_idle("payment", "two", Duration::ZERO, 2, next).await.unwrap();

    assert_eq!((event_ids(&none), end), (vec![], StreamId::ZERO));
    assert_eq!(event_ids(&some), ["a", "b"]);
    assert_eq!(event_ids(&rest), ["c"]);
    assert_eq!(some.deliveries[0].deliveries, 2);
    assert_eq!(some.mark, mark);
}

#[tokio::test]
async fn a_claim_whose_answer_is_lost_is_no_delivery() {
    let server = Server::start();
    let (_redis, stream, mark) = opened(&server).await;
    stream.ensure_group("payment").await.unwrap();
    stream.append(&mark, &entries(&["a"])).await.unwrap();
    stream.read("payment", "one", 1).await.unwrap();

    for _lost in 0..5 {
        stream.claim_idle("payment", "two", Duration::ZERO, 1, StreamId::ZERO).await.unwrap();
    }
    let (second, _) = stream.claim_idle("payment", "two", Duration::ZERO, 1, StreamId::ZERO).await.unwrap();
    assert_eq!(second.deliveries[0].deliveries, 2);

    for _twice in 0..2 {
        stream.count_delivery(&mark, "payment", "two", IDLE, &second.deliveries[0]).await.unwrap();
    }
    let (at_work, _) = stream.claim_idle("payment", "one", IDLE, 1, StreamId::ZERO).await.unwrap();
    assert_eq!(event_ids(&at_work), [""; 0], "who counts keeps it for another while");
    let (third, _) = stream.claim_idle("payment", "one", Duration::ZERO, 1, StreamId::ZERO).await.unwrap();
    assert_eq!(third.deliveries[0].deliveries, 3);
}

#[tokio::test]
async fn what_is_given_back_is_claimed_when_its_time_has_come() {
    let server = Server::start();
    let (_redis, stream, mark) = opened(&server).await;
    stream.ensure_group("payment").await.unwrap();
    let ids = stream.append(&mark, &entries(&["soon", "late", "taken"])).await.unwrap();
    stream.read("payment", "one", 3).await.unwrap();
    server.cli(&["XCLAIM", "t:events:{order}", "payment", "two", "0", &ids[2].to_string()]);

    let after = |millis, stream_id| Retry { stream_id, after: Duration::from_millis(millis), deliveries: 4 };
    let retries = [after(2_000, ids[0]), after(20_000, ids[1]), after(0, ids[2])];
    stream.give_back(&mark, "payment", "one", IDLE, &retries).await.unwrap();

    let (early, _) = stream.claim_idle("payment", "one", IDLE, 9, StreamId::ZERO).await.unwrap();
    assert_eq!(event_ids(&early), [""; 0], "one is not due, one late, one belongs to another consumer");
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    let (due, _) = stream.claim_idle("payment", "one", IDLE, 9, StreamId::ZERO).await.unwrap();
    assert_eq!(event_ids(&due), ["soon"]);
    assert_eq!(due.deliveries[0].deliveries, 5);
}

#[tokio::test]
async fn a_consumer_is_forgotten_only_when_it_holds_nothing() {
    let server = Server::start();
    let (_redis, stream, mark) = opened(&server).await;
    stream.ensure_group("payment").await.unwrap();
    stream.append(&mark, &entries(&["a"])).await.unwrap();
    let held = stream.read("payment", "holds", 1).await.unwrap();
    server.cli(&["XGROUP", "CREATECONSUMER", "t:events:{order}", "payment", "idle"]);
    tokio::time::sleep(Duration::from_millis(20)).await;

    assert_eq!(stream.forget_consumers("payment", IDLE).await.unwrap(), 0);
    assert_eq!(stream.forget_consumers("payment", Duration::from_millis(5)).await.unwrap(), 1);

    assert_eq!(stream.acknowledge(&mark, "payment", &[held.deliveries[0].stream_id]).await.unwrap(), 1);
}

#[tokio::test]
async fn a_full_redis_pushes_back_and_still_gives_out_what_it_holds() {
    let server = Server::start();
    let (_redis, stream, mark) = opened(&server).await;
    stream.ensure_group("payment").await.unwrap();
    let ids = stream.append(&mark, &entries(&["a"])).await.unwrap();
    server.cli(&["CONFIG", "SET", "maxmemory-policy", "volatile-lru"]);
    server.cli(&["CONFIG", "SET", "maxmemory", "1"]);

    let refused = stream.append(&mark, &entries(&["b"])).await;
    let batch = stream.read("payment", "one", 9).await.unwrap();
    let acknowledged = stream.acknowledge(&batch.mark, "payment", &ids).await.unwrap();
    server.cli(&["CONFIG", "SET", "maxmemory", "0"]);

    assert!(matches!(refused, Err(Error::Full { .. })), "{refused:?}");
    assert_eq!((event_ids(&batch), acknowledged), (vec!["a"], 1));
    stream.append(&mark, &entries(&["b"])).await.unwrap();
}

#[tokio::test]
async fn a_stream_takes_no_more_than_its_most_entries() {
    let server = Server::start();
    let (_redis, stream, mark) = opened(&server).await;
    let fill = "for i = 1, 100000 do redis.call('XADD', KEYS[1], '*', 'id', i) end";
    server.cli(&["EVAL", fill, "1", "t:events:{order}"]);

    let refused = stream.append(&mark, &entries(&["b"])).await;

    assert!(matches!(refused, Err(Error::Full { .. })), "{refused:?}");
    assert_eq!(server.cli(&["XLEN", "t:events:{order}"]), "100000");
}

#[tokio::test]
async fn an_append_wakes_readers_and_is_mirrored() {
    let server = Server::start();
    let (redis, stream, mark) = opened(&server).await;
    let mut wake = stream.wake();
    let mut mirror = redis.subscribe("user.created");
    assert_eq!((wake.next().await, mirror.next().await), (Some(Notice::Lost), Some(Notice::Lost)));
    let mut outward = entries(&["a"]);
    outward[0].mirror = Some("user.created".into());

    stream.append(&mark, &outward).await.unwrap();

    assert!(matches!(wake.next().await, Some(Notice::Message(_))));
    assert_eq!(mirror.next().await, Some(Notice::Message("{\"id\":\"a\"}".into())));
}

#[tokio::test]
async fn what_is_not_an_event_is_given_out_as_it_is() {
    let server = Server::start();
    let (_redis, stream, _mark) = opened(&server).await;
    stream.ensure_group("payment").await.unwrap();
    server.cli(&["XADD", "t:events:{order}", "*", "unheard", "of"]);

    let batch = stream.read("payment", "one", 1).await.unwrap();

    assert_eq!(event_ids(&batch), [""]);
    assert_eq!(batch.deliveries[0].json, "");
}
