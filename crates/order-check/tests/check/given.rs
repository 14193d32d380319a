//! The books of a small shop, written by hand: databases, the provider's ledger, what clients were answered.
//!
//! Four orders: `PAID` has two mugs, `REJECTED` found too few cups, `CANCELLED` was paid and given back, `DECLINED` waits
//! for the buyer with one mug held.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use order_check::{Invariant, LedgerSource, Report, Settings};
use serde_json::{Value, json};
use shop_config::{MongoConfig, Secret};
use shop_mongo::{Bson, Collection, Document, Mongo, bson, doc};
use shop_service::SystemClock;
use shop_telemetry::metrics::Metrics;
use shop_types::Clock as _;
use tempfile::TempDir;

pub(crate) const PAID: &str = "01900000-0000-7000-8000-000000000001";
pub(crate) const REJECTED: &str = "01900000-0000-7000-8000-000000000002";
pub(crate) const CANCELLED: &str = "01900000-0000-7000-8000-000000000003";
pub(crate) const DECLINED: &str = "01900000-0000-7000-8000-000000000004";
pub(crate) const ADA: &str = "01900000-0000-7000-8000-0000000000ad";

/// A shop that exists only as books. Dropping it drops its databases.
pub(crate) struct Books {
    mongodb: MongoConfig,
    /// One handle for all databases.
    mongo: Mongo,
    folder: TempDir,
    began: Timestamp,
}

impl Books {
    /// Books in which nothing contradicts.
    pub(crate) async fn healthy() -> Self {
        let mongodb = MongoConfig {
            uri: Secret::new(shop_testkit::mongodb_uri()),
            database_prefix: format!("oc_{}", &SystemClock.new_id().simple().to_string()[20..]),
            owner: None,
            max_pool_size: 10,
        };
        let mongo = Mongo::connect("order", &mongodb, &Metrics::new("test")).await.unwrap();
        let began = now().saturating_sub(SignedDuration::from_hours(2)).unwrap();
        let books = Self { mongodb, mongo, folder: tempfile::tempdir().unwrap(), began };
        let collections = [
            ("identity", &["outbox", "inbox", "dead_letters"][..]),
            ("catalog", &["outbox", "inbox", "dead_letters"]),
            ("inventory", &["stock", "reservations", "movements", "outbox", "inbox", "dead_letters"]),
            ("cart", &["outbox", "inbox", "dead_letters"]),
            ("payment", &["payments", "outbox", "inbox", "dead_letters"]),
            ("order", &["orders", "outbox", "inbox", "dead_letters"]),
        ];
        for (service, names) in collections {
            for name in names {
                books.of(service, name).insert_one(doc! { "_id": "first" }).await.unwrap();
                books.of(service, name).delete_one(doc! { "_id": "first" }).await.unwrap();
            }
        }
        books.write_orders().await;
        books.write_stock().await;
        books.write_events().await;
        books.write_ledger();
        books.write_history();
        books
    }

    /// A collection.
    pub(crate) fn of(&self, service: &str, name: &str) -> Collection<Document> {
        let database = format!("{}_{service}", self.mongodb.database_prefix);
        self.mongo.database().client().database(&database).collection(name)
    }

    /// Changes one document by hand.
    pub(crate) async fn change(&self, service: &str, name: &str, id: &str, change: Document) {
        let changed = self.of(service, name).update_one(doc! { "_id": id }, change).await.unwrap();
        assert_eq!(changed.matched_count, 1, "{service} has no {name} {id}");
    }

    /// Adds a document by hand.
    pub(crate) async fn insert(&self, service: &str, name: &str, document: Document) {
        self.of(service, name).insert_one(document).await.unwrap();
    }

    /// Adds a line to the ledger or the history.
    pub(crate) fn append(&self, file: &str, line: &Value) {
        append(self.folder.path().join(file), line);
    }

    pub(crate) fn path(&self, file: &str) -> std::path::PathBuf {
        self.folder.path().join(file)
    }

    /// So many seconds after the books begin, which is two hours ago.
    pub(crate) fn at(&self, seconds: i64) -> Timestamp {
        self.began.checked_add(SignedDuration::from_secs(seconds)).unwrap()
    }

    pub(crate) fn time(&self, seconds: i64) -> bson::DateTime {
        self.at(seconds).into()
    }

    /// Checks everything, once.
    pub(crate) fn settings(&self) -> Settings {
        let mut settings = Settings::new(self.mongodb.clone());
        settings.ledger = Some(LedgerSource::File(self.path("ledger")));
        settings.history = Some(self.path("history"));
        settings
    }

