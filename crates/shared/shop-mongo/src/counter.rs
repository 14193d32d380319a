//! Numbers that people use (order 1042): unique over all pods, taken in blocks, so that hardly any call waits for one.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwap;
use bson::doc;
use mongodb::options::ReturnDocument;
use serde::Deserialize;
use tokio::sync::Semaphore;

use crate::{Error, Mongo};

const COLLECTION: &str = "counters";
const WHAT: &str = "take numbers";

/// Numbers taken from the database at once. What a pod has left when it stops is lost.
const BLOCK: i64 = 100;

/// Gives numbers of one series: unique, from 1, with gaps, ascending only within one pod.
#[derive(Debug)]
pub struct Numbers {
    mongo: Mongo,
    series: &'static str,
    block: ArcSwap<Block>,
    /// One caller takes the next block, the others wait for it.
    turn: Semaphore,
}

#[derive(Debug)]
struct Block {
    next: AtomicI64,
    end: i64,
}

impl Block {
    fn take(&self) -> Option<i64> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        (number < self.end).then_some(number)
    }
}

#[derive(Deserialize)]
struct Counter {
    taken: i64,
}

impl Numbers {
    /// A series of this service; nothing is taken yet.
    #[must_use]
    pub fn new(mongo: &Mongo, series: &'static str) -> Self {
        let used_up = Block { next: AtomicI64::new(0), end: 0 };
        Self { mongo: mongo.clone(), series, block: ArcSwap::from_pointee(used_up), turn: Semaphore::new(1) }
    }

    /// The next number. Call it outside of transactions: it must not be taken back with one.
    ///
    /// # Errors
    /// As [`Error`] says; at most a block of numbers is lost by one.
    pub async fn next(&self) -> Result<i64, Error> {
        loop {
            let block = self.block.load_full();
            if let Some(number) = block.take() {
                return Ok(number);
            }
            let _turn = self.turn.acquire().await.map_err(|closed| Error::failed(WHAT, closed))?;
            if Arc::ptr_eq(&block, &self.block.load()) {
                self.block.store(Arc::new(self.reserve().await?));
            }
        }
    }

    async fn reserve(&self) -> Result<Block, Error> {
        let reserved = self.add_block().await;
        let end = match reserved {
            // Two pods made the counter at once: it is there now.
            Err(error) if error.is_duplicate() => self.add_block().await?,
            other => other?,
        };
        Ok(Block { next: AtomicI64::new(end - BLOCK), end })
    }

    async fn add_block(&self) -> Result<i64, Error> {
        let counters = self.mongo.collection::<Counter>(COLLECTION);
        let filter = doc! { "_id": self.series };
        let add = doc! { "$inc": { "taken": BLOCK } };
        let work = async move {
            counters.find_one_and_update(filter, add).upsert(true).return_document(ReturnDocument::After).await
        };
        let counter = self.mongo.run(WHAT, work).await?;
        // The block is `taken - BLOCK + 1 ..= taken`.
        counter.map(|counter| counter.taken + 1).ok_or_else(|| Error::failed(WHAT, "the counter was not made"))
    }
}
