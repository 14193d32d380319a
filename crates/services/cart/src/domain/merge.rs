//! How a guest's cart goes into that of their account after login.

use shop_types::Quantity;

use super::{Cart, Error, Line, MAX_LINES};

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
            Policy::Merge => joined(&self.lines, &guest.lines)?,
            Policy::KeepGuest => guest.lines.clone(),
            Policy::KeepAccount => self.lines.clone(),
        };
        if lines == self.lines {
            return Ok(self.clone());
        }
        Self { lines, ..self.next() }.summed()
    }
}

/// The account's lines, then those that only the guest has. A line of both is shown at the price that was asked for last.
fn joined(account: &[Line], guest: &[Line]) -> Result<Vec<Line>, Error> {
    let mut lines = account.to_vec();
    for line in guest {
        match lines.iter_mut().find(|present| present.sku == line.sku) {
            Some(present) => {
                let pieces = present.quantity.get().checked_add(line.quantity.get());
                let quantity = pieces.and_then(|sum| Quantity::new(sum).ok()).ok_or(Error::TooMany)?;
                let latest = if line.priced_at > present.priced_at { line } else { &*present };
                *present = Line { quantity, ..latest.clone() };
            }
            None => lines.push(line.clone()),
        }
    }
    if lines.len() > MAX_LINES { Err(Error::Full) } else { Ok(lines) }
}

#[cfg(test)]
mod tests;
