//! Every order with all that belongs to it: databases, ledger and history are walked side by side in the order of its id,
//! so that only one order is held at a time.

use shop_mongo::{Document, doc};

use super::{Seen, read};
use crate::database::{Databases, Look, ORDERS, PAYMENTS, RESERVATIONS, Walk};
use crate::finding::Findings;
use crate::history::Answer;
use crate::judge::{self, Dossier, Moved};
use crate::ledger::{Entry, Ledger, holds, order_of};
use crate::record::{Order, Payment, Reservation};
use crate::sorter::Sorted;
use crate::{Error, Invariant};

/// Orders that are looked at again; more contradictions than that are told at once.
const MOST_SUSPECTS: usize = 10_000;

/// What the pass over orders found.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    pub(crate) findings: Findings,
    /// Orders with findings that rest on the ledger.
    pub(crate) suspects: Vec<Suspect>,
}

/// An order to be looked at again.
#[derive(Debug)]
pub(crate) struct Suspect {
    order: String,
    entries: Vec<Entry>,
    findings: Findings,
}

/// What stands beside the databases, by order.
pub(crate) struct Beside<'a> {
    pub(crate) moves: Option<Sorted<Moved>>,
    pub(crate) ledger: Option<Sorted<Entry>>,
    pub(crate) answers: Option<&'a mut Sorted<Answer>>,
}

/// Walks over everything that belongs to orders.
struct Walks {
    orders: Walk,
    reservations: Walk,
    payments: Walk,
}

impl Walks {
    async fn fill(&mut self, look: &mut Look) -> Result<(), Error> {
        self.orders.fill(look).await?;
        self.reservations.fill(look).await?;
        self.payments.fill(look).await
    }
}

/// Judges every order.
pub(crate) async fn orders(look: &mut Look, mut beside: Beside<'_>, seen: &mut Seen) -> Result<Judged, Error> {
    let mut walks = Walks {
        orders: Walk::over(ORDERS, Order::FIELDS),
        reservations: Walk::over(RESERVATIONS, Reservation::FIELDS),
        payments: Walk::over(PAYMENTS, Payment::FIELDS),
    };
    let mut judged = Judged::default();
    let mut last = String::new();
    loop {
        walks.fill(look).await?;
        let heads = [
            walks.orders.head(),
            walks.reservations.head(),
            walks.payments.head().map(order_of),
            beside.moves.as_ref().and_then(Sorted::key),
            beside.ledger.as_ref().and_then(Sorted::key),
            beside.answers.as_ref().and_then(|answers| answers.key()),
        ];
        let Some(id) = heads.into_iter().flatten().min().map(str::to_owned) else { break };
        if id <= last && !last.is_empty() {
            return Err(Error::OutOfOrder { place: "a collection of the shop", found: id, last });
        }
        let entries = beside.ledger.as_mut().map(|ledger| ledger.take(&id)).transpose().map_err(Error::Sort)?;
        let mut documents = Documents::default();
        if walks.orders.head() == Some(&id) {
            documents.order = walks.orders.take();
        }
        if walks.reservations.head() == Some(&id) {
            documents.reservation = walks.reservations.take();
        }
        while walks.payments.head().map(order_of) == Some(&id) {
            documents.payments.extend(walks.payments.take());
            walks.payments.fill(look).await?;
        }
        let moves = beside.moves.as_mut().map(|moves| moves.take(&id)).transpose().map_err(Error::Sort)?;
        let answers = beside.answers.as_mut().map(|answers| answers.take(&id)).transpose().map_err(Error::Sort)?;
        count(&documents, entries.as_deref(), seen);
        let findings = judge_one(&id, &documents, entries.as_deref(), moves, answers.unwrap_or_default());
        judged.add(id.clone(), entries, findings);
        last = id;
    }
    Ok(judged)
}

/// The documents of one order.
#[derive(Debug, Default)]
struct Documents {
    order: Option<Document>,
    reservation: Option<Document>,
    payments: Vec<Document>,
}

