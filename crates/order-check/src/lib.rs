//! The outside judge of a shop: whether orders, stock, money and events say the same, and what clients were told is true.
//!
//! It reads the databases as plain documents, the provider's ledger and the answers of clients, shares no type with the
//! services (ruling 8), and writes nothing. See README.md for what each invariant means here.
//!
//! What belongs here: wiring of the passes. Rules stand in `judge`, reading in `database`, `record`, `ledger`, `history`.

mod database;
mod error;
mod finding;
mod history;
mod invariant;
mod judge;
mod ledger;
mod pass;
mod record;
mod report;
mod sorter;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use shop_config::MongoConfig;
use shop_mongo::doc;
use tokio::time::{Instant, sleep};

pub use error::Error;
pub use finding::{Finding, Weight};
pub use invariant::{Invariant, UnknownInvariant};
pub use ledger::{BadUrl, LedgerSource};
pub use report::{Line, Report};

use database::{Databases, Look, ORDERS};
use finding::Findings;
use history::History;
use ledger::Ledger;
use pass::{Beside, Seen};
use report::Draft;
use sorter::Sorter;

/// How long something may be on its way in a shop that works before that is a contradiction.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often it is asked whether the shop is at rest.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How often an order that the ledger contradicts is looked at again, and after how long.
const LOOKS: u32 = 3;
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What is to be checked, and against what.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the shop's databases are.
    pub mongodb: MongoConfig,
    /// The provider's ledger; without it the shop's own books alone are judged.
    pub ledger: Option<LedgerSource>,
    /// What clients were answered; without it their part is not judged.
    pub history: Option<PathBuf>,
    /// Waits until nothing is on its way any more, at most so long; what still is then contradicts. Without it the shop may
    /// go on, and what has been on its way for less than 60 s is fine.
    pub wait: Option<Duration>,
    /// Nothing writes to the databases any more: they are read without a snapshot, so that they may have any size.
    pub stopped: bool,
    /// What to check.
    pub only: BTreeSet<Invariant>,
}

impl Settings {
    /// Checks everything that the databases alone tell, once.
    #[must_use]
    pub fn new(mongodb: MongoConfig) -> Self {
        let only = Invariant::ALL.into_iter().collect();
        Self { mongodb, ledger: None, history: None, wait: None, stopped: false, only }
    }

    fn wants(&self, invariants: &[Invariant]) -> bool {
        invariants.iter().any(|invariant| self.only.contains(invariant))
    }
}

/// Checks a shop.
///
/// # Errors
/// When the shop could not be read to its end; a shop that is wrong is a [`Report`] that does not hold.
pub async fn check(settings: &Settings) -> Result<Report, Error> {
    let databases = Databases::open(&settings.mongodb).await?;
    databases.require().await?;
    let Some(wait) = settings.wait else { return look_at_all(&databases, settings, PATIENCE).await };
    let end = Instant::now() + wait;
    loop {
        let unsettled = pass::unsettled(&databases, databases.now().await?).await?;
        if !unsettled.is_empty() && Instant::now() < end {
            sleep(LOOK_EVERY).await;
            continue;
        }
        let mut report = look_at_all(&databases, settings, Duration::ZERO).await?;
        report.notes.extend(unsettled.into_iter().map(|what| format!("after {} s still {what}", wait.as_secs())));
        // An event may reach inventory after its order is at rest.
        if report.holds() || Instant::now() >= end || !report.lines.iter().any(Line::may_settle) {
            return Ok(report);
        }
        sleep(LOOK_EVERY).await;
    }
}

impl Line {
    /// Whether time alone may end a contradiction.
    fn may_settle(&self) -> bool {
        self.violations.iter().any(|finding| matches!(finding.weight, Weight::Moving { .. }))
    }
}

