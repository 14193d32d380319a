//! Deployments: how pods are replaced and spread. What a pod is, `pod` says.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::core::v1::TopologySpreadConstraint;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::pod::{self, Pod};
use super::{metadata, names};
use crate::plan::Plan;

/// How pods are replaced.
#[derive(Clone, Copy)]
pub(super) enum Replace {
    /// A new one is ready before an old one goes.
    OneByOne,
    /// The old one is gone before the new one comes: it holds state that must not exist twice.
    StopFirst,
}

pub(super) fn deployment(plan: &Plan, pod: Pod<'_>, replicas: i32, replace: Replace) -> Deployment {
    let part = pod.part;
    let mut template = pod::template(plan, pod);
    if let (true, Some(spec)) = (plan.spread, &mut template.spec) {
        spec.topology_spread_constraints =
            Some(["kubernetes.io/hostname", "topology.kubernetes.io/zone"].map(|key| spread(plan, part, key)).into());
    }
    Deployment {
        metadata: metadata::of_part(&plan.shop, part, names::service(&plan.shop.name, part.name)),
        spec: Some(DeploymentSpec {
            replicas: Some(replicas),
            revision_history_limit: Some(3),
            progress_deadline_seconds: Some(600),
            selector: metadata::label_selector(&plan.shop, part),
            strategy: Some(match replace {
                Replace::OneByOne => DeploymentStrategy {
                    type_: Some("RollingUpdate".to_owned()),
                    rolling_update: Some(RollingUpdateDeployment {
                        max_surge: Some(IntOrString::Int(1)),
                        max_unavailable: Some(IntOrString::Int(0)),
                    }),
                },
                Replace::StopFirst => DeploymentStrategy { type_: Some("Recreate".to_owned()), rolling_update: None },
            }),
            template,
            ..DeploymentSpec::default()
        }),
        status: None,
    }
}

fn spread(plan: &Plan, part: metadata::Part, topology_key: &str) -> TopologySpreadConstraint {
    TopologySpreadConstraint {
        max_skew: 1,
        topology_key: topology_key.to_owned(),
        when_unsatisfiable: "ScheduleAnyway".to_owned(),
        label_selector: Some(metadata::label_selector(&plan.shop, part)),
        match_label_keys: Some(vec!["pod-template-hash".to_owned()]),
        ..TopologySpreadConstraint::default()
    }
}
