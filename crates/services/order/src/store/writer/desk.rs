//! What one group reads, decides and writes: the orders and returns that its commands speak of.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use bson::doc;
use jiff::Timestamp;
use shop_mongo::idempotency::{self, Finish, Row, Start};
use shop_mongo::{Claim, Error, Txn, inbox, outbox};
use shop_types::{Clock, Envelope, Event, EventId, OrderId};

use super::updates::{self, Sheet};
use super::{Answer, Cause, Command, Deed};
use crate::domain::{self, Change, Changed, Decision, Order, Phase, Return, ReturnId, ReturnReason, ReturnState};
use crate::store::documents::OrderDocument;
use crate::store::returns::{ReturnDocument, insertion, replacement};
use crate::store::{GROUP, ORDERS, RETURNS};

/// Everything that one group reads and writes.
pub(super) struct Desk<'a> {
    clock: &'a dyn Clock,
    sheets: BTreeMap<OrderId, Sheet>,
    /// With the version in the database; 0 for a new one.
    returns: BTreeMap<ReturnId, (i64, Return)>,
    rows: HashMap<String, Row>,
    starts: Vec<Start>,
    finishes: Vec<Finish>,
    events: Vec<Envelope>,
    handled: HashSet<EventId>,
}

/// What the commands of a group speak of.
#[derive(Default)]
struct Needs {
    orders: BTreeSet<OrderId>,
    returns: BTreeSet<ReturnId>,
    /// Orders whose open return is looked for.
    returned: BTreeSet<OrderId>,
    /// Orders of which all returns are looked for.
    forgotten: BTreeSet<OrderId>,
    keys: Vec<String>,
    events: Vec<(OrderId, EventId)>,
}

impl Needs {
    fn of(commands: &[Command]) -> Self {
        let mut needs = Self::default();
        for command in commands {
            match &command.deed {
                Deed::Place { claim, .. } => needs.keys.push(claim.id().to_owned()),
                Deed::Change { order, cause, .. } => {
                    needs.orders.insert(*order);
                    match cause {
                        Cause::Event(event) => needs.events.push((*order, *event)),
                        Cause::Key(claim) => needs.keys.push(claim.id().to_owned()),
                        Cause::State | Cause::Version(_) => {}
                    }
                }
                Deed::RequestReturn { order, claim, .. } => {
                    needs.orders.insert(*order);
                    needs.returned.insert(*order);
                    needs.keys.push(claim.id().to_owned());
                }
                Deed::DecideReturn { id, order, .. } => {
                    needs.orders.insert(*order);
                    needs.returns.insert(*id);
                }
                Deed::Forget { order } => {
                    needs.orders.insert(*order);
                    needs.forgotten.insert(*order);
                }
            }
        }
        needs
    }
}

