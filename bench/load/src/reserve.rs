//! Buyers who all want the same SKU, by gRPC: no HTTP, no payment, one service.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use shop_proto::inventory::inventory_client::InventoryClient;
use shop_proto::inventory::{Line, ReservationState, ReserveRequest, SetOnHandRequest};
use tonic::transport::{Channel, Endpoint};

use crate::figures::{Figures, since};
use crate::random::random;

/// Connections that the buyers share: as between two services.
const CONNECTIONS: usize = 4;

/// Puts pieces into stock and lets buyers reserve one piece each, again and again, under a new order every time.
///
/// # Errors
/// When inventory is away.
pub(crate) async fn run(url: &str, sku: &str, pieces: u32, clients: usize, lasts: Duration) -> anyhow::Result<Figures> {
    ensure!(clients > 0, "there must be buyers");
    let mut channels = Vec::new();
    for _ in 0..CONNECTIONS {
        let endpoint = Endpoint::from_shared(url.to_owned())?.tcp_nodelay(true);
        channels.push(endpoint.connect().await.with_context(|| format!("cannot connect to {url}"))?);
    }
    let first = channels.first().context("there is a connection")?.clone();
    let stock = SetOnHandRequest { sku: sku.to_owned(), quantity: pieces, key: uuid_like(random()?, 0) };
    InventoryClient::new(first).set_on_hand(stock).await.context("inventory takes no stock")?;

    let ends = Instant::now() + lasts;
    let mut figures = Figures::begin()?;
    let mut buyers = Vec::new();
    for channel in channels.into_iter().cycle().take(clients) {
        buyers.push(tokio::spawn(buy(channel, sku.to_owned(), random()?, ends)));
    }
    for buyer in buyers {
        figures.add(buyer.await.context("a buyer panicked")?);
    }
    Ok(figures)
}

async fn buy(channel: Channel, sku: String, name: u64, ends: Instant) -> BTreeMap<String, Vec<u64>> {
    let mut inventory = InventoryClient::new(channel);
    let mut answers = BTreeMap::<String, Vec<u64>>::new();
    let mut number = 0;
    loop {
        let sent = Instant::now();
        if sent >= ends {
            return answers;
        }
        let lines = vec![Line { sku: sku.clone(), quantity: 1 }];
        let order_id = uuid_like(name, number);
        number += 1;
        let answer = match inventory.reserve(ReserveRequest { order_id, lines }).await {
            Ok(reply) => match reply.get_ref().state() {
                ReservationState::Held => "held",
                ReservationState::Refused => "refused",
                ReservationState::Unspecified
                | ReservationState::Committed
                | ReservationState::Released
                | ReservationState::Restocked => "something else",
            }
            .to_owned(),
            Err(status) => format!("no answer: {}", status.code()),
        };
        answers.entry(answer).or_default().push(since(sent));
    }
}

/// An id that nobody else has: the buyer's own number, and a counter.
fn uuid_like(buyer: u64, number: u64) -> String {
    let text = format!("{buyer:016x}{number:016x}");
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}
