//! What clients were answered: JSON lines, one for each request, as tests/faults writes them.
//!
//! | field | |
//! |---|---|
//! | `at` | when the request was sent (RFC 3339) |
//! | `ms` | how long the answer took; the client's patience when none came |
//! | `user` | id of the user whose token was sent; absent for guests |
//! | `key` | Idempotency-Key; absent without one |
//! | `method`, `route` | `POST`, and the route with placeholders: `/api/v1/orders/{id}` |
//! | `status` | absent when no answer came |
//! | `order_id` | the order that the answer or the path names |
//! | `total` | its total in the answer, in minor units |
//! | `err` | the code of a refusal, or why no answer came |
//! | `reply` | the body of the answer; optional |
//!
//! Whatever else stands in a line is passed over. A user of the history must have placed all their orders in it: a user
//! with more orders than keys has one too many.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::finding::{Finding, Findings, Weight};
use crate::sorter::{Sorted, Sorter};
use crate::{Error, Invariant};

const ORDERS: &str = "/api/v1/orders";
const ONE_ORDER: &str = "/api/v1/orders/{id}";
const PAYMENTS: &str = "/api/v1/orders/{id}/payments";

/// One request and its answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) at: Timestamp,
    #[serde(default)]
    ms: u64,
    pub(crate) user: Option<String>,
    key: Option<String>,
    method: String,
    route: String,
    pub(crate) status: Option<u16>,
    order_id: Option<String>,
    pub(crate) total: Option<i64>,
    err: Option<String>,
    #[serde(default, skip_serializing)]
    reply: Option<Value>,
}

/// What an answer says about an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// It is placed: durable whatever happens (201, 202).
    Acknowledged,
    /// It will not be: `sold_out`, `order_rejected`.
    NotToBe,
    /// Its payment was declined; it may be paid by another attempt.
    Declined,
    /// Somebody asked to pay it by another attempt, whatever came of that.
    PaidAgain,
    /// Somebody read it, and it was there or not.
    Read,
    /// Nothing that matters here.
    Else,
}

impl Answer {
    pub(crate) fn told(&self) -> Told {
        let places = self.method == "POST" && self.route == ORDERS;
        let pays = self.method == "POST" && self.route == PAYMENTS;
        match (self.status, self.err.as_deref()) {
            (Some(201 | 202), _) if places => Told::Acknowledged,
            (Some(409), Some("sold_out" | "order_rejected")) if places || pays => Told::NotToBe,
            _ if pays => Told::PaidAgain,
            (Some(402), _) if places => Told::Declined,
            (Some(200 | 404), _) if self.method == "GET" && self.route == ONE_ORDER => Told::Read,
            _ => Told::Else,
        }
    }

    /// When the answer was there.
    pub(crate) fn answered(&self) -> Timestamp {
        let took = SignedDuration::from_millis(i64::try_from(self.ms).unwrap_or(i64::MAX));
        self.at.checked_add(took).unwrap_or(Timestamp::MAX)
    }

    fn places(&self) -> bool {
        self.method == "POST" && self.route == ORDERS
    }

    /// Whether an order may have come of it: all but refusals that name none.
    fn may_have_placed(&self) -> bool {
        self.places() && (self.order_id.is_some() || !self.status.is_some_and(|status| (400..500).contains(&status)))
    }
}

/// Everything that clients were answered.
#[derive(Debug)]
pub(crate) struct History {
    /// By order.
    pub(crate) orders: Sorted<Answer>,
    /// So many keys of a user may have led to an order.
    pub(crate) keys: BTreeMap<String, u64>,
    /// Acknowledgements that name no order, keys that led to two, answers whose lines do not come to their total.
    pub(crate) findings: Findings,
    pub(crate) acknowledged: u64,
    pub(crate) reads: u64,
    pub(crate) replies: u64,
}