impl<'a> Desk<'a> {
    pub(super) async fn open(txn: &mut Txn<'_>, commands: &[Command], clock: &'a dyn Clock) -> Result<Self, Error> {
        let needs = Needs::of(commands);
        let sheets = read_orders(txn, &needs.orders).await?;
        let returns = read_returns(txn, &needs).await?;
        let rows =
            if needs.keys.is_empty() { HashMap::new() } else { idempotency::find_many(txn, &needs.keys).await? };
        // An event of an order that is not there was not handled: it is for the dead letters.
        let events = needs.events.into_iter().filter(|(order, _)| sheets.contains_key(order));
        let events: Vec<EventId> = events.map(|(_, event)| event).collect();
        let handled = if events.is_empty() { HashSet::new() } else { inbox::claim(txn, GROUP, &events).await? };
        let (starts, finishes, told) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { clock, sheets, returns, rows, starts, finishes, events: told, handled })
    }

    pub(super) fn decide(&mut self, command: &Command) -> Answer {
        let Command { deed, at, traceparent } = command;
        let (at, traceparent) = (*at, traceparent.as_ref());
        match deed {
            Deed::Place { order, event, claim } => self.place(order, event.clone(), claim, at, traceparent),
            Deed::Change { order, change, cause } => self.change(*order, change, cause, at, traceparent),
            Deed::RequestReturn { id, order, reason, claim } => self.request_return(*id, *order, reason, claim, at),
            Deed::DecideReturn { id, order, decision, seen } => {
                let Some((_, asked)) = self.returns.get(id) else { return Answer::Missing };
                if asked.version != *seen {
                    return Answer::Stale;
                }
                let decided = match asked.decide(*decision, at) {
                    Ok(decided) => decided,
                    Err(refused) => return Answer::Refused(refused),
                };
                if *decision == Decision::Accept {
                    match self.apply(*order, Change::Return, at, traceparent) {
                        Answer::Changed(_) => {}
                        other @ (Answer::Unchanged(_)
                        | Answer::Return(_)
                        | Answer::KeyTaken(_)
                        | Answer::Missing
                        | Answer::Stale
                        | Answer::Refused(_)) => return other,
                    }
                }
                if let Some((_, asked)) = self.returns.get_mut(id) {
                    *asked = decided.clone();
                }
                Answer::Return(Box::new(decided))
            }
            Deed::Forget { order } => self.forget(*order, at),
        }
    }

    fn forget(&mut self, order: OrderId, at: Timestamp) -> Answer {
        for (_, asked) in self.returns.values_mut().filter(|(_, asked)| asked.order == order) {
            if let Some(forgotten) = asked.without_reason() {
                *asked = forgotten;
            }
        }
        self.apply(order, Change::Forget, at, None)
    }

    fn place(
        &mut self,
        order: &Order,
        event: Event,
        claim: &Claim,
        at: Timestamp,
        traceparent: Option<&String>,
    ) -> Answer {
        if let Some(row) = self.rows.get(claim.id()) {
            return Answer::KeyTaken(row.clone());
        }
        self.start(claim, order.id.to_string(), at);
        self.tell(order, event, at, traceparent);
        self.sheets.insert(order.id, Sheet::new(order.clone(), claim.id().to_owned()));
        Answer::Changed(Box::new(order.clone()))
    }

    fn change(
        &mut self,
        id: OrderId,
        change: &Change,
        cause: &Cause,
        at: Timestamp,
        traceparent: Option<&String>,
    ) -> Answer {
        let Some(sheet) = self.sheets.get(&id) else { return Answer::Missing };
        match cause {
            // The same event may stand in this group twice.
            Cause::Event(event) if !self.handled.insert(*event) => {
                return Answer::Unchanged(Box::new(sheet.order.clone()));
            }
            Cause::Version(version) if sheet.order.version != *version => return Answer::Stale,
            Cause::Key(claim) => {
                if let Some(row) = self.rows.get(claim.id()) {
                    return Answer::KeyTaken(row.clone());
                }
            }
            Cause::State | Cause::Event(_) | Cause::Version(_) => {}
        }
        let implied = sheet.order.implied_by(change);
        let mut answer = Answer::Missing;
        for change in implied.into_iter().chain([change.clone()]) {
            answer = self.apply(id, change, at, traceparent);
        }
        if let (Cause::Key(claim), Answer::Changed(_)) = (cause, &answer) {
            self.start(claim, id.to_string(), at);
            if let Some(sheet) = self.sheets.get_mut(&id) {
                sheet.claim = Some(claim.id().to_owned());
            }
        }
        answer
    }

    fn apply(&mut self, id: OrderId, change: Change, at: Timestamp, traceparent: Option<&String>) -> Answer {
        let Some(sheet) = self.sheets.get_mut(&id) else { return Answer::Missing };
        match sheet.order.change(change, at) {
            Err(refused) => Answer::Refused(refused),
            Ok(Changed::Nothing) => Answer::Unchanged(Box::new(sheet.order.clone())),
            Ok(Changed::To(next, told)) => {
                sheet.order = (*next).clone();
                if next.phase() != Phase::Driving
                    && let Some(row) = sheet.claim.take()
                {
                    self.finishes.push(updates::finish(row, &next));
                }
                if let Some(told) = told {
                    self.tell(&next, told, at, traceparent);
                }
                Answer::Changed(next)
            }
        }
    }

    fn request_return(
        &mut self,
        id: ReturnId,
        order: OrderId,
        reason: &ReturnReason,
        claim: &Claim,
        at: Timestamp,
    ) -> Answer {
        if let Some(row) = self.rows.get(claim.id()) {
            return Answer::KeyTaken(row.clone());
        }
        let Some(sheet) = self.sheets.get_mut(&order) else { return Answer::Missing };
        let asked = match Return::request(id, &sheet.order, reason.clone(), at) {
            Ok(asked) => asked,
            Err(refused) => return Answer::Refused(refused),
        };
        let is_open = |other: &Return| other.order == order && other.state == ReturnState::Requested;
        if self.returns.values().any(|(_, other)| is_open(other)) {
            return Answer::Refused(domain::Error::ReturnOpen);
        }
        sheet.asked_back = Some(id);
        self.returns.insert(id, (0, asked.clone()));
        self.start(claim, id.to_string(), at);
        let (status, outcome) = (201, asked.state.as_str().to_owned());
        self.finishes.push(Finish { id: claim.id().to_owned(), status, outcome, version: asked.version });
        Answer::Return(Box::new(asked))
    }

    /// Takes a key: what comes later in this group with the same one finds the row.
    fn start(&mut self, claim: &Claim, resource: String, at: Timestamp) {
        let start = claim.start(resource);
        let Start { id, fingerprint, resource } = start.clone();
        let row = Row { id, fingerprint, resource, started: at, status: None, outcome: None, version: None };
        self.rows.insert(row.id.clone(), row);
        self.starts.push(start);
    }

    fn tell(&mut self, order: &Order, event: Event, at: Timestamp, traceparent: Option<&String>) {
        self.events.push(Envelope {
            id: EventId::from_uuid(self.clock.new_id()),
            aggregate: order.id.to_string(),
            version: order.version,
            occurred_at: at,
            traceparent: traceparent.cloned(),
            event,
        });
    }

    /// Writes everything, documents in the sequence of their ids so that two groups never wait for each other crosswise.
    pub(super) async fn close(self, txn: &mut Txn<'_>, deadline: Duration) -> Result<(), Error> {
        let mut orders = Vec::new();
        for sheet in self.sheets.values() {
            orders.extend(updates::write(txn.what(), sheet, deadline)?);
        }
        txn.update_each(ORDERS, orders).await?;
        let (mut new, mut decided) = (Vec::new(), Vec::new());
        for (stored_version, asked) in self.returns.values() {
            if *stored_version == 0 {
                new.push(insertion(txn.what(), asked)?);
            } else if asked.version > *stored_version {
                decided.push(replacement(asked, *stored_version));
            }
        }
        txn.insert_many(RETURNS, new).await?;
        txn.update_each(RETURNS, decided).await?;
        if !self.starts.is_empty() {
            idempotency::insert(txn, &self.starts).await?;
        }
        if !self.finishes.is_empty() {
            idempotency::finish(txn, &self.finishes).await?;
        }
        outbox::append(txn, &self.events).await
    }
}

