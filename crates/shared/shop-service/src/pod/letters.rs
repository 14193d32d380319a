//! Dead letters by gRPC: who may, which service's, and who did what. What becomes of a letter stands in shop-events.

use shop_events::{DeadLetter, DeadLetters, LetterError};
use shop_http::Access;
use shop_proto::pod::{ListDeadLettersReply, ListDeadLettersRequest};
use shop_types::{Detail, ErrorKind, ServiceError, UserId};
use tonic::{Request, Status};

use super::PodInfo;

/// Letters of one page.
const MOST_LETTERS: u32 = 100;

/// Why a call about dead letters did not reach them.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("no service of this name consumes events here")]
    NoSuchService,
    #[error("the limit must be 1 to {MOST_LETTERS}")]
    Limit,
}

impl ServiceError for Refused {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoSuchService => ErrorKind::NotFound,
            Self::Limit => ErrorKind::Invalid,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NoSuchService => "not_found",
            Self::Limit => "invalid_parameter",
        }
    }

    fn details(&self) -> Vec<Detail> {
        match self {
            Self::NoSuchService => Vec::new(),
            Self::Limit => vec![Detail::new("limit", format!("must be 1 to {MOST_LETTERS}"))],
        }
    }
}

impl PodInfo {
    /// The admin who calls. The token is verified here, whoever forwarded it.
    pub(super) fn admin<T>(&self, request: &Request<T>) -> Result<UserId, Status> {
        let caller = shop_mesh::caller(request, &self.verifier, self.clock.now())
            .map_err(|refusal| shop_mesh::status(&refusal))?;
        Access::ADMIN.allows(&caller).map_err(|refused| shop_mesh::status(&refused))?;
        caller.user().ok_or_else(|| shop_mesh::status(&shop_http::Refused::Unauthenticated))
    }

    pub(super) async fn list(&self, request: ListDeadLettersRequest) -> Result<ListDeadLettersReply, Status> {
        let ListDeadLettersRequest { service, limit, after } = request;
        let letters = self.letters_of(&service)?;
        if !(1..=MOST_LETTERS).contains(&limit) {
            return Err(shop_mesh::status(&Refused::Limit));
        }
        let after = Some(after.as_str()).filter(|after| !after.is_empty());
        let page = letters.list(limit, after).await.map_err(|error| shop_mesh::status(&error))?;
        Ok(ListDeadLettersReply {
            letters: page.letters.into_iter().map(message).collect(),
            next: page.next.unwrap_or_default(),
            total: page.total,
        })
    }

    pub(super) async fn retry(&self, admin: UserId, service: &str, id: &str) -> Result<(), Status> {
        let done = self.letters_of(service)?.retry(id).await;
        audit("dead_letter.retry", admin, service, id, &done);
        done.map_err(|error| shop_mesh::status(&error))
    }

    pub(super) async fn discard(&self, admin: UserId, service: &str, id: &str) -> Result<(), Status> {
        let done = self.letters_of(service)?.discard(id).await;
        audit("dead_letter.discard", admin, service, id, &done);
        done.map_err(|error| shop_mesh::status(&error))
    }

    /// Those of a service; where only one consumes events, it need not be named.
    fn letters_of(&self, service: &str) -> Result<&DeadLetters, Status> {
        let only = || self.letters.values().next().filter(|_| service.is_empty() && self.letters.len() == 1);
        self.letters.get(service).or_else(only).ok_or_else(|| shop_mesh::status(&Refused::NoSuchService))
    }
}

/// Who did what to which letter, and how it ended.
fn audit(action: &str, admin: UserId, service: &str, id: &str, done: &Result<(), LetterError>) {
    let outcome = done.as_ref().map_or_else(ServiceError::code, |()| "done");
    tracing::info!(
        audit.action = action,
        audit.user = %admin,
        audit.outcome = outcome,
        dead_letter.service = service,
        dead_letter.id = id,
        "{admin} asked for {action} of {id} in {service}: {outcome}"
    );
}

fn message(letter: DeadLetter) -> shop_proto::pod::DeadLetter {
    let DeadLetter { id, producer, topic, reason, deliveries, at, body } = letter;
    shop_proto::pod::DeadLetter { id, producer, topic, reason, deliveries, at: at.to_string(), body }
}
