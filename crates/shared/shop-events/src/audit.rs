//! The writes of staff and programs on their way to the audit log: events in the outbox of the service that was called.
//!
//! # Invariants
//! 1. `staff.called` is committed by a majority before the call is carried out, or the call is refused. So every write that
//!    happened stands in an outbox, and the outbox loses nothing.
//! 2. Both events carry the whole call, under one id: the log is the same whichever comes first, and however often.

use shop_mongo::{Mongo, outbox};
use shop_types::audit::{Recording, Unrecorded};
use shop_types::{AuditTrail, Clock, Envelope, Event, EventId, StaffCall};
use std::sync::Arc;

/// Writes calls into the outbox of one service.
#[derive(Debug, Clone)]
pub struct OutboxTrail {
    mongo: Mongo,
    clock: Arc<dyn Clock>,
}

impl OutboxTrail {
    /// A trail in the database of the service that is called.
    #[must_use]
    pub fn new(mongo: Mongo, clock: Arc<dyn Clock>) -> Self {
        Self { mongo, clock }
    }

    /// The event of a call: the first of its aggregate, or the second.
    fn envelope(&self, version: i64, call: StaffCall, event: fn(StaffCall) -> Event) -> Envelope {
        Envelope {
            id: EventId::from_uuid(self.clock.new_id()),
            aggregate: call.id.to_string(),
            version,
            occurred_at: self.clock.now(),
            traceparent: shop_telemetry::context::traceparent(),
            event: event(call),
        }
    }

    async fn append(&self, what: &'static str, envelope: Envelope) -> Result<(), Unrecorded> {
        let events = Arc::new([envelope]);
        let written = self.mongo.transact(what, move |txn| {
            let events = Arc::clone(&events);
            Box::pin(async move { outbox::append(txn, &*events).await })
        });
        written.await.map_err(Unrecorded::new)
    }
}

impl AuditTrail for OutboxTrail {
    fn called(&self, call: StaffCall) -> Recording<'_> {
        Box::pin(self.append("write a call down", self.envelope(1, call, Event::StaffCalled)))
    }

    fn answered(&self, call: StaffCall) -> Recording<'_> {
        Box::pin(self.append("write an answer down", self.envelope(2, call, Event::StaffAnswered)))
    }
}
