//! An operator that ends in the middle of its work is followed by one that finishes it, with the same Secrets.

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::ListParams;
use operator::build::metadata;

use crate::place::{Place, SHOP, shop};
use tests::wait::until;

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_ends_at_any_object_is_followed_by_one_that_finishes() {
    for objects in [1, 5, 12, 25] {
        let place = Place::new().await;
        let operator = place.operator().await;
        place.apply(&shop()).await;
        until("some objects were made", || place.children(), |all| all.len() >= objects).await;
        operator.abort().await;

        let operator = place.operator().await;
        place.ready().await;
        operator.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn made_secrets_outlive_the_operator_unchanged() {
    let place = Place::new().await;
    let operator = place.operator().await;
    place.apply(&shop()).await;
    place.ready().await;
    let before = secrets(&place).await;
    assert_eq!(before.len(), 4, "signing key, first admin, Redis, payment: {:?}", before.iter().map(|it| &it.0));
    operator.stop().await;

    let operator = place.operator().await;
    // Something to do, so that Secrets are read and written again.
    let mut changed = shop();
    changed["spec"]["defaults"]["logLevel"] = "Debug".into();
    place.apply(&changed).await;
    place.ready().await;
    operator.stop().await;

    assert!(secrets(&place).await == before, "Secrets must not be made again");
}

async fn secrets(place: &Place) -> Vec<(String, Secret)> {
    let ours = ListParams::default().labels(&metadata::owner_selector(SHOP));
    let all = place.api::<Secret>().list(&ours).await.unwrap();
    all.into_iter()
        .map(|mut secret| {
            secret.metadata.managed_fields = None;
            (secret.name_any(), secret)
        })
        .collect()
}
