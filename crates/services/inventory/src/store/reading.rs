//! What a batch reads before it is decided: everything that its commands name, in one snapshot.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use shop_mongo::idempotency::Row;
use shop_mongo::{Error, Txn, idempotency};
use shop_types::{OrderId, Sku};

use super::documents::{self, MovementDocument, ReservationDocument, StockDocument};
use super::{MOVEMENTS, RESERVATIONS, STOCK, corrupt, key_of, order_of, sku_of, stock_id};
use crate::domain::batch::{Done, Stored};
use crate::domain::{Command, Key, Line, Lines, Reservation, Stock};

pub(super) async fn load(txn: &mut Txn<'_>, commands: &[&Command]) -> Result<Stored, Error> {
    let reservations = load_reservations(txn, commands).await?;
    let skus = skus_of(commands, &reservations);
    let stock: Vec<StockDocument> = txn.find_many(STOCK, skus.into_iter().map(stock_id)).await?;
    let stock = stock.into_iter().map(Stock::from).map(|stock| (stock.sku.clone(), stock)).collect();
    Ok(Stored { stock, reservations, done: load_done(txn, commands).await? })
}

async fn load_reservations(txn: &mut Txn<'_>, commands: &[&Command]) -> Result<BTreeMap<OrderId, Reservation>, Error> {
    let orders: BTreeSet<OrderId> = commands.iter().filter_map(|command| order_of(command)).collect();
    let found: Vec<ReservationDocument> =
        txn.find_many(RESERVATIONS, orders.into_iter().map(|order| order.to_string())).await?;
    let domain = |document: ReservationDocument| {
        let reservation = Reservation::try_from(document).map_err(|source| corrupt(txn.what(), source))?;
        Ok((reservation.order, reservation))
    };
    found.into_iter().map(domain).collect()
}

/// The keyed commands that were done before, with the stock as it was right after each.
pub(super) async fn load_done(txn: &mut Txn<'_>, commands: &[&Command]) -> Result<BTreeMap<String, Done>, Error> {
    let ids: Vec<String> = commands.iter().filter_map(|command| key_of(command)).map(|key| key.id.clone()).collect();
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = idempotency::find_many(txn, &ids).await?;
    let movement_of = |row: &Row| format!("{}:{}", row.resource, row.version.unwrap_or_default());
    let found: Vec<MovementDocument> = txn.find_many(MOVEMENTS, rows.values().map(movement_of)).await?;
    let movements: HashMap<&str, &MovementDocument> = found.iter().map(|movement| (movement.id(), movement)).collect();
    let done = |row: &Row| {
        let movement = movements.get(movement_of(row).as_str()).ok_or_else(|| {
            corrupt(txn.what(), documents::Unreadable("an idempotency row names a movement that is not there"))
        })?;
        let key = Key { id: row.id.clone(), fingerprint: row.fingerprint.clone() };
        Ok((row.id.clone(), Done { key, stock: movement.stock_after() }))
    };
    rows.values().map(done).collect()
}

fn skus_of<'c>(commands: &[&'c Command], reservations: &'c BTreeMap<OrderId, Reservation>) -> BTreeSet<&'c Sku> {
    let asked = commands.iter().filter_map(|command| match command {
        Command::Reserve { lines, .. } => Some(lines),
        Command::Commit { .. } | Command::Release { .. } | Command::SetOnHand { .. } | Command::Adjust(_) => None,
    });
    let known = reservations.values().filter_map(|reservation| reservation.lines.as_ref());
    let mut skus: BTreeSet<&Sku> = asked.chain(known).flat_map(Lines::as_slice).map(sku).collect();
    skus.extend(commands.iter().filter_map(|command| sku_of(command)));
    skus
}

fn sku(line: &Line) -> &Sku {
    &line.sku
}
