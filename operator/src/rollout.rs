//! How far the roll-out of a Deployment is: whether pods of an earlier revision may still run. Pure.

use k8s_openapi::api::apps::v1::Deployment;
use kube::Resource;

/// Every pod is of the newest revision and takes requests, and no other is left.
pub const AVAILABLE: &str = "Available";
/// Not yet.
pub const ROLLING_OUT: &str = "RollingOut";
/// Not in time.
pub const DEADLINE: &str = "ProgressDeadlineExceeded";

/// How far a Deployment is: one of the three words.
#[must_use]
pub fn progress(deployment: Option<&Deployment>) -> &'static str {
    let Some((spec, status)) = deployment.and_then(|it| Some((it.spec.as_ref()?, it.status.as_ref()?))) else {
        return ROLLING_OUT;
    };
    let seen = status.observed_generation >= deployment.and_then(|deployment| deployment.meta().generation);
    let wanted = spec.replicas.unwrap_or(1);
    let has = |pods: Option<i32>| pods.unwrap_or_default() == wanted;
    let exceeded = status.conditions.iter().flatten().any(|condition| {
        condition.type_ == "Progressing" && condition.reason.as_deref() == Some("ProgressDeadlineExceeded")
    });
    match seen {
        true if has(status.updated_replicas) && has(status.replicas) && has(status.available_replicas) => AVAILABLE,
        true if exceeded => DEADLINE,
        true | false => ROLLING_OUT,
    }
}
