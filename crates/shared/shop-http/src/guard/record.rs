//! Writes of staff, admins and programs: written down before they are carried out, and again with how they were answered.
//!
//! # Invariants
//! 1. A handler begins only after its call was written down; when that fails the call is refused and nothing is done.
//! 2. What is refused before (no access, over a limit, overload) does nothing and is not written down.
//! 3. The answer never fails because it could not be written down: it has happened. The call stays without a status then, as it
//!    does when the client goes away or the pod dies: "not known".
//! 4. Customers, guests and everybody else never wait for any of this, nor does who only reads.

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use shop_telemetry::context::{self, Context};
use shop_types::audit::{self, StaffCall};
use shop_types::{AuditTrail, CallId, Caller, Clock};
use tokio::time::{Instant, timeout_at};

use super::load::{RouteKey, key_of};
use super::request::Facts;
use crate::{HttpError, Method, Mount};

/// The answer waits so long for being written down, and never beyond the deadline of its request; it may still be written
/// after that.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where the calls of each writing route are kept, with the service that owns it.
pub(super) struct Trails(HashMap<RouteKey, (&'static str, Arc<dyn AuditTrail>)>);

impl Trails {
    pub(super) fn of(mounts: &[Mount]) -> Self {
        let mut trails = HashMap::new();
        for mount in mounts {
            let Some(trail) = mount.trail() else { continue };
            let writes =
                mount.access().iter().filter(|(method, _, access)| *method != Method::Get && !access.only_reads());
            let keys = writes.map(|(method, template, _)| key_of(method.as_str(), template));
            trails.extend(keys.map(|key| (key, (mount.service(), Arc::clone(trail)))));
        }
        Self(trails)
    }

    /// What is written down of a request that is let in; `None` for most.
    pub(super) fn record(&self, facts: &Facts, caller: Option<&Caller>, clock: &dyn Clock) -> Option<Record> {
        let ((actor, role), route) = (audit::kept(caller?)?, facts.route()?);
        let (service, trail) = self.0.get(&key_of(facts.method(), route))?;
        let call = StaffCall {
            id: CallId::from_uuid(clock.new_id()),
            at: clock.now(),
            service: (*service).to_owned(),
            actor,
            role,
            method: facts.method().to_owned(),
            route: route.to_owned(),
            path: audit::cut(facts.path()).to_owned(),
            request_id: facts.request_id().to_string(),
            status: None,
        };
        Some(Record { trail: Arc::clone(trail), call })
    }
}

/// One call and where it is kept.
pub(super) struct Record {
    trail: Arc<dyn AuditTrail>,
    call: StaffCall,
}

impl Record {
    /// Writes down that the call is about to be carried out.
    ///
    /// # Errors
    /// When it was not written down by then, or nobody knows.
    pub(super) async fn begin(&self, until: Instant) -> Result<(), HttpError> {
        match timeout_at(until, self.trail.called(self.call.clone())).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(HttpError::unavailable("the call was not written down by its deadline")),
        }
    }

    /// Writes down how the call was answered; waits for that until the deadline of the request at most.
    pub(super) async fn end(self, status: StatusCode, deadline: Instant) {
        let until = deadline.min(Instant::now() + PATIENCE);
        let (id, route) = (self.call.id, self.call.route.clone());
        // Nobody waits for the record beyond the deadline, but it is no less true then.
        let context = context::current().map(|context| Context { deadline: None, ..context });
        let answered = self.trail.answered(self.call.answered(status.as_u16()));
        let answered = timeout_at(until, async {
            match context {
                Some(context) => context::scope(context, answered).await,
                None => answered.await,
            }
        });
        let error: Box<dyn Error> = match answered.await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.into(),
            Err(late) => late.into(),
        };
        tracing::warn!(error = &*error, call.id = %id, http.route = route, "Failed to write down how a call was answered");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use shop_types::audit::Recording;
    use shop_types::{Role, UserId};
    use uuid::Uuid;

    /// A database that has gone.
    #[derive(Debug)]
    struct Gone;

    impl AuditTrail for Gone {
        fn called(&self, _: StaffCall) -> Recording<'_> {
            Box::pin(std::future::pending())
        }

        fn answered(&self, _: StaffCall) -> Recording<'_> {
            Box::pin(std::future::pending())
        }
    }

    fn record() -> Record {
        let call = StaffCall {
            id: CallId::from_uuid(Uuid::from_u128(1)),
            at: Timestamp::UNIX_EPOCH,
            service: "sample".to_owned(),
            actor: UserId::from_uuid(Uuid::from_u128(2)),
            role: Role::Staff,
            method: "POST".to_owned(),
            route: "/api/v1/products".to_owned(),
            path: "/api/v1/products".to_owned(),
            request_id: "r".to_owned(),
            status: None,
        };
        Record { trail: Arc::new(Gone), call }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_waits_for_its_record_a_while_and_never_beyond_the_deadline() {
        let soon = Duration::from_millis(300);
        for (left, waited) in [(Duration::from_secs(5), PATIENCE), (soon, soon), (Duration::ZERO, Duration::ZERO)] {
            let begin = Instant::now();
            record().end(StatusCode::OK, begin + left).await;
            let late = begin.elapsed().saturating_sub(waited);
            assert!(begin.elapsed() >= waited && late <= Duration::from_millis(1), "{left:?}: {:?}", begin.elapsed());
        }
    }
}
