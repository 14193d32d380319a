//! Inbox and outbox of a database: the two halves of "at least once, and counted once".

use std::collections::HashSet;

use shop_faults::Bug;
use shop_types::{Envelope, EventId};

use crate::store::{Sent, Tables, Txn};
use crate::world::World;

/// An event came again.
pub(crate) const REPEATED: &str = "an event is known";

/// Remembers these events in the transaction of their effect, and gives those that were had before.
pub(crate) fn claim(shop: &World, tables: &Tables, txn: &mut Txn, events: &[EventId]) -> HashSet<EventId> {
    let (had, new): (Vec<EventId>, Vec<EventId>) = events.iter().partition(|event| tables.inbox.has(event));
    if !had.is_empty() {
        shop.reach(REPEATED);
    }
    for event in new {
        txn.put(|tables| &mut tables.inbox, event, ());
    }
    if shop.planted(Bug::InboxOff) { HashSet::new() } else { had.into_iter().collect() }
}

/// Writes events in the transaction of what they tell.
pub(crate) fn append(txn: &mut Txn, events: Vec<Envelope>) {
    for envelope in events {
        let row = Sent { envelope, published: None, confirmed: false };
        txn.put(|tables| &mut tables.outbox, row.envelope.id, row);
    }
}