async fn read_orders(txn: &mut Txn<'_>, ids: &BTreeSet<OrderId>) -> Result<BTreeMap<OrderId, Sheet>, Error> {
    let stored: Vec<OrderDocument> = txn.find_many(ORDERS, ids.iter().map(ToString::to_string)).await?;
    let mut sheets = BTreeMap::new();
    for document in stored {
        let sheet = Sheet::read(document).map_err(|error| Error::corrupt(txn.what(), error))?;
        sheets.insert(sheet.order.id, sheet);
    }
    Ok(sheets)
}

async fn read_returns(txn: &mut Txn<'_>, needs: &Needs) -> Result<BTreeMap<ReturnId, (i64, Return)>, Error> {
    if needs.returns.is_empty() && needs.returned.is_empty() && needs.forgotten.is_empty() {
        return Ok(BTreeMap::new());
    }
    let ids: Vec<String> = needs.returns.iter().map(ToString::to_string).collect();
    let orders: Vec<String> = needs.returned.iter().map(ToString::to_string).collect();
    let open = doc! { "order": { "$in": orders }, "state": ReturnState::Requested.as_str() };
    let all: Vec<String> = needs.forgotten.iter().map(ToString::to_string).collect();
    let any = [doc! { "_id": { "$in": ids } }, open, doc! { "order": { "$in": all } }];
    let stored: Vec<ReturnDocument> = txn.find(RETURNS, doc! { "$or": any.as_slice() }).await?;
    let mut returns = BTreeMap::new();
    for document in stored {
        let read = Return::try_from(document).map_err(|error| Error::corrupt(txn.what(), error))?;
        returns.insert(read.id, (read.version, read));
    }
    Ok(returns)
}
