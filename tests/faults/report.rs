//! What people read: progress lines, and the table of all cases.

use std::time::Duration;

use crate::judge::Verdict;

/// One line of the table.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) case: String,
    /// Faults that were injected.
    pub(crate) faults: usize,
    pub(crate) verdict: Verdict,
    /// The longest time without a request that was answered well, and without an acknowledged order.
    pub(crate) pauses: (Duration, Duration),
    /// Requests that were not answered well: reads, then all others.
    pub(crate) failed: (usize, usize),
    pub(crate) took: Duration,
    /// Figures that nothing is asserted of.
    pub(crate) notes: Vec<String>,
}

impl Row {
    /// Whether nothing is wrong.
    pub(crate) fn is_good(&self) -> bool {
        let Verdict { lost, doubled, oversold, wrong, .. } = &self.verdict;
        *lost == 0 && *doubled == 0 && *oversold == 0 && wrong.is_empty()
    }

    fn text(&self) -> String {
        let Self { case, faults, verdict, pauses, failed, took, notes } = self;
        format!(
            "{case:<16} {faults:>6} {:>6} {:>5} {:>7} {:>8} {:>7.1} {:>7.1} {:>5} {:>5} {:>5}  {}  {}",
            verdict.acknowledged,
            verdict.lost,
            verdict.doubled,
            verdict.oversold,
            pauses.0.as_secs_f64(),
            pauses.1.as_secs_f64(),
            failed.0,
            failed.1,
            took.as_secs(),
            if self.is_good() { "ok " } else { "BAD" },
            notes.join("; "),
        )
    }
}

/// The table of all cases.
pub(crate) fn table(rows: &[Row]) {
    print("");
    print(&format!(
        "{:<16} {:>6} {:>6} {:>5} {:>7} {:>8} {:>7} {:>7} {:>5} {:>5} {:>5}  {}  {}",
        "case",
        "faults",
        "orders",
        "lost",
        "doubled",
        "oversold",
        "pause s",
        "order s",
        "GET-",
        "POST-",
        "s",
        "ok?",
        "notes"
    ));
    for row in rows {
        print(&row.text());
    }
    for row in rows.iter().filter(|row| !row.is_good()) {
        for wrong in &row.verdict.wrong {
            print(&format!("{}: {wrong}", row.case));
        }
    }
    let bad = rows.iter().filter(|row| !row.is_good()).count();
    print(&format!("{} cases, {bad} of them bad", rows.len()));
}

/// One line of progress.
pub(crate) fn say(text: &str) {
    #[expect(clippy::disallowed_macros, reason = "progress of a program that people watch")]
    {
        eprintln!("{text}");
    }
}

/// One line of results.
pub(crate) fn print(text: &str) {
    #[expect(clippy::disallowed_macros, reason = "the output of a program")]
    {
        println!("{text}");
    }
}
