//! A claim on an idempotency key, from the handler to the stored row and back.

use serde_json::json;
use shop_mongo::{Claim, Error, idempotency};
use shop_types::caller::Subject;
use shop_types::{Fingerprint, IdempotencyKey, UserId};
use uuid::Uuid;

use crate::database::{Store, with_store};

fn claim(user: u128, route: &str, key: &str, body: &str) -> Claim {
    let subject = Subject::User(UserId::from_uuid(Uuid::from_u128(user)));
    let fingerprint = Fingerprint::of("POST", route, &json!({ "body": body }));
    Claim::new(subject, route, &IdempotencyKey::parse(key).unwrap(), fingerprint)
}

async fn write(store: &Store, claim: &Claim, resource: &str) -> Result<(), Error> {
    let start = claim.start(resource);
    store
        .mongo
        .transact("claim", move |txn| {
            let start = start.clone();
            Box::pin(async move { idempotency::insert(txn, &[start]).await })
        })
        .await
}

#[tokio::test]
async fn a_written_claim_fits_the_same_request_and_no_other() {
    with_store(|store| async move {
        store.mongo.ensure(&[idempotency::setup()]).await.unwrap();
        let first = claim(1, "create_product", "k", "mug");
        assert_eq!(idempotency::find(&store.mongo, first.id()).await.unwrap(), None);
        write(&store, &first, "product-1").await.unwrap();
        let row = idempotency::find(&store.mongo, first.id()).await.unwrap().unwrap();
        assert_eq!((row.id.as_str(), row.resource.as_str()), (first.id(), "product-1"));
        assert!(first.fits(&row));
        let reused = claim(1, "create_product", "k", "cup");
        assert_eq!(reused.id(), first.id());
        assert!(!reused.fits(&row));
        assert!(write(&store, &reused, "product-2").await.unwrap_err().is_duplicate());
        assert_eq!(idempotency::find(&store.mongo, first.id()).await.unwrap(), Some(row));
    })
    .await;
}

#[tokio::test]
async fn claims_of_other_subjects_routes_and_keys_stand_beside_each_other() {
    with_store(|store| async move {
        store.mongo.ensure(&[idempotency::setup()]).await.unwrap();
        let all = [
            claim(1, "create_product", "k", "mug"),
            claim(2, "create_product", "k", "mug"),
            claim(1, "create_category", "k", "mug"),
            claim(1, "create_product", "l", "mug"),
            claim(1, "create_product", "k|l", "mug"),
        ];
        for (n, one) in all.iter().enumerate() {
            write(&store, one, &n.to_string()).await.unwrap();
        }
        for (n, one) in all.iter().enumerate() {
            let row = idempotency::find(&store.mongo, one.id()).await.unwrap().unwrap();
            assert_eq!(row.resource, n.to_string());
        }
    })
    .await;
}
