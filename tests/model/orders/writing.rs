//! Every write to an order, as order's store does it: read what the commands speak of, let the real rules decide, write
//! orders, idempotency rows and events in one transaction.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::Timestamp;
use order::domain::{Change, Changed, Error, Order, State};
use shop_types::{Envelope, Event, EventId, OrderId};

use crate::engine::{MINUTE, Millis, SECOND};
use crate::inbox;
use crate::store::{Claim, OrderRow, Tables, Txn};
use crate::world::World;

/// A buyer whose first card was declined has paid with another one.
pub(crate) const SECOND_ATTEMPT: &str = "an order is confirmed by a second attempt";

/// How long an order may wait for its money.
const DEADLINE: Millis = 15 * MINUTE;
/// How long a driver may be silent before another takes over.
pub(super) const LEASE: Millis = 10 * SECOND;

/// One write.
pub(super) enum Command {
    /// Writes a new order down (W1).
    Place { order: Box<Order>, event: Event, key: String },
    /// Changes an order.
    Change { order: OrderId, change: Change, cause: Cause, at: Timestamp },
}

/// What a change hangs on.
pub(super) enum Cause {
    /// Nothing but the order's state.
    State,
    /// An event, which counts once.
    Event(EventId),
    /// A request whose key counts once.
    Key(String),
}

/// What became of a write.
pub(super) enum Answer {
    Order(Box<Order>),
    /// The key was there before.
    KeyTaken(Claim),
    Missing,
    Refused(Error),
}

/// Everything that one group reads and writes.
struct Desk<'w> {
    shop: &'w World,
    rows: BTreeMap<OrderId, OrderRow>,
    claims: BTreeMap<String, Claim>,
    handled: HashSet<EventId>,
    changed: BTreeSet<OrderId>,
    events: Vec<Envelope>,
}

pub(super) fn carry_out(shop: &World, tables: &Tables, txn: &mut Txn, commands: &[Command]) -> Vec<Answer> {
    let rows: BTreeMap<OrderId, OrderRow> = commands
        .iter()
        .filter_map(|command| match command {
            Command::Place { .. } => None,
            Command::Change { order, .. } => Some((*order, tables.orders.get(order)?.clone())),
        })
        .collect();
    let heard = |command: &Command| match command {
        Command::Change { order, cause: Cause::Event(event), .. } if rows.contains_key(order) => Some(*event),
        Command::Change { .. } | Command::Place { .. } => None,
    };
    let events: Vec<EventId> = commands.iter().filter_map(heard).collect::<BTreeSet<_>>().into_iter().collect();
    let handled = inbox::claim(shop, tables, txn, &events);
    let claims: BTreeMap<String, Claim> = tables.claims.iter().map(|(key, claim)| (key.clone(), *claim)).collect();
    let mut desk = Desk { shop, rows, claims, handled, changed: BTreeSet::new(), events: Vec::new() };
    let answers = commands.iter().map(|command| desk.decide(command)).collect();
    for (key, claim) in desk.claims.into_iter().filter(|(key, _)| !tables.claims.has(key)) {
        txn.put(|tables| &mut tables.claims, key, claim);
    }
    for id in &desk.changed {
        if let Some(row) = desk.rows.get(id) {
            txn.put(|tables| &mut tables.orders, *id, row.clone());
        }
    }
    inbox::append(txn, desk.events);
    answers
}

impl Desk<'_> {
    fn decide(&mut self, command: &Command) -> Answer {
        match command {
            Command::Place { order, event, key } => match self.claims.get(key) {
                Some(known) => Answer::KeyTaken(*known),
                None => self.place(order, event.clone(), key),
            },
            Command::Change { order, change, cause, at } => match cause {
                // It was handled before, perhaps in this very group.
                Cause::Event(event) if !self.handled.insert(*event) => self.as_it_is(*order),
                Cause::State | Cause::Event(_) => self.change(*order, change, *at),
                Cause::Key(key) => match self.claims.get(key) {
                    Some(known) => Answer::KeyTaken(*known),
                    None => self.change_once(*order, change, key, *at),
                },
            },
        }
    }

    fn place(&mut self, order: &Order, event: Event, key: &str) -> Answer {
        let now = self.shop.sim.now();
        self.claims.insert(key.to_owned(), Claim { order: order.id, attempt: 1 });
        self.tell(order, event);
        let row = OrderRow { order: order.clone(), deadline: now + DEADLINE, lease_until: now + LEASE };
        self.rows.insert(order.id, row);
        self.changed.insert(order.id);
        Answer::Order(Box::new(order.clone()))
    }

    fn change_once(&mut self, id: OrderId, change: &Change, key: &str, at: Timestamp) -> Answer {
        let answer = self.change(id, change, at);
        if let Answer::Order(order) = &answer {
            self.claims.insert(key.to_owned(), Claim { order: id, attempt: order.attempt });
        }
        answer
    }

    fn as_it_is(&self, id: OrderId) -> Answer {
        self.rows.get(&id).map_or(Answer::Missing, |row| Answer::Order(Box::new(row.order.clone())))
    }

    fn change(&mut self, id: OrderId, change: &Change, at: Timestamp) -> Answer {
        let Some(row) = self.rows.get(&id) else { return Answer::Missing };
        let implied = row.order.implied_by(change);
        let mut last = Answer::Missing;
        for change in implied.into_iter().chain([change.clone()]) {
            last = self.apply(id, change, at);
        }
        last
    }

    fn apply(&mut self, id: OrderId, change: Change, at: Timestamp) -> Answer {
        let now = self.shop.sim.now();
        let Some(row) = self.rows.get_mut(&id) else { return Answer::Missing };
        match row.order.change(change, at) {
            Err(refused) => Answer::Refused(refused),
            Ok(Changed::Nothing) => Answer::Order(Box::new(row.order.clone())),
            Ok(Changed::To(next, told)) => {
                self.shop.sim.tell(|| format!("order {id} is {} v{}", next.state, next.version));
                self.shop.reach(&format!("order is {}", next.state));
                if next.attempt > 1 && next.state == State::Confirmed {
                    self.shop.reach(SECOND_ATTEMPT);
                }
                if next.attempt > row.order.attempt {
                    // Whoever asks for another attempt drives it.
                    row.lease_until = now + LEASE;
                }
                row.order = (*next).clone();
                self.changed.insert(id);
                if let Some(told) = told {
                    self.tell(&next, told);
                }
                Answer::Order(next)
            }
        }
    }

    fn tell(&mut self, order: &Order, event: Event) {
        self.events.push(self.shop.envelope(order.id.to_string(), order.version, event));
    }
}
