//! How a batch of commands is decided: what was stored and the commands go in, answers and writes come out.
//!
//! First come, first served inside a batch; each command sees what those before it have changed. A pure function: the
//! transaction around it reads the state and applies the writes, each guarded by what was read.
//!
//! # Invariants
//! 1. In every location each piece that came in is in exactly one place: `available`, `reserved` or `sold`, none below zero.
//! 2. What is reserved of a SKU in a location are the lines of held orders that were taken there, what is sold those of
//!    committed ones. A line is taken from one location and moves only there.
//! 3. Who has changed what can be sold of a SKU has seen all that was told of it: versions of facts never repeat.

mod writes;

use std::collections::{BTreeMap, BTreeSet};

use shop_types::{OrderId, Sku, UserId};

pub use self::writes::{Changed, Writes};
use super::choice::choose;
use super::location::LocationId;
use super::{
    Adjustment, Answer, Command, Error, Key, Line, Lines, MAX_ON_HAND, Moved, Reason, Reservation, Scope, Shelf, State,
    Stock, Transfer, TransferId, Transferred,
};

/// What is stored about everything that a batch names; what is absent is not stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// Stock by SKU, of all locations.
    pub stock: BTreeMap<Sku, Shelf>,
    /// Locations beside `main` that a command names and that are there.
    pub locations: BTreeSet<LocationId>,
    /// Reservations by order.
    pub reservations: BTreeMap<OrderId, Reservation>,
    /// Commands done before, by the id of their key.
    pub done: BTreeMap<String, Done>,
}

/// A keyed command that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// Its name and what it said.
    pub key: Key,
    /// What it has moved, as it was right after it.
    pub moved: Moved,
}

/// Why pieces moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// Held for an order.
    Reserved(OrderId),
    /// Sold to an order.
    Committed(OrderId),
    /// Given back by an order that held them.
    Released(OrderId),
    /// Given back by an order that had bought them.
    Restocked(OrderId),
    /// Set by the catalog.
    Counted,
    /// Changed by staff.
    Adjusted {
        /// Why.
        reason: Reason,
        /// By whom.
        by: UserId,
    },
    /// Moved from or to another location by staff.
    Transferred {
        /// Which transfer.
        id: TransferId,
        /// The location at its other end.
        other: LocationId,
        /// The version of the stock there that it makes.
        other_version: i64,
        /// Why.
        reason: Reason,
        /// By whom.
        by: UserId,
    },
}

/// One movement of one SKU in one location; the history of both has exactly one for each version of the stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    /// Why.
    pub cause: Cause,
    /// By how much each place changed.
    pub change: Change,
    /// The stock right after it; its version numbers the movement.
    pub after: Stock,
}

/// By how many pieces each place changed. What was received changes by their sum, so the counts always add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Change {
    /// Pieces that can be sold.
    pub available: i64,
    /// Pieces that orders hold.
    pub reserved: i64,
    /// Pieces sold.
    pub sold: i64,
}

/// What a batch comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// One answer per command, in their order.
    pub answers: Vec<Result<Answer, Error>>,
    /// What is to be stored.
    pub writes: Writes,
}

/// Decides a batch.
#[must_use]
pub fn decide<'c>(stored: &Stored, commands: impl IntoIterator<Item = &'c Command>) -> Decision {
    let mut batch = Batch { now: stored.clone(), movements: Vec::new(), done: Vec::new() };
    let answers = commands.into_iter().map(|command| batch.obey(command)).collect();
    let Batch { now, movements, done } = batch;
    Decision { answers, writes: Writes::between(stored, now, movements, done) }
}

/// The state in the middle of a batch.
struct Batch {
    now: Stored,
    movements: Vec<Movement>,
    done: Vec<Done>,
}

impl Batch {
    fn obey(&mut self, command: &Command) -> Result<Answer, Error> {
        match command {
            Command::Reserve { order, lines } => self.reserve(*order, lines).map(Answer::Reservation),
            Command::Commit { order } => self.commit(*order).map(Answer::Reservation),
            Command::Release { order, scope } => self.release(*order, *scope).map(Answer::Reservation),
            Command::SetOnHand { sku, pieces, key } => {
                let set = |batch: &mut Self| batch.set_on_hand(sku, i64::from(*pieces)).map(Moved::Stock);
                self.once(Some(key), set).map(Answer::Moved)
            }
            Command::Adjust(adjustment) => {
                let adjust = |batch: &mut Self| batch.adjust(adjustment).map(Moved::Stock);
                self.once(adjustment.key.as_ref(), adjust).map(Answer::Moved)
            }
            Command::Transfer(transfer) => {
                let move_on = |batch: &mut Self| batch.transfer(transfer).map(Moved::Transfer);
                self.once(transfer.key.as_ref(), move_on).map(Answer::Moved)
            }
        }
    }

