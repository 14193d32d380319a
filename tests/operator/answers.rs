//! What the shop itself would say through its NGINX: no pods run here, so somebody else must.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::BoxFuture;
use operator::ask::{Answer, Ask, Door};
use tokio::sync::watch;

/// Says the same to everybody who asks, until told otherwise, and counts.
pub(crate) struct Answers {
    said: watch::Sender<Answer>,
    asked: AtomicUsize,
}

impl Answers {
    pub(crate) fn new() -> Self {
        Self { said: watch::Sender::new(Answer::Well), asked: AtomicUsize::new(0) }
    }

    /// Says what is answered from now on.
    pub(crate) fn say(&self, answer: Answer) {
        self.said.send_replace(answer);
    }

    /// How often the shop was asked so far.
    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Ask for Answers {
    fn ask<'a>(&'a self, door: &'a Door) -> BoxFuture<'a, Answer> {
        assert_eq!(door.address.port(), 80, "NGINX' Service is asked");
        self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = self.said.borrow().clone();
        Box::pin(async move { answer })
    }
}
