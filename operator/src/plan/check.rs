//! Whether the database was reached with the present URI and image: the verdict of the Job that gates the roll-out.
//!
//! A live Job is never changed: whatever its pod is made of is in its name, so that a change of it is another Job. A verdict
//! is remembered by the status of the Shop: a Job that passed may be deleted.

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use serde::Deserialize;

use super::Plan;
use crate::build::{check_template, names};
use crate::crd::ShopStatus;
use crate::crd::status::DatabaseCheckStatus;
use crate::error::Error;
use crate::keys;
use crate::observe::{Held, Observed};

/// A failed check is tried again after so long.
pub const RETRY_SECONDS: i64 = 30;

/// The database check of a Shop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseCheck {
    /// Name of the Job; it carries a digest of the URI and of all that its pod is made of, so that each change is checked.
    pub job: String,
    /// Image of the Job.
    pub image: String,
    /// Whether the Job is to be there. One that passed and was deleted is not made again.
    pub is_needed: bool,
    /// What is known.
    pub verdict: Verdict,
}

/// What is known about the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The Job runs, or is to be made.
    Running,
    /// The pod of the Job cannot be started.
    Held(Held),
    /// The database was reached.
    Passed,
    /// It was not.
    Failed {
        /// A word for the condition, such as `AuthenticationFailed`.
        code: String,
        /// What the Job said.
        text: String,
        /// When it is tried again; what was the Job is deleted then.
        retry: Retry,
    },
}

/// When a failed check is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The failed Job makes way for a new one.
    Now,
    /// After so many seconds.
    In(u64),
}

/// What the Job leaves in its termination message; the code is snake case, as codes are.
#[derive(Deserialize)]
struct Message {
    code: String,
    text: String,
}

impl DatabaseCheck {
    /// A check of which nothing else is known yet.
    pub(super) fn of_image(image: &str) -> Self {
        Self { job: String::new(), image: image.to_owned(), is_needed: true, verdict: Verdict::Running }
    }
}

pub(super) fn database_check(
    plan: &Plan,
    status: Option<&ShopStatus>,
    observed: &Observed,
) -> Result<DatabaseCheck, Error> {
    let template = serde_json::to_string(&check_template(plan)).map_err(Error::internal("write a manifest"))?;
    let digest = keys::digest(&plan.shop.uid, [plan.secrets.mongodb_uri.value.expose(), template.as_str()]);
    let job = names::database_check(&plan.shop.name, &digest[..12]);
    let found = observed.children.jobs.iter().find(|other| other.metadata.name.as_ref() == Some(&job));
    let told = status.and_then(|status| status.database_check.as_ref());
    let verdict = if told.is_some_and(|told| told.job == job && told.result == DatabaseCheckStatus::PASSED) {
        Verdict::Passed
    } else {
        found.map_or(Verdict::Running, |found| {
            verdict(found, observed.check_messages.get(&job), observed.held_checks.get(&job), observed.now)
        })
    };
    let is_needed = match verdict {
        Verdict::Passed => found.is_some(),
        // Left out, it is deleted; the next round makes it anew.
        Verdict::Failed { retry: Retry::Now, .. } => false,
        Verdict::Running | Verdict::Held(_) | Verdict::Failed { retry: Retry::In(_), .. } => true,
    };
    Ok(DatabaseCheck { job, image: plan.check.image.clone(), is_needed, verdict })
}

fn verdict(job: &Job, message: Option<&String>, held: Option<&Held>, now: Timestamp) -> Verdict {
    let conditions = job.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let holds = |kind: &str| conditions.iter().find(|condition| condition.type_ == kind && condition.status == "True");
    if holds("Complete").is_some() {
        return Verdict::Passed;
    }
    let Some(failure) = holds("Failed") else {
        return held.map_or(Verdict::Running, |held| Verdict::Held(held.clone()));
    };
    let said = message.and_then(|message| serde_json::from_str::<Message>(message).ok());
    let (code, text) = match said {
        Some(Message { code, text }) => (reason(&code), text),
        None if failure.reason.as_deref() == Some("DeadlineExceeded") => {
            (None, "the check did not end in time: its pod did not start, or got no answer".to_owned())
        }
        None => (None, failure.message.clone().unwrap_or_else(|| "the check left no message".to_owned())),
    };
    let code = code.unwrap_or_else(|| "CheckFailed".to_owned());
    let since = failure.last_transition_time.as_ref().map_or(now, |time| time.0);
    let left = RETRY_SECONDS - now.duration_since(since).as_secs();
    let retry = match u64::try_from(left) {
        Ok(0) | Err(_) => Retry::Now,
        Ok(seconds) => Retry::In(seconds),
    };
    Verdict::Failed { code, text: text.chars().take(512).collect(), retry }
}

/// The code of the check in the form of reasons: `authentication_failed` becomes `AuthenticationFailed`. `None` if it is no code.
fn reason(code: &str) -> Option<String> {
    let is_code = (1..=64).contains(&code.len())
        && code.starts_with(|c: char| c.is_ascii_lowercase())
        && code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    let capitalised = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    };
    is_code.then(|| code.split('_').map(capitalised).collect())
}
