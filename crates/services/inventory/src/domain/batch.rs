//! How a batch of commands is decided: what was stored and the commands go in, answers and writes come out.
//!
//! First come, first served inside a batch; each command sees what those before it have changed. A pure function: the
//! transaction around it reads the state and applies the writes, each guarded by what was read.

use std::collections::BTreeMap;

use shop_types::{OrderId, Sku, UserId};

use super::{
    Adjustment, Answer, Command, Delta, Error, Key, Line, Lines, MAX_ON_HAND, Reason, Reservation, Scope, Shortage,
    State, Stock,
};

/// What is stored about everything that a batch names; what is absent is not stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// Stock by SKU.
    pub stock: BTreeMap<Sku, Stock>,
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
    /// The stock right after it.
    pub stock: Stock,
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
}

/// One movement of one SKU; the history of a SKU has exactly one for each of its versions.
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

/// A value that differs from what is stored. The write must be refused when the stored one is no longer `before`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed<T> {
    /// What was read; `None` when nothing is stored yet.
    pub before: Option<T>,
    /// What is to be stored.
    pub after: T,
}

/// Everything a batch changes. Either all of it is stored or nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Writes {
    /// Stock that moved, sorted by SKU, once per SKU.
    pub stock: Vec<Changed<Stock>>,
    /// Reservations made or moved on, sorted by order.
    pub reservations: Vec<Changed<Reservation>>,
    /// Every single movement, in the order in which they happened.
    pub movements: Vec<Movement>,
    /// Keyed commands that were done.
    pub done: Vec<Done>,
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
    let writes = Writes {
        stock: changed(&stored.stock, now.stock),
        reservations: changed(&stored.reservations, now.reservations),
        movements,
        done,
    };
    Decision { answers, writes }
}

fn changed<K: Ord, V: Clone + PartialEq>(before: &BTreeMap<K, V>, after: BTreeMap<K, V>) -> Vec<Changed<V>> {
    after
        .into_iter()
        .map(|(key, after)| Changed { before: before.get(&key).cloned(), after })
        .filter(|change| change.before.as_ref() != Some(&change.after))
        .collect()
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
                self.once(Some(key), |batch| batch.set_on_hand(sku, i64::from(*pieces))).map(Answer::Stock)
            }
            Command::Adjust(Adjustment { sku, delta, reason, by, key }) => {
                let cause = Cause::Adjusted { reason: reason.clone(), by: *by };
                self.once(key.as_ref(), |batch| batch.adjust(sku, *delta, cause)).map(Answer::Stock)
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
        let shortages = self.shortages(lines)?;
        if !shortages.is_empty() {
            return Ok(self.put(order, State::Refused { shortages }, Some(lines.clone())));
        }
        for Line { sku, quantity } in lines.as_slice() {
            let pieces = i64::from(quantity.get());
            let change = Change { available: -pieces, reserved: pieces, sold: 0 };
            self.apply(sku, change, Cause::Reserved(order))?;
        }
        Ok(self.put(order, State::Held, Some(lines.clone())))
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
            return Ok(self.put(order, State::Released, None));
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
        let stock = self.stock(sku)?;
        let missing = pieces - stock.on_hand();
        if missing == 0 && stock.version > 0 {
            return Ok(stock);
        }
        self.move_shelf(&stock, missing, Cause::Counted)
    }

    fn adjust(&mut self, sku: &Sku, delta: Delta, cause: Cause) -> Result<Stock, Error> {
        let stock = self.stock(sku)?;
        self.move_shelf(&stock, delta.get(), cause)
    }

    fn move_shelf(&mut self, stock: &Stock, pieces: i64, cause: Cause) -> Result<Stock, Error> {
        if stock.available + pieces < 0 {
            return Err(Error::BelowZero { sku: stock.sku.clone(), available: stock.available });
        }
        if stock.on_hand() + pieces > MAX_ON_HAND {
            return Err(Error::AboveLimit { sku: stock.sku.clone() });
        }
        self.apply(&stock.sku, Change { available: pieces, ..Change::default() }, cause)
    }

    /// Does a keyed command, unless it was done before: then its answer is the old one.
    fn once(&mut self, key: Option<&Key>, act: impl FnOnce(&mut Self) -> Result<Stock, Error>) -> Result<Stock, Error> {
        let Some(key) = key else { return act(self) };
        if let Some(done) = self.now.done.get(&key.id) {
            return if done.key.fingerprint == key.fingerprint {
                Ok(done.stock.clone())
            } else {
                Err(Error::KeyReused)
            };
        }
        let stock = act(self)?;
        let done = Done { key: key.clone(), stock: stock.clone() };
        self.now.done.insert(key.id.clone(), done.clone());
        self.done.push(done);
        Ok(stock)
    }

    /// Every line that does not fit, whatever the others do.
    fn shortages(&self, lines: &Lines) -> Result<Vec<Shortage>, Error> {
        let mut shortages = Vec::new();
        for Line { sku, quantity } in lines.as_slice() {
            let available = self.stock(sku)?.available;
            if available < i64::from(quantity.get()) {
                shortages.push(Shortage { sku: sku.clone(), requested: *quantity, available });
            }
        }
        Ok(shortages)
    }

    /// Moves every line of a reservation to another place, or none of them.
    fn give(
        &mut self,
        reservation: Reservation,
        state: State,
        of: impl Fn(i64) -> (Change, Cause),
    ) -> Result<Reservation, Error> {
        let Reservation { order, state: _, lines } = reservation;
        let slice = lines.as_ref().map_or(&[][..], Lines::as_slice);
        for Line { sku, quantity } in slice {
            let (change, _) = of(i64::from(quantity.get()));
            moved(&self.stock(sku)?, change)?;
        }
        for Line { sku, quantity } in slice {
            let (change, cause) = of(i64::from(quantity.get()));
            self.apply(sku, change, cause)?;
        }
        Ok(self.put(order, state, lines))
    }

    fn put(&mut self, order: OrderId, state: State, lines: Option<Lines>) -> Reservation {
        let reservation = Reservation { order, state, lines };
        self.now.reservations.insert(order, reservation.clone());
        reservation
    }

    fn stock(&self, sku: &Sku) -> Result<Stock, Error> {
        let stock = self.now.stock.get(sku).cloned().unwrap_or_else(|| Stock::none(sku.clone()));
        if stock.is_balanced() { Ok(stock) } else { Err(Error::Unbalanced { sku: sku.clone() }) }
    }

    fn apply(&mut self, sku: &Sku, change: Change, cause: Cause) -> Result<Stock, Error> {
        let after = moved(&self.stock(sku)?, change)?;
        self.now.stock.insert(sku.clone(), after.clone());
        self.movements.push(Movement { cause, change, after: after.clone() });
        Ok(after)
    }
}

/// The stock after a change.
fn moved(stock: &Stock, change: Change) -> Result<Stock, Error> {
    let Change { available, reserved, sold } = change;
    let after = Stock {
        sku: stock.sku.clone(),
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
