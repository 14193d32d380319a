//! Bugs that tests plant to prove that the checks find them (shop-faults). Without its feature both functions do nothing.

use shop_faults::Bug;

use crate::domain::batch::{Stored, Writes};
use crate::domain::{Shelf, State};

/// More than any test orders.
const PLENTY: i64 = 1_000_000;

/// [`Bug::UnguardedDecrement`]: every order fits. The writes are differences, so the stock falls below zero, where neither
/// guard nor validator stop it.
pub(super) fn as_if_plenty(mut stored: Stored) -> Stored {
    if shop_faults::planted(Bug::UnguardedDecrement) {
        for stock in stored.stock.values_mut().flat_map(Shelf::stocks_mut) {
            stock.available += PLENTY;
            stock.received += PLENTY;
        }
    }
    stored
}

/// [`Bug::TombstoneSkipped`]: a release without a reservation writes nothing, so a driver that comes late holds stock that
/// nobody gives back.
pub(super) fn without_tombstones(mut writes: Writes) -> Writes {
    if shop_faults::planted(Bug::TombstoneSkipped) {
        writes.reservations.retain(|change| change.before.is_some() || change.after.state != State::Released);
    }
    writes
}
