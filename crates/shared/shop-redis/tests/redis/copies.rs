//! Copies in Redis: that nobody gets what was loaded before a write that was answered.

use std::time::Duration;

use shop_redis::{Copies, Look};
use shop_telemetry::metrics::{Metrics, render};

use crate::server::Server;
use crate::{connect_measured, eventually};

const LIFE: Duration = Duration::from_secs(60);

/// Two processes' copies of one name.
async fn two(server: &Server) -> (Copies, Copies) {
    let (here, there) = (Metrics::new("here"), Metrics::new("there"));
    let one =
        |metrics: Metrics| async move { connect_measured(server, &metrics).await.copies("cart", LIFE, 8).unwrap() };
    (one(here).await, one(there).await)
}

fn text(look: &Look) -> Option<&str> {
    look.copy().map(|copy| std::str::from_utf8(copy).unwrap())
}

/// Looks until Redis was not too late to answer: on a busy machine it may be, and copies do without it for a moment.
async fn holds(copies: &Copies, key: &str, expected: Option<&str>) {
    eventually(&format!("{key} is {expected:?}"), async || text(&copies.look(key).await) == expected).await;
}

async fn keep(copies: &Copies, key: &str, loaded: &'static str) {
    eventually("it is kept", async || {
        let look = copies.look(key).await;
        copies.keep(look, loaded).await;
        text(&copies.look(key).await) == Some(loaded)
    })
    .await;
}

fn exists(server: &Server, key: &str) -> bool {
    server.cli(&["EXISTS", &format!("t:cache:{{cart}}:{key}")]) == "1"
}

#[tokio::test]
async fn a_copy_is_for_all_processes_until_it_is_removed_or_expires() {
    let server = Server::start();
    let (here, there) = two(&server).await;
    assert!(here.look("ada").await.copy().is_none());
    keep(&here, "ada", "1").await;
    holds(&there, "ada", Some("1")).await;
    let life: i64 = server.cli(&["TTL", "t:cache:{cart}:ada"]).parse().unwrap();
    assert!((1..=60).contains(&life), "{life}");
    eventually("it is gone from Redis", async || {
        there.invalidate(&["ada"]).await;
        !exists(&server, "ada")
    })
    .await;
    assert!(here.look("ada").await.copy().is_none(), "nothing is kept in the process");
}

#[tokio::test]
async fn a_load_that_began_before_a_write_was_answered_is_not_kept() {
    let server = Server::start();
    let (here, there) = two(&server).await;
    for writer in [&here, &there] {
        // It loads the old document while the other one writes.
        let look = here.look("ada").await;
        let before = server.cli(&["GET", "t:cache-generation:{cart}:ada"]);
        eventually("the write is told", async || {
            writer.invalidate(&["ada"]).await;
            server.cli(&["GET", "t:cache-generation:{cart}:ada"]) != before
        })
        .await;
        here.keep(look, "old").await;
        assert!(!exists(&server, "ada"));
        keep(&here, "ada", "new").await;
        here.invalidate(&["ada"]).await;
    }
}

#[tokio::test]
async fn a_write_that_nobody_waits_for_removes_the_copies_all_the_same_and_once_more_later() {
    let server = Server::start();
    let (here, there) = two(&server).await;
    keep(&here, "ada", "old").await;
    let stale = here.stale(vec!["ada".to_owned()], Duration::from_millis(500)).and("ben".to_owned());
    drop(stale);
    eventually("it is gone from Redis", async || !exists(&server, "ada")).await;
    // Loaded before the write was done.
    keep(&there, "ada", "old").await;
    eventually("it is gone again", async || !exists(&server, "ada")).await;
    keep(&there, "ada", "new").await;
    here.stale(vec!["ada".to_owned()], LIFE).remove().await;
    holds(&there, "ada", None).await;
}

#[tokio::test]
async fn a_large_document_is_not_copied() {
    let server = Server::start();
    let (here, _) = two(&server).await;
    let look = here.look("ada").await;
    here.keep(look, "nine byte").await;
    assert!(!exists(&server, "ada"));
    keep(&here, "ada", "8 bytes.").await;
}

#[tokio::test]
async fn without_redis_nothing_is_found_and_writes_are_told_to_nobody_and_counted() {
    let server = Server::start();
    let metrics = Metrics::new("cart");
    let copies = connect_measured(&server, &metrics).await.copies("cart", LIFE, 8).unwrap();
    keep(&copies, "ada", "1").await;
    server.stop();
    assert!(copies.look("ada").await.copy().is_none());
    copies.invalidate(&["ada"]).await;
    let rendered = render(&[metrics]);
    let failed = rendered.lines().find(|line| line.starts_with("cache_invalidation_failures_total{"));
    assert!(failed.is_some_and(|line| !line.ends_with(" 0")), "{rendered}");
    server.start_again();
    keep(&copies, "ada", "2").await;
}
