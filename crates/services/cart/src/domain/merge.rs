//! How a guest's cart goes into that of their account after login, and how its pieces leave it when they are bought.
//!
//! The invariant: pieces that lay in a cart since a version and were ordered lie in no cart once the order is confirmed, unless
//! the cart's owner has changed since what lies in it. A cart that is still there empties itself ([`Cart::clear`]). A guest's may have
//! been taken over while its order was pending: so each line remembers which pieces came from which cart since which version,
//! and exactly those leave it ([`Cart::without_bought`]).

use shop_types::{CartId, Quantity};

use super::{Cart, Error, Line, MAX_LINES};

/// Most guests' carts that a line remembers; the last ones.
const MAX_BROUGHT: usize = 10;

/// Pieces of a line that came with a guest's cart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brought {
    /// Which cart it was.
    pub cart: CartId,
    /// [`Cart::since`] when it was taken over.
    pub version: i64,
    /// How many of the line's pieces.
    pub quantity: Quantity,
}

/// Whose lines the account's cart has afterwards. The guest's cart is gone in each case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Those of both; pieces of a SKU that is in both add up.
    Merge,
    /// The guest's.
    KeepGuest,
    /// The account's.
    KeepAccount,
}

impl Cart {
    /// The account's cart after it took over a guest's; the same value when its lines stay as they are.
    ///
    /// # Errors
    /// [`Error::Full`], [`Error::TooMany`], [`Error::TooMuch`], [`Error::OtherCurrency`].
    pub fn take_over(&self, guest: &Self, policy: Policy) -> Result<Self, Error> {
        let lines = match policy {
            Policy::Merge => joined(&self.lines, guest)?,
            Policy::KeepGuest => guest.brought().collect(),
            Policy::KeepAccount => self.lines.clone(),
        };
        // Where pieces came from is nothing that the owner sees.
        let shown = |lines: &[Line]| lines.iter().map(Line::without_origin).collect::<Vec<_>>();
        let base = if shown(&lines) == shown(&self.lines) { self.clone() } else { self.next() };
        Self { lines, ..base }.summed()
    }

    /// Whether pieces in it came with this cart.
    #[must_use]
    pub fn has_pieces_of(&self, cart: CartId) -> bool {
        self.lines.iter().flat_map(|line| &line.brought).any(|brought| brought.cart == cart)
    }

    /// The cart without the pieces that came with a guest's cart and were ordered with it; the same value when there are none.
    /// An order of this cart that is on its way still empties it.
    #[must_use]
    pub fn without_bought(&self, cart: CartId, ordered: i64) -> Self {
        let lines: Vec<Line> = self.lines.iter().filter_map(|line| line.without_bought(cart, ordered)).collect();
        if lines == self.lines { self.clone() } else { Self { lines, since: self.since, ..self.next() } }
    }

    /// The lines of a guest's cart, with where they come from.
    fn brought(&self) -> impl Iterator<Item = Line> {
        self.lines.iter().map(|line| {
            let brought = vec![Brought { cart: self.id, version: self.since, quantity: line.quantity }];
            Line { brought, ..line.clone() }
        })
    }
}

impl Line {
    fn without_origin(&self) -> Self {
        Self { brought: Vec::new(), ..self.clone() }
    }

    /// What is left of the line; `None` when all of it was bought.
    fn without_bought(&self, cart: CartId, ordered: i64) -> Option<Self> {
        let is_bought = |brought: &&Brought| (brought.cart, brought.version) == (cart, ordered);
        let bought: u32 = self.brought.iter().filter(is_bought).map(|brought| brought.quantity.get()).sum();
        let quantity = Quantity::new(self.quantity.get().saturating_sub(bought)).ok()?;
        let brought = self.brought.iter().filter(|brought| !is_bought(brought)).cloned().collect();
        Some(Self { quantity, brought, ..self.clone() })
    }
}

/// The account's lines, then those that only the guest has. A line of both is shown at the price that was asked for last.
fn joined(account: &[Line], guest: &Cart) -> Result<Vec<Line>, Error> {
    let mut lines = account.to_vec();
    for line in guest.brought() {
        match lines.iter_mut().find(|present| present.sku == line.sku) {
            Some(present) => {
                let pieces = present.quantity.get().checked_add(line.quantity.get());
                let quantity = pieces.and_then(|sum| Quantity::new(sum).ok()).ok_or(Error::TooMany)?;
                let mut brought = [present.brought.as_slice(), &line.brought].concat();
                brought.drain(..brought.len().saturating_sub(MAX_BROUGHT));
                let latest = if line.priced_at > present.priced_at { line } else { present.clone() };
                *present = Line { quantity, brought, ..latest };
            }
            None => lines.push(line),
        }
    }
    if lines.len() > MAX_LINES { Err(Error::Full) } else { Ok(lines) }
}

#[cfg(test)]
mod tests;
