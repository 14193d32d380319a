//! Step three: writes manifests. Pure and total: every plan has its objects, and the same plan has the same ones.
//!
//! The only place where the manifests of a shop stand. What does not belong here: decisions (`plan`) and I/O (`apply`).

mod config;
mod database_check;
mod deployment;
pub mod metadata;
pub mod names;
mod nginx;
mod nginx_config;
mod pod;
mod redis;
mod sandbox_psp;
mod secret;
mod service;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service, ServiceAccount};

use crate::plan::Plan;

pub use database_check::check_template;

/// Objects of one Shop, in the order in which they are written: what others name comes first.
#[derive(Clone, Default, PartialEq)]
pub struct Objects {
    /// Identities of pods; none of them may do anything.
    pub service_accounts: Vec<ServiceAccount>,
    /// Key material and passwords.
    pub secrets: Vec<Secret>,
    /// Settings.
    pub config_maps: Vec<ConfigMap>,
    /// Addresses.
    pub services: Vec<Service>,
    /// The database check.
    pub jobs: Vec<Job>,
    /// What runs.
    pub deployments: Vec<Deployment>,
}

/// What is to be.
#[derive(Clone, Default, PartialEq)]
pub struct Desired {
    /// To be written now.
    pub objects: Objects,
    /// To be written later: what runs under these names stays as it is until then.
    pub waiting: Vec<Deployment>,
}

/// Writes the manifests of a plan.
#[must_use]
pub fn build(plan: &Plan) -> Desired {
    let mut desired = Desired::default();
    let parts = plan
        .services
        .iter()
        .map(|service| service::service(plan, service))
        .chain(plan.redis.as_ref().map(|redis| redis::redis(plan, redis)))
        .chain(std::iter::once(sandbox_psp::sandbox_psp(plan)))
        .chain(plan.nginx.as_ref().map(|nginx| nginx::nginx(plan, nginx)));
    for part in parts {
        let Part { service_account, config_maps, services, deployment, waits } = part;
        desired.objects.service_accounts.push(service_account);
        desired.objects.config_maps.extend(config_maps);
        desired.objects.services.extend(services);
        if waits { &mut desired.waiting } else { &mut desired.objects.deployments }.push(deployment);
    }
    desired.objects.secrets = secret::secrets(plan);
    desired.objects.config_maps.push(config::key_set(plan));
    desired.objects.service_accounts.push(metadata::service_account(plan, names::DATABASE_CHECK_PART));
    if plan.check.is_needed {
        desired.objects.jobs.push(database_check::database_check(plan));
    }
    desired
}

/// What one running part of a shop consists of.
struct Part {
    service_account: ServiceAccount,
    config_maps: Vec<ConfigMap>,
    services: Vec<Service>,
    deployment: Deployment,
    waits: bool,
}
