//! Virtual users that browse, fill carts, order, cancel and look after the stock, all at once.

mod user;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use shop_types::Role;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use self::user::User;
use crate::shop::Shop;
use crate::stack::keys::{Keys, Who};

/// How long a user goes on to ask for the outcome of the last order after the load has ended.
const INSISTENCE: Duration = Duration::from_secs(40);

/// How many users there are, and how they are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crowd {
    pub(crate) users: u16,
    /// They wait so long between two things, on average.
    pub(crate) think: Duration,
    /// Whether some cards are declined.
    pub(crate) bad_cards: bool,
}

impl Default for Crowd {
    fn default() -> Self {
        Self { users: 50, think: Duration::from_millis(700), bad_cards: true }
    }
}

/// What users find in the shop, and what came in meanwhile.
#[derive(Debug)]
pub(crate) struct Goods {
    pub(crate) skus: Vec<Good>,
    pub(crate) staff: Who,
}

/// One SKU.
#[derive(Debug)]
pub(crate) struct Good {
    pub(crate) sku: String,
    pub(crate) product: String,
    /// Pieces that came in for certain, as the shop has told.
    received: AtomicI64,
    /// Pieces more that may have come in: nobody has told.
    perhaps: AtomicI64,
}

impl Good {
    pub(crate) fn new(sku: String, product: String, stock: u32) -> Self {
        Self { sku, product, received: i64::from(stock).into(), perhaps: AtomicI64::new(0) }
    }

    /// At most so many pieces ever came in.
    pub(crate) fn most(&self) -> i64 {
        self.received.load(Ordering::SeqCst) + self.perhaps.load(Ordering::SeqCst)
    }

    fn came_in(&self, pieces: i64, certain: bool) {
        let counter = if certain { &self.received } else { &self.perhaps };
        counter.fetch_add(pieces, Ordering::SeqCst);
    }
}

/// Users at work.
#[derive(Debug)]
pub(crate) struct Load {
    users: JoinSet<u32>,
    running: watch::Sender<bool>,
    /// Since when.
    pub(crate) started: Instant,
}

impl Load {
    /// Sends users in.
    ///
    /// # Errors
    /// When no tokens can be made.
    pub(crate) fn start(keys: &Keys, shop: &Shop, goods: &Arc<Goods>, crowd: Crowd) -> anyhow::Result<Self> {
        let (running, seen) = watch::channel(true);
        let mut users = JoinSet::new();
        for number in 0..crowd.users {
            let who = keys.person(Role::Customer)?;
            let user = User::new(who, number, shop.clone(), Arc::clone(goods), crowd);
            users.spawn(user.live(seen.clone(), INSISTENCE));
        }
        Ok(Self { users, running, started: Instant::now() })
    }

    /// Sends the users home and waits until each knows the outcome of what it did last. Returns how many orders nobody
    /// could tell the outcome of.
    ///
    /// # Errors
    /// When users do not come home.
    pub(crate) async fn stop(mut self) -> anyhow::Result<u32> {
        self.running.send_replace(false);
        let all = async {
            let mut unknown = 0;
            while let Some(ended) = self.users.join_next().await {
                unknown += ended.context("a user broke down")?;
            }
            anyhow::Ok(unknown)
        };
        timeout(INSISTENCE * 2, all).await.context("users do not come to an end")?
    }
}

/// Lets time pass while users are at work, telling why.
pub(crate) async fn pass(why: &str, time: Duration) {
    crate::report::say(&format!("  {why}: {} s", time.as_secs()));
    sleep(time).await;
}
