//! Two pods at once: what becomes of an order when a confirmation and a cancel meet, decided by the database alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bson::{Document, doc};
use futures::future::join_all;
use jiff::Timestamp;
use shop_config::{MongoConfig, Secret};
use shop_mongo::{Claim, Mongo};
use shop_service::SystemClock;
use shop_telemetry::metrics::Metrics;
use shop_types::caller::Subject;
use shop_types::{Clock as _, Fingerprint, IdempotencyKey, Money, OrderId, ProductId, Quantity, UserId};
use tokio_util::sync::CancellationToken;

use super::{Answer, Cause, Command, Deed, Store};
use crate::domain::{Change, Draft, Line, Order, Owner, State};

const RACES: usize = 1_000;
/// Orders that race at once.
const FIELD: usize = 100;

struct Pods {
    stores: [Store; 2],
    mongo: Mongo,
    settings: MongoConfig,
}

impl Pods {
    async fn start() -> Self {
        let settings = MongoConfig {
            uri: Secret::new(shop_testkit::mongodb_uri()),
            database_prefix: format!("t_{}", &SystemClock.new_id().simple().to_string()[16..]),
            owner: None,
            max_pool_size: 10,
        };
        let mut stores = Vec::new();
        for _ in 0..2 {
            let mongo = Mongo::connect("order", &settings, &Metrics::new("order")).await.unwrap();
            stores.push(Store::new(&mongo, Arc::new(SystemClock), Duration::from_secs(900), CancellationToken::new()));
        }
        let mongo = Mongo::connect("order", &settings, &Metrics::new("test")).await.unwrap();
        let stores: [Store; 2] = stores.try_into().unwrap_or_else(|_| panic!("there are two"));
        stores[0].prepare().await.unwrap();
        Self { stores, mongo, settings }
    }

    async fn place(&self, n: usize) -> Order {
        let line = Line {
            sku: "mug".parse().unwrap(),
            product: ProductId::from_uuid(SystemClock.new_id()),
            name: "Mug".into(),
            quantity: Quantity::new(1).unwrap(),
            unit_price: eur(500),
            total: eur(500),
        };
        let owner = UserId::from_uuid(SystemClock.new_id());
        let draft = Draft {
            owner: Owner::User(owner),
            cart: None,
            lines: vec![line],
            total: eur(500),
            payment_method: "tok_visa".into(),
            address: None,
        };
        let number = i64::try_from(n).unwrap() + 1;
        let (order, event) = Order::place(OrderId::from_uuid(SystemClock.new_id()), number, draft, now());
        let fingerprint = Fingerprint::of("POST", "/orders", &serde_json::Value::Null);
        let claim = Claim::new(Subject::User(owner), "place_order", &IdempotencyKey::parse("k").unwrap(), fingerprint);
        match self.stores[n % 2].write(command(Deed::Place { order: Box::new(order), event, claim })).await {
            Ok(Answer::Changed(order)) => *order,
            other => panic!("{other:?}"),
        }
    }

    async fn change(&self, pod: usize, order: OrderId, change: Change) -> Answer {
        self.stores[pod].write(command(Deed::Change { order, change, cause: Cause::State })).await.unwrap()
    }

    /// The topics that were told of each order, in the order of its versions, and whether all of them name the payment.
    async fn told(&self) -> BTreeMap<String, (Vec<String>, bool)> {
        let outbox = self.mongo.collection::<Document>("outbox");
        let mut rows = outbox.find(doc! {}).sort(doc! { "aggregate": 1, "version": 1 }).await.unwrap();
        let mut told: BTreeMap<String, (Vec<String>, bool)> = BTreeMap::new();
        while rows.advance().await.unwrap() {
            let row = rows.deserialize_current().unwrap();
            let order = row.get_str("aggregate").unwrap();
            let named = row.get_str("body").unwrap().contains(&format!("\"{order}:1\""));
            let (topics, all_named) = told.entry(order.to_owned()).or_insert((Vec::new(), true));
            topics.push(row.get_str("topic").unwrap().to_owned());
            *all_named &= named;
        }
        told
    }
}

fn eur(amount: i64) -> Money {
    Money::new(amount, "EUR".parse().unwrap())
}

fn now() -> Timestamp {
    Timestamp::from_millisecond(SystemClock.now().as_millisecond()).unwrap()
}

