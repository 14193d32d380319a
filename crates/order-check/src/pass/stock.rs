//! The stock of every SKU in every location against its reservations and movements. What is held of each is a few numbers.

use std::collections::BTreeMap;

use super::{Seen, read};
use crate::database::{Look, MOVEMENTS, RESERVATIONS, STOCK, Walk};
use crate::finding::Findings;
use crate::judge::{self, Moved, Shelf};
use crate::record::{Movement, Reservation, ReservationState, Stock};
use crate::sorter::Sorter;
use crate::{Error, Invariant};

/// Movements by order, for the pass over orders.
pub(crate) type Moves = Sorter<Moved>;

/// Judges the stock; gives the movements of orders if they are asked for.
pub(crate) async fn stock(
    look: &mut Look,
    keep_moves: bool,
    findings: &mut Findings,
    seen: &mut Seen,
) -> Result<Option<Moves>, Error> {
    let mut shelves: BTreeMap<String, Shelf> = BTreeMap::new();
    let mut moves = keep_moves.then(Moves::default);
    let mut walk = Walk::over(MOVEMENTS, Movement::FIELDS);
    while let Some(document) = walk.next(look).await? {
        let subject = format!("movement {}", document.get_str("_id").unwrap_or_default());
        let Some(movement) = read(Movement::read(&document), Invariant::I7, &subject, findings) else { continue };
        *seen.entry((Invariant::I7, "movements")).or_default() += 1;
        let Movement { stock, version, cause, order, change } = movement;
        let shelf = shelves.entry(stock.clone()).or_default();
        shelf.moved.available += change.available;
        shelf.moved.reserved += change.reserved;
        shelf.moved.sold += change.sold;
        shelf.movements += 1;
        shelf.newest = shelf.newest.max(version);
        if let (Some(moves), Some(order)) = (&mut moves, order) {
            moves.push(order, Moved { stock, cause, change }).map_err(Error::Sort)?;
        }
    }
    let mut walk = Walk::over(RESERVATIONS, Reservation::FIELDS);
    while let Some(document) = walk.next(look).await? {
        let subject = format!("reservation of order {}", document.get_str("_id").unwrap_or_default());
        let Some(reservation) = read(Reservation::read(&document), Invariant::I2, &subject, findings) else { continue };
        *seen.entry((Invariant::I2, "reservations")).or_default() += 1;
        for line in reservation.lines {
            let shelf = shelves.entry(line.stock()).or_default();
            match reservation.state {
                ReservationState::Held => shelf.held += line.pieces,
                ReservationState::Committed => shelf.sold += line.pieces,
                ReservationState::Refused | ReservationState::Released | ReservationState::Restocked => {}
            }
        }
    }
    let mut walk = Walk::over(STOCK, Stock::FIELDS);
    while let Some(document) = walk.next(look).await? {
        let subject = format!("stock {}", document.get_str("_id").unwrap_or_default());
        let stock = read(Stock::read(&document), Invariant::I1, &subject, findings);
        *seen.entry((Invariant::I1, "SKUs")).or_default() += 1;
        let id = document.get_str("_id").unwrap_or_default();
        let shelf = shelves.remove(id).unwrap_or_default();
        if let Some(stock) = stock {
            findings.extend(judge::shelf(id, Some(&stock), &shelf));
        }
    }
    // Refused reservations name SKUs that nobody ever had: nothing was taken of those.
    for (id, shelf) in shelves.into_iter().filter(|(_, shelf)| *shelf != Shelf::default()) {
        findings.extend(judge::shelf(&id, None, &shelf));
    }
    Ok(moves)
}