    fn reserve(&mut self, order: OrderId, lines: &Lines) -> Result<Reservation, Error> {
        if let Some(existing) = self.now.reservations.get(&order) {
            return match &existing.lines {
                Some(known) if known != lines => Err(Error::OtherLines { order }),
                Some(_) | None => Ok(existing.clone()),
            };
        }
        for line in lines.as_slice() {
            self.must_add_up(&line.sku)?;
        }
        let chosen = match choose(&self.now.stock, lines) {
            Ok(chosen) => chosen,
            Err(shortages) => return Ok(self.put(untaken(order, State::Refused { shortages }, Some(lines.clone())))),
        };
        for Line { sku, quantity } in lines.as_slice() {
            let pieces = i64::from(quantity.get());
            let change = Change { available: -pieces, reserved: pieces, sold: 0 };
            let location = chosen.get(sku).cloned().unwrap_or_else(LocationId::main);
            self.apply(sku, &location, change, Cause::Reserved(order))?;
        }
        let elsewhere = chosen.into_iter().filter(|(_, location)| !location.is_main()).collect();
        Ok(self.put(Reservation { order, state: State::Held, lines: Some(lines.clone()), elsewhere }))
    }

    fn commit(&mut self, order: OrderId) -> Result<Reservation, Error> {
        let reservation = self.now.reservations.get(&order).cloned().ok_or(Error::NoReservation { order })?;
        match reservation.state {
            State::Held => self.give(reservation, State::Committed, |pieces| {
                (Change { available: 0, reserved: -pieces, sold: pieces }, Cause::Committed(order))
            }),
            State::Refused { .. } | State::Committed | State::Released | State::Restocked => Ok(reservation),
        }
    }

    fn release(&mut self, order: OrderId, scope: Scope) -> Result<Reservation, Error> {
        let Some(reservation) = self.now.reservations.get(&order).cloned() else {
            return Ok(self.put(untaken(order, State::Released, None)));
        };
        match (&reservation.state, scope) {
            (State::Held, Scope::Hold | Scope::HoldOrSale) => self.give(reservation, State::Released, |pieces| {
                (Change { available: pieces, reserved: -pieces, sold: 0 }, Cause::Released(order))
            }),
            (State::Committed, Scope::HoldOrSale) => self.give(reservation, State::Restocked, |pieces| {
                (Change { available: pieces, reserved: 0, sold: -pieces }, Cause::Restocked(order))
            }),
            (State::Committed, Scope::Hold)
            | (State::Refused { .. } | State::Released | State::Restocked, Scope::Hold | Scope::HoldOrSale) => {
                Ok(reservation)
            }
        }
    }

    fn set_on_hand(&mut self, sku: &Sku, pieces: i64) -> Result<Stock, Error> {
        let stock = self.stock(sku, &LocationId::main())?;
        let missing = pieces - stock.on_hand();
        if missing == 0 && stock.version > 0 {
            return Ok(stock);
        }
        self.move_shelf(&stock, missing, Cause::Counted)
    }

    fn adjust(&mut self, adjustment: &Adjustment) -> Result<Stock, Error> {
        let Adjustment { sku, location, delta, reason, by, key: _ } = adjustment;
        self.must_be_there(location, "location")?;
        let cause = Cause::Adjusted { reason: reason.clone(), by: *by };
        self.move_shelf(&self.stock(sku, location)?, delta.get(), cause)
    }

    fn transfer(&mut self, transfer: &Transfer) -> Result<Transferred, Error> {
        let Transfer { id, sku, from, to, pieces, reason, by, key: _ } = transfer;
        if from == to {
            return Err(Error::SameLocation);
        }
        self.must_be_there(from, "from")?;
        self.must_be_there(to, "to")?;
        let (pieces, source, target) = (i64::from(pieces.get()), self.stock(sku, from)?, self.stock(sku, to)?);
        must_fit(&source, -pieces)?;
        must_fit(&target, pieces)?;
        let cause = |other: Stock| Cause::Transferred {
            id: *id,
            other: other.location,
            other_version: other.version + 1,
            reason: reason.clone(),
            by: *by,
        };
        let change = |available| Change { available, ..Change::default() };
        let from = self.apply(sku, from, change(-pieces), cause(target))?;
        let to = self.apply(sku, to, change(pieces), cause(source))?;
        Ok(Transferred { id: *id, from, to })
    }

