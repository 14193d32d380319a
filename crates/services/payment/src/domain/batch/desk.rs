//! The desk at which a group is decided, command by command.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;
use shop_types::{EventId, Money, UserId};

use super::Read;
use super::words::{
    Answer, Change, Command, Decided, End, Key, Known, LEASE, Opening, Outcome, RefundReply, RefundRequest, Refusal,
    Reply, Start, Told, Verdict,
};
use crate::domain::{Event, Move, Payment, PaymentId, RefundId, RefundState, State};

pub(super) struct Desk {
    read: BTreeMap<PaymentId, i64>,
    payments: BTreeMap<PaymentId, Payment>,
    /// Every payment that has to be written, and when the provider may be asked.
    next_try: BTreeMap<PaymentId, Option<Duration>>,
    handled: HashSet<EventId>,
    told: Vec<Told>,
    keys: HashMap<String, Known>,
    starts: Vec<Start>,
    ends: Vec<End>,
    now: Timestamp,
}

impl Desk {
    pub(super) fn new(read: Read, handled: HashSet<EventId>, now: Timestamp) -> Self {
        let Read { payments, keys } = read;
        Self {
            read: payments.iter().map(|payment| (payment.id, payment.version)).collect(),
            payments: payments.into_iter().map(|payment| (payment.id, payment)).collect(),
            next_try: BTreeMap::new(),
            handled,
            told: Vec::new(),
            keys,
            starts: Vec::new(),
            ends: Vec::new(),
            now,
        }
    }

    pub(super) fn close(self, answers: Vec<Answer>) -> Decided {
        let Self { read, payments, next_try, told, starts, ends, .. } = self;
        let change = |(id, next_try): (PaymentId, Option<Duration>)| {
            let payment = payments.get(&id)?.clone();
            Some(Change { payment, from: read.get(&id).copied(), next_try })
        };
        let changes = next_try.into_iter().filter_map(change).collect();
        Decided { answers, changes, told, starts, ends }
    }

    pub(super) fn handle(&mut self, member: usize, command: &Command) -> Answer {
        match command {
            Command::Open(opening) => self.open(opening).map(one),
            Command::Follow { id, event } => self.follow(member, *id, event.clone()).map(one),
            Command::Obey(verdict) => self.obey(member, verdict).map(Reply::Payments),
            Command::Refund(request) => self.refund(request),
            Command::Answered { id, key, state } => self.answered(*id, key, *state),
            Command::Postpone { id, version } => {
                Ok(Reply::Payments(self.postpone(*id, *version).into_iter().collect()))
            }
        }
    }

    fn open(&mut self, opening: &Opening) -> Result<Payment, Refusal> {
        if let Some(known) = self.payments.get(&opening.id) {
            // A tombstone was made without a method: whatever comes late finds it as it is.
            let same =
                known.method.as_ref().is_none_or(|method| *method == opening.method && known.amount == opening.amount);
            return if same { Ok(known.clone()) } else { Err(Refusal::Mismatch) };
        }
        let Opening { id, owner, amount, method } = opening.clone();
        let payment = self.fresh(id, owner, amount, State::Created);
        Ok(self.put(Payment { method: Some(method), ..payment }))
    }

    fn follow(&mut self, member: usize, id: PaymentId, event: Event) -> Result<Payment, Refusal> {
        let payment = self.payments.get(&id).ok_or(Refusal::Unknown)?;
        match payment.on(event, self.now)? {
            Move::Stay => Ok(payment.clone()),
            Move::Go { payment, tell } => {
                let moved = self.put(*payment);
                if let Some(tell) = tell {
                    self.told.push(Told { member, payment: moved.clone(), tell });
                }
                Ok(moved)
            }
        }
    }

    /// The same key makes one refund, whatever has become of the payment since.
    fn refund(&mut self, request: &RefundRequest) -> Answer {
        let RefundRequest { id, amount, reason, key } = request;
        if let Some(known) = self.known(*id, key)? {
            return self.reply(&known);
        }
        let payment = self.payments.get(id).ok_or(Refusal::Unknown)?;
        let (payment, n) = payment.refund(*amount, reason.clone(), self.now)?;
        self.put(payment);
        let refund = RefundId { payment: *id, n };
        let known = Known { fingerprint: key.fingerprint.clone(), refund, said: None };
        self.keys.insert(key.id.clone(), known.clone());
        self.starts.push(Start { key: key.clone(), refund });
        self.reply(&known)
    }

    /// Whoever comes first says what all callers of a key are told.
    fn answered(&mut self, id: PaymentId, key: &Key, state: RefundState) -> Answer {
        let known = self.known(id, key)?.ok_or(Refusal::Unknown)?;
        if known.said.is_some() {
            return self.reply(&known);
        }
        let version = self.payments.get(&id).ok_or(Refusal::Unknown)?.version;
        let known = Known { said: Some(state), ..known };
        self.keys.insert(key.id.clone(), known.clone());
        self.ends.push(End { key: key.id.clone(), state, version });
        self.reply(&known)
    }

