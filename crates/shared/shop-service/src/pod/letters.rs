//! Dead letters by gRPC: who may, which service's, and who did what. What becomes of a letter stands in shop-events.

use std::time::Duration;

use actix_web::http::StatusCode;
use shop_events::{DeadLetter, DeadLetters, LetterError};
use shop_http::Access;
use shop_http::error::status_of;
use shop_proto::pod::{ListDeadLettersReply, ListDeadLettersRequest};
use shop_telemetry::context;
use shop_types::{CallId, Detail, ErrorKind, Role, ServiceError, StaffCall, UserId, audit};
use tokio::time::timeout;
use tonic::{Request, Status};

use super::PodInfo;

/// What admins call at edge.
const RETRY: &str = "/api/v1/admin/dead-letters/{service}/{id}/retry";
const DISCARD: &str = "/api/v1/admin/dead-letters/{service}/{id}";
/// How long writing down how something ended may take of the two seconds that edge waits.
const PATIENCE: Duration = Duration::from_millis(300);
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
        let (_, letters) = self.letters_of(&service)?;
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
        let (service, letters) = self.letters_of(service)?;
        let call = self.begin(("POST", RETRY), admin, service, id).await?;
        let done = letters.retry(id).await;
        self.end(call, "dead_letter.retry", id, &done).await;
        done.map_err(|error| shop_mesh::status(&error))
    }

    pub(super) async fn discard(&self, admin: UserId, service: &str, id: &str) -> Result<(), Status> {
        let (service, letters) = self.letters_of(service)?;
        let call = self.begin(("DELETE", DISCARD), admin, service, id).await?;
        let done = letters.discard(id).await;
        self.end(call, "dead_letter.discard", id, &done).await;
        done.map_err(|error| shop_mesh::status(&error))
    }

    /// Writes down what an admin is about to do, as edge was asked for it: it has no database of its own.
    async fn begin(
        &self,
        (method, route): (&str, &str),
        actor: UserId,
        service: &'static str,
        id: &str,
    ) -> Result<StaffCall, Status> {
        let call = StaffCall {
            id: CallId::from_uuid(self.clock.new_id()),
            at: self.clock.now(),
            service: service.to_owned(),
            actor,
            role: Role::Admin,
            method: method.to_owned(),
            route: route.to_owned(),
            path: audit::cut(&route.replace("{service}", service).replace("{id}", id)).to_owned(),
            request_id: context::current().map(|context| context.request_id.to_string()).unwrap_or_default(),
            status: None,
        };
        if let Some(trail) = self.trails.get(service) {
            trail.called(call.clone()).await.map_err(|error| shop_mesh::status(&error))?;
        }
        Ok(call)
    }

    /// Writes down how it ended, also in the log.
    async fn end(&self, call: StaffCall, action: &str, id: &str, done: &Result<(), LetterError>) {
        let (admin, service) = (call.actor, call.service.clone());
        let outcome = done.as_ref().map_or_else(ServiceError::code, |()| "done");
        tracing::info!(
            audit.action = action,
            audit.user = %admin,
            audit.outcome = outcome,
            dead_letter.service = service,
            dead_letter.id = id,
            "{admin} asked for {action} of {id} in {service}: {outcome}"
        );
        let status = done.as_ref().map_or_else(|error| status_of(error.kind()), |()| StatusCode::NO_CONTENT);
        if let Some(trail) = self.trails.get(service.as_str()) {
            // What was done is answered as done, whatever becomes of this.
            let failure = match timeout(PATIENCE, trail.answered(call.answered(status.as_u16()))).await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error.to_string(),
                Err(late) => late.to_string(),
            };
            tracing::warn!(failure, "Failed to write down how {action} of {id} in {service} ended: {failure}");
        }
    }

    /// Those of a service; where only one consumes events, it need not be named.
    fn letters_of(&self, service: &str) -> Result<(&'static str, &DeadLetters), Status> {
        let only = || self.letters.iter().next().filter(|_| service.is_empty() && self.letters.len() == 1);
        let found = self.letters.get_key_value(service).or_else(only);
        found.map(|(name, letters)| (*name, letters)).ok_or_else(|| shop_mesh::status(&Refused::NoSuchService))
    }
}

fn message(letter: DeadLetter) -> shop_proto::pod::DeadLetter {
    let DeadLetter { id, producer, topic, reason, deliveries, at, body } = letter;
    shop_proto::pod::DeadLetter { id, producer, topic, reason, deliveries, at: at.to_string(), body }
}