    /// What is found.
    pub(crate) async fn check(&self) -> Report {
        order_check::check(&self.settings()).await.unwrap()
    }

    async fn write_orders(&self) {
        let orders = [
            (PAID, &["placed", "confirmed", "paid"][..], "settled", Some(":1")),
            (REJECTED, &["placed", "rejected"], "settled", None),
            (CANCELLED, &["placed", "confirmed", "paid", "cancelling", "cancelled"], "settled", Some(":1")),
            (DECLINED, &["placed", "placed"], "declined", None),
        ];
        for (id, steps, phase, payment) in orders {
            self.insert("order", "orders", self.order(id, steps, phase, payment)).await;
        }
        let payments = [(PAID, "CAPTURED"), (REJECTED, "CANCELLED"), (CANCELLED, "REFUNDED"), (DECLINED, "DECLINED")];
        for (id, state) in payments {
            self.insert("payment", "payments", self.payment(id, state)).await;
        }
    }

    /// An order of ADA over two mugs at 5.00.
    pub(crate) fn order(&self, id: &str, steps: &[&str], phase: &str, payment: Option<&str>) -> Document {
        let steps: Vec<Document> =
            steps.iter().zip(0..).map(|(state, n)| doc! { "state": *state, "at": self.time(n) }).collect();
        // A declined order waits for the buyer until its deadline, which is to come.
        let deadline = if phase == "declined" { 4 * 3600 } else { 900 };
        doc! {
            "_id": id,
            "number": 1_i64,
            "user": ADA,
            "guest": Bson::Null,
            "lines": [{ "sku": "mug", "product": "p", "name": "Mug", "quantity": 2_i64, "unit_price": 500_i64, "total": 1000_i64 }],
            "total": 1000_i64,
            "currency": "EUR",
            "payment_method": "tok_visa",
            "state": steps.last().unwrap().get_str("state").unwrap(),
            "phase": phase,
            "attempt": 1_i64,
            "payment": payment.map(|attempt| format!("{id}{attempt}")),
            "version": i64::try_from(steps.len()).unwrap(),
            "history": steps,
            "created_at": self.time(0),
            "deadline": self.time(deadline),
            "lease_until": self.time(10),
        }
    }

    /// The first payment of an order.
    pub(crate) fn payment(&self, order: &str, state: &str) -> Document {
        doc! {
            "_id": format!("{order}:1"),
            "order_id": order,
            "attempt": 1_i64,
            "amount": 1000_i64,
            "currency": "EUR",
            "state": state,
            "since": self.time(2),
            "version": 2_i64,
        }
    }

    async fn write_stock(&self) {
        for (id, state) in [(PAID, "COMMITTED"), (REJECTED, "REFUSED"), (CANCELLED, "RESTOCKED"), (DECLINED, "HELD")] {
            let lines = vec![doc! { "sku": "mug", "quantity": 2_i64 }];
            self.insert("inventory", "reservations", doc! { "_id": id, "state": state, "lines": lines }).await;
        }
        let movements = [
            ("adjusted", None, 10, 0, 0),
            ("reserved", Some(PAID), -2, 2, 0),
            ("reserved", Some(CANCELLED), -2, 2, 0),
            ("reserved", Some(DECLINED), -2, 2, 0),
            ("committed", Some(PAID), 0, -2, 2),
            ("committed", Some(CANCELLED), 0, -2, 2),
            ("restocked", Some(CANCELLED), 2, 0, -2),
        ];
        for (version, (cause, order, available, reserved, sold)) in (1..).zip(movements) {
            self.insert("inventory", "movements", movement(version, cause, order, [available, reserved, sold])).await;
        }
        let stock = doc! {
            "_id": "mug@main", "sku": "mug", "location": "main", "version": 7_i64,
            "available": 6_i64, "reserved": 2_i64, "sold": 2_i64, "received": 10_i64,
        };
        self.insert("inventory", "stock", stock).await;
    }

    async fn write_events(&self) {
        let events = [
            ("order", "order.created", PAID, &["identity"][..]),
            ("order", "order.confirmed", PAID, &["payment", "cart"]),
            ("payment", "payment.captured", PAID, &["order", "inventory"]),
            ("order", "order.rejected", REJECTED, &["payment", "inventory"]),
            ("payment", "payment.declined", DECLINED, &["order"]),
            ("inventory", "stock.changed", "mug", &["catalog"]),
        ];
        for (n, (producer, topic, about, groups)) in (1..).zip(events) {
            let id = event_id(n);
            let row = doc! {
                "_id": &id, "topic": topic, "aggregate": about, "version": 1_i64, "body": "{}",
                "published": { "run_id": "r", "at": self.time(3) }, "confirmed": true,
                "confirmed_at": self.time(8), "created_at": self.time(2),
            };
            self.insert(producer, "outbox", row).await;
            for group in groups {
                let row = doc! { "_id": format!("{group}:{id}"), "group": *group, "at": self.time(4) };
                self.insert(group, "inbox", row).await;
            }
        }
    }