    fn known(&self, id: PaymentId, key: &Key) -> Result<Option<Known>, Refusal> {
        match self.keys.get(&key.id) {
            Some(known) if known.fingerprint == key.fingerprint && known.refund.payment == id => {
                Ok(Some(known.clone()))
            }
            Some(_) => Err(Refusal::KeyReused),
            None => Ok(None),
        }
    }

    fn reply(&self, known: &Known) -> Answer {
        let RefundId { payment, n } = known.refund;
        let payment = self.payments.get(&payment).ok_or(Refusal::Unknown)?.clone();
        Ok(Reply::Refund(Box::new(RefundReply { payment, n, said: known.said })))
    }

    /// The states themselves see to it that a verdict takes effect once, so one that was handled before is followed again
    /// without harm. Only its last word must not be repeated twice.
    fn obey(&mut self, member: usize, verdict: &Verdict) -> Result<Vec<Payment>, Refusal> {
        let first = self.handled.insert(verdict.event);
        let payments = match verdict.outcome {
            Outcome::Confirmed => {
                let id = verdict.payment.ok_or(Refusal::Unknown)?;
                vec![self.follow(member, id, Event::Confirm)?]
            }
            Outcome::Rejected => self.cancel(member, verdict)?,
            Outcome::Undone => {
                let payments = self.cancel(member, verdict)?;
                if first { self.repeat_last_word(member, verdict, payments) } else { payments }
            }
        };
        Ok(payments.into_iter().map(|payment| self.own(payment, verdict.owner)).collect())
    }

    /// Cancels every attempt of the order. An attempt that was not written down yet gets a tombstone, so that a driver
    /// that comes late cannot open it any more.
    fn cancel(&mut self, member: usize, verdict: &Verdict) -> Result<Vec<Payment>, Refusal> {
        let mut ids: BTreeSet<_> = self.payments.keys().filter(|id| id.order == verdict.order).copied().collect();
        let expected = match verdict.payment {
            Some(id) => Some(id),
            None if ids.is_empty() => Some(PaymentId::first(verdict.order)),
            None => None,
        };
        if let Some(id) = expected.filter(|id| !self.payments.contains_key(id)) {
            let tombstone = self.fresh(id, verdict.owner, verdict.total, State::Cancelled);
            self.put(tombstone);
            ids.insert(id);
        }
        ids.into_iter().map(|id| self.follow(member, id, Event::Cancel)).collect()
    }

    /// An order that is undone waits for the last word of the payment it names. When that was said before the order
    /// listened for it, it is said again, under a new version.
    fn repeat_last_word(&mut self, member: usize, verdict: &Verdict, payments: Vec<Payment>) -> Vec<Payment> {
        let mut repeated = Vec::with_capacity(payments.len());
        for payment in payments {
            let named = verdict.payment.is_none_or(|id| id == payment.id);
            let Some(tell) = payment.last_word().filter(|_| named) else {
                repeated.push(payment);
                continue;
            };
            let payment = self.put(Payment { version: payment.version + 1, ..payment });
            self.told.push(Told { member, payment: payment.clone(), tell });
            repeated.push(payment);
        }
        repeated
    }

    /// The order knows best who ordered.
    fn own(&mut self, payment: Payment, owner: Option<UserId>) -> Payment {
        if owner.is_none() || payment.owner == owner {
            return payment;
        }
        // A change of its own, unless it goes along with another one: each version is written once.
        let version = if self.next_try.contains_key(&payment.id) { payment.version } else { payment.version + 1 };
        self.put(Payment { owner, version, ..payment })
    }

    fn postpone(&mut self, id: PaymentId, version: i64) -> Option<Payment> {
        let payment = self.payments.get_mut(&id)?;
        if payment.version == version && payment.is_settling() {
            let pause = payment.pause();
            payment.tries = payment.tries.saturating_add(1);
            self.next_try.insert(id, Some(pause));
        }
        Some(payment.clone())
    }

    const fn fresh(&self, id: PaymentId, owner: Option<UserId>, amount: Money, state: State) -> Payment {
        let (created, since) = (self.now, self.now);
        Payment { id, owner, amount, method: None, state, refunds: Vec::new(), version: 1, created, since, tries: 0 }
    }

    /// Takes a payment that has to be written.
    fn put(&mut self, payment: Payment) -> Payment {
        // One that waits for the buyer waits for nobody here.
        let next_try = payment.is_settling().then(|| if payment.is_urgent() { LEASE } else { payment.pause() });
        self.next_try.insert(payment.id, next_try);
        self.payments.insert(payment.id, payment.clone());
        payment
    }
}

fn one(payment: Payment) -> Reply {
    Reply::Payments(vec![payment])
}
