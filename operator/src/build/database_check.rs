//! The Job that tries the database before pods with a new URI or a new image are rolled out.

use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use shop_config::names as env;

use super::pod::{self, NONROOT, Pod, Restart};
use super::{metadata, names, service};
use crate::plan::Plan;

pub(super) fn database_check(plan: &Plan) -> Job {
    Job {
        metadata: metadata::of_part(&plan.shop, names::DATABASE_CHECK_PART, plan.check.job.clone()),
        spec: Some(JobSpec {
            // The operator tries again itself, with a pause and for as long as it takes.
            backoff_limit: Some(0),
            // Includes pulling the image.
            active_deadline_seconds: Some(600),
            template: check_template(plan),
            ..JobSpec::default()
        }),
        status: None,
    }
}

/// What the pod of the check is made of; the same whatever is known of the check.
#[must_use]
pub fn check_template(plan: &Plan) -> PodTemplateSpec {
    let mut variables = vec![pod::pod_name(env::POD)];
    variables.extend(service::mongodb_uri(plan));
    variables.push(pod::value(env::DATABASE_PREFIX, plan.database_prefix.clone()));
    variables.push(pod::value(env::DATABASE_OWNER, format!("{}/{}", plan.shop.namespace, plan.shop.name)));
    let pod = Pod {
        part: names::DATABASE_CHECK_PART,
        image: &plan.check.image,
        command: Vec::new(),
        args: vec!["check-database".to_owned()],
        settings: None,
        env: variables,
        ports: Vec::new(),
        probes: None,
        files: Vec::new(),
        resources: plan.sandbox_psp.resources.clone(),
        user: NONROOT,
        grace_seconds: Some(5),
        lifecycle: None,
        annotations: Vec::new(),
        restart: Restart::Never,
    };
    pod::template(plan, pod)
}