    fn write_ledger(&self) {
        let entries = [
            ("a1", PAID, "authorized"),
            ("a1", PAID, "captured"),
            ("a2", CANCELLED, "authorized"),
            ("a3", DECLINED, "declined"),
            ("a2", CANCELLED, "captured"),
            ("a2", CANCELLED, "refunded"),
        ];
        for (sequence, (authorization, order, kind)) in (1..).zip(entries) {
            self.append("ledger", &ledger_entry(sequence, authorization, order, kind, 1000));
        }
    }

    fn write_history(&self) {
        let order = "/api/v1/orders";
        self.append("history", &self.answer(1, "POST", order, "k1", 201, PAID));
        // The answer was lost, and the same key got it again.
        let lost = json!({ "at": self.at(2), "ms": 5000, "user": ADA, "key": "k3", "route": order, "method": "POST",
            "status": null, "order_id": null, "total": null, "err": "timed out" });
        self.append("history", &lost);
        self.append("history", &self.answer(8, "POST", order, "k3", 202, CANCELLED));
        let mut sold_out = self.answer(3, "POST", order, "k2", 409, REJECTED);
        sold_out["err"] = json!("sold_out");
        self.append("history", &sold_out);
        let mut declined = self.answer(4, "POST", order, "k4", 402, DECLINED);
        declined["err"] = json!("payment_declined");
        self.append("history", &declined);
        self.append("history", &self.answer(9, "GET", "/api/v1/orders/{id}", "", 200, PAID));
    }

    /// What ADA was answered about an order, half a second after it was sent.
    pub(crate) fn answer(&self, at: i64, method: &str, route: &str, key: &str, status: u16, order: &str) -> Value {
        json!({ "at": self.at(at), "ms": 500, "user": ADA, "key": key, "route": route, "method": method,
            "status": status, "order_id": order, "total": 1000, "body": null, "err": null })
    }
}

impl Drop for Books {
    /// On a thread of its own, because a drop cannot wait.
    fn drop(&mut self) {
        let settings = self.mongodb.clone();
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(shop_mongo::drop_databases(&settings))
        });
        let ended = dropping.join();
        if !std::thread::panicking() {
            ended.unwrap().unwrap();
        }
    }
}

/// The present, as the machine of the tests has it.
pub(crate) fn now() -> Timestamp {
    bson::DateTime::now().to_jiff()
}

pub(crate) fn append(path: std::path::PathBuf, line: &Value) {
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    writeln!(file, "{line}").unwrap();
}

pub(crate) fn event_id(n: u32) -> String {
    format!("01900000-0000-7000-8000-0000000e{n:04}")
}

pub(crate) fn movement(version: i64, cause: &str, order: Option<&str>, change: [i64; 3]) -> Document {
    let [available, reserved, sold] = change;
    let mut row = doc! {
        "_id": format!("mug@main:{version}"), "sku": "mug", "location": "main", "version": version, "cause": cause,
        "available": available, "reserved": reserved, "sold": sold,
    };
    row.extend(order.map(|order| ("order".to_owned(), order.into())));
    row
}

pub(crate) fn ledger_entry(sequence: u64, authorization: &str, order: &str, kind: &str, amount: i64) -> Value {
    json!({ "sequence": sequence, "at": "2026-01-01T00:00:00Z", "kind": kind, "authorization": authorization,
        "reference": format!("{order}:1"), "amount": amount, "currency": "EUR", "method": "tok_visa", "key": "k" })
}

/// The invariants that are violated.
pub(crate) fn violated(report: &Report) -> Vec<&'static str> {
    report.lines.iter().filter(|line| !line.holds()).map(|line| line.invariant.name()).collect()
}

/// What is said about one invariant.
pub(crate) fn said(report: &Report, invariant: Invariant) -> Vec<String> {
    let line = report.lines.iter().find(|line| line.invariant == invariant).unwrap();
    line.violations.iter().map(|found| format!("{} {}", found.subject, found.says)).collect()
}

pub(crate) fn only(invariants: &[Invariant]) -> BTreeSet<Invariant> {
    invariants.iter().copied().collect()
}

pub(crate) const SECOND: Duration = Duration::from_secs(1);
