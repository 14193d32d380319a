//! The Shop is edited, and what belongs to it is tampered with.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ConfigMap, Service};
use kube::api::{DeleteParams, Patch, PatchParams};
use reqwest::Method;
use serde_json::json;
use tests::wait::until;

use crate::cluster::{Site, shared, spec};
use crate::visitor::{Answer, Visitor, fresh};

#[tokio::test(flavor = "multi_thread")]
async fn only_what_an_edit_changes_is_rolled_out() {
    let site = shared().await;
    let before = site.pods().await;

    let mut edited = spec();
    edited["services"] = json!([{ "name": "catalog", "replicas": 2 }, { "name": "cart", "logLevel": "Debug" }]);
    site.apply(&edited).await;
    site.ready().await;
    let after = settled(&site).await;
    assert_eq!(changed(&before, &after), ["cart"]);

    edited["services"] = json!([{ "name": "catalog", "replicas": 3 }, { "name": "cart", "logLevel": "Debug" }]);
    site.apply(&edited).await;
    site.ready().await;
    let scaled = settled(&site).await;
    assert_eq!(changed(&after, &scaled), ["catalog"]);
    assert!(after["catalog"].iter().all(|pod| scaled["catalog"].contains(pod)), "a pod is added, none replaced");
    assert_eq!(scaled["catalog"].len(), 3);

    site.apply(&spec()).await;
    site.ready().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_is_deleted_or_edited_by_hand_is_repaired() {
    let site = shared().await;
    let admin = Visitor::admin(&site).await;
    let maps = site.api::<ConfigMap>();
    let before = maps.get("demo-keys").await.unwrap().data;

    let patch = json!({ "data": { "extra": "1" } });
    maps.patch("demo-keys", &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    let look = || async { maps.get("demo-keys").await.unwrap().data };
    until("the ConfigMap is as before", look, |data| *data == before).await;

    site.api::<Service>().delete("demo-catalog", &DeleteParams::default()).await.unwrap();
    let look = || async { site.api::<Service>().get_opt("demo-catalog").await.unwrap().is_some() };
    until("the Service is there again", look, |is_there| *is_there).await;
    // It has another address, which NGINX must learn. Reads would find the pods in other ways, so it is a write that counts.
    let category = json!({ "name": fresh("Category") });
    let look = || async { admin.send(Method::POST, "/api/v1/categories", None, Some(&category)).await };
    let is_made = |seen: &Result<Answer, reqwest::Error>| seen.as_ref().is_ok_and(|answer| answer.status == 201);
    until("the catalog can be written again", look, is_made).await.unwrap();
    site.ready().await;
}

fn changed(before: &BTreeMap<String, Vec<String>>, after: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    after
        .iter()
        .filter(|(service, pods)| before.get(*service) != Some(pods))
        .map(|(service, _)| service.clone())
        .collect()
}

/// The pods once none is on its way out or in: one for each service, but for catalog.
async fn settled(site: &Site) -> BTreeMap<String, Vec<String>> {
    let is_calm =
        |pods: &BTreeMap<String, Vec<String>>| pods.iter().all(|(name, pods)| name == "catalog" || pods.len() == 1);
    until("one pod of each service is left", || site.pods(), is_calm).await
}
