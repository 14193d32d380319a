//! What kubelet and endpoint controller do: a pod that is not ready, or gone, gets no new requests about a second later.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures::future::join_all;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::addresses::Party;
use super::pods::is_ready;
use crate::proxy::Endpoints;

/// How often pods are asked: the operator's probes have 2 s, a container that ended is seen sooner.
const PERIOD: Duration = Duration::from_secs(1);
/// A pod that answers nothing so often in a row is taken out.
const FAILURES: u8 = 2;

/// The pods to look after, by service.
pub(crate) type Watched = Arc<ArcSwap<Vec<(&'static str, Party)>>>;

/// Keeps the endpoints as the pods are, until the handle is aborted.
pub(crate) fn watch(pods: Watched, endpoints: BTreeMap<&'static str, Arc<Endpoints>>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let client = reqwest::Client::new();
        let mut failures = HashMap::<Party, u8>::new();
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let pods = pods.load_full();
            let states = join_all(pods.iter().map(|(_, party)| look(&client, *party))).await;
            for ((_, party), state) in pods.iter().zip(states) {
                let failed = failures.entry(*party).or_insert(FAILURES);
                *failed = match state {
                    State::Ready => 0,
                    State::Silent => failed.saturating_add(1),
                    State::Gone => FAILURES,
                };
            }
            for (service, endpoints) in &endpoints {
                let good = |(other, party): &&(&str, Party)| {
                    other == service && failures.get(party).is_some_and(|failed| *failed < FAILURES)
                };
                endpoints.set(pods.iter().filter(good).map(|(_, party)| party.address()).collect());
            }
        }
    })
}

enum State {
    Ready,
    /// It does not answer, or says that it is not ready.
    Silent,
    /// Nobody listens.
    Gone,
}

async fn look(client: &reqwest::Client, party: Party) -> State {
    if is_ready(client, party).await {
        return State::Ready;
    }
    let address = (party.address(), shop_config::ADMIN_PORT);
    match tokio::time::timeout(PERIOD, tokio::net::TcpStream::connect(address)).await {
        Ok(Err(_refused)) => State::Gone,
        Ok(Ok(_)) | Err(_) => State::Silent,
    }
}
