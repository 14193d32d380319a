//! The words of a cart: whose it is, what lies in it, what it comes to.
//!
//! No I/O, no clock, no randomness. How a batch of commands turns into answers and writes stands in [`batch`]; how any
//! of it is stored stands in `store`.

pub mod batch;
pub mod merge;
pub mod stock;

use jiff::{SignedDuration, Timestamp};
use merge::Brought;
use shop_types::{CartId, Currency, Money, ProductId, Quantity, Sku, UserId};
use stock::Shortage;

/// Most lines of one cart.
pub const MAX_LINES: usize = 100;

/// How long a shown price is trusted before a read asks the catalog again.
pub const PRICE_LIFE: SignedDuration = SignedDuration::from_secs(60);

/// Whose cart it is. Every read and write of a cart names the owner; a stranger's cart does not exist.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Owner {
    /// A user's.
    User(UserId),
    /// Of whoever holds the guest token with this SHA-256, as lower-case hex; the token itself is stored nowhere (ruling 23).
    Guest(String),
}

impl Owner {
    /// The user, if it is one.
    #[must_use]
    pub const fn user(&self) -> Option<UserId> {
        match self {
            Self::User(id) => Some(*id),
            Self::Guest(_) => None,
        }
    }
}

/// What the catalog says about a SKU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// Which variant.
    pub sku: Sku,
    /// Of which product.
    pub product: ProductId,
    /// What people call it.
    pub name: String,
    /// Its price now.
    pub price: Money,
    /// Whether it can be bought.
    pub offer: Offer,
}

/// Whether a line can be bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// Yes.
    Sold,
    /// No longer: its product was archived or has gone.
    Withdrawn,
}

/// One line of a cart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Which variant.
    pub sku: Sku,
    /// Of which product.
    pub product: ProductId,
    /// What people call it.
    pub name: String,
    /// How many.
    pub quantity: Quantity,
    /// The price of one piece that the buyer was shown last.
    pub unit_price: Money,
    /// When the catalog said so.
    pub priced_at: Timestamp,
    /// Whether it can be bought.
    pub offer: Offer,
    /// Which of its pieces came with guests' carts. Never shown.
    pub brought: Vec<Brought>,
}

impl Line {
    /// What the line comes to.
    ///
    /// # Errors
    /// [`Error::TooMuch`] beyond 64 bits.
    pub fn total(&self) -> Result<Money, Error> {
        self.unit_price.checked_mul(self.quantity.get()).map_err(|_| Error::TooMuch)
    }
}

/// A cart. Each change makes a new value with the next version; the order of lines is that of adding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cart {
    /// Names it.
    pub id: CartId,
    /// Whose.
    pub owner: Owner,
    /// The number that people use.
    pub number: i64,
    /// Grows by one with every change that its owner can see.
    pub version: i64,
    /// The version with which its owner last changed what lies in it. Orders name the cart by it: what changes by itself
    /// since, a price or pieces that were bought with another cart, is no reason to keep what was ordered, or to order it
    /// once more.
    pub since: i64,
    /// When it came to its version, to the millisecond.
    pub updated_at: Timestamp,
    /// Of all its prices.
    pub currency: Currency,
    /// What lies in it.
    pub lines: Vec<Line>,
}

impl Cart {
    /// A new, empty cart.
    #[must_use]
    pub fn open(id: CartId, owner: Owner, number: i64, currency: Currency) -> Self {
        let updated_at = id.made_at().unwrap_or_default();
        Self { id, owner, number, version: 1, since: 1, updated_at, currency, lines: Vec::new() }
    }

    /// When it was opened: its id tells that.
    #[must_use]
    pub fn created_at(&self) -> Timestamp {
        self.id.made_at().unwrap_or_default()
    }

    /// What everything in it comes to, at the prices shown last.
    ///
    /// # Errors
    /// [`Error::TooMuch`] beyond 64 bits, [`Error::OtherCurrency`] when a price is not in the cart's currency.
    pub fn total(&self) -> Result<Money, Error> {
        self.lines.iter().try_fold(Money::zero(self.currency), |sum, line| {
            if line.unit_price.currency != self.currency {
                return Err(Error::OtherCurrency { sku: line.sku.clone() });
            }
            sum.checked_add(line.total()?).map_err(|_| Error::TooMuch)
        })
    }

    /// The SKUs in it when at least one price is older than [`PRICE_LIFE`]; none otherwise.
    #[must_use]
    pub fn stale_skus(&self, now: Timestamp) -> Vec<Sku> {
        let stale = self.lines.iter().any(|line| now.duration_since(line.priced_at) > PRICE_LIFE);
        if stale { self.lines.iter().map(|line| line.sku.clone()).collect() } else { Vec::new() }
    }

    /// The cart with so many pieces of each of these more, all of them or none. Their lines take the price of now.
    ///
    /// # Errors
    /// [`Error::NotSold`], [`Error::Full`], [`Error::TooMany`], [`Error::TooMuch`], [`Error::OtherCurrency`].
    pub fn add(&self, items: &[(Variant, Quantity)], now: Timestamp) -> Result<Self, Error> {
        let mut next = self.next();
        for (variant, quantity) in items {
            next.put(variant, *quantity, now)?;
        }
        next.summed()
    }