impl History {
    /// Reads the whole file. A last line without a line feed is still being written and is left out.
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::File(path.to_owned(), source);
        let mut file = BufReader::new(File::open(path).map_err(failed)?);
        let (mut orders, mut keys) = (Sorter::default(), Sorter::default());
        let mut history = Counts::default();
        let mut text = Vec::new();
        loop {
            text.clear();
            file.read_until(b'\n', &mut text).map_err(failed)?;
            if text.last() != Some(&b'\n') {
                break;
            }
            history.lines += 1;
            let answer: Answer = serde_json::from_slice(&text).map_err(|source| Error::Line {
                what: "answers of a history",
                line: history.lines,
                path: path.to_owned(),
                source,
            })?;
            history.look(&answer);
            if answer.places() {
                let user = answer.user.clone().unwrap_or_default();
                let key = answer.key.clone().unwrap_or_else(|| format!("line {}", history.lines));
                let asked = Asked { order: answer.order_id.clone(), may_have_placed: answer.may_have_placed() };
                keys.push(format!("{user}\u{0}{key}"), asked).map_err(Error::Sort)?;
            }
            if let Some(order) = answer.order_id.clone() {
                orders.push(order, answer).map_err(Error::Sort)?;
            }
        }
        let keys = history.judge_keys(keys.sorted().map_err(Error::Sort)?)?;
        let Counts { findings, acknowledged, reads, replies, .. } = history;
        Ok(Self { orders: orders.sorted().map_err(Error::Sort)?, keys, findings, acknowledged, reads, replies })
    }
}

/// What is remembered of a request that places an order.
#[derive(Debug, Serialize, Deserialize)]
struct Asked {
    order: Option<String>,
    may_have_placed: bool,
}

#[derive(Debug, Default)]
struct Counts {
    findings: Findings,
    lines: u64,
    acknowledged: u64,
    reads: u64,
    replies: u64,
}

impl Counts {
    fn look(&mut self, answer: &Answer) {
        match answer.told() {
            Told::Acknowledged => {
                self.acknowledged += 1;
                if answer.order_id.is_none() {
                    self.find(Invariant::I3, "acknowledges an order without naming it", answer, Vec::new());
                }
            }
            Told::Read => self.reads += 1,
            Told::NotToBe | Told::Declined | Told::PaidAgain | Told::Else => {}
        }
        if let Some((lines, total)) = answer.reply.as_ref().and_then(sums) {
            self.replies += 1;
            if lines != total {
                let facts = vec![("lines", json!(lines)), ("total", json!(total))];
                self.find(Invariant::I11, "shows an order whose lines do not come to its total", answer, facts);
            }
        }
    }

    fn find(&mut self, invariant: Invariant, says: &str, answer: &Answer, mut facts: Vec<(&'static str, Value)>) {
        let Answer { user, key, order_id, .. } = answer;
        facts.extend([("user", json!(user)), ("key", json!(key)), ("order", json!(order_id))]);
        let subject = format!("line {} of the history", self.lines);
        self.findings.push(Finding::new(invariant, subject, says, facts, Weight::Firm));
    }

    /// One key never leads to two orders; gives for each user how many keys may have led to one.
    fn judge_keys(&mut self, mut asked: Sorted<Asked>) -> Result<BTreeMap<String, u64>, Error> {
        let mut users = BTreeMap::new();
        while let Some(name) = asked.key().map(str::to_owned) {
            let requests = asked.take(&name).map_err(Error::Sort)?;
            let (user, key) = name.split_once('\u{0}').unwrap_or((&name, ""));
            if !user.is_empty() {
                let may_have_placed = requests.iter().any(|request| request.may_have_placed);
                *users.entry(user.to_owned()).or_default() += u64::from(may_have_placed);
            }
            let mut orders: Vec<&String> = requests.iter().filter_map(|request| request.order.as_ref()).collect();
            orders.sort();
            orders.dedup();
            if orders.len() > 1 {
                let facts = vec![("user", json!(user)), ("key", json!(key)), ("orders", json!(orders))];
                let says = format!("led to {} orders", orders.len());
                self.findings.push(Finding::new(Invariant::I3, format!("key {key}"), says, facts, Weight::Firm));
            }
        }
        Ok(users)
    }
}

/// The sum of the lines and the total of an order in an answer.
fn sums(reply: &Value) -> Option<(i64, i64)> {
    let total = reply["total"]["amount"].as_i64()?;
    let lines = reply["items"].as_array()?.iter().map(|item| item["total"]["amount"].as_i64());
    // A line without a total is no line: the sum then differs.
    Some((lines.map(Option::unwrap_or_default).sum(), total))
}