fn command(deed: Deed) -> Command {
    Command { deed, at: now(), traceparent: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_confirmation_and_a_cancel_one_wins_a_thousand_times() {
    let pods = Pods::start().await;
    let (mut confirmed, mut rejected) = (0, 0);
    for field in 0..RACES / FIELD {
        let orders = join_all((0..FIELD).map(|n| pods.place(field * FIELD + n))).await;
        let races = orders.iter().enumerate().map(|(n, order)| {
            // Each of both at each pod, also at the same one, so that neither wins because its pod is faster.
            let (one, other) = (n % 2, (n / 2) % 2);
            let confirm = pods.change(one, order.id, Change::Confirm { payment: order.payment_id() });
            let cancel = pods.change(other, order.id, Change::Cancel);
            async move {
                if n % 3 == 0 {
                    let (cancelled, confirmed) = tokio::join!(cancel, confirm);
                    (confirmed, cancelled)
                } else {
                    tokio::join!(confirm, cancel)
                }
            }
        });
        for answers in join_all(races).await {
            match answers {
                (Answer::Changed(confirm), Answer::Changed(cancel)) => {
                    assert_eq!((confirm.state, cancel.state), (State::Confirmed, State::Cancelling));
                    confirmed += 1;
                }
                (Answer::Unchanged(confirm), Answer::Changed(cancel)) => {
                    assert_eq!((confirm.state, cancel.state), (State::Rejected, State::Rejected));
                    rejected += 1;
                }
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(confirmed > 0 && rejected > 0, "both must be seen: {confirmed} confirmed, {rejected} rejected");
    assert_eq!(confirmed + rejected, RACES);

    // Money and stock follow what was told: either never promised, or promised and then undone.
    let told = pods.told().await;
    assert_eq!(told.len(), RACES);
    let (undone, never) =
        (["order.created", "order.confirmed", "order.cancelling"], ["order.created", "order.rejected"]);
    assert_eq!(told.values().filter(|(topics, _)| *topics == undone).count(), confirmed);
    assert_eq!(told.values().filter(|(topics, _)| *topics == never).count(), rejected);
    assert!(told.values().all(|(_, named)| *named), "what is given back is named");
    let gapless = doc! { "$expr": { "$eq": ["$version", { "$size": "$history" }] } };
    let orders = pods.mongo.collection::<Document>("orders");
    assert_eq!(orders.count_documents(gapless).await.unwrap(), u64::try_from(RACES).unwrap());
    shop_mongo::drop_databases(&pods.settings).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_change_one_version_one_is_told_that_it_is_stale() {
    let pods = Pods::start().await;
    for n in 0..20 {
        let order = pods.place(n).await;
        let payment = order.payment_id();
        pods.change(0, order.id, Change::Confirm { payment: payment.clone() }).await;
        pods.change(0, order.id, Change::Pay { payment }).await;
        let ship = |pod: usize| {
            let change = Change::Advance { to: State::Shipped };
            pods.stores[pod].write(command(Deed::Change { order: order.id, change, cause: Cause::Version(3) }))
        };
        let answers = tokio::join!(ship(0), ship(1));
        match answers {
            (Ok(Answer::Changed(shipped)), Ok(Answer::Stale)) | (Ok(Answer::Stale), Ok(Answer::Changed(shipped))) => {
                assert_eq!((shipped.state, shipped.version), (State::Shipped, 4));
            }
            other => panic!("{other:?}"),
        }
    }
    shop_mongo::drop_databases(&pods.settings).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_attempts_that_are_opened_at_once_there_is_one() {
    let pods = Pods::start().await;
    for n in 0..20 {
        let order = pods.place(n).await;
        let decline = Change::Decline { payment: order.payment_id(), reason: "card_declined".into() };
        pods.change(0, order.id, decline).await;
        let open = |pod: usize| {
            let fingerprint = Fingerprint::of("POST", "/payments", &serde_json::json!(pod));
            let key = IdempotencyKey::parse(&format!("k{pod}")).unwrap();
            let user = order.owner.user().unwrap();
            let claim = Claim::new(Subject::User(user), "pay_order", &key, fingerprint);
            let change = Change::PayAgain { method: format!("tok_{pod}") };
            pods.stores[pod].write(command(Deed::Change { order: order.id, change, cause: Cause::Key(claim) }))
        };
        let answers = tokio::join!(open(0), open(1));
        let opened = match answers {
            (Ok(Answer::Changed(opened)), Ok(Answer::Refused(_)))
            | (Ok(Answer::Refused(_)), Ok(Answer::Changed(opened))) => opened,
            other => panic!("{other:?}"),
        };
        assert_eq!((opened.attempt, opened.version), (2, 3));
    }
    let rows = pods.mongo.collection::<Document>("idempotency");
    let opened = rows.count_documents(doc! { "_id": { "$regex": "pay_order" } }).await.unwrap();
    assert_eq!(opened, 20, "the key of the other one is still free");
    shop_mongo::drop_databases(&pods.settings).await.unwrap();
}
