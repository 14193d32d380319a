//! Addresses of a person: at most [`MOST`], and as long as there is one, exactly one is the default.

use std::str::FromStr;

use shop_types::text::Broken;
use shop_types::{Id, UserId};

use super::Name;

/// Addresses of one person, at most.
pub(crate) const MOST: usize = 20;

/// Marks an [`Id`] as one of an address.
#[derive(Debug)]
pub(crate) enum AddressKind {}
/// Names an address.
pub(crate) type AddressId = Id<AddressKind>;

/// A line of an address: 1 to 100 characters, trimmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line(String);

/// A country by its two letters (ISO 3166-1), in upper case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Country(String);

/// Where something can be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// Who gets it.
    pub(crate) name: Line,
    pub(crate) line1: Line,
    pub(crate) line2: Option<Line>,
    pub(crate) city: Line,
    pub(crate) region: Option<Line>,
    pub(crate) postal_code: Option<Line>,
    pub(crate) country: Country,
    pub(crate) phone: Option<Line>,
}

/// What to change of a place; `None` leaves a part as it is, `Some(None)` takes it away.
#[derive(Debug, Clone, Default)]
pub(crate) struct PlaceChange {
    pub(crate) name: Option<Line>,
    pub(crate) line1: Option<Line>,
    pub(crate) line2: Option<Option<Line>>,
    pub(crate) city: Option<Line>,
    pub(crate) region: Option<Option<Line>>,
    pub(crate) postal_code: Option<Option<Line>>,
    pub(crate) country: Option<Country>,
    pub(crate) phone: Option<Option<Line>>,
}

/// An address of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) id: AddressId,
    /// Grows with every change; also the `ETag`.
    pub(crate) version: i64,
    pub(crate) is_default: bool,
    pub(crate) place: Place,
}

/// All addresses of a person, in the order in which they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AddressBook {
    pub(crate) user: UserId,
    /// Grows with every change; 0 before the first.
    pub(crate) version: i64,
    pub(crate) addresses: Vec<Address>,
}

/// A book does not allow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// There are [`MOST`].
    Full,
    /// There is no such address.
    Unknown,
    /// The address has this version.
    Stale(i64),
}

impl Line {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Line {
    type Err = Broken;

    fn from_str(text: &str) -> Result<Self, Broken> {
        text.parse::<Name>().map(|line| Self(line.as_str().to_owned()))
    }
}

impl Country {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Country {
    type Err = Broken;

    fn from_str(text: &str) -> Result<Self, Broken> {
        let good = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
        if good { Ok(Self(text.to_owned())) } else { Err(Broken("must be two capital letters (ISO 3166-1)")) }
    }
}

impl Place {
    fn change(&mut self, change: PlaceChange) {
        let PlaceChange { name, line1, line2, city, region, postal_code, country, phone } = change;
        set(&mut self.name, name);
        set(&mut self.line1, line1);
        set(&mut self.line2, line2);
        set(&mut self.city, city);
        set(&mut self.region, region);
        set(&mut self.postal_code, postal_code);
        set(&mut self.country, country);
        set(&mut self.phone, phone);
    }
}

fn set<T>(part: &mut T, new: Option<T>) {
    if let Some(new) = new {
        *part = new;
    }
}

impl AddressBook {
    /// The book of somebody who has no address yet.
    pub(crate) const fn empty(user: UserId) -> Self {
        Self { user, version: 0, addresses: Vec::new() }
    }

    /// One address.
    pub(crate) fn get(&self, id: AddressId) -> Option<&Address> {
        self.addresses.iter().find(|address| address.id == id)
    }

    /// The book with one more address. The first one is the default in any case.
    ///
    /// # Errors
    /// [`Refused::Full`].
    pub(crate) fn with(mut self, id: AddressId, place: Place, is_default: bool) -> Result<Self, Refused> {
        if self.addresses.len() >= MOST {
            return Err(Refused::Full);
        }
        let is_default = is_default || self.addresses.is_empty();
        if is_default {
            self.unmark();
        }
        self.addresses.push(Address { id, version: 1, is_default, place });
        self.version = self.version.saturating_add(1);
        Ok(self)
    }

    /// The book with one address changed, and made the default if so wished, if that address is still at `expected`.
    ///
    /// # Errors
    /// [`Refused::Unknown`], [`Refused::Stale`].
    pub(crate) fn changed(
        mut self,
        id: AddressId,
        expected: i64,
        change: PlaceChange,
        make_default: bool,
    ) -> Result<Self, Refused> {
        let at = self.position(id)?;
        if let Some(stale) = self.addresses.get(at).map(|address| address.version).filter(|found| *found != expected) {
            return Err(Refused::Stale(stale));
        }
        if make_default && self.addresses.get(at).is_some_and(|address| !address.is_default) {
            self.unmark();
        }
        if let Some(address) = self.addresses.get_mut(at) {
            address.place.change(change);
            address.is_default |= make_default;
            address.version = address.version.saturating_add(1);
        }
        self.version = self.version.saturating_add(1);
        Ok(self)
    }

    /// The book without one address. If that was the default, the oldest of the others is.
    ///
    /// # Errors
    /// [`Refused::Unknown`].
    pub(crate) fn without(mut self, id: AddressId) -> Result<Self, Refused> {
        let at = self.position(id)?;
        let gone = self.addresses.remove(at);
        if let Some(oldest) = self.addresses.first_mut().filter(|_| gone.is_default) {
            oldest.is_default = true;
            oldest.version = oldest.version.saturating_add(1);
        }
        self.version = self.version.saturating_add(1);
        Ok(self)
    }

    fn position(&self, id: AddressId) -> Result<usize, Refused> {
        self.addresses.iter().position(|address| address.id == id).ok_or(Refused::Unknown)
    }

    /// Takes the mark from the default, which has changed by that.
    fn unmark(&mut self) {
        for address in self.addresses.iter_mut().filter(|address| address.is_default) {
            address.is_default = false;
            address.version = address.version.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests;
