//! Webhooks that no honest provider sends: for tests of receivers.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Courier, Event, now, signature};
use crate::book::{Entry, Kind};

/// What is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wrong {
    /// It has no signature.
    Unsigned,
    /// It is signed with another secret.
    Secret,
    /// It is signed as it should be, 301 s ago.
    Stale,
    /// It is signed as it should be, 301 s ahead.
    Early,
    /// Its body was changed after it was signed.
    Altered,
    /// It is signed as it should be, and untrue.
    Lie,
}

/// An order for a forged webhook.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forgery {
    /// What is wrong with it.
    pub wrong: Wrong,
    /// What it says has happened.
    pub kind: Kind,
    /// The reference that it speaks of.
    pub reference: String,
    /// The event id that it bears; a new one without it.
    #[serde(default)]
    pub id: Option<String>,
}

/// Seconds that put a webhook out of its window.
const OUT_OF_TIME: i64 = 301;

impl Courier {
    /// Sends a forged webhook once and gives the status that it was answered with.
    ///
    /// # Errors
    /// The receiver did not answer.
    pub async fn forge(&self, forgery: &Forgery) -> anyhow::Result<u16> {
        let new_id = fresh_id();
        let mut event = Event::of(untrue(forgery, new_id)?, new_id);
        if let Some(id) = &forgery.id {
            event.id.clone_from(id);
        }
        let mut body = serde_json::to_vec(&event)?;
        let signed = match forgery.wrong {
            Wrong::Unsigned => None,
            Wrong::Secret => Some(signature::header(b"not the secret", now(), &body)?),
            Wrong::Stale => Some(signature::header(&self.secret, now() - OUT_OF_TIME, &body)?),
            Wrong::Early => Some(signature::header(&self.secret, now() + OUT_OF_TIME, &body)?),
            Wrong::Lie | Wrong::Altered => Some(signature::header(&self.secret, now(), &body)?),
        };
        if forgery.wrong == Wrong::Altered {
            event.data.amount += 1;
            body = serde_json::to_vec(&event)?;
        }
        self.metrics.webhook("forged");
        Ok(self.post(body, signed).await?)
    }
}

fn untrue(forgery: &Forgery, new_id: Uuid) -> anyhow::Result<Entry> {
    Ok(Entry {
        sequence: u64::MAX,
        at: Timestamp::from_second(now())?,
        kind: forgery.kind,
        authorization: format!("auth_{}", new_id.simple()),
        reference: forgery.reference.clone(),
        amount: 1,
        currency: "EUR".into(),
        method: "tok_visa".into(),
        key: forgery.reference.clone(),
        fingerprint: String::new(),
        reason: None,
        refund: None,
        refund_reference: None,
    })
}

#[expect(clippy::disallowed_methods, reason = "the provider is a stranger to the shop and makes its own ids")]
fn fresh_id() -> Uuid {
    Uuid::now_v7()
}
