//! Where the entries about an authorization, a reference and a key stand, in 24 bytes an entry.
//!
//! Entries are chained by a hash of the name, newest first. What a chain leads to may be of another name with the same hash: who
//! follows it reads the entry and looks.

use std::hash::{BuildHasher, RandomState};

use super::Entry;
use crate::blocks::Blocks;

/// Chains of each kind. They grow with the entries; a million chains of a few entries each are followed in no time.
const CHAINS: usize = 1 << 20;

/// By what entries are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// The authorization they are about.
    Authorization,
    /// The caller's own name for it.
    Reference,
    /// The idempotency key they were asked for with.
    Key,
}

/// Where an entry stands in one chain.
#[derive(Debug, Clone, Copy)]
struct Link {
    hash: u32,
    /// The place of the next older entry of the chain, counted from 1; 0 at its end.
    older: u32,
}

#[derive(Debug)]
pub(super) struct Index {
    links: Blocks<[Link; 3]>,
    /// The newest entry of each chain, as in [`Link::older`].
    heads: [Vec<u32>; 3],
    hasher: RandomState,
}

impl Default for Index {
    fn default() -> Self {
        // Memory that was never touched costs nothing.
        let heads = || vec![0; CHAINS];
        Self { links: Blocks::default(), heads: [heads(), heads(), heads()], hasher: RandomState::new() }
    }
}

impl Index {
    /// How many entries it has.
    pub(super) fn len(&self) -> usize {
        self.links.len()
    }

    /// Adds the next entry.
    pub(super) fn add(&mut self, entry: &Entry) {
        let place = u32::try_from(self.links.len() + 1).unwrap_or(u32::MAX);
        let names = [&entry.authorization, &entry.reference, &entry.key];
        let mut links = [Link { hash: 0, older: 0 }; 3];
        for ((name, heads), link) in names.into_iter().zip(&mut self.heads).zip(&mut links) {
            let (chain, hash) = split(self.hasher.hash_one(name.as_str()));
            if let Some(head) = heads.get_mut(chain) {
                *link = Link { hash, older: std::mem::replace(head, place) };
            }
        }
        self.links.push(links);
    }

    /// The places of the entries with a name, newest first, and perhaps of others.
    pub(super) fn places(&self, by: By, name: &str) -> impl Iterator<Item = usize> + use<'_> {
        let kind = match by {
            By::Authorization => 0,
            By::Reference => 1,
            By::Key => 2,
        };
        let (chain, hash) = split(self.hasher.hash_one(name));
        let mut next = self.heads[kind].get(chain).copied().unwrap_or(0);
        std::iter::from_fn(move || {
            loop {
                let place = usize::try_from(next).ok()?.checked_sub(1)?;
                let link = self.links.get(place)?[kind];
                next = link.older;
                if link.hash == hash {
                    return Some(place);
                }
            }
        })
    }
}

/// The chain of a name, and what tells most others of the chain from it.
fn split(hash: u64) -> (usize, u32) {
    let chain = usize::try_from(hash & 0xffff_ffff).unwrap_or(0) % CHAINS;
    (chain, u32::try_from(hash >> 32).unwrap_or(0))
}
