//! What the databases and the provider's ledger say: `order_check` over the whole shop, after a case and while it runs.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use order_check::{Invariant, LedgerSource, Line, Settings};
use shop_config::{MongoConfig, Secret};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::{REST, Verdict};
use crate::stack::{Stack, mongod};

/// How often stock is looked at while users are at work.
const EVERY: Duration = Duration::from_secs(3);
/// Sentences of one invariant that are told.
const TOLD: usize = 3;

/// Looks at everything, once it is at rest.
///
/// # Errors
/// When something cannot be read to its end.
pub(crate) async fn check(stack: &Stack, history: PathBuf, verdict: &mut Verdict) -> anyhow::Result<()> {
    let mut settings = Settings::new(mongodb(&stack.pods.prefix));
    settings.ledger = Some(LedgerSource::File(stack.psp.ledger.clone()));
    settings.history = Some(history);
    settings.wait = Some(REST);
    let report = order_check::check(&settings).await.context("the invariants could not be checked")?;
    for line in report.lines.iter().filter(|line| !line.holds()) {
        let count = usize::try_from(line.count).unwrap_or(usize::MAX);
        if matches!(line.invariant, Invariant::I5 | Invariant::I7) {
            verdict.doubled += count;
        }
        verdict.wrong.extend(sentences(line));
    }
    if !report.holds() {
        // What the shop was waiting for explains most of it.
        verdict.wrong.extend(report.notes);
    }
    Ok(())
}

fn mongodb(prefix: &str) -> MongoConfig {
    MongoConfig { uri: Secret::new(mongod::URI), database_prefix: prefix.to_owned(), owner: None, max_pool_size: 8 }
}

fn sentences(line: &Line) -> Vec<String> {
    let told = line.violations.iter().take(TOLD).map(|finding| {
        let facts: Vec<_> = finding.facts.iter().map(|(name, value)| format!("{name} {value}")).collect();
        format!("{} {} {}: {}", finding.invariant, finding.subject, finding.says, facts.join(", "))
    });
    let mut told: Vec<String> = told.collect();
    let rest = line.count.saturating_sub(u64::try_from(told.len()).unwrap_or(u64::MAX));
    if rest > 0 {
        told.push(format!("{} and {rest} more", line.invariant));
    }
    told
}

/// Somebody who looks at the stock all the time: I1 and I2 hold in every snapshot, whatever happens.
pub(crate) struct Watch {
    stop: watch::Sender<bool>,
    task: JoinHandle<(u32, BTreeSet<String>)>,
}

impl Watch {
    /// Begins to look.
    pub(crate) fn begin(stack: &Stack) -> Self {
        let mut settings = Settings::new(mongodb(&stack.pods.prefix));
        settings.only = BTreeSet::from([Invariant::I1, Invariant::I2]);
        let (stop, mut stopped) = watch::channel(false);
        let task = tokio::spawn(async move {
            let (mut looks, mut wrong) = (0, BTreeSet::new());
            while !*stopped.borrow() {
                // In the middle of a fault the databases cannot always be read.
                if let Ok(report) = order_check::check(&settings).await {
                    looks += 1;
                    wrong.extend(report.lines.iter().flat_map(sentences));
                }
                tokio::select! {
                    () = sleep(EVERY) => {}
                    _ = stopped.changed() => {}
                }
            }
            (looks, wrong)
        });
        Self { stop, task }
    }

    /// Stops; says how often it could look, and what was wrong.
    ///
    /// # Errors
    /// When it broke down.
    pub(crate) async fn end(self) -> anyhow::Result<(u32, BTreeSet<String>)> {
        self.stop.send_replace(true);
        self.task.await.context("the watch on the stock broke down")
    }
}
