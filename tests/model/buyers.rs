//! Buyers and staff: who sends what, how often, and what they were told.

use std::cell::RefCell;
use std::rc::Rc;

use order::domain::{Change, State};
use payment::domain::batch::{Key, RefundRequest};
use payment::domain::{Event as PaymentEvent, PaymentId};
use serde_json::Value;
use shop_types::{Fingerprint, Money, OrderId, Sku};

use crate::engine::{MINUTE, Millis, Process, SECOND, Service};
use crate::orders::{Request, Said, Wish};
use crate::provider::{CAREFUL, DECLINED, EMPTY, GOOD};
use crate::world::{Pod, Shop};

/// How long a client waits for an answer.
const PATIENCE: Millis = 5 * SECOND;
/// How often a client repeats a request that nobody has answered.
const TRIES: u32 = 6;

/// What all buyers were told about placing orders: the key, and the answer.
pub(crate) type Told = Rc<RefCell<Vec<(String, Said)>>>;

#[derive(Clone)]
struct Buyer {
    shop: Shop,
    told: Told,
}

/// Sends one buyer into the shop.
pub(crate) fn enter(shop: &Shop, told: &Told, number: usize, skus: &[Sku]) {
    let buyer = Buyer { shop: shop.clone(), told: Rc::clone(told) };
    let sim = &shop.sim;
    let pieces = |pick: usize| 1 + u32::try_from(pick).expect("few pieces");
    let first = sim.pick(skus.len());
    let mut lines = vec![(skus[first].clone(), pieces(sim.pick(2)))];
    if sim.pick(2) == 1 {
        lines.push((skus[(first + 1) % skus.len()].clone(), 1));
    }
    let card = [GOOD, CAREFUL, DECLINED, EMPTY][sim.pick(4)];
    let wish = Wish { key: format!("key-{number}"), lines, card };
    if sim.pick(3) == 2 {
        // The same request twice at once.
        let (twin, wish) = (buyer.clone(), wish.clone());
        sim.spawn(Process::Outside, async move {
            twin.place(wish).await;
        });
    }
    if sim.pick(4) == 3 {
        let (impatient, key) = (buyer.clone(), wish.key.clone());
        sim.spawn(Process::Outside, async move { impatient.cancel_soon(key).await });
    }
    if card == CAREFUL && sim.pick(4) < 3 {
        let (confirming, key) = (buyer.clone(), wish.key.clone());
        sim.spawn(Process::Outside, async move { confirming.confirm_at_bank(key).await });
    }
    if sim.pick(4) == 3 {
        let (staff, key) = (buyer.clone(), wish.key.clone());
        sim.spawn(Process::Outside, async move { staff.handle_payment(key).await });
    }
    sim.spawn(Process::Outside, async move { buyer.shop_around(wish).await });
}

impl Buyer {
    async fn shop_around(self, wish: Wish) {
        let sim = &self.shop.sim;
        sim.sleep([0, SECOND, MINUTE][sim.pick(3)]).await;
        let Some(said) = self.place(wish).await else { return };
        let id = match said {
            Said::Confirmed(id, _) | Said::Pending(id, _) | Said::Declined(id) | Said::Rejected(id) => id,
            Said::Busy | Said::Refused | Said::Done | Said::Unknown => return,
        };
        sim.sleep([0, 2 * SECOND, MINUTE][sim.pick(3)]).await;
        if matches!(said, Said::Declined(_)) && sim.pick(3) > 0 {
            let card = [GOOD, DECLINED][sim.pick(2)];
            self.insist(Request::PayAgain(id, card, format!("pay-{id}"))).await;
        }
        match sim.pick(3) {
            0 => {}
            1 => {
                self.insist(Request::Change(id, Change::Cancel)).await;
            }
            _ => self.receive(id).await,
        }
    }

    /// Does not wait for the answer: looks into the list of orders, and cancels.
    async fn cancel_soon(self, key: String) {
        self.shop.sim.sleep(self.soon()).await;
        if let Some(id) = self.order_of(&key) {
            self.insist(Request::Change(id, Change::Cancel)).await;
        }
    }