    fn put(&mut self, variant: &Variant, quantity: Quantity, now: Timestamp) -> Result<(), Error> {
        if variant.offer == Offer::Withdrawn {
            return Err(Error::NotSold);
        }
        let present = self.lines.iter().position(|line| line.sku == variant.sku);
        let pieces = present.map_or(0, |n| self.lines[n].quantity.get());
        let brought = present.map(|n| self.lines[n].brought.clone()).unwrap_or_default();
        let quantity =
            pieces.checked_add(quantity.get()).and_then(|sum| Quantity::new(sum).ok()).ok_or(Error::TooMany)?;
        let line = Line {
            sku: variant.sku.clone(),
            product: variant.product,
            name: variant.name.clone(),
            quantity,
            unit_price: variant.price,
            priced_at: now,
            offer: variant.offer,
            brought,
        };
        match present {
            Some(n) => self.lines[n] = line,
            None if self.lines.len() >= MAX_LINES => return Err(Error::Full),
            None => self.lines.push(line),
        }
        Ok(())
    }

    /// The cart with another quantity of a line, which all are the owner's own from then on; at the same version when it is
    /// that already.
    ///
    /// # Errors
    /// [`Error::NoLine`], [`Error::TooMuch`].
    pub fn set_quantity(&self, sku: &Sku, quantity: Quantity) -> Result<Self, Error> {
        let mut next = self.next();
        let line = next.lines.iter_mut().find(|line| &line.sku == sku).ok_or(Error::NoLine)?;
        // Its owner has said how many they want, whatever was bought before.
        line.brought.clear();
        if line.quantity == quantity {
            return Ok(Self { version: self.version, since: self.since, ..next });
        }
        line.quantity = quantity;
        next.summed()
    }

    /// The cart without a line.
    ///
    /// # Errors
    /// [`Error::NoLine`].
    pub fn remove(&self, sku: &Sku) -> Result<Self, Error> {
        let mut next = self.next();
        next.lines.retain(|line| &line.sku != sku);
        if next.lines.len() == self.lines.len() { Err(Error::NoLine) } else { Ok(next) }
    }

    /// The cart without anything in it; the same value when nothing is.
    #[must_use]
    pub fn empty(&self) -> Self {
        if self.lines.is_empty() { self.clone() } else { Self { lines: Vec::new(), ..self.next() } }
    }

    /// The cart after what lies in it since a version was ordered: empty, unless its owner has changed that (ruling 16).
    #[must_use]
    pub fn clear(&self, ordered: i64) -> Self {
        if self.since == ordered { self.empty() } else { self.clone() }
    }

    /// The cart at the prices of now. Its version grows only when the owner sees a difference; a line that the catalog
    /// no longer knows keeps its price and is marked as withdrawn.
    ///
    /// # Errors
    /// [`Error::TooMuch`], [`Error::OtherCurrency`]: the cart stays at its old prices.
    pub fn reprice(&self, variants: &[Variant], now: Timestamp) -> Result<Self, Error> {
        let mut next = self.clone();
        let mut seen = false;
        for line in &mut next.lines {
            let before = line.clone();
            match variants.iter().find(|variant| variant.sku == line.sku) {
                Some(variant) => {
                    line.name.clone_from(&variant.name);
                    line.product = variant.product;
                    line.unit_price = variant.price;
                    line.offer = variant.offer;
                }
                None => line.offer = Offer::Withdrawn,
            }
            seen |= *line != before;
            line.priced_at = now;
        }
        if seen {
            next.version += 1;
        }
        next.summed()
    }

    /// The next version, of a change that the owner made.
    fn next(&self) -> Self {
        let version = self.version + 1;
        Self { version, since: version, ..self.clone() }
    }

    /// The cart, if its total can be told.
    fn summed(self) -> Result<Self, Error> {
        self.total()?;
        Ok(self)
    }
}

/// A broken rule. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No such cart, or not the caller's: the two look the same.
    #[error("there is no such cart")]
    NoCart,
    /// No line with the SKU.
    #[error("the cart has no such line")]
    NoLine,
    /// The cart was changed since it was read.
    #[error("the cart was changed since you read it")]
    Stale,
    /// More than [`MAX_LINES`] lines.
    #[error("a cart has at most {MAX_LINES} lines")]
    Full,
    /// More than [`Quantity::MAX`] pieces in a line.
    #[error("a line has at most 1000000 pieces")]
    TooMany,
    /// A sum does not fit in 64 bits.
    #[error("the total would be too large")]
    TooMuch,
    /// The catalog does not sell it, or no longer.
    #[error("this product is not sold")]
    NotSold,
    /// There are fewer pieces than a line would have.
    #[error("there is not enough in stock")]
    SoldOut {
        /// The lines.
        shortages: Vec<Shortage>,
    },
    /// The key was used for something else.
    #[error("this idempotency key was used for another request")]
    KeyReused,
    /// A price is in a currency that is not the shop's.
    #[error("the price of {sku} is not in the currency of the shop")]
    OtherCurrency {
        /// Of what.
        sku: Sku,
    },
}

#[cfg(test)]
mod tests;
