//! The payment provider: a stranger with its own ledger, and the judge for money.
//!
//! It remembers keys for 24 hours, as real ones do. It does not keep two holds under one reference apart by itself: that
//! is the shop's business. Questions travel as messages that may be late, lost, or come back too late.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use shop_types::Money;

use crate::engine::{HOUR, MINUTE, Millis, Process, SECOND, Sim};
use crate::promise::{Heard, promise};
use crate::world::Shop;

const KEYS_ARE_KEPT: Millis = 24 * HOUR;

/// What it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Question {
    Authorize {
        reference: String,
        amount: Money,
        card: String,
    },
    Capture {
        hold: String,
    },
    Void {
        hold: String,
    },
    /// `n` is the shop's own number of the refund.
    Refund {
        hold: String,
        n: u32,
        amount: i64,
    },
    Find {
        reference: String,
    },
}

/// What it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    Held(String),
    /// The buyer has to confirm first.
    ActionNeeded(String),
    Refused(String),
    Done,
    /// What stands under a reference.
    Found(Vec<Hold>),
    /// The hold does not stand where it would have to; what came of it has to be looked up.
    Wrong,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// For the buyer to confirm; nothing is held.
    Waiting,
    Held,
    Declined,
    Captured,
    /// The capture was refused.
    Failed,
    Voided,
}

/// Money of a buyer that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hold {
    pub(crate) id: String,
    pub(crate) reference: String,
    pub(crate) amount: Money,
    pub(crate) status: Status,
    /// What was given back since it was captured: the shop's numbers, and how much.
    pub(crate) refunds: Vec<(u32, i64)>,
    card: String,
}

impl Hold {
    pub(crate) fn given_back(&self) -> i64 {
        self.refunds.iter().map(|(_, amount)| amount).sum()
    }
}

/// Cards that the model pays with.
pub(crate) const GOOD: &str = "tok_good";
pub(crate) const DECLINED: &str = "tok_declined";
/// Holds, and then refuses the capture.
pub(crate) const EMPTY: &str = "tok_empty";
/// Holds once the buyer has confirmed.
pub(crate) const CAREFUL: &str = "tok_careful";

pub(crate) struct Provider {
    sim: Sim,
    holds: RefCell<Vec<Hold>>,
    keys: RefCell<BTreeMap<String, (Millis, Reply)>>,
    away_until: Cell<Millis>,
}

impl Provider {
    pub(crate) fn new(sim: &Sim) -> Self {
        Self { sim: sim.clone(), holds: RefCell::default(), keys: RefCell::default(), away_until: Cell::new(0) }
    }

    /// Everything that it ever held, for the judge.
    pub(crate) fn holds(&self) -> Vec<Hold> {
        self.holds.borrow().clone()
    }

    /// For so long questions arrive and no answer goes out, or the other way round.
    pub(crate) fn go_away(&self, time: Millis) {
        self.away_until.set(self.sim.now() + time);
    }

    pub(crate) fn heal(&self) {
        self.away_until.set(0);
    }

    fn answer(&self, key: &str, question: &Question) -> Reply {
        let now = self.sim.now();
        let known = self.keys.borrow().get(key).filter(|(at, _)| *at + KEYS_ARE_KEPT > now).cloned();
        if let Some((_, reply)) = known {
            return reply;
        }
        let (reply, remember) = self.follow(question);
        self.sim.tell(|| format!("provider: {question:?} under {key}: {reply:?}"));
        if remember {
            self.keys.borrow_mut().insert(key.to_owned(), (now, reply.clone()));
        }
        reply
    }

    /// The answer, and whether it stands for its key from now on.
    fn follow(&self, question: &Question) -> (Reply, bool) {
        let mut holds = self.holds.borrow_mut();
        match question {
            Question::Authorize { reference, amount, card } => {
                let id = format!("hold-{}", holds.len() + 1);
                let (status, reply) = match card.as_str() {
                    DECLINED => (Status::Declined, Reply::Refused("declined".into())),
                    CAREFUL => (Status::Waiting, Reply::ActionNeeded(id.clone())),
                    _ => (Status::Held, Reply::Held(id.clone())),
                };
                let (reference, card) = (reference.clone(), card.clone());
                holds.push(Hold { id, reference, amount: *amount, status, refunds: Vec::new(), card });
                (reply, true)
            }
            Question::Find { reference } => {
                (Reply::Found(holds.iter().filter(|hold| hold.reference == *reference).cloned().collect()), false)
            }
            Question::Capture { hold } | Question::Void { hold } | Question::Refund { hold, .. } => {
                let found = holds.iter_mut().find(|known| known.id == *hold);
                found.map_or((Reply::Wrong, false), |hold| move_money(hold, question))
            }
        }
    }

    /// The buyer confirms what waits for them, or does not.
    pub(crate) fn confirm(&self, reference: &str, yes: bool) {
        let mut holds = self.holds.borrow_mut();
        for hold in holds.iter_mut().filter(|hold| hold.reference == reference && hold.status == Status::Waiting) {
            hold.status = if yes { Status::Held } else { Status::Declined };
            self.sim.tell(|| format!("provider: the buyer of {reference} says {yes}"));
        }
    }
}

fn move_money(hold: &mut Hold, question: &Question) -> (Reply, bool) {
    match (question, hold.status) {
        (Question::Capture { .. }, Status::Held) if hold.card == EMPTY => {
            hold.status = Status::Failed;
            (Reply::Refused("empty".into()), true)
        }
        (Question::Capture { .. }, Status::Held) => {
            hold.status = Status::Captured;
            (Reply::Done, true)
        }
        (Question::Void { .. }, Status::Held | Status::Waiting) => {
            hold.status = Status::Voided;
            (Reply::Done, true)
        }
        (Question::Refund { n, amount, .. }, Status::Captured) if hold.given_back() + amount <= hold.amount.amount => {
            hold.refunds.push((*n, *amount));
            (Reply::Done, true)
        }
        _ => (Reply::Wrong, false),
    }
}

/// Sends a question and waits until then for the answer. The question travels on its own: it may still arrive when nobody
/// waits any more.
pub(crate) async fn ask(shop: &Shop, key: String, question: Question, until: Millis) -> Option<Reply> {
    let (promise, answer) = promise(&shop.sim);
    let travelling = shop.clone();
    shop.sim.spawn(Process::Outside, async move {
        let sim = &travelling.sim;
        match travelling.mishap(12, 6) {
            0 => {}
            1 => return,
            late => sim.sleep([SECOND, 5 * SECOND, 20 * SECOND, 10 * MINUTE, 23 * HOUR][late - 2]).await,
        }
        sim.step().await;
        let provider = &travelling.provider;
        let away = sim.now() < provider.away_until.get();
        // Away, it may still do what it was asked, and not be able to say so.
        if away && sim.pick(2) == 0 {
            return;
        }
        let reply = provider.answer(&key, &question);
        sim.step().await;
        if !away && travelling.mishap(12, 1) == 0 {
            promise.keep(reply);
        }
    });
    match answer.until(until).await {
        Heard::Answer(reply) => Some(reply),
        Heard::Nothing | Heard::TooLate => None,
    }
}
