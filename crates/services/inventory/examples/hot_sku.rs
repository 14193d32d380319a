//! Measures reservations of one SKU that everybody wants: how many a second, and how long held and refused buyers wait.
//!
//! `hot_sku [SECONDS] [BUYERS] [PIECES] [PODS]`, by default 10 seconds, 256 buyers, 1,000,000 pieces and one pod. Each buyer
//! asks the [`App`] for one piece of the same SKU, under a new order each time, as soon as the last answer is there. With
//! few pieces nearly all are refused. Pods have database handles and groups of their own. One JSON line is printed. The
//! MongoDB is the one of the tests (`SHOPMESH_TEST_MONGODB_URI`); the databases are dropped at the end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use inventory::app::{App, Error};
use inventory::domain::location::LocationId;
use inventory::domain::{Adjustment, Delta, Line, Lines, Reason, State};
use serde_json::json;
use shop_config::{MongoConfig, Secret};
use shop_mongo::{Mongo, doc};
use shop_service::SystemClock;
use shop_telemetry::metrics::Metrics;
use shop_types::{Clock as _, OrderId, Quantity, Sku, UserId};
use tokio_util::sync::CancellationToken;

/// What is asked for.
struct Load {
    seconds: u64,
    buyers: usize,
    pieces: i64,
    pods: usize,
}

/// How long answers took, by what they were, and how often nobody knew.
#[derive(Default)]
struct Waits {
    held: Vec<Duration>,
    refused: Vec<Duration>,
    unknown: usize,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u32>().context("arguments are whole numbers"));
    let mut number = |default: u32| numbers.next().unwrap_or(Ok(default));
    let (seconds, buyers, pieces, pods) = (number(10)?, number(256)?, number(1_000_000)?, number(1)?);
    let (buyers, pods) = (usize::try_from(buyers)?, usize::try_from(pods)?);
    ensure!(buyers > 0 && pods > 0, "there must be buyers and pods");
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok().context("TLS is set up already")?;
    let settings = MongoConfig {
        uri: Secret::new(shop_testkit::mongodb_uri()),
        database_prefix: format!("hot_{}", &SystemClock.new_id().simple().to_string()[16..]),
        owner: None,
        max_pool_size: 20,
    };
    let load = Load { seconds: seconds.into(), buyers, pieces: pieces.into(), pods };
    let ended = measure(&settings, &load).await;
    shop_mongo::drop_databases(&settings).await?;
    let report = ended?;
    #[expect(clippy::disallowed_macros, reason = "the answer of a command line tool")]
    {
        println!("{report}");
    }
    Ok(())
}

async fn measure(settings: &MongoConfig, load: &Load) -> anyhow::Result<serde_json::Value> {
    let sku: Sku = "hot".parse()?;
    let mut pods = Vec::new();
    for n in 0..load.pods {
        let mongo = Mongo::connect("inventory", settings, &Metrics::new("inventory")).await?;
        let app = App::new(&mongo, Arc::new(SystemClock), CancellationToken::new());
        if n == 0 {
            app.prepare().await?;
        }
        pods.push((mongo, Arc::new(app)));
    }
    let (mongo, first) = &pods[0];
    stock_up(first, &sku, load.pieces).await?;
    let started = Instant::now();
    let until = started + Duration::from_secs(load.seconds);
    let buyers = (0..load.buyers).map(|n| tokio::spawn(buy(Arc::clone(&pods[n % load.pods].1), sku.clone(), until)));
    let mut all = Waits::default();
    for buyer in futures::future::join_all(buyers).await {
        let Waits { held, refused, unknown } = buyer??;
        all.held.extend(held);
        all.refused.extend(refused);
        all.unknown += unknown;
    }
    let seconds = started.elapsed().as_secs_f64();
    let answered = all.held.len() + all.refused.len();
    let stock = first.stock(&sku).await?;
    let oversold = all.held.len() > usize::try_from(load.pieces)? || stock.available < 0;
    ensure!(!oversold, "{} pieces were held of {}: {stock:?}", all.held.len(), load.pieces);
    // Every group writes one event about the one SKU: so many groups there were.
    let groups = mongo.collection::<shop_mongo::Document>("outbox").count_documents(doc! {}).await?;
    let per_group = f64::from(u32::try_from(all.held.len())?) / f64::from(u32::try_from(groups)?.max(1));
    Ok(json!({
        "per_second": (f64::from(u32::try_from(answered)?) / seconds).round(),
        "held": all.held.len(), "refused": all.refused.len(), "unknown": all.unknown,
        "held_ms": percentiles(&mut all.held), "refused_ms": percentiles(&mut all.refused),
        "orders_held_per_transaction": (per_group * 10.0).round() / 10.0,
        "seconds": load.seconds, "buyers": load.buyers, "pieces": load.pieces, "pods": load.pods,
    }))
}

async fn stock_up(app: &App, sku: &Sku, pieces: i64) -> anyhow::Result<()> {
    let mut left = pieces;
    while left > 0 {
        let delta = left.min(1_000_000);
        let (delta, reason) = (Delta::new(delta)?, Reason::new("delivery")?);
        let by = UserId::from_uuid(SystemClock.new_id());
        let location = LocationId::main();
        app.adjust(Adjustment { sku: sku.clone(), location, delta, reason, by, key: None }).await?;
        left -= delta.get();
    }
    Ok(())
}

async fn buy(pod: Arc<App>, sku: Sku, until: Instant) -> anyhow::Result<Waits> {
    let mut waits = Waits::default();
    while Instant::now() < until {
        let order = OrderId::from_uuid(SystemClock.new_id());
        let lines = Lines::new(vec![Line { sku: sku.clone(), quantity: Quantity::new(1)? }])?;
        let asked = Instant::now();
        match pod.reserve(order, lines).await.map(|reservation| reservation.state) {
            Ok(State::Held) => waits.held.push(asked.elapsed()),
            Ok(State::Refused { .. }) => waits.refused.push(asked.elapsed()),
            Ok(state @ (State::Committed | State::Released | State::Restocked)) => {
                anyhow::bail!("a new order is {}", state.word());
            }
            Err(Error::Store(_)) => waits.unknown += 1,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(waits)
}

/// Milliseconds within which half, 99 % and all were answered; null for none.
fn percentiles(waits: &mut [Duration]) -> serde_json::Value {
    waits.sort();
    let within = |percent: usize| waits.get((waits.len() * percent / 100).min(waits.len().saturating_sub(1)));
    let milliseconds = |wait: Option<&Duration>| wait.map(|wait| (wait.as_secs_f64() * 10_000.0).round() / 10.0);
    json!({ "p50": milliseconds(within(50)), "p99": milliseconds(within(99)), "most": milliseconds(waits.last()) })
}
