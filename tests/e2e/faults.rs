//! Parts of the shop go away while it is used.

use std::time::Duration;

use futures::future::join_all;
use reqwest::{Method, StatusCode};
use tests::wait::until;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::cluster::{Site, say, shared, system};
use crate::visitor::{Visitor, fresh, order_of};

/// So many requests are in flight at a time.
const READERS: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_pod_costs_readers_at_most_the_requests_in_flight() {
    let site = shared().await;
    let readers = Readers::start(&site).await;

    let victim = site.pods().await["catalog"][0].clone();
    site.kill(&victim).await;
    let replaced = |pods: &Vec<String>| pods.len() == 2 && !pods.contains(&victim);
    until("the pod is replaced", || async { site.pods().await["catalog"].clone() }, replaced).await;

    readers.end(&site, "a pod was deleted").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crashed_process_costs_readers_at_most_the_requests_in_flight() {
    let site = shared().await;
    let readers = Readers::start(&site).await;

    let victim = site.pods().await["catalog"][0].clone();
    site.crash(&victim).await;
    let look = || async { site.restarts(&victim).await };
    until("the process was started again", look, |restarts| *restarts > 0).await;

    readers.end(&site, "a process was killed").await;
}

/// Clients that read all the time, each one request after the other.
struct Readers {
    stop: CancellationToken,
    tasks: Vec<JoinHandle<(usize, Vec<String>)>>,
}

impl Readers {
    async fn start(site: &Site) -> Self {
        let visitor = Visitor::new(site).await;
        let stop = CancellationToken::new();
        let tasks = (0..READERS).map(|_| tokio::spawn(read(visitor.clone(), stop.clone()))).collect();
        sleep(Duration::from_secs(2)).await;
        Self { stop, tasks }
    }

    /// Goes on until the shop is whole again, then counts.
    async fn end(self, site: &Site, what: &str) {
        sleep(Duration::from_secs(2)).await;
        site.ready().await;
        sleep(Duration::from_secs(2)).await;
        self.stop.cancel();
        let counts: Vec<_> = join_all(self.tasks).await.into_iter().map(Result::unwrap).collect();
        let good: usize = counts.iter().map(|(good, _)| good).sum();
        let bad: Vec<_> = counts.into_iter().flat_map(|(_, bad)| bad).collect();
        say(&format!("While {what}: {good} reads succeeded, {} failed", bad.len()));
        assert!(good > 100, "only {good} reads: nothing is shown by this");
        assert!(bad.len() <= READERS, "{} of {} reads failed: {bad:#?}", bad.len(), good + bad.len());
    }
}

/// Reads until it is told to stop; counts what was good and keeps what was not.
async fn read(visitor: Visitor, stop: CancellationToken) -> (usize, Vec<String>) {
    let (mut good, mut bad) = (0, Vec::new());
    while !stop.is_cancelled() {
        match visitor.send(Method::GET, "/api/v1/products", None, None).await {
            Ok(answer) if answer.status == StatusCode::OK => good += 1,
            Ok(answer) => bad.push(format!("{answer:?}")),
            Err(error) => bad.push(format!("{error:?}")),
        }
    }
    (good, bad)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_was_away_catches_up_with_orders_and_events() {
    let site = shared().await;
    let admin = Visitor::admin(&site).await;
    let sku = fresh("towel");
    admin.sell(&sku, 990, 10).await;
    let ada = Visitor::customer(&site, "ada.waits").await;
    let bought = order_of(&ada.order(&ada.cart(&sku, 2).await, "tok_visa", "before").await);
    ada.status(&bought, "paid").await;
    admin.stock(&sku, (8, 0, 2)).await;
    let cart = ada.cart(&sku, 1).await;

    // The operator would start it again.
    let operator = system().await;
    operator.scale("shopmesh-operator", 0).await;
    site.scale("demo-inventory", 0).await;
    let cancelled = ada.send(Method::POST, &format!("/api/v1/orders/{bought}/cancel"), None, None).await.unwrap();
    assert_eq!(cancelled.status, StatusCode::OK, "{cancelled:?}");
    ada.status(&bought, "cancelled").await;
    let pending = ada.order_once(&cart, "tok_visa", "during").await;
    assert_eq!(pending.status, StatusCode::ACCEPTED, "written down, and driven on later: {pending:?}");

    operator.scale("shopmesh-operator", 1).await;
    site.ready().await;
    ada.status(&order_of(&pending), "paid").await;
    // Two came back by an event that waited, one was sold to the order that waited.
    admin.stock(&sku, (9, 0, 1)).await;
}
