//! Whether the database was reached with the present URI and image: the verdict of the Job that gates the roll-out.

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use serde::Deserialize;

use super::{Identity, Secrets};
use crate::build::names;
use crate::keys;
use crate::observe::Observed;

/// A failed check is tried again after so long.
pub const RETRY_SECONDS: i64 = 30;

/// The database check of a Shop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseCheck {
    /// Name of the Job; it carries a digest of the URI and the image, so that each new pair is checked.
    pub job: String,
    /// Image of the Job.
    pub image: String,
    /// What is known.
    pub verdict: Verdict,
}

/// What is known about the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The Job runs, or is to be made.
    Running,
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

pub(super) fn database_check(
    shop: &Identity,
    image: &str,
    prefix: &str,
    secrets: &Secrets,
    observed: &Observed,
) -> DatabaseCheck {
    let digest = keys::digest(&shop.uid, [secrets.mongodb_uri.value.expose(), image, prefix]);
    let job = names::database_check(&shop.name, &digest[..12]);
    let found = observed.children.jobs.iter().find(|other| other.metadata.name.as_ref() == Some(&job));
    let message = observed.check_messages.get(&job);
    let verdict = found.map_or(Verdict::Running, |job| verdict(job, message, observed.now));
    DatabaseCheck { job, image: image.to_owned(), verdict }
}

fn verdict(job: &Job, message: Option<&String>, now: Timestamp) -> Verdict {
    let conditions = job.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let holds = |kind: &str| conditions.iter().find(|condition| condition.type_ == kind && condition.status == "True");
    if holds("Complete").is_some() {
        return Verdict::Passed;
    }
    let Some(failure) = holds("Failed") else { return Verdict::Running };
    let said = message.and_then(|message| serde_json::from_str::<Message>(message).ok());
    let (code, text) = match said {
        Some(Message { code, text }) => (reason(&code), text),
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