async fn look_at_all(databases: &Databases, settings: &Settings, patience: Duration) -> Result<Report, Error> {
    use Invariant::{I1, I2, I3, I4, I5, I6, I7, I8, I9, I10, I11};
    let (mut findings, mut seen) = (Findings::new(), Seen::new());
    let mut notes = Vec::new();
    // What clients were told before the look is there at the look.
    let mut history = settings.history.as_deref().map(History::read).transpose()?;
    let now = databases.now().await?;
    let mut look = databases.look(settings.stopped).await?;
    let by_order = settings.wants(&[I3, I4, I5, I7, I8, I9, I10, I11]);
    let mut moves = None;
    if settings.wants(&[I1, I2, I7]) {
        moves = pass::stock(&mut look, settings.wants(&[I7]), &mut findings, &mut seen).await?;
    }
    if by_order {
        count_orders_of_users(&mut look, history.as_ref(), &mut findings).await?;
        let mut ledger = settings.ledger.as_ref().map(Ledger::open).transpose()?;
        let mut entries = Sorter::default();
        if let Some(ledger) = &mut ledger {
            ledger.more(&mut |entry| entries.push(entry.order().to_owned(), entry).map_err(Error::Sort)).await?;
        }
        let beside = Beside {
            moves: moves.map(Sorter::sorted).transpose().map_err(Error::Sort)?,
            ledger: if ledger.is_some() { Some(entries.sorted().map_err(Error::Sort)?) } else { None },
            answers: history.as_mut().map(|history| &mut history.orders),
        };
        let judged = pass::orders(&mut look, beside, &mut seen).await?;
        findings.extend(judged.findings);
        findings.extend(insist(databases, ledger, judged.suspects, settings.stopped).await?);
    }
    if settings.wants(&[I6]) {
        match pass::events(databases, now, &mut findings, &mut seen).await? {
            0 => {}
            letters => notes.push(format!("{letters} events are dead letters: somebody has to look at them")),
        }
    }
    let mut draft = Draft::new(now, patience);
    for invariant in Invariant::ALL.into_iter().filter(|invariant| !settings.only.contains(invariant)) {
        draft.not_checked(invariant, "not asked for");
    }
    for ((invariant, what), count) in seen {
        draft.seen(invariant, what, count);
    }
    tell_history(history, &mut draft, &mut findings);
    if settings.ledger.is_none() && settings.wants(&[I4, I5]) {
        notes.push("no ledger was given: I4 and I5 are judged by the shop's own books alone".to_owned());
    }
    for finding in findings {
        draft.add(finding);
    }
    Ok(draft.finish(databases.prefix(), notes))
}

/// What only the answers of clients tell.
fn tell_history(history: Option<History>, draft: &mut Draft, findings: &mut Findings) {
    let Some(history) = history else {
        draft.not_checked(Invariant::I10, "no history was given");
        return;
    };
    draft.seen(Invariant::I3, "acknowledgements", history.acknowledged);
    draft.seen(Invariant::I3, "users", u64::try_from(history.keys.len()).unwrap_or(u64::MAX));
    draft.seen(Invariant::I10, "reads", history.reads);
    draft.seen(Invariant::I11, "replies", history.replies);
    findings.extend(history.findings);
}

/// I3: nobody has more orders than keys.
async fn count_orders_of_users(
    look: &mut Look,
    history: Option<&History>,
    findings: &mut Findings,
) -> Result<(), Error> {
    for (user, keys) in history.into_iter().flat_map(|history| &history.keys) {
        let orders = look.count(ORDERS, doc! { "user": user }).await?;
        if orders > *keys {
            let facts = vec![("orders", serde_json::json!(orders)), ("keys", serde_json::json!(keys))];
            let says = "has more orders than keys that may have led to one";
            findings.push(Finding::new(Invariant::I3, format!("user {user}"), says, facts, Weight::Firm));
        }
    }
    Ok(())
}

/// Looks again at what the ledger contradicts: it was read a moment after the databases.
async fn insist(
    databases: &Databases,
    ledger: Option<Ledger>,
    mut suspects: Vec<pass::Suspect>,
    stopped: bool,
) -> Result<Findings, Error> {
    if let Some(mut ledger) = ledger.filter(|_| !stopped) {
        for _ in 0..LOOKS {
            if suspects.is_empty() {
                break;
            }
            sleep(LOOK_AGAIN_AFTER).await;
            suspects = pass::look_again(databases, &mut ledger, suspects).await?;
        }
    }
    Ok(suspects.into_iter().flat_map(pass::Suspect::into_findings).collect())
}
