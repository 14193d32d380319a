//! What a check has found, for people and for programs.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::Invariant;
use crate::finding::{Finding, Weight};

/// Contradictions of one invariant that are kept; the others are counted.
const MOST: usize = 50;

/// The result of a check.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The prefix of the databases.
    pub shop: String,
    /// When it was read, by the clock of the database.
    pub at: Timestamp,
    /// One line for each invariant, in their order.
    pub lines: Vec<Line>,
    /// What is worth knowing and contradicts nothing.
    pub notes: Vec<String>,
}

/// What was found about one invariant.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Which one.
    pub invariant: Invariant,
    /// Why it was not judged; `None` when it was.
    pub not_checked: Option<&'static str>,
    /// What was looked at, and how much of it.
    pub seen: Vec<(&'static str, u64)>,
    /// What was on its way and may be so.
    pub on_the_way: u64,
    /// What contradicts it, at most 50.
    pub violations: Vec<Finding>,
    /// How many contradictions there are in all.
    pub count: u64,
}

impl Line {
    /// Whether nothing contradicts it.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.count == 0
    }
}

impl Report {
    /// Whether nothing contradicts anything that was checked.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.lines.iter().all(Line::holds)
    }

    /// Everything, for programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let Self { shop, at, lines, notes } = self;
        json!({
            "shop": shop,
            "at": at,
            "holds": self.holds(),
            "invariants": lines.iter().map(line_json).collect::<Vec<_>>(),
            "notes": notes,
        })
    }
}

fn line_json(line: &Line) -> Value {
    let Line { invariant, not_checked, seen, on_the_way, violations, count } = line;
    let facts = |facts: &[(&'static str, Value)]| -> Value {
        facts.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    };
    let violation = |finding: &Finding| {
        let Finding { subject, says, facts: of, .. } = finding;
        json!({ "subject": subject, "says": says, "facts": facts(of) })
    };
    let seen: serde_json::Map<String, Value> =
        seen.iter().map(|(what, count)| ((*what).to_owned(), json!(count))).collect();
    json!({
        "invariant": invariant.name(),
        "says": invariant.says(),
        "verdict": verdict(line),
        "why": not_checked,
        "seen": seen,
        "onTheWay": on_the_way,
        "count": count,
        "violations": violations.iter().map(violation).collect::<Vec<_>>(),
    })
}

const fn verdict(line: &Line) -> &'static str {
    match (line.holds(), line.not_checked) {
        (false, _) => "violated",
        (true, Some(_)) => "not_checked",
        (true, None) => "holds",
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "shop {} at {}", self.shop, self.at.strftime("%Y-%m-%d %H:%M:%S UTC"))?;
        for line in &self.lines {
            let seen = match line.not_checked {
                Some(why) => why.to_owned(),
                None => seen(line),
            };
            let verdict = match verdict(line) {
                "not_checked" => "-",
                "violated" => "VIOLATED",
                word => word,
            };
            writeln!(f, "{:<4}{verdict:<10}{:<58}{seen}", line.invariant, line.invariant.says())?;
            for Finding { subject, says, facts, .. } in &line.violations {
                write!(f, "      {subject} {says}")?;
                for (n, (name, value)) in facts.iter().enumerate() {
                    let sign = if n == 0 { ": " } else { ", " };
                    write!(f, "{sign}{name} {}", plain(value))?;
                }
                writeln!(f)?;
            }
            let kept = u64::try_from(line.violations.len()).unwrap_or(u64::MAX);
            if line.count > kept {
                writeln!(f, "      and {} more", line.count - kept)?;
            }
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        let violated = self.lines.iter().filter(|line| !line.holds()).count();
        let verdict = match violated {
            0 => "nothing contradicts what was checked".to_owned(),
            1 => "1 invariant is violated".to_owned(),
            count => format!("{count} invariants are violated"),
        };
        f.write_str(&verdict)
    }
}

/// A value as people read it: texts without quotes.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn seen(line: &Line) -> String {
    let mut parts: Vec<String> = line.seen.iter().map(|(what, count)| format!("{count} {what}")).collect();
    if line.on_the_way > 0 {
        parts.push(format!("{} on the way", line.on_the_way));
    }
    parts.join(", ")
}

/// Gathers findings into lines.
#[derive(Debug)]
pub(crate) struct Draft {
    lines: BTreeMap<Invariant, Line>,
    now: Timestamp,
    patience: Duration,
}

impl Draft {
    /// `patience` is how long something may be on its way before that is a contradiction.
    pub(crate) fn new(now: Timestamp, patience: Duration) -> Self {
        let line = |invariant| {
            (
                invariant,
                Line {
                    invariant,
                    not_checked: None,
                    seen: Vec::new(),
                    on_the_way: 0,
                    violations: Vec::new(),
                    count: 0,
                },
            )
        };
        Self { lines: Invariant::ALL.into_iter().map(line).collect(), now, patience }
    }

    pub(crate) fn not_checked(&mut self, invariant: Invariant, why: &'static str) {
        if let Some(line) = self.lines.get_mut(&invariant) {
            line.not_checked = Some(why);
        }
    }

    pub(crate) fn seen(&mut self, invariant: Invariant, what: &'static str, count: u64) {
        if let Some(line) = self.lines.get_mut(&invariant) {
            line.seen.push((what, count));
        }
    }

    pub(crate) fn add(&mut self, finding: Finding) {
        let Some(line) = self.lines.get_mut(&finding.invariant).filter(|line| line.not_checked.is_none()) else {
            return;
        };
        if let Weight::Moving { since } = finding.weight {
            let patience = i64::try_from(self.patience.as_millis()).unwrap_or(i64::MAX);
            let age = self.now.as_millisecond().saturating_sub(since.as_millisecond());
            if age <= patience {
                // A deadline that is still to come: nothing is late, somebody is only waited for.
                line.on_the_way += u64::from(age >= 0);
                return;
            }
        }
        line.count += 1;
        if line.violations.len() < MOST {
            line.violations.push(finding);
        }
    }

    pub(crate) fn finish(self, shop: &str, notes: Vec<String>) -> Report {
        Report { shop: shop.to_owned(), at: self.now, lines: self.lines.into_values().collect(), notes }
    }
}
