//! How every pod comes to know which sessions were revoked, so that it refuses their access tokens before they expire.
//!
//! What belongs here: hearing, asking and answering. What does not: revoking a session (identity, whose database is the
//! truth) and refusing a token (shop-auth).
//!
//! A revocation travels as `session.revoked`, which the relay mirrors on the Pub/Sub channel of that name. Pub/Sub tells
//! nothing to who was not there, and the stream keeps nothing that nobody consumes; so a pod that starts, or whose
//! connection was lost, asks identity for all revocations that are not over:
//! 1. It asks only after both of its subscriptions stand. What is revoked from then on it hears.
//! 2. Every question has a name, and it asks again until an answer lists that name: an answer to somebody else may be
//!    older than its own subscription. What it says is taken over all the same.
//!
//! With Redis or identity away a pod may accept the tokens of revoked sessions until they expire (ruling 26).

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use shop_auth::Verifier;
use shop_redis::{Notice, Redis, Subscription};
use shop_types::event::RevocationFact;
use shop_types::{Clock, Envelope, Event, Topic};
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::outage::Outage;

/// Where pods ask; the message is the question's name.
const QUESTIONS: &str = "session.revoked:questions";
/// Where identity answers.
const ANSWERS: &str = "session.revoked:answers";

const ASK_EVERY: Duration = Duration::from_secs(2);
const FORGET_EVERY: Duration = Duration::from_secs(60);
/// Questions that come within this time get one answer: all pods ask when Redis comes back.
const COLLECT: Duration = Duration::from_millis(100);
/// Revocations of one message: about 50 KB.
const CHUNK: usize = 500;

/// A part of an answer. The last one lists the questions, so that who has it has the others.
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    questions: Vec<String>,
    revoked: Vec<RevocationFact>,
}

/// Keeps the revoked sessions of this process: hears of new ones, asks for those it has missed, and forgets those that are
/// over. Ends when `stop` is cancelled.
pub fn spawn_revocations(
    redis: &Redis,
    verifier: Arc<Verifier>,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) -> JoinHandle<()> {
    let listener = Listener {
        events: redis.subscribe(Topic::SessionRevoked.name()),
        answers: redis.subscribe(ANSWERS),
        subscribed: [false; 2],
        question: None,
        redis: redis.clone(),
        verifier,
        clock,
    };
    tokio::spawn(async move {
        // When the subscriptions end, so does the process.
        stop.run_until_cancelled(listener.run()).await;
    })
}

struct Listener {
    redis: Redis,
    verifier: Arc<Verifier>,
    clock: Arc<dyn Clock>,
    events: Subscription,
    answers: Subscription,
    /// Whether each of the two was accepted.
    subscribed: [bool; 2],
    /// What was asked and not answered.
    question: Option<String>,
}

impl Listener {
    async fn run(mut self) {
        let mut asking = interval(ASK_EVERY);
        let mut forgetting = interval(FORGET_EVERY);
        asking.set_missed_tick_behavior(MissedTickBehavior::Delay);
        forgetting.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                notice = self.events.next() => match notice {
                    Some(Notice::Message(json)) => self.hear(&json),
                    Some(Notice::Lost) => self.start_over(0).await,
                    None => return,
                },
                notice = self.answers.next() => match notice {
                    Some(Notice::Message(json)) => self.take_over(&json),
                    Some(Notice::Lost) => self.start_over(1).await,
                    None => return,
                },
                _ = asking.tick() => self.ask().await,
                _ = forgetting.tick() => self.verifier.revocations().forget_expired(self.clock.now()),
            }
        }
    }

    fn hear(&self, json: &str) {
        match serde_json::from_str::<Envelope>(json).map(|envelope| envelope.event) {
            Ok(Event::SessionRevoked(fact)) => self.revoke(&fact),
            Ok(other) => tracing::warn!(topic = other.topic().name(), "Heard another event where sessions are revoked"),
            Err(error) => tracing::warn!(%error, "Heard a revocation that cannot be read"),
        }
    }

    fn take_over(&mut self, json: &str) {
        match serde_json::from_str::<Answer>(json) {
            Ok(Answer { questions, revoked }) => {
                for fact in &revoked {
                    self.revoke(fact);
                }
                if self.question.as_ref().is_some_and(|question| questions.contains(question)) {
                    self.question = None;
                }
            }
            Err(error) => tracing::warn!(%error, "Heard an answer about revoked sessions that cannot be read"),
        }
    }

    fn revoke(&self, fact: &RevocationFact) {
        self.verifier.revocations().revoke(fact.session_id, fact.until);
    }

    /// A subscription begins, or begins anew: what came before may have been missed.
    async fn start_over(&mut self, which: usize) {
        self.subscribed[which] = true;
        if self.subscribed == [true; 2] {
            // A new name: what was asked before may be answered from before.
            self.question = Some(self.clock.new_id().to_string());
            self.ask().await;
        }
    }

    async fn ask(&self) {
        if let Some(question) = &self.question
            && let Err(error) = self.redis.publish(QUESTIONS, question).await
        {
            tracing::debug!(%error, "Failed to ask for revoked sessions; asking again");
        }
    }
}

/// Answers the pods that ask for the revoked sessions; for identity alone. `list` gives all revocations that are not over.
/// Ends when `stop` is cancelled.
pub async fn answer_revocations<F, L, E>(redis: Redis, list: L, stop: CancellationToken)
where
    F: Future<Output = Result<Vec<RevocationFact>, E>> + Send,
    L: Fn() -> F + Send + Sync,
    E: std::error::Error,
{
    let mut asked = redis.subscribe(QUESTIONS);
    let mut outage = Outage::new("answering about revoked sessions");
    let answering = async {
        while let Some(questions) = next_questions(&mut asked).await {
            match list().await {
                Ok(revoked) => {
                    answer(&redis, questions, &revoked).await;
                    outage.over();
                }
                // Whoever asked asks again.
                Err(error) => sleep(outage.failed(&error)).await,
            }
        }
    };
    stop.run_until_cancelled(answering).await;
}

/// Waits for a question and collects those that come with it; `None` when nobody can ask any more.
async fn next_questions(asked: &mut Subscription) -> Option<Vec<String>> {
    let mut questions = loop {
        match asked.next().await? {
            Notice::Message(question) => break vec![question],
            // Whoever was not heard asks again.
            Notice::Lost => {}
        }
    };
    let until = Instant::now() + COLLECT;
    while let Ok(notice) = timeout_at(until, asked.next()).await {
        match notice? {
            Notice::Message(question) => questions.push(question),
            Notice::Lost => {}
        }
    }
    Some(questions)
}

async fn answer(redis: &Redis, questions: Vec<String>, revoked: &[RevocationFact]) {
    let mut parts: Vec<Answer> =
        revoked.chunks(CHUNK).map(|part| Answer { questions: Vec::new(), revoked: part.to_vec() }).collect();
    parts.push(Answer { questions, revoked: Vec::new() });
    for part in parts {
        let sent = match serde_json::to_string(&part) {
            Ok(json) => redis.publish(ANSWERS, &json).await,
            Err(error) => return tracing::error!(%error, "Failed to write an answer about revoked sessions"),
        };
        if let Err(error) = sent {
            // Without the last part nobody takes the answer for complete.
            return tracing::debug!(%error, "Failed to answer about revoked sessions; they ask again");
        }
    }
}
