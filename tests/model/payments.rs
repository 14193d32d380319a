//! Payment: its writes, its driver and its questions to the provider, around the real rules of `payment::domain`.

mod asking;

use std::rc::Rc;

use payment::domain::batch::{
    self, Answer, Change, Command, Known, LEASE, Opening, Outcome, Read, RefundRequest, Reply, Start, Told,
};
use payment::domain::{Event as PaymentEvent, Kind, Payment, PaymentId};
use shop_types::{Envelope, EventId};

use crate::consumer::Verdict;
use crate::engine::{Millis, Process, SECOND, Service};
use crate::group::Group;
use crate::inbox;
use crate::store::{Failed, PaymentRow, Tables, Txn};
use crate::world::{Shop, World};

const FOREGROUND: Millis = 3 * SECOND;
const BACKGROUND: Millis = 10 * SECOND;

/// One pod.
#[derive(Clone)]
pub(crate) struct Payments {
    shop: Shop,
    process: Process,
    group: Rc<Group<Command, Answer>>,
}

impl Payments {
    pub(crate) fn start(shop: &Shop, process: Process) -> Rc<Self> {
        let group = Group::new(&shop.sim);
        let (worker, working) = (Rc::clone(&group), shop.clone());
        let database = Rc::clone(shop.database(Service::Payment));
        shop.sim.spawn(process, async move {
            worker.work(database, |tables, txn, commands| carry_out(&working, tables, txn, commands)).await;
        });
        let payments = Rc::new(Self { shop: shop.clone(), process, group });
        let driver = Rc::clone(&payments);
        shop.sim.spawn(process, async move { driver.take_over().await });
        payments
    }

    /// Places a hold for one attempt of an order (W3, X4, W5). Still CREATED: the provider gave no answer in time.
    pub(crate) async fn authorize(self: &Rc<Self>, opening: Opening) -> Option<Payment> {
        let id = opening.id;
        let opened = self.follow(id, Command::Open(opening)).await?;
        if opened.state.kind() != Kind::Created {
            return Some(opened);
        }
        let asked = self.ask(opened, FOREGROUND).await?;
        self.drive(asked.clone());
        Some(asked)
    }

    /// Takes the held money, or gives it back, because staff says so.
    pub(crate) async fn handle_by_staff(self: &Rc<Self>, id: PaymentId, event: PaymentEvent) -> Option<Payment> {
        let payment = self.follow(id, Command::Follow { id, event }).await?;
        self.drive(payment.clone());
        Some(payment)
    }

    /// Gives a part of the money back, because staff says so; once for each key.
    pub(crate) async fn refund(self: &Rc<Self>, request: RefundRequest) -> Option<Payment> {
        let payment = self.follow(request.id, Command::Refund(request)).await?;
        self.drive(payment.clone());
        Some(payment)
    }

    /// The provider says that something has come of a payment: it is looked up.
    pub(crate) async fn hear_hint(self: &Rc<Self>, id: PaymentId) -> Option<()> {
        let database = self.shop.database(Service::Payment);
        let payment = database.read(|tables| tables.payments.get(&id).map(|row| row.payment.clone())).await.ok()??;
        let driver = Rc::clone(self);
        self.shop.sim.spawn(self.process, async move {
            if let Some(payment) = driver.follow_hint(payment, BACKGROUND).await {
                driver.settle(payment).await;
            }
        });
        Some(())
    }

    pub(crate) async fn hear(self: &Rc<Self>, events: Vec<Envelope>) -> Vec<Verdict> {
        let pending: Vec<_> = events.iter().filter_map(verdict_of).map(|command| self.group.hand_in(command)).collect();
        let mut verdicts = Vec::with_capacity(events.len());
        for answer in pending {
            verdicts.push(match answer.answer().await {
                Ok(Ok(reply)) => {
                    for payment in payments_of(reply) {
                        self.drive(payment);
                    }
                    Verdict::Handled
                }
                Ok(Err(refusal)) => Verdict::Poison(refusal.to_string()),
                Err(Failed::Away | Failed::Conflict) => Verdict::Away,
            });
        }
        verdicts
    }

    /// Takes a payment on as far as it goes, on a task of its own. One that was postponed falls due later.
    fn drive(self: &Rc<Self>, payment: Payment) {
        if !payment.is_urgent() || payment.tries > 0 {
            return;
        }
        let driver = Rc::clone(self);
        self.shop.sim.spawn(self.process, async move { driver.settle(payment).await });
    }