    /// Staff takes the money of an order, or gives the hold back, or a part of what was taken, all by hand.
    async fn handle_payment(self, key: String) {
        self.shop.sim.sleep(self.soon()).await;
        let Some(order) = self.order_of(&key) else { return };
        let (id, what) = (PaymentId::first(order), self.shop.sim.pick(3));
        self.shop.sim.tell(|| format!("staff: {} {id}", ["captures", "voids", "refunds a part of"][what]));
        let handled = self.shop.call(Service::Payment, PATIENCE, async move |pod| match pod {
            Pod::Payments(payments) if what == 0 => payments.handle_by_staff(id, PaymentEvent::Capture).await,
            Pod::Payments(payments) if what == 1 => payments.handle_by_staff(id, PaymentEvent::Void).await,
            Pod::Payments(payments) => payments.refund(a_part(id)).await,
            Pod::Orders(_) | Pod::Inventory(_) | Pod::Witness => None,
        });
        handled.await;
    }

    /// Confirms at the bank what waits for the buyer there, or does not. The provider may say so, and may fail to.
    async fn confirm_at_bank(self, key: String) {
        let sim = &self.shop.sim;
        sim.sleep([SECOND, 5 * SECOND, MINUTE][sim.pick(3)]).await;
        let Some(order) = self.order_of(&key) else { return };
        let id = PaymentId::first(order);
        self.shop.provider.confirm(&id.to_string(), sim.pick(3) < 2);
        if self.shop.mishap(3, 1) == 0 {
            let hinted = self.shop.call(Service::Payment, PATIENCE, async move |pod| match pod {
                Pod::Payments(payments) => payments.hear_hint(id).await,
                Pod::Orders(_) | Pod::Inventory(_) | Pod::Witness => None,
            });
            hinted.await;
        }
    }

    fn soon(&self) -> Millis {
        [SECOND / 5, SECOND / 20, SECOND, 4 * SECOND][self.shop.sim.pick(4)]
    }

    fn order_of(&self, key: &str) -> Option<OrderId> {
        self.shop.database(Service::Order).tables().claims.get(&key.to_owned()).map(|claim| claim.order)
    }

    /// Places an order, again and again under the same key, until somebody answers.
    async fn place(&self, wish: Wish) -> Option<Said> {
        for _ in 0..TRIES {
            let said = self.ask(Request::Place(wish.clone())).await;
            self.shop.sim.tell(|| format!("{} is told {said:?}", wish.key));
            self.told.borrow_mut().push((wish.key.clone(), said.clone()));
            self.look_for(&said);
            match said {
                Said::Busy | Said::Unknown => self.shop.sim.sleep(SECOND).await,
                Said::Confirmed(..) | Said::Pending(..) | Said::Declined(_) | Said::Rejected(_) => return Some(said),
                Said::Refused | Said::Done => return None,
            }
        }
        None
    }

    /// What was acknowledged is there for whoever looks (I10).
    fn look_for(&self, said: &Said) {
        if let Said::Confirmed(id, total) | Said::Pending(id, total) = said {
            let tables = self.shop.database(Service::Order).tables();
            if tables.orders.get(id).is_none_or(|row| row.order.total != *total) {
                self.shop.complain(format!("I10: order {id} was acknowledged and is not there"));
            }
        }
    }

    /// Staff ships an order that was paid, and brings it; the buyer may send it back.
    async fn receive(&self, id: OrderId) {
        let sim = &self.shop.sim;
        for to in [State::Shipped, State::Delivered] {
            sim.sleep(MINUTE).await;
            if self.insist(Request::Change(id, Change::Advance { to })).await != Said::Done {
                return;
            }
            if sim.pick(3) == 2 {
                self.insist(Request::Change(id, Change::Return)).await;
                return;
            }
        }
    }

    /// Asks until somebody knows, or for as long as a person would.
    async fn insist(&self, request: Request) -> Said {
        for _ in 1..TRIES {
            let said = self.ask(request.clone()).await;
            if !matches!(said, Said::Unknown | Said::Busy) {
                return said;
            }
            self.shop.sim.sleep(SECOND).await;
        }
        self.ask(request).await
    }

    async fn ask(&self, request: Request) -> Said {
        let said = self.shop.call(Service::Order, PATIENCE, async move |pod| match pod {
            Pod::Orders(orders) => Some(orders.answer(request).await),
            Pod::Payments(_) | Pod::Inventory(_) | Pod::Witness => None,
        });
        said.await.unwrap_or(Said::Unknown)
    }
}

fn a_part(id: PaymentId) -> RefundRequest {
    let one = Money::new(1, "EUR".parse().expect("a currency"));
    let key = Key { id: format!("refund-{id}"), fingerprint: Fingerprint::of("POST", "refunds", &Value::Null) };
    RefundRequest { id, amount: Some(one), reason: "a scratch".parse().expect("a reason"), key }
}
