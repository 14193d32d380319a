//! How a batch of commands is decided: what was stored and the commands go in, answers and writes come out.
//!
//! First come, first served inside a batch; each command sees what those before it have changed. A pure function: the
//! transaction around it reads the state and applies the writes, each guarded by what was read.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use shop_types::{CartId, Fingerprint, Quantity, Sku};

use super::merge::Policy;
use super::stock::Stock;
use super::{Cart, Error, Owner, Variant};

/// Under which name a command counts once, and what it said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Subject, route and the caller's key.
    pub id: String,
    /// Of the whole request: the same key with another request is refused.
    pub fingerprint: Fingerprint,
}

/// What somebody wants changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Something the owner does.
    Change {
        /// Which cart.
        cart: CartId,
        /// Who says so.
        owner: Owner,
        /// What.
        change: Change,
    },
    /// The content was ordered: empties the cart if it is still at that version (ruling 16), or takes it out of the cart that
    /// took this one over at that version.
    Clear {
        /// Which cart.
        cart: CartId,
        /// The version that was ordered.
        ordered: i64,
    },
    /// The order had no cart: nothing to empty, but its event is remembered as had.
    Hear,
}

/// What an owner can do to a cart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Puts in pieces, whatever the version.
    Add {
        /// Of what, at which price, and how many; all of them or none.
        items: Vec<(Variant, Quantity)>,
        /// What there is of it, as far as that is known.
        stock: Stock,
        /// When the prices were asked for.
        at: Timestamp,
        /// Its name, if the caller gave one: with it, it counts once.
        key: Option<Key>,
    },
    /// Changes the quantity of a line of the version that the owner has seen.
    SetQuantity {
        /// The version seen.
        seen: i64,
        /// Which line.
        sku: Sku,
        /// How many from now on.
        quantity: Quantity,
        /// What there is of it, as far as that is known.
        stock: Stock,
    },
    /// Takes out a line of the version that the owner has seen.
    Remove {
        /// The version seen.
        seen: i64,
        /// Which line.
        sku: Sku,
    },
    /// Shows the prices of now; does nothing when the cart has changed meanwhile.
    Reprice {
        /// The version whose prices were asked for.
        seen: i64,
        /// What the catalog said.
        variants: Vec<Variant>,
        /// When it was asked.
        at: Timestamp,
    },
    /// Takes over a guest's cart, which is gone then.
    Merge(Merge),
    /// Takes everything out, whatever the version.
    Empty,
    /// Throws the cart away.
    Discard,
}

/// A guest's cart to be taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merge {
    /// Which cart.
    pub from: CartId,
    /// Whose: proven by the guest token.
    pub guest: Owner,
    /// What stays of both.
    pub policy: Policy,
    /// The version of the account's cart that its owner has seen, if that matters to them.
    pub seen: Option<i64>,
    /// Its name: the guest's cart is taken over once.
    pub key: Key,
}

/// What is stored about everything that a batch names; what is absent is not stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// Carts by id.
    pub carts: BTreeMap<CartId, Cart>,
    /// Keyed commands done before, with what they said.
    pub done: BTreeMap<String, Fingerprint>,
}

/// A cart that differs from what is stored. The write must be refused when the stored one is no longer `before`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// What was read.
    pub before: Cart,
    /// What is to be stored; `None` removes it.
    pub after: Option<Cart>,
}

/// A keyed command that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// Its name and what it said.
    pub key: Key,
    /// Which cart.
    pub cart: CartId,
    /// The cart's version right after it.
    pub version: i64,
    /// How it ended, in a word.
    pub outcome: &'static str,
}

/// What a batch comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// One answer per command, in their order: the cart as it is then, or as it was when it was thrown away; `None` for
    /// an order of a cart that is gone with its pieces, or of none.
    pub answers: Vec<Result<Option<Cart>, Error>>,
    /// Carts that changed, sorted by id, once each.
    pub carts: Vec<Changed>,
    /// Keyed commands that were done.
    pub done: Vec<Done>,
}

/// Decides a batch at a time, which carts that come to a new version bear.
#[must_use]
pub fn decide<'c>(stored: &Stored, commands: impl IntoIterator<Item = &'c Command>, at: Timestamp) -> Decision {
    let mut batch = Batch { now: stored.clone(), at, touched: BTreeSet::new(), done: Vec::new() };
    let answers = commands.into_iter().map(|command| batch.obey(command)).collect();
    let carts = batch.touched.iter().filter_map(|id| {
        let before = stored.carts.get(id)?.clone();
        let after = batch.now.carts.get(id).cloned();
        (after.as_ref() != Some(&before)).then_some(Changed { before, after })
    });
    Decision { answers, carts: carts.collect(), done: batch.done }
}

