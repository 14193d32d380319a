//! What a batch reads before it is decided: everything that its commands name, in one snapshot.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use shop_mongo::idempotency::Row;
use shop_mongo::{Error, Txn, doc, idempotency};
use shop_types::{OrderId, Sku};

use super::documents::{MovementDocument, ReservationDocument, StockDocument, TransferDocument, Unreadable};
use super::{MOVEMENTS, RESERVATIONS, STOCK, TRANSFERRED, corrupt, key_of, locations, order_of, sku_of};
use crate::domain::batch::{Done, Stored};
use crate::domain::location::LocationId;
use crate::domain::{
    Adjustment, Command, Key, Line, Lines, Moved, Reservation, Shelf, Stock, Transfer, Transferred, shelves,
};

pub(super) async fn load(txn: &mut Txn<'_>, commands: &[&Command]) -> Result<Stored, Error> {
    let reservations = load_reservations(txn, commands).await?;
    Ok(Stored {
        stock: load_stock(txn, skus_of(commands, &reservations)).await?,
        locations: locations::present(txn, &locations_of(commands)).await?,
        done: load_done(txn, commands).await?,
        reservations,
    })
}

/// The stock of SKUs in all locations, by the index of `sku`: one read, however many locations there are.
async fn load_stock(txn: &mut Txn<'_>, skus: BTreeSet<&Sku>) -> Result<BTreeMap<Sku, Shelf>, Error> {
    if skus.is_empty() {
        return Ok(BTreeMap::new());
    }
    let skus: Vec<&str> = skus.into_iter().map(Sku::as_str).collect();
    let found: Vec<StockDocument> = txn.find(STOCK, doc! { "sku": { "$in": skus } }).await?;
    let stock = found.into_iter().map(Stock::try_from).collect::<Result<Vec<_>, _>>();
    Ok(shelves(stock.map_err(|source| corrupt(txn.what(), source))?))
}

/// The locations that commands name.
fn locations_of(commands: &[&Command]) -> BTreeSet<LocationId> {
    let named = |command: &&Command| match command {
        Command::Adjust(Adjustment { location, .. }) => vec![location.clone()],
        Command::Transfer(Transfer { from, to, .. }) => vec![from.clone(), to.clone()],
        Command::Reserve { .. } | Command::Commit { .. } | Command::Release { .. } | Command::SetOnHand { .. } => {
            Vec::new()
        }
    };
    commands.iter().flat_map(named).collect()
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

/// The keyed commands that were done before, with what each has moved as it was right after it.
async fn load_done(txn: &mut Txn<'_>, commands: &[&Command]) -> Result<BTreeMap<String, Done>, Error> {
    let ids: Vec<String> = commands.iter().filter_map(|command| key_of(command)).map(|key| key.id.clone()).collect();
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = idempotency::find_many(txn, &ids).await?;
    let movement_of = |row: &Row| format!("{}:{}", row.resource, row.version.unwrap_or_default());
    let first = load_movements(txn, rows.values().map(movement_of).collect()).await?;
    let others = first.values().filter_map(MovementDocument::transfer).map(|transfer| transfer.other.clone()).collect();
    let others = load_movements(txn, others).await?;
    let done = |row: &Row| {
        let first = first.get(&movement_of(row)).ok_or(MISSING)?;
        let stock = first.stock_after()?;
        // A count that changed nothing names the movement before it, which may be a transfer.
        let moved = if row.outcome.as_deref() == Some(TRANSFERRED) {
            let TransferDocument { id, other } = first.transfer().ok_or(MISSING)?;
            let to = others.get(other).ok_or(MISSING)?.stock_after()?;
            Moved::Transfer(Transferred { id: *id, from: stock, to })
        } else {
            Moved::Stock(stock)
        };
        let key = Key { id: row.id.clone(), fingerprint: row.fingerprint.clone() };
        Ok((row.id.clone(), Done { key, moved }))
    };
    rows.values().map(|row| done(row).map_err(|source| corrupt(txn.what(), source))).collect()
}

const MISSING: Unreadable = Unreadable("what was done names a movement that is not there");

async fn load_movements(txn: &mut Txn<'_>, ids: Vec<String>) -> Result<HashMap<String, MovementDocument>, Error> {
    let found: Vec<MovementDocument> = txn.find_many(MOVEMENTS, ids).await?;
    Ok(found.into_iter().map(|movement| (movement.id().to_owned(), movement)).collect())
}

fn skus_of<'c>(commands: &[&'c Command], reservations: &'c BTreeMap<OrderId, Reservation>) -> BTreeSet<&'c Sku> {
    let asked = commands.iter().filter_map(|command| match command {
        Command::Reserve { lines, .. } => Some(lines),
        Command::Commit { .. }
        | Command::Release { .. }
        | Command::SetOnHand { .. }
        | Command::Adjust(_)
        | Command::Transfer(_) => None,
    });
    let known = reservations.values().filter_map(|reservation| reservation.lines.as_ref());
    let mut skus: BTreeSet<&Sku> = asked.chain(known).flat_map(Lines::as_slice).map(sku).collect();
    skus.extend(commands.iter().filter_map(|command| sku_of(command)));
    skus
}

fn sku(line: &Line) -> &Sku {
    &line.sku
}