    fn move_shelf(&mut self, stock: &Stock, pieces: i64, cause: Cause) -> Result<Stock, Error> {
        must_fit(stock, pieces)?;
        self.apply(&stock.sku, &stock.location, Change { available: pieces, ..Change::default() }, cause)
    }

    /// Does a keyed command, unless it was done before: then its answer is the old one.
    fn once(&mut self, key: Option<&Key>, act: impl FnOnce(&mut Self) -> Result<Moved, Error>) -> Result<Moved, Error> {
        let Some(key) = key else { return act(self) };
        if let Some(done) = self.now.done.get(&key.id) {
            return if done.key.fingerprint == key.fingerprint {
                Ok(done.moved.clone())
            } else {
                Err(Error::KeyReused)
            };
        }
        let moved = act(self)?;
        let done = Done { key: key.clone(), moved: moved.clone() };
        self.now.done.insert(key.id.clone(), done.clone());
        self.done.push(done);
        Ok(moved)
    }

    /// Moves every line of a reservation to another place, or none of them.
    fn give(
        &mut self,
        reservation: Reservation,
        state: State,
        of: impl Fn(i64) -> (Change, Cause),
    ) -> Result<Reservation, Error> {
        let slice = reservation.lines.as_ref().map_or(&[][..], Lines::as_slice);
        for Line { sku, quantity } in slice {
            let (change, _) = of(i64::from(quantity.get()));
            moved(&self.stock(sku, &reservation.location_of(sku))?, change)?;
        }
        for Line { sku, quantity } in slice {
            let (change, cause) = of(i64::from(quantity.get()));
            self.apply(sku, &reservation.location_of(sku), change, cause)?;
        }
        Ok(self.put(Reservation { state, ..reservation }))
    }

    fn put(&mut self, reservation: Reservation) -> Reservation {
        self.now.reservations.insert(reservation.order, reservation.clone());
        reservation
    }

    fn must_be_there(&self, location: &LocationId, field: &'static str) -> Result<(), Error> {
        let there = location.is_main() || self.now.locations.contains(location);
        if there { Ok(()) } else { Err(Error::NoLocation { field }) }
    }

    fn must_add_up(&self, sku: &Sku) -> Result<(), Error> {
        let mut shelf = self.now.stock.get(sku).into_iter().flat_map(Shelf::stocks);
        if shelf.all(Stock::is_balanced) { Ok(()) } else { Err(Error::Unbalanced { sku: sku.clone() }) }
    }

    fn stock(&self, sku: &Sku, location: &LocationId) -> Result<Stock, Error> {
        let stored = self.now.stock.get(sku).and_then(|shelf| shelf.at(location)).cloned();
        let stock = stored.unwrap_or_else(|| Stock::none(sku.clone(), location.clone()));
        if stock.is_balanced() { Ok(stock) } else { Err(Error::Unbalanced { sku: sku.clone() }) }
    }

    fn apply(&mut self, sku: &Sku, location: &LocationId, change: Change, cause: Cause) -> Result<Stock, Error> {
        let after = moved(&self.stock(sku, location)?, change)?;
        self.now.stock.entry(sku.clone()).or_default().put(after.clone());
        self.movements.push(Movement { cause, change, after: after.clone() });
        Ok(after)
    }
}

/// A reservation that has taken nothing.
const fn untaken(order: OrderId, state: State, lines: Option<Lines>) -> Reservation {
    Reservation { order, state, lines, elsewhere: BTreeMap::new() }
}

/// Whether so many pieces can come in, or go when they are fewer than none.
fn must_fit(stock: &Stock, pieces: i64) -> Result<(), Error> {
    if stock.available + pieces < 0 {
        return Err(Error::BelowZero { sku: stock.sku.clone(), available: stock.available });
    }
    if stock.on_hand() + pieces > MAX_ON_HAND {
        return Err(Error::AboveLimit { sku: stock.sku.clone() });
    }
    Ok(())
}

/// The stock after a change.
fn moved(stock: &Stock, change: Change) -> Result<Stock, Error> {
    let Change { available, reserved, sold } = change;
    let after = Stock {
        sku: stock.sku.clone(),
        location: stock.location.clone(),
        available: stock.available + available,
        reserved: stock.reserved + reserved,
        sold: stock.sold + sold,
        received: stock.received + available + reserved + sold,
        version: stock.version + 1,
    };
    if after.is_balanced() { Ok(after) } else { Err(Error::Unbalanced { sku: stock.sku.clone() }) }
}

#[cfg(test)]
mod tests;
