//! Order: what it does for buyers and staff, its driver and its recovery, around the real rules of `order::domain`.

pub(crate) mod driving;
pub(crate) mod writing;

use std::rc::Rc;

use order::domain::{Change, Draft, Order, Owner, Phase, Priced, State, Wanted, price};
use shop_types::{Envelope, Money, OrderId, ProductId, Quantity, Sku, UserId};

use self::driving::change_of;
use self::writing::{Answer, Cause, Command};
use crate::consumer::Verdict;
use crate::engine::{Millis, Process, SECOND, Service};
use crate::group::Group;
use crate::promise::{Heard, promise};
use crate::store::{Claim, Failed};
use crate::world::Shop;

/// How long a buyer waits for the verdict before 202 answers.
const PATIENCE: Millis = 3 * SECOND;

/// One pod.
pub(crate) struct Orders {
    shop: Shop,
    process: Process,
    group: Rc<Group<Command, Answer>>,
}

/// What a buyer wants.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) key: String,
    pub(crate) lines: Vec<(Sku, u32)>,
    pub(crate) card: &'static str,
}

/// A request over HTTP.
#[derive(Debug, Clone)]
pub(crate) enum Request {
    Place(Wish),
    /// With another card, under a key.
    PayAgain(OrderId, &'static str, String),
    /// A cancel, a shipment, a delivery, or a return that staff has accepted.
    Change(OrderId, Change),
}

/// What a buyer or staff is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// 201.
    Confirmed(OrderId, Money),
    /// 202.
    Pending(OrderId, Money),
    /// 402.
    Declined(OrderId),
    /// 409: it will not happen.
    Rejected(OrderId),
    /// 409: another request with this key is at work.
    Busy,
    /// 409: its state does not allow it.
    Refused,
    /// 200: it is so.
    Done,
    /// 503: nobody knows.
    Unknown,
}

/// What one piece costs, of whatever.
const PRICE: i64 = 700;

impl Orders {
    pub(crate) fn start(shop: &Shop, process: Process) -> Rc<Self> {
        let group = Group::new(&shop.sim);
        let (worker, working) = (Rc::clone(&group), shop.clone());
        let database = Rc::clone(shop.database(Service::Order));
        shop.sim.spawn(process, async move {
            worker.work(database, |tables, txn, commands| writing::carry_out(&working, tables, txn, commands)).await;
        });
        let orders = Rc::new(Self { shop: shop.clone(), process, group });
        let recovering = Rc::clone(&orders);
        shop.sim.spawn(process, async move { recovering.recover().await });
        orders
    }

    pub(crate) async fn answer(self: &Rc<Self>, request: Request) -> Said {
        match request {
            Request::Place(wish) => self.place(wish).await,
            Request::PayAgain(id, card, key) => self.pay_again(id, card, key).await,
            Request::Change(id, change) => self.follow(id, change).await,
        }
    }

    /// Places an order once, however often the same key is sent.
    async fn place(self: &Rc<Self>, wish: Wish) -> Said {
        let (asked, key) = (self.shop.sim.now(), wish.key.clone());
        match self.claimed(&key).await {
            Err(_) => return Said::Unknown,
            Ok(Some(claim)) => return self.resume(claim, asked).await,
            Ok(None) => {}
        }
        let id = OrderId::from_uuid(self.shop.new_id());
        let (order, event) = Order::place(id, 1, draft(wish), self.shop.sim.timestamp());
        let command = Command::Place { order: Box::new(order), event, key };
        self.open_attempt(command, asked).await
    }

    /// Opens another attempt to pay, once, however often the same key is sent.
    async fn pay_again(self: &Rc<Self>, id: OrderId, card: &'static str, key: String) -> Said {
        let asked = self.shop.sim.now();
        match self.claimed(&key).await {
            Err(_) => return Said::Unknown,
            Ok(Some(claim)) => return self.resume(claim, asked).await,
            Ok(None) => {}
        }
        let change = Change::PayAgain { method: card.to_owned() };
        let at = self.shop.sim.timestamp();
        self.open_attempt(Command::Change { order: id, change, cause: Cause::Key(key), at }, asked).await
    }

    async fn open_attempt(self: &Rc<Self>, command: Command, asked: Millis) -> Said {
        let leased = self.shop.sim.now();
        match self.group.submit(command).await {
            Ok(Answer::Order(order)) => self.drive_for(*order, leased, asked).await,
            Ok(Answer::KeyTaken(claim)) => self.resume(claim, asked).await,
            Ok(Answer::Refused(_)) => Said::Refused,
            Ok(Answer::Missing) | Err(_) => Said::Unknown,
        }
    }

