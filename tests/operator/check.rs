//! The Job that tries the database: what is told of one that cannot start, how it is mended, and that it is made once.

use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams};
use operator::build::metadata;
use serde_json::json;

use crate::kubelet::Verdict;
use crate::place::{Place, SHOP, shop};
use tests::wait::until;

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_cannot_start_says_why_and_makes_way_for_a_mended_one() {
    let place = Place::new().await;
    place.kubelet.database(Verdict::NoImage);
    let operator = place.operator().await;
    place.apply(&shop()).await;

    let reached = place.condition("DatabaseReachable", "Unknown", "ImagePullBackOff").await;
    assert!(reached.message.contains("cannot start: Back-off pulling image"), "{}", reached.message);
    place.condition("Stalled", "True", "ImagePullBackOff").await;
    let before = jobs(&place).await;

    place.kubelet.database(Verdict::Reached);
    place.put_secret("pull", ".dockerconfigjson", "{}").await;
    let mut mended = shop();
    mended["spec"]["image"] = json!({ "pullSecretRefs": [{ "name": "pull" }] });
    place.apply(&mended).await;
    place.ready().await;
    let is_another = |now: &Vec<String>| now.len() == 1 && *now != before;
    until("there is another Job, with the credentials", || jobs(&place), is_another).await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_passed_can_be_deleted_and_is_not_made_again() {
    let place = Place::new().await;
    let mut operator = place.operator().await;
    place.apply(&shop()).await;
    place.ready().await;
    operator.quiet(Duration::from_secs(2)).await;
    operator.writes();

    for job in jobs(&place).await {
        place.api::<Job>().delete(&job, &DeleteParams::background()).await.unwrap();
    }
    until("the Job is gone", || jobs(&place), Vec::is_empty).await;
    operator.quiet(Duration::from_secs(3)).await;

    assert_eq!(operator.writes(), Vec::<String>::new());
    assert!(jobs(&place).await.is_empty());
    place.ready().await;
    operator.stop().await;
}

async fn jobs(place: &Place) -> Vec<String> {
    let ours = ListParams::default().labels(&metadata::owner_selector(SHOP));
    place.api::<Job>().list(&ours).await.unwrap().iter().map(ResourceExt::name_any).collect()
}
