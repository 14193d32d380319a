//! Every event of every outbox: it has left, and everybody who listens has had it (I6). Outboxes are read before inboxes,
//! which only grow, so no snapshot is needed.

use std::collections::HashSet;

use futures::TryStreamExt;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use shop_mongo::{Document, doc};

use super::{Seen, read};
use crate::database::{CONSUMERS, Databases, Look, PRODUCERS, Place, Walk};
use crate::finding::{Finding, Findings, Weight};
use crate::record::Event;
use crate::{Error, Invariant};

/// Inbox rows are forgotten after 14 days, outbox rows 7 days after everybody had them: of an event that waited for a
/// week the row of whoever had it first may be gone.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(13 * 24);

/// Events whose readers are asked for together.
const TOGETHER: usize = 500;

/// Judges all events.
pub(crate) async fn events(
    databases: &Databases,
    now: Timestamp,
    findings: &mut Findings,
    seen: &mut Seen,
) -> Result<u64, Error> {
    // Not a snapshot: each page is judged by itself.
    let mut look = databases.look(true).await?;
    for service in PRODUCERS {
        let mut walk = Walk::over(Place { service, collection: "outbox" }, Event::FIELDS);
        loop {
            let batch = batch(&mut walk, &mut look, service, findings).await?;
            if batch.is_empty() {
                break;
            }
            *seen.entry((Invariant::I6, "events")).or_default() += u64::try_from(batch.len()).unwrap_or(u64::MAX);
            judge(databases, service, &batch, now, findings).await?;
        }
    }
    let mut letters = 0;
    for service in CONSUMERS {
        let dead = databases.collection(Place { service, collection: "dead_letters" });
        let count = databases.mongo().run("count dead letters", async move { dead.estimated_document_count().await });
        letters += count.await?;
    }
    Ok(letters)
}

async fn batch(walk: &mut Walk, look: &mut Look, service: &str, findings: &mut Findings) -> Result<Vec<Event>, Error> {
    let mut batch = Vec::new();
    while batch.len() < TOGETHER {
        let Some(document) = walk.next(look).await? else { break };
        let subject = format!("event {} of {service}", document.get_str("_id").unwrap_or_default());
        batch.extend(read(Event::read(&document), Invariant::I6, &subject, findings));
    }
    Ok(batch)
}

async fn judge(
    databases: &Databases,
    service: &str,
    batch: &[Event],
    now: Timestamp,
    findings: &mut Findings,
) -> Result<(), Error> {
    let remembered = |event: &&Event| now.duration_since(event.written) < REMEMBERED;
    let mut missed: Vec<(usize, &'static str)> = Vec::new();
    for group in CONSUMERS {
        let listens = |event: &&Event| event.groups.contains(&group);
        let ids: Vec<&str> = batch.iter().filter(listens).filter(remembered).map(|event| event.id.as_str()).collect();
        let had = had(databases, group, &ids).await?;
        for (n, event) in batch.iter().enumerate().filter(|(_, event)| listens(event) && remembered(event)) {
            if !had.contains(&event.id) {
                missed.push((n, group));
            }
        }
    }
    for (n, event) in batch.iter().enumerate() {
        let by: Vec<&str> = missed.iter().filter(|(of, _)| *of == n).map(|(_, group)| *group).collect();
        let subject = format!("event {} of {service}", event.id);
        let facts = vec![
            ("topic", json!(event.topic)),
            ("about", json!(event.aggregate)),
            ("written", json!(event.written)),
            ("notHadBy", json!(by)),
        ];
        if !event.is_confirmed {
            let says = if event.is_published { "is sent and not confirmed" } else { "is not sent" };
            let weight = Weight::Moving { since: event.written };
            findings.push(Finding::new(Invariant::I6, subject, says, facts, weight));
        } else if !by.is_empty() {
            let says = "counts as delivered, and somebody has not had it";
            findings.push(Finding::new(Invariant::I6, subject, says, facts, Weight::Firm));
        }
    }
    Ok(())
}

/// Which of these events a service has had: handled, or given up as dead letters.
async fn had(databases: &Databases, group: &'static str, ids: &[&str]) -> Result<HashSet<String>, Error> {
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    let names: Vec<String> = ids.iter().map(|id| format!("{group}:{id}")).collect();
    let rows = find_ids(databases, Place { service: group, collection: "inbox" }, names).await?;
    let prefix = format!("{group}:");
    let mut had: HashSet<String> = rows.iter().filter_map(|row| row.strip_prefix(&prefix)).map(str::to_owned).collect();
    let left: Vec<String> = ids.iter().filter(|id| !had.contains(**id)).map(|id| (*id).to_owned()).collect();
    if !left.is_empty() {
        had.extend(find_ids(databases, Place { service: group, collection: "dead_letters" }, left).await?);
    }
    Ok(had)
}

async fn find_ids(databases: &Databases, place: Place, ids: Vec<String>) -> Result<Vec<String>, Error> {
    let rows = databases.collection(place);
    let found = databases.mongo().run(place.collection, async move {
        let found = rows.find(doc! { "_id": { "$in": ids } }).projection(doc! { "_id": 1 }).batch_size(500);
        found.await?.try_collect::<Vec<Document>>().await
    });
    Ok(found.await?.iter().filter_map(|row| row.get_str("_id").ok().map(str::to_owned)).collect())
}