/// The state in the middle of a batch.
struct Batch {
    now: Stored,
    at: Timestamp,
    touched: BTreeSet<CartId>,
    done: Vec<Done>,
}

impl Batch {
    fn obey(&mut self, command: &Command) -> Result<Option<Cart>, Error> {
        match command {
            Command::Change { cart, owner, change } => {
                let present = self.now.carts.get(cart).filter(|present| &present.owner == owner);
                let present = present.cloned().ok_or(Error::NoCart)?;
                self.change(present, change).map(Some)
            }
            Command::Clear { cart, ordered } => {
                let mut carts = self.now.carts.values();
                let cleared = match self.now.carts.get(cart) {
                    Some(present) => Some(present.clear(*ordered)),
                    // It may have been taken over.
                    None => carts.find(|other| other.has_pieces_of(*cart)).map(|o| o.without_bought(*cart, *ordered)),
                };
                Ok(cleared.map(|cleared| self.put(cleared)))
            }
            Command::Hear => Ok(None),
        }
    }

    fn change(&mut self, cart: Cart, change: &Change) -> Result<Cart, Error> {
        match change {
            Change::Add { items, stock, at, key } => self.add(&cart, (items, stock), *at, key.as_ref()),
            Change::SetQuantity { seen, sku, quantity, stock } => {
                let next = current(&cart, *seen)?.set_quantity(sku, *quantity)?.within(stock, &cart)?;
                Ok(self.put(next))
            }
            Change::Remove { seen, sku } => {
                let next = current(&cart, *seen)?.remove(sku)?;
                Ok(self.put(next))
            }
            Change::Reprice { seen, variants, at } => match current(&cart, *seen) {
                Ok(cart) => cart.reprice(variants, *at).map(|next| self.put(next)),
                Err(_) => Ok(cart),
            },
            Change::Merge(merge) => self.merge(cart, merge),
            Change::Empty => Ok(self.put(cart.empty())),
            Change::Discard => {
                self.remove(cart.id);
                Ok(cart)
            }
        }
    }

    fn merge(&mut self, cart: Cart, merge: &Merge) -> Result<Cart, Error> {
        let Merge { from, guest, policy, seen, key } = merge;
        if let Some(fingerprint) = self.now.done.get(&key.id) {
            // Taken over in another way: that cart is gone.
            return if fingerprint == &key.fingerprint { Ok(cart) } else { Err(Error::NoCart) };
        }
        if let Some(seen) = seen {
            current(&cart, *seen)?;
        }
        let guests = self.now.carts.get(from).filter(|present| &present.owner == guest).ok_or(Error::NoCart)?;
        let next = cart.take_over(guests, *policy)?;
        self.remove(*from);
        self.remember(key, &next, "merged");
        Ok(self.put(next))
    }

    fn add(
        &mut self,
        cart: &Cart,
        (items, stock): (&[(Variant, Quantity)], &Stock),
        at: Timestamp,
        key: Option<&Key>,
    ) -> Result<Cart, Error> {
        if let Some(key) = key
            && let Some(fingerprint) = self.now.done.get(&key.id)
        {
            return if fingerprint == &key.fingerprint { Ok(cart.clone()) } else { Err(Error::KeyReused) };
        }
        let next = cart.add(items, at)?.within(stock, cart)?;
        if let Some(key) = key {
            self.remember(key, &next, "added");
        }
        Ok(self.put(next))
    }

    fn remember(&mut self, key: &Key, after: &Cart, outcome: &'static str) {
        self.now.done.insert(key.id.clone(), key.fingerprint.clone());
        self.done.push(Done { key: key.clone(), cart: after.id, version: after.version, outcome });
    }

    fn remove(&mut self, cart: CartId) {
        self.now.carts.remove(&cart);
        self.touched.insert(cart);
    }

    fn put(&mut self, mut cart: Cart) -> Cart {
        let before = self.now.carts.get(&cart.id).map_or(0, |before| before.version);
        if cart.version != before {
            // Pods' clocks differ.
            cart.updated_at = cart.updated_at.max(self.at);
        }
        self.touched.insert(cart.id);
        self.now.carts.insert(cart.id, cart.clone());
        cart
    }
}

/// The cart, if it is the one that was seen.
fn current(cart: &Cart, seen: i64) -> Result<&Cart, Error> {
    if cart.version == seen { Ok(cart) } else { Err(Error::Stale) }
}

#[cfg(test)]
mod tests;