    async fn follow(&self, id: OrderId, change: Change) -> Said {
        match self.change(id, change).await {
            Ok(Answer::Order(_)) => Said::Done,
            Ok(Answer::Refused(_)) => Said::Refused,
            Ok(Answer::KeyTaken(_) | Answer::Missing) | Err(_) => Said::Unknown,
        }
    }

    async fn claimed(&self, key: &str) -> Result<Option<Claim>, Failed> {
        self.shop.database(Service::Order).read(|tables| tables.claims.get(&key.to_owned()).copied()).await
    }

    /// Answers a key that was used before: as then, or by going on where its driver fell silent.
    async fn resume(self: &Rc<Self>, claim: Claim, asked: Millis) -> Said {
        let Some(order) = self.order(claim.order).await else { return Said::Unknown };
        if let Some(version) = order.first_outcome(claim.attempt) {
            return verdict(&order.at(version));
        }
        let taken = self.shop.sim.now();
        match self.take_over(Some(claim.order)).await {
            Ok(Some(order)) => self.drive_for(order, taken, asked).await,
            Ok(None) => Said::Busy,
            Err(_) => Said::Unknown,
        }
    }

    /// Drives an order on a task of its own, and waits for it a while.
    async fn drive_for(self: &Rc<Self>, order: Order, leased: Millis, asked: Millis) -> Said {
        let (pending, attempt) = (Said::Pending(order.id, order.total), order.attempt);
        let (promise, driven) = promise(&self.shop.sim);
        let driver = Rc::clone(self);
        self.shop.sim.spawn(self.process, async move {
            if let Some(order) = driver.drive(order, leased).await {
                promise.keep(order);
            }
        });
        let Heard::Answer(order) = driven.until(asked + PATIENCE).await else { return pending };
        order.first_outcome(attempt).map_or(pending, |version| verdict(&order.at(version)))
    }

    /// What payment tells of an order's money.
    pub(crate) async fn hear(&self, events: Vec<Envelope>) -> Vec<Verdict> {
        let at = self.shop.sim.timestamp();
        let command = |envelope: &Envelope| {
            let (order, change) = change_of(envelope)?;
            Some(Command::Change { order, change, cause: Cause::Event(envelope.id), at })
        };
        let pending: Vec<_> = events.iter().filter_map(command).map(|command| self.group.hand_in(command)).collect();
        let mut verdicts = Vec::with_capacity(events.len());
        for answer in pending {
            verdicts.push(match answer.answer().await {
                Ok(Answer::Order(_)) => Verdict::Handled,
                Ok(Answer::Missing) => Verdict::Poison("there is no such order".into()),
                Ok(Answer::KeyTaken(_)) => Verdict::Poison("an event has no key".into()),
                Ok(Answer::Refused(error)) => Verdict::Poison(error.to_string()),
                Err(Failed::Away | Failed::Conflict) => Verdict::Away,
            });
        }
        verdicts
    }

    async fn change(&self, order: OrderId, change: Change) -> Result<Answer, Failed> {
        self.group.submit(Command::Change { order, change, cause: Cause::State, at: self.shop.sim.timestamp() }).await
    }
}

fn draft(wish: Wish) -> Draft {
    let currency = "EUR".parse().expect("a currency");
    let product = ProductId::from_uuid(uuid::Uuid::from_u128(1));
    let offer = |sku: &Sku| Priced {
        sku: sku.clone(),
        product,
        name: sku.to_string(),
        price: Money::new(PRICE, currency),
        archived: false,
    };
    let offers: Vec<Priced> = wish.lines.iter().map(|(sku, _)| offer(sku)).collect();
    let wanted = wish.lines.into_iter().map(|(sku, pieces)| Wanted {
        sku,
        quantity: Quantity::new(pieces).expect("some pieces"),
        shown: None,
    });
    let (lines, total) = price(wanted.collect(), &offers, currency).expect("an order that can be placed");
    let owner = Owner::User(UserId::from_uuid(uuid::Uuid::from_u128(2)));
    Draft { owner, cart: None, lines, total, payment_method: wish.card.to_owned(), address: None }
}

/// What the verdict on an order means for who placed it.
fn verdict(order: &Order) -> Said {
    match (order.state, order.phase()) {
        (State::Placed, Phase::Declined) => Said::Declined(order.id),
        (State::Placed, Phase::Driving | Phase::AwaitsBuyer | Phase::Settled) => Said::Pending(order.id, order.total),
        (State::Rejected, _) => Said::Rejected(order.id),
        (
            State::Confirmed
            | State::Paid
            | State::Shipped
            | State::Delivered
            | State::Cancelling
            | State::Cancelled
            | State::Returning
            | State::Refunded,
            _,
        ) => Said::Confirmed(order.id, order.total),
    }
}
