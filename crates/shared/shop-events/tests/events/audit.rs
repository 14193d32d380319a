//! The writes of staff, on their way to the audit log.

use jiff::Timestamp;
use shop_events::OutboxTrail;
use shop_mongo::{Document, Mongo, doc};
use shop_types::{AuditTrail as _, CallId, Envelope, Event, Role, StaffCall, UserId};
use uuid::Uuid;

use crate::shop::with_shop;

fn call() -> StaffCall {
    StaffCall {
        id: CallId::from_uuid(Uuid::from_u128(1)),
        at: Timestamp::UNIX_EPOCH,
        service: "inventory".into(),
        actor: UserId::from_uuid(Uuid::from_u128(2)),
        role: Role::Staff,
        method: "POST".into(),
        route: "/api/v1/stock/{sku}/adjustments".into(),
        path: "/api/v1/stock/mug/adjustments".into(),
        request_id: "r".into(),
        status: None,
    }
}

/// The events in the outbox, in the order in which they are sent.
async fn told(outbox: &Mongo) -> Vec<Envelope> {
    use futures::TryStreamExt;
    let rows = outbox.collection::<Document>("outbox");
    let found = rows.find(doc! {}).sort(doc! { "created_at": 1, "version": 1 }).await.unwrap();
    let rows: Vec<Document> = found.try_collect().await.unwrap();
    rows.iter().map(|row| serde_json::from_str(row.get_str("body").unwrap()).unwrap()).collect()
}

#[tokio::test]
async fn a_call_and_its_answer_are_two_events_of_one_aggregate() {
    with_shop("inventory", |shop| async move {
        let trail = OutboxTrail::new(shop.outbox().clone(), shop.clock());
        trail.called(call()).await.unwrap();
        assert_eq!(told(shop.outbox()).await.len(), 1, "it is committed before the call is carried out");
        trail.answered(call().answered(201)).await.unwrap();

        let told = told(shop.outbox()).await;
        let of: Vec<_> = told.iter().map(|event| (event.aggregate.as_str(), event.version, &event.event)).collect();
        let id = call().id.to_string();
        let called = Event::StaffCalled(call());
        let answered = Event::StaffAnswered(call().answered(201));
        assert_eq!(of, [(id.as_str(), 1, &called), (id.as_str(), 2, &answered)]);
        assert_ne!(told[0].id, told[1].id);
    })
    .await;
}

#[tokio::test]
async fn a_call_that_cannot_be_written_down_is_told_so() {
    with_shop("inventory", |shop| async move {
        // What the outbox refuses is not written: here the same event twice.
        let trail = OutboxTrail::new(shop.outbox().clone(), std::sync::Arc::new(OneId));
        trail.called(call()).await.unwrap();
        assert!(trail.called(call()).await.is_err());
        assert_eq!(told(shop.outbox()).await.len(), 1);
    })
    .await;
}

/// Gives the same id for ever.
#[derive(Debug)]
struct OneId;

impl shop_types::Clock for OneId {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn new_id(&self) -> Uuid {
        Uuid::from_u128(7)
    }
}
