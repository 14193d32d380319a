//! The stock of an order follows its verdict (I3), and moves once for each step (I7).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::{Desk, Dossier, Moved};
use crate::Invariant;
use crate::record::ReservationState::{Committed, Held, Refused, Released, Restocked};
use crate::record::{Move, Order, Reservation, ReservationState, State};

/// What a state of the order allows its reservation to be.
enum Allowed {
    /// At once: it was so before the order came to this state.
    Now(&'static [Option<ReservationState>]),
    /// When the order's events have arrived; until then anything.
    Soon(&'static [Option<ReservationState>]),
}

const fn allowed(state: State) -> Allowed {
    match state {
        // Staff may take the money of an order that is not confirmed yet: then its stock is sold already.
        State::Placed => Allowed::Now(&[None, Some(Held), Some(Refused), Some(Committed)]),
        State::Confirmed => Allowed::Now(&[Some(Held), Some(Committed)]),
        State::Paid | State::Shipped | State::Delivered => Allowed::Soon(&[Some(Committed)]),
        // What staff had sold by taking the money goes back into stock when the order is rejected nevertheless.
        State::Rejected => Allowed::Soon(&[Some(Refused), Some(Released), Some(Restocked)]),
        State::Cancelling | State::Returning => {
            Allowed::Now(&[Some(Held), Some(Committed), Some(Released), Some(Restocked)])
        }
        State::Cancelled | State::Refunded => Allowed::Soon(&[Some(Released), Some(Restocked)]),
    }
}

pub(super) fn judge(order: &Order, dossier: &Dossier, found: &mut Desk) {
    let reservation = dossier.reservation.as_ref();
    let state = reservation.map(|reservation| reservation.state);
    let facts = || {
        let word = state.map_or("none", ReservationState::word);
        [("state", json!(order.state.word())), ("reservation", json!(word))]
    };
    match allowed(order.state) {
        Allowed::Now(states) if !states.contains(&state) => {
            found.firm(Invariant::I3, "has a reservation that does not fit its state", facts());
        }
        Allowed::Soon(states) if !states.contains(&state) => {
            // A sale is given back, and a refusal stays one: neither turns into the other.
            let may_still = match (order.state, state) {
                (State::Paid | State::Shipped | State::Delivered, state) => state == Some(Held),
                (State::Rejected, state) => matches!(state, None | Some(Held | Committed)),
                (State::Cancelled | State::Refunded, state) => matches!(state, Some(Held | Committed)),
                (State::Placed | State::Confirmed | State::Cancelling | State::Returning, _) => false,
            };
            if may_still {
                let says = "has a reservation that does not follow its verdict";
                found.moving(order.since(), Invariant::I3, says, facts());
            } else {
                found.firm(Invariant::I3, "has a reservation that does not fit its state", facts());
            }
        }
        Allowed::Now(_) | Allowed::Soon(_) => {}
    }
    if let Some(reservation) = reservation.filter(|reservation| !reservation.lines.is_empty()) {
        judge_pieces(order, reservation, found);
    }
}

/// What is held is what was ordered.
fn judge_pieces(order: &Order, reservation: &Reservation, found: &mut Desk) {
    let mut pieces: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for line in &order.lines {
        pieces.entry(&line.sku).or_default().0 += line.quantity;
    }
    for line in &reservation.lines {
        pieces.entry(&line.sku).or_default().1 += line.pieces;
    }
    for (sku, (ordered, reserved)) in pieces.into_iter().filter(|(_, (ordered, reserved))| ordered != reserved) {
        let facts = [("sku", json!(sku)), ("ordered", json!(ordered)), ("reserved", json!(reserved))];
        found.firm(Invariant::I3, "has a reservation of other lines", facts);
    }
}

/// I7: the pieces of every line have moved once for each step of the reservation, in the location that it was taken from, and
/// never otherwise.
pub(super) fn judge_movements(dossier: &Dossier, found: &mut Desk) {
    let Some(moves) = &dossier.moves else { return };
    let mut expected: BTreeMap<_, (usize, Move)> = BTreeMap::new();
    if let Some(reservation) = &dossier.reservation {
        for cause in reservation.state.causes() {
            for line in &reservation.lines {
                expected.insert((line.stock(), *cause), (1, cause.change(line.pieces)));
            }
        }
    }
    let mut seen: BTreeMap<_, (usize, Move)> = BTreeMap::new();
    for Moved { stock, cause, change } in moves {
        let (count, sum) = seen.entry((stock.clone(), *cause)).or_default();
        *count += 1;
        sum.available += change.available;
        sum.reserved += change.reserved;
        sum.sold += change.sold;
    }
    let places: BTreeSet<_> = expected.keys().chain(seen.keys()).collect();
    for place in places {
        let (must, is) = (expected.get(place), seen.get(place));
        if must == is {
            continue;
        }
        let (stock, cause) = place;
        let times = |of: Option<&(usize, Move)>| of.map_or(0, |(count, _)| *count);
        let pieces = |of: Option<&(usize, Move)>| of.map_or([0; 3], |(_, m)| [m.available, m.reserved, m.sold]);
        let facts = [
            ("stock", json!(stock)),
            ("cause", json!(cause.word())),
            ("times", json!(times(is))),
            ("expectedTimes", json!(times(must))),
            ("pieces", json!(pieces(is))),
            ("expectedPieces", json!(pieces(must))),
        ];
        found.firm(Invariant::I7, "has moved stock otherwise than its reservation says", facts);
    }
}
