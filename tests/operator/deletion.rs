//! A deleted Shop leaves nothing behind but what was not its own.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{DeleteParams, ListParams};
use kube::{Resource, ResourceExt};
use operator::crd::Shop;
use serde::de::DeserializeOwned;

use crate::place::{Place, SHOP, shop};
use tests::wait::until;

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_shop_takes_all_that_it_made_with_it() {
    let place = Place::new().await;
    let operator = place.operator().await;
    place.apply(&shop()).await;
    place.ready().await;

    place.api::<Shop>().delete(SHOP, &DeleteParams::default()).await.unwrap();

    until("the objects are gone", || place.children(), Vec::is_empty).await;
    until("the pods are gone", || names::<Pod>(&place), Vec::is_empty).await;
    until("the ReplicaSets are gone", || names::<ReplicaSet>(&place), Vec::is_empty).await;
    assert_eq!(names::<Secret>(&place).await, ["mongodb"], "the Secret of the user stays");
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_of_the_same_name_can_follow_at_once() {
    let place = Place::new().await;
    let operator = place.operator().await;
    place.apply(&shop()).await;
    place.ready().await;
    let first = place.api::<Shop>().get(SHOP).await.unwrap();

    place.api::<Shop>().delete(SHOP, &DeleteParams::default()).await.unwrap();
    let second = place.apply(&shop()).await;
    place.ready().await;

    assert_ne!(first.uid(), second.uid());
    let is_of_the_second = |all: &Vec<(String, serde_json::Value)>| {
        all.iter().all(|(_, object)| object["metadata"]["ownerReferences"][0]["uid"] == second.uid().unwrap().as_str())
    };
    until("all objects are those of the second Shop", || place.children(), is_of_the_second).await;
    let prefix = |shop: &Shop| shop.status.as_ref().and_then(|status| status.database_prefix.clone());
    let second = place.api::<Shop>().get(SHOP).await.unwrap();
    assert!(prefix(&first).is_some());
    assert_eq!(prefix(&first), prefix(&second), "a Shop of the same name adopts the data");
    operator.stop().await;
}

async fn names<K>(place: &Place) -> Vec<String>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let all = place.api::<K>().list(&ListParams::default()).await.unwrap();
    all.iter().map(ResourceExt::name_any).collect()
}
