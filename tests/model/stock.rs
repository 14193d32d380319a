//! Inventory: its writes around the real rules of `inventory::domain::batch`.

use std::collections::BTreeSet;
use std::rc::Rc;

use inventory::domain::batch::{Changed, Stored, Writes, decide};
use inventory::domain::{Answer, Command, Error, Lines, Reservation, Shelf, State, Stock, shelves};
use shop_faults::Bug;
use shop_types::{Envelope, Event, EventId, OrderId};

use crate::consumer::Verdict;
use crate::engine::{Process, Service};
use crate::group::Group;
use crate::inbox;
use crate::store::{Failed, Tables, Txn};
use crate::world::{Shop, World};

/// A command, and the event that it follows.
struct Member {
    command: Command,
    event: Option<EventId>,
}

type Settled = Option<Result<Answer, Error>>;

/// One pod.
pub(crate) struct Inventory {
    group: Rc<Group<Member, Settled>>,
}

/// More than anybody orders.
const PLENTY: i64 = 1_000_000;

impl Inventory {
    pub(crate) fn start(shop: &Shop, process: Process) -> Rc<Self> {
        let group = Group::new(&shop.sim);
        let (worker, working) = (Rc::clone(&group), shop.clone());
        let database = Rc::clone(shop.database(Service::Inventory));
        shop.sim.spawn(process, async move {
            worker.work(database, |tables, txn, members| settle(&working, tables, txn, members)).await;
        });
        Rc::new(Self { group })
    }

    /// Holds all lines of an order or none (W2).
    pub(crate) async fn reserve(&self, order: OrderId, lines: Lines) -> Option<Reservation> {
        let member = Member { command: Command::Reserve { order, lines }, event: None };
        match self.group.submit(member).await {
            Ok(Some(Ok(Answer::Reservation(reservation)))) => Some(reservation),
            Ok(_) | Err(_) => None,
        }
    }

    pub(crate) async fn hear(&self, events: Vec<Envelope>) -> Vec<Verdict> {
        let pending: Vec<_> = events.iter().filter_map(command).map(|member| self.group.hand_in(member)).collect();
        let mut verdicts = Vec::with_capacity(events.len());
        for answer in pending {
            verdicts.push(match answer.answer().await {
                Ok(None | Some(Ok(_))) => Verdict::Handled,
                Ok(Some(Err(error))) => Verdict::Poison(error.to_string()),
                Err(Failed::Away | Failed::Conflict) => Verdict::Away,
            });
        }
        verdicts
    }
}

fn command(envelope: &Envelope) -> Option<Member> {
    let command = Command::asked_by(&envelope.event)?;
    Some(Member { command, event: Some(envelope.id) })
}

/// Settles a batch: as inventory's store does, the real rules decide and everything is written in one transaction.
fn settle(shop: &World, tables: &Tables, txn: &mut Txn, members: &[Member]) -> Vec<Settled> {
    let stored = load(shop, tables);
    let mut seen = BTreeSet::new();
    let firsts: Vec<&Member> =
        members.iter().filter(|member| member.event.is_none_or(|event| seen.insert(event))).collect();
    let mut decision = decide(&stored, firsts.iter().map(|member| &member.command));
    // What a rule refuses is not remembered: it becomes a dead letter.
    let decided = firsts.iter().zip(&decision.answers).filter(|(_, answer)| answer.is_ok());
    let done: Vec<EventId> = decided.filter_map(|(member, _)| member.event).collect();
    let had = inbox::claim(shop, tables, txn, &done);
    let new: Vec<&Member> =
        firsts.into_iter().filter(|member| member.event.is_none_or(|event| !had.contains(&event))).collect();
    decision = decide(&stored, new.iter().map(|member| &member.command));
    write(shop, txn, decision.writes);
    let answer = |member: &Member| {
        let place = new.iter().position(|new| std::ptr::eq(*new, member))?;
        decision.answers.get(place).cloned()
    };
    members.iter().map(answer).collect()
}

fn load(shop: &World, tables: &Tables) -> Stored {
    let mut stored = Stored {
        stock: shelves(tables.stock.rows().cloned()),
        reservations: tables.reservations.iter().map(|(order, held)| (*order, held.clone())).collect(),
        ..Stored::default()
    };
    if shop.planted(Bug::UnguardedDecrement) {
        for stock in stored.stock.values_mut().flat_map(Shelf::stocks_mut) {
            stock.available += PLENTY;
            stock.received += PLENTY;
        }
    }
    stored
}

fn write(shop: &World, txn: &mut Txn, writes: Writes) {
    let Writes { stock, facts, reservations, movements, done: _ } = writes;
    for Changed { before: _, mut after } in stock {
        if shop.planted(Bug::UnguardedDecrement) {
            after = Stock { available: after.available - PLENTY, received: after.received - PLENTY, ..after };
        }
        if !after.is_balanced() {
            shop.complain(format!("I1: {after:?} does not add up"));
        }
        txn.put(|tables| &mut tables.stock, after.sku.clone(), after);
    }
    for Changed { before, after } in reservations {
        let tombstone = before.is_none() && after.state == State::Released;
        if !(tombstone && shop.planted(Bug::TombstoneSkipped)) {
            shop.sim.tell(|| format!("reservation of {} is {}", after.order, after.state.word()));
            shop.reach(&format!("reservation is {}", after.state.word()));
            txn.put(|tables| &mut tables.reservations, after.order, after);
        }
    }
    for movement in movements {
        txn.put(|tables| &mut tables.movements, (movement.after.sku.clone(), movement.after.version), movement);
    }
    let told = facts.into_iter().map(|mut fact| {
        if shop.planted(Bug::UnguardedDecrement) {
            fact.available -= PLENTY;
        }
        shop.envelope(fact.sku.to_string(), fact.version, Event::StockChanged(fact))
    });
    inbox::append(txn, told.collect());
}
