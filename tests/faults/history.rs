//! What every user saw, request by request: kept for the verdict and written as JSON lines (see README.md for the fields).

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// One request and its answer. The fields up to `ms` are the format that order-check reads.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Entry {
    /// When it was sent (RFC 3339).
    pub(crate) at: jiff::Timestamp,
    pub(crate) user: String,
    /// The Idempotency-Key, if one was sent.
    pub(crate) key: Option<String>,
    /// The route with its placeholders, such as `/api/v1/orders/{id}`.
    pub(crate) route: &'static str,
    pub(crate) method: &'static str,
    /// None when no answer came.
    pub(crate) status: Option<u16>,
    /// The order that the answer is about.
    pub(crate) order_id: Option<String>,
    /// Its total in minor units.
    pub(crate) total: Option<i64>,
    /// What was sent.
    pub(crate) body: Option<Value>,
    /// The code of a refusal, or why no answer came.
    pub(crate) err: Option<String>,
    pub(crate) ms: u64,
    /// Whether the answer said when to come again.
    pub(crate) retry_after: bool,
    /// When the answer came, for the length of pauses.
    #[serde(skip)]
    pub(crate) answered: Instant,
}

impl Entry {
    /// The shop did what it was asked, or refused it for a reason of the caller's.
    pub(crate) fn answered_well(&self) -> bool {
        self.status.is_some_and(|status| status < 500 && status != 429)
    }

    /// An order that the shop has promised: lost if it is not there later.
    pub(crate) fn acknowledges(&self) -> bool {
        self.places_an_order() && matches!(self.status, Some(201 | 202))
    }

    /// Whether it asked for an order.
    pub(crate) fn places_an_order(&self) -> bool {
        self.route == crate::shop::ORDERS && self.method == "POST"
    }
}

/// Takes entries from all users. Clones write to the same history.
#[derive(Debug, Clone)]
pub(crate) struct History {
    entries: mpsc::UnboundedSender<Message>,
    /// Where it is written.
    pub(crate) file: Arc<PathBuf>,
}

/// A line that is written when it goes out of scope, also with a user who waits no longer.
pub(crate) struct Line<'h> {
    history: &'h History,
    entry: Entry,
}

impl Line<'_> {
    /// What it will say.
    pub(crate) const fn entry(&mut self) -> &mut Entry {
        &mut self.entry
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        self.history.add(self.entry.clone());
    }
}

#[derive(Debug)]
enum Message {
    Entry(Box<Entry>),
    Read(oneshot::Sender<Vec<Entry>>),
}

impl History {
    /// Writes to a new file.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn start(file: &Path) -> anyhow::Result<Self> {
        let out = std::fs::File::create(file).with_context(|| format!("failed to make {}", file.display()))?;
        let mut out = std::io::BufWriter::new(out);
        let (sender, mut messages) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut all = Vec::new();
            while let Some(message) = messages.recv().await {
                match message {
                    Message::Entry(entry) => {
                        let written = serde_json::to_writer(&mut out, &entry).map_err(std::io::Error::from);
                        if let Err(error) = written.and_then(|()| out.write_all(b"\n")) {
                            crate::report::say(&format!("the history is incomplete: {error}"));
                        }
                        all.push(*entry);
                    }
                    Message::Read(reader) => {
                        if let Err(error) = out.flush() {
                            crate::report::say(&format!("the history is incomplete: {error}"));
                        }
                        // Nobody waits any more: nothing to tell.
                        let _ = reader.send(all.clone());
                    }
                }
            }
        });
        Ok(Self { entries: sender, file: Arc::new(file.to_owned()) })
    }

    /// A line for a request that is sent now.
    pub(crate) fn line(&self, entry: Entry) -> Line<'_> {
        Line { history: self, entry }
    }

    fn add(&self, entry: Entry) {
        if self.entries.send(Message::Entry(Box::new(entry))).is_err() {
            crate::report::say("the history is incomplete: its writer has ended");
        }
    }

    /// Everything so far; the file is complete then.
    ///
    /// # Errors
    /// When the writer is gone.
    pub(crate) async fn read(&self) -> anyhow::Result<Vec<Entry>> {
        let (sender, answer) = oneshot::channel();
        self.entries.send(Message::Read(sender)).context("the history has ended")?;
        answer.await.context("the history has ended")
    }
}