    async fn settle(&self, mut payment: Payment) {
        loop {
            let asked = payment.version;
            match self.ask(payment, BACKGROUND).await {
                Some(now) if now.version != asked && now.is_urgent() => payment = now,
                Some(_) | None => return,
            }
        }
    }

    /// Takes over payments that nobody has asked the provider about in time, by the database's clock.
    async fn take_over(self: Rc<Self>) {
        let database = self.shop.database(Service::Payment);
        let sim = &self.shop.sim;
        loop {
            let due = database.tables().payments.rows().filter_map(|row| row.next_try).min();
            if due.is_none_or(|due| due > sim.now()) {
                sim.wait(&[&database.changed], due).await;
                continue;
            }
            let taken = database.update(|tables, txn| {
                let now = sim.now();
                let row = tables.payments.rows().find(|row| row.next_try.is_some_and(|at| at <= now))?;
                let row = PaymentRow { next_try: Some(now + millis(LEASE)), ..row.clone() };
                txn.put(|tables| &mut tables.payments, row.payment.id, row.clone());
                Some(row.payment)
            });
            match taken.await {
                Ok(Some(payment)) => {
                    let driver = Rc::clone(&self);
                    sim.spawn(self.process, async move { driver.settle(payment).await });
                }
                Ok(None) => {}
                Err(_) => sim.sleep(SECOND).await,
            }
        }
    }

    /// Carries out a command about one payment, and gives it as it stands then.
    async fn follow(&self, id: PaymentId, command: Command) -> Option<Payment> {
        let reply = self.group.submit(command).await.ok()?.ok()?;
        payments_of(reply).into_iter().find(|payment| payment.id == id)
    }
}

fn payments_of(reply: Reply) -> Vec<Payment> {
    match reply {
        Reply::Payments(payments) => payments,
        Reply::Refund(reply) => vec![reply.payment],
    }
}

/// What an event of an order asks of its payments.
fn verdict_of(envelope: &Envelope) -> Option<Command> {
    let (outcome, fact) = Outcome::told_by(envelope.event.clone())?;
    Some(Command::Obey(batch::Verdict {
        event: envelope.id,
        order: fact.order_id,
        payment: fact.payment_id.as_ref().and_then(|id| id.parse().ok()),
        owner: fact.user_id,
        total: fact.total,
        outcome,
    }))
}

/// Carries out a group as payment's store does: the real rules decide, all is written in one transaction.
fn carry_out(shop: &World, tables: &Tables, txn: &mut Txn, commands: &[Command]) -> Vec<Answer> {
    let now = shop.sim.timestamp();
    let needs = batch::needs(commands);
    let wanted = |id: &PaymentId| needs.payments.contains(id) || needs.orders.contains(&id.order);
    let read = Read {
        payments: tables.payments.iter().filter(|(id, _)| wanted(id)).map(|(_, row)| row.payment.clone()).collect(),
        keys: tables.refund_keys.iter().map(|(key, known)| (key.clone(), known.clone())).collect(),
    };
    let mut decided = batch::decide(read.clone(), [], commands, now);
    let handled: Vec<EventId> = batch::handled(commands, &decided.answers);
    let seen = inbox::claim(shop, tables, txn, &handled);
    if !seen.is_empty() {
        decided = batch::decide(read, seen, commands, now);
    }
    for Start { key, refund } in decided.starts {
        let known = Known { fingerprint: key.fingerprint, refund, said: None };
        txn.put(|tables| &mut tables.refund_keys, key.id, known);
    }
    for Change { payment, from: _, next_try } in decided.changes {
        shop.sim.tell(|| format!("payment {} is {} v{}", payment.id, payment.state.kind().word(), payment.version));
        shop.reach(&format!("payment is {}", payment.state.kind().word()));
        let next_try = next_try.map(|after| shop.sim.now() + millis(after));
        txn.put(|tables| &mut tables.payments, payment.id, PaymentRow { payment, next_try });
    }
    let event = |Told { member: _, payment, tell }: Told| {
        shop.envelope(payment.id.to_string(), payment.version, tell.event(payment.fact(tell)))
    };
    inbox::append(txn, decided.told.into_iter().map(event).collect());
    decided.answers
}

fn millis(time: std::time::Duration) -> Millis {
    Millis::try_from(time.as_millis()).expect("short times")
}