fn count(documents: &Documents, entries: Option<&[Entry]>, seen: &mut Seen) {
    let mut add = |invariant, what, count: usize| {
        *seen.entry((invariant, what)).or_default() += u64::try_from(count).unwrap_or(u64::MAX);
    };
    let orders = usize::from(documents.order.is_some());
    for invariant in [Invariant::I3, Invariant::I4, Invariant::I5, Invariant::I8, Invariant::I9, Invariant::I11] {
        add(invariant, "orders", orders);
    }
    add(Invariant::I4, "payments", documents.payments.len());
    if let Some(entries) = entries {
        add(Invariant::I4, "ledger entries", entries.len());
    }
}

/// Judges one order, unless one of its documents cannot be read: then that is what there is to say.
fn judge_one(
    id: &str,
    documents: &Documents,
    entries: Option<&[Entry]>,
    moves: Option<Vec<Moved>>,
    answers: Vec<Answer>,
) -> Findings {
    let mut findings = Findings::new();
    let subject = format!("order {id}");
    let order =
        documents.order.as_ref().map(|document| read(Order::read(document), Invariant::I9, &subject, &mut findings));
    let reservation = documents.reservation.as_ref().map(|document| {
        read(Reservation::read(document), Invariant::I3, &format!("reservation of {subject}"), &mut findings)
    });
    let payments = documents.payments.iter().filter_map(|document| {
        let subject = format!("payment {}", document.get_str("_id").unwrap_or_default());
        read(Payment::read(document), Invariant::I4, &subject, &mut findings)
    });
    let payments = payments.collect();
    if !findings.is_empty() {
        return findings;
    }
    judge::order(&Dossier {
        id: id.to_owned(),
        order: order.flatten(),
        reservation: reservation.flatten(),
        payments,
        holds: entries.map(holds),
        moves,
        answers,
    })
}

impl Judged {
    fn add(&mut self, order: String, entries: Option<Vec<Entry>>, findings: Findings) {
        let suspicious = findings.iter().any(|finding| finding.by_ledger);
        match entries {
            Some(entries) if suspicious && self.suspects.len() < MOST_SUSPECTS => {
                let (findings, firm): (Findings, Findings) =
                    findings.into_iter().partition(|finding| finding.by_ledger);
                self.findings.extend(firm);
                self.suspects.push(Suspect { order, entries, findings });
            }
            Some(_) | None => self.findings.extend(findings),
        }
    }
}

/// Reads what the ledger has by now and looks at the suspects again, each at one moment of all databases: an order that
/// went on while the ledger was read is cleared.
pub(crate) async fn look_again(
    databases: &Databases,
    ledger: &mut Ledger,
    suspects: Vec<Suspect>,
) -> Result<Vec<Suspect>, Error> {
    let mut look = databases.look(false).await?;
    let mut left = Vec::new();
    let mut documents = Vec::new();
    for suspect in &suspects {
        documents.push(Documents {
            order: look.find(ORDERS, doc! { "_id": &suspect.order }, Order::FIELDS).await?.pop(),
            reservation: look.find(RESERVATIONS, doc! { "_id": &suspect.order }, Reservation::FIELDS).await?.pop(),
            payments: look.find(PAYMENTS, doc! { "order_id": &suspect.order }, Payment::FIELDS).await?,
        });
    }
    let mut new = Vec::new();
    ledger
        .more(&mut |entry| {
            new.push(entry);
            Ok(())
        })
        .await?;
    for (mut suspect, documents) in suspects.into_iter().zip(documents) {
        suspect.entries.extend(new.iter().filter(|entry| entry.order() == suspect.order).cloned());
        let findings = judge_one(&suspect.order, &documents, Some(&suspect.entries), None, Vec::new());
        suspect.findings = findings.into_iter().filter(|finding| finding.by_ledger).collect();
        if !suspect.findings.is_empty() {
            left.push(suspect);
        }
    }
    Ok(left)
}

impl Suspect {
    /// What is held against it.
    pub(crate) fn into_findings(self) -> Findings {
        self.findings
    }
}
