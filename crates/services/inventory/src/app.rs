//! What inventory can do, one method per operation. What belongs here: submitting commands to the one group that writes,
//! and what an operation's end means. What does not: rules (`domain`), documents (`store`), transports.

mod locations;

use std::collections::BTreeMap;
use std::sync::Arc;

use shop_mongo::{Group, Mongo};
use shop_telemetry::context;
use shop_types::{Clock, Detail, ErrorKind, EventId, OrderId, ServiceError, Sku};
use tokio_util::sync::CancellationToken;

use crate::domain::{
    self, Answer, Command, Key, Lines, Moved, Reservation, Scope, Stock, Transfer, TransferId, Transferred, location,
};
use crate::store::{self, Member, Settled};

/// Stock and reservations over one database.
#[derive(Debug)]
pub struct App {
    mongo: Mongo,
    group: Group<Member, Settled>,
    clock: Arc<dyn Clock>,
}

/// How an operation can end badly.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A rule forbids it; nothing was changed.
    #[error(transparent)]
    Rule(#[from] domain::Error),
    /// A rule of locations forbids it; nothing was changed.
    #[error(transparent)]
    Location(#[from] location::Error),
    /// A part of the request cannot be read.
    #[error("{field}: {message}")]
    Request {
        /// Which part.
        field: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// Nothing is known about the SKU.
    #[error("there is no stock of this SKU")]
    UnknownSku,
    /// The store failed; a write may have happened, and the same call finds out.
    #[error("failed to read or write stock")]
    Store(#[from] shop_mongo::Error),
    /// The group answered what no command of the kind can be answered: a defect.
    #[error("the answer does not fit the command")]
    Mismatch,
}

impl App {
    /// Joins the database. Nothing is read or written yet.
    #[must_use]
    pub fn new(mongo: &Mongo, clock: Arc<dyn Clock>, stop: CancellationToken) -> Self {
        let now = Arc::clone(&clock);
        let group = Group::spawn(
            mongo,
            "stock",
            move |txn, members| {
                let clock = Arc::clone(&now);
                Box::pin(async move { store::settle(txn, &clock, members).await })
            },
            stop,
        );
        Self { mongo: mongo.clone(), group, clock }
    }

    /// Makes collections, validators and indexes, and the first location.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn prepare(&self) -> Result<(), Error> {
        self.mongo.ensure(&store::setup()).await?;
        Ok(store::locations::ensure_main(&self.mongo).await?)
    }

    /// Gives the stock of a SKU in `main`.
    ///
    /// # Errors
    /// [`Error::UnknownSku`], [`Error::Store`].
    pub async fn stock(&self, sku: &Sku) -> Result<Stock, Error> {
        store::stock(&self.mongo, sku).await?.ok_or(Error::UnknownSku)
    }

    /// Looks how many pieces one line of an order could get now, of each of these SKUs that was ever in stock. Holds none
    /// of them: only an order does.
    ///
    /// # Errors
    /// [`Error::Request`] for more SKUs than an order has lines; [`Error::Store`].
    pub async fn available(&self, skus: &[Sku]) -> Result<BTreeMap<Sku, i64>, Error> {
        if skus.len() > domain::MAX_LINES {
            return Err(Error::Request { field: "skus", message: format!("at most {}", domain::MAX_LINES) });
        }
        let shelves = store::shelves_of(&self.mongo, skus).await?;
        Ok(shelves.into_iter().map(|(sku, shelf)| (sku, shelf.sellable())).collect())
    }

    /// Takes stock for all lines of an order, each from one location, or for none (W2). A repeated call gets the reservation as it is now.
    ///
    /// The hold stays until it is committed or released; it never expires by itself (ruling 11).
    ///
    /// # Errors
    /// [`domain::Error::OtherLines`] when the order asked for something else before; [`Error::Store`].
    pub async fn reserve(&self, order: OrderId, lines: Lines) -> Result<Reservation, Error> {
        let reservation = self.reservation(Command::Reserve { order, lines }).await?;
        shop_faults::at("W2").await.map_err(unknown)?;
        Ok(reservation)
    }

    /// Turns a hold into a sale (W9); does nothing to what was refused or given back.
    ///
    /// # Errors
    /// [`domain::Error::NoReservation`]; [`Error::Store`].
    pub async fn commit(&self, order: OrderId) -> Result<Reservation, Error> {
        let reservation = self.reservation(Command::Commit { order }).await?;
        shop_faults::at("W9").await.map_err(unknown)?;
        Ok(reservation)
    }

    /// Gives back what an order holds, and within the scope what it has bought; leaves a tombstone where nothing was held.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn release(&self, order: OrderId, scope: Scope) -> Result<Reservation, Error> {
        self.reservation(Command::Release { order, scope }).await
    }

    /// Sets how many pieces lie on the shelf in `main`, held ones included. The same key again changes nothing.
    ///
    /// # Errors
    /// [`domain::Error::BelowZero`] for fewer than orders hold, [`domain::Error::AboveLimit`],
    /// [`domain::Error::KeyReused`]; [`Error::Store`].
    pub async fn set_on_hand(&self, sku: Sku, pieces: u32, key: Key) -> Result<Stock, Error> {
        self.one_stock(Command::SetOnHand { sku, pieces, key }).await
    }

    /// Does an adjustment by staff: gives the stock right after it, also when the same key asks again later.
    ///
    /// # Errors
    /// [`domain::Error::NoLocation`], [`domain::Error::BelowZero`], [`domain::Error::AboveLimit`],
    /// [`domain::Error::KeyReused`]; [`Error::Store`].
    pub async fn adjust(&self, adjustment: domain::Adjustment) -> Result<Stock, Error> {
        self.one_stock(Command::Adjust(adjustment)).await
    }

    /// Names a transfer that is to be done.
    #[must_use]
    pub fn new_transfer(&self) -> TransferId {
        TransferId::from_uuid(self.clock.new_id())
    }

    /// Moves pieces from one location to another, in one step: gives both stocks right after it, also when the same key asks
    /// again later.
    ///
    /// # Errors
    /// [`domain::Error::NoLocation`], [`domain::Error::SameLocation`], [`domain::Error::BelowZero`],
    /// [`domain::Error::AboveLimit`], [`domain::Error::KeyReused`]; [`Error::Store`].
    pub async fn transfer(&self, transfer: Transfer) -> Result<Transferred, Error> {
        match self.moved(Command::Transfer(transfer)).await? {
            Moved::Transfer(transferred) => Ok(transferred),
            Moved::Stock(_) => Err(Error::Mismatch),
        }
    }

    /// Does what an event asks for, once, however often it is delivered.
    ///
    /// # Errors
    /// [`Error::Rule`] when it can never be done; [`Error::Store`].
    pub async fn obey(&self, event: EventId, command: Command) -> Result<(), Error> {
        let sells = matches!(command, Command::Commit { .. });
        let Settled::Answered(answer) = self.submit(command, Some(event)).await? else { return Ok(()) };
        answer?;
        if sells {
            shop_faults::at("W9").await.map_err(unknown)?;
        }
        Ok(())
    }

    async fn reservation(&self, command: Command) -> Result<Reservation, Error> {
        match self.submit(command, None).await? {
            Settled::Answered(Ok(Answer::Reservation(reservation))) => Ok(reservation),
            Settled::Answered(Err(rule)) => Err(Error::Rule(rule)),
            Settled::Answered(Ok(Answer::Moved(_))) | Settled::SeenBefore => Err(Error::Mismatch),
        }
    }

    async fn one_stock(&self, command: Command) -> Result<Stock, Error> {
        match self.moved(command).await? {
            Moved::Stock(stock) => Ok(stock),
            Moved::Transfer(_) => Err(Error::Mismatch),
        }
    }

    async fn moved(&self, command: Command) -> Result<Moved, Error> {
        match self.submit(command, None).await? {
            Settled::Answered(Ok(Answer::Moved(moved))) => Ok(moved),
            Settled::Answered(Err(rule)) => Err(Error::Rule(rule)),
            Settled::Answered(Ok(Answer::Reservation(_))) | Settled::SeenBefore => Err(Error::Mismatch),
        }
    }

    async fn submit(&self, command: Command, event: Option<EventId>) -> Result<Settled, Error> {
        let member = Member { command, event, traceparent: context::traceparent() };
        match self.group.submit(member.clone()).await {
            // Another pod wrote the same reservation or the first stock of a SKU at the same moment: now it is there to be read.
            Err(error) if error.is_duplicate() => self.group.submit(member).await.map_err(Error::Store),
            ended => ended.map_err(Error::Store),
        }
    }
}

/// A write whose answer was lost: nobody knows that it happened, and the same call finds out.
fn unknown(injected: shop_faults::Injected) -> Error {
    Error::Store(shop_mongo::Error::Unavailable { what: "stock", source: Arc::new(injected) })
}

impl ServiceError for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Rule(rule) => match rule {
                domain::Error::Lines(_)
                | domain::Error::Delta
                | domain::Error::Reason
                | domain::Error::NoLocation { .. }
                | domain::Error::SameLocation
                | domain::Error::KeyReused => ErrorKind::Invalid,
                domain::Error::BelowZero { .. }
                | domain::Error::AboveLimit { .. }
                | domain::Error::OtherLines { .. } => ErrorKind::Conflict,
                domain::Error::NoReservation { .. } => ErrorKind::NotFound,
                domain::Error::Unbalanced { .. } => ErrorKind::Internal,
            },
            Self::Location(rule) => rule.kind(),
            Self::Request { .. } => ErrorKind::Invalid,
            Self::UnknownSku => ErrorKind::NotFound,
            Self::Store(error) => error.kind(),
            Self::Mismatch => ErrorKind::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Rule(rule) => match rule {
                domain::Error::Lines(_)
                | domain::Error::Delta
                | domain::Error::Reason
                | domain::Error::NoLocation { .. }
                | domain::Error::SameLocation => "invalid_field",
                domain::Error::KeyReused => "idempotency_key_reused",
                domain::Error::BelowZero { .. } => "stock_below_zero",
                domain::Error::AboveLimit { .. } => "stock_above_limit",
                domain::Error::OtherLines { .. } => "reservation_differs",
                domain::Error::NoReservation { .. } => "not_found",
                domain::Error::Unbalanced { .. } => "internal",
            },
            Self::Location(rule) => rule.code(),
            Self::Request { .. } => "invalid_field",
            Self::UnknownSku => "not_found",
            Self::Store(error) => ServiceError::code(error),
            Self::Mismatch => "internal",
        }
    }

    fn details(&self) -> Vec<Detail> {
        match self {
            Self::Request { field, message } => vec![Detail::new(*field, message)],
            Self::Location(rule) => {
                rule.field().map(|field| Detail::new(field, rule.to_string())).into_iter().collect()
            }
            Self::Rule(rule @ domain::Error::Lines(_)) => vec![Detail::new("lines", rule.to_string())],
            Self::Rule(rule @ domain::Error::Delta) => vec![Detail::new("delta", rule.to_string())],
            Self::Rule(rule @ domain::Error::Reason) => vec![Detail::new("reason", rule.to_string())],
            Self::Rule(rule @ domain::Error::NoLocation { field }) => vec![Detail::new(*field, rule.to_string())],
            Self::Rule(rule @ domain::Error::SameLocation) => vec![Detail::new("to", rule.to_string())],
            Self::Rule(domain::Error::KeyReused) => {
                vec![Detail::new("Idempotency-Key", "was used for another request")]
            }
            Self::Rule(
                domain::Error::BelowZero { .. }
                | domain::Error::AboveLimit { .. }
                | domain::Error::OtherLines { .. }
                | domain::Error::NoReservation { .. }
                | domain::Error::Unbalanced { .. },
            )
            | Self::UnknownSku
            | Self::Store(_)
            | Self::Mismatch => Vec::new(),
        }
    }
}
