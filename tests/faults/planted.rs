//! The judge is judged: each bug that is planted on purpose must turn a case red.

use anyhow::Context as _;
use shop_faults::Bug;

use crate::Play;
use crate::cases::{self, Case};
use crate::report::{print, say};
use crate::stack::Stack;

/// The cases that are tried for a bug, until one is bad.
fn cases_for(bug: Bug) -> &'static [&'static str] {
    match bug {
        // What only the primary had is gone with it.
        Bug::WeakWrites => &["F5-cut"],
        Bug::UnguardedDecrement => &["O1"],
        // What comes twice counts twice; what was sent once is not sent again.
        Bug::InboxOff | Bug::RelayTrustsPublished => &["F9", "F9-stale"],
        // What was acknowledged and not done is never done.
        Bug::AckBeforeCommit => &["W9-abort", "W10-abort", "F1"],
        Bug::GroupAtEnd => &["F9-behind"],
        Bug::TombstoneSkipped => &["O9-late"],
        Bug::NewKeyPerTry => &["X4-abort", "F13-psp"],
    }
}

/// Plants one bug after another; whether each was found.
///
/// # Errors
/// When the stack does not come up with a bug.
pub(crate) async fn prove(stack: &mut Stack, play: &Play<'_>) -> anyhow::Result<bool> {
    let all = cases::all();
    let mut found = Vec::new();
    for bug in Bug::ALL {
        say(&format!("planting {}", bug.word()));
        let environment = [("SHOPMESH_PLANTED_BUG", bug.word())];
        stack.afresh(&environment).await.with_context(|| format!("no stack with {}", bug.word()))?;
        let mut finder = None;
        for name in cases_for(bug) {
            let named = |case: &&Case| case.name == *name;
            let case = all.iter().find(named).with_context(|| format!("there is no case {name}"))?;
            let row = play.case(stack, case, &environment).await?;
            if !row.is_good() {
                finder = Some((*name, row.verdict.wrong.first().cloned().unwrap_or_default()));
                break;
            }
        }
        found.push((bug, finder));
    }
    print("");
    print(&format!("{:<24} {:<12} {}", "planted", "found by", "how"));
    for (bug, finder) in &found {
        let (case, how) = finder.clone().unwrap_or(("NOBODY", String::new()));
        print(&format!("{:<24} {case:<12} {how}", bug.word()));
    }
    Ok(found.iter().all(|(_, finder)| finder.is_some()))
}
