//! Which Events a reconciliation leaves: one for each decision, none when nothing changed.

use kube::runtime::events::{Event, EventType};

use super::Outcome;
use crate::crd::ShopStatus;
use crate::crd::status::kinds;

/// What changed between two states, and what was done to get there.
pub(super) fn events(old: Option<&ShopStatus>, new: &ShopStatus, outcome: Outcome<'_>) -> Vec<Event> {
    let mut events = Vec::new();
    for condition in &new.conditions {
        let before = old.and_then(|old| old.conditions.iter().find(|before| before.type_ == condition.type_));
        let same = before.is_some_and(|before| before.status == condition.status && before.reason == condition.reason);
        if same {
            continue;
        }
        let is_good = condition.status == "True";
        let is_news = match condition.type_.as_str() {
            kinds::READY | kinds::STALLED => is_good,
            kinds::DATABASE_REACHABLE => condition.status != "Unknown",
            _ => false,
        };
        if is_news {
            let (reason, note) = (condition.reason.as_str(), format!("{}: {}", condition.type_, condition.message));
            let is_bad = condition.type_ == kinds::STALLED || !is_good;
            events.push(if is_bad { warning(reason, &note) } else { event(EventType::Normal, reason, &note) });
        }
    }
    if let Outcome::Applied(_, applied, _) = outcome {
        let lists = [("Repaired", &applied.repaired), ("Deleted", &applied.deleted)];
        for (reason, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            events.push(event(EventType::Normal, reason, &format!("{reason} {}", list.join(", "))));
        }
    }
    events
}

/// An Event about something that needs a human.
pub(super) fn warning(reason: &str, note: &str) -> Event {
    event(EventType::Warning, reason, note)
}

fn event(type_: EventType, reason: &str, note: &str) -> Event {
    // The API server takes 1 kB.
    let note = note.chars().take(1000).collect::<String>();
    Event { type_, reason: reason.to_owned(), note: Some(note), action: "Reconcile".to_owned(), secondary: None }
}
