//! The status of a Shop, from what was seen and done. Pure.

mod ingress;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{Resource, ResourceExt};

use super::Outcome;
use crate::apply::Applied;
use crate::ask::Answer;
use crate::build::names;
use crate::crd::Shop;
use crate::crd::status::{DatabaseCheckStatus, IngressStatus, ServiceStatus, ShopStatus, kinds};
use crate::error::{Class, Error};
use crate::observe::Held;
use crate::plan::{Plan, Verdict};
use crate::rollout::{AVAILABLE, DEADLINE, ROLLING_OUT, progress};

/// The status after a reconciliation. Conditions that say the same as before keep their time.
#[must_use]
pub fn status(shop: &Shop, outcome: Outcome<'_>, now: Timestamp) -> ShopStatus {
    let old = shop.status.clone().unwrap_or_default();
    let generation = shop.meta().generation;
    let (mut status, said) = match outcome {
        Outcome::Failed(error) => (old.clone(), failed(&old, generation, error)),
        Outcome::Applied(plan, applied, answer) => applied_status(plan, applied, answer, &old),
    };
    status.observed_generation = generation;
    // The API server keeps whole seconds.
    let now = Timestamp::from_second(now.as_second()).unwrap_or(now);
    status.conditions = merged(&old.conditions, said, generation, now);
    status
}

/// Whether the next status hangs on what the shop itself says: all that can be seen from here would make it ready, and it
/// is not ready already. A shop that is ready is never asked: one missed answer would not make it less so.
#[must_use]
pub fn hangs_on_answer(shop: &Shop, plan: &Plan, applied: &Applied, now: Timestamp) -> bool {
    let is_ready =
        shop.status.as_ref().is_some_and(|old| is_true(old, kinds::READY) && is_true(old, kinds::INGRESS_READY));
    plan.nginx.is_some()
        && !is_ready
        && is_true(&status(shop, Outcome::Applied(plan, applied, &Answer::Well), now), kinds::READY)
}

fn is_true(status: &ShopStatus, kind: &str) -> bool {
    status.conditions.iter().any(|condition| condition.type_ == kind && condition.status == "True")
}

/// A condition without its time.
struct Said {
    kind: &'static str,
    status: &'static str,
    reason: String,
    message: String,
}

fn said(kind: &'static str, status: &'static str, reason: &str, message: impl Into<String>) -> Said {
    Said { kind, status, reason: reason.to_owned(), message: message.into() }
}

fn merged(old: &[Condition], said: Vec<Said>, generation: Option<i64>, now: Timestamp) -> Vec<Condition> {
    // What nothing was said about stays, or is unknown when the Shop is new.
    let mut conditions: Vec<_> = kinds::ALL
        .iter()
        .filter(|kind| said.iter().all(|said| said.kind != **kind))
        .map(|kind| {
            old.iter().find(|old| old.type_ == *kind).cloned().unwrap_or_else(|| Condition {
                type_: (*kind).to_owned(),
                status: "Unknown".to_owned(),
                reason: "NotObserved".to_owned(),
                message: "Nothing is known yet".to_owned(),
                last_transition_time: Time(now),
                observed_generation: generation,
            })
        })
        .collect();
    conditions.extend(said.into_iter().map(|Said { kind, status, reason, message }| {
        let same = old.iter().find(|old| old.type_ == kind && old.status == status);
        Condition {
            type_: kind.to_owned(),
            status: status.to_owned(),
            reason,
            // The API server takes 32 kB; nobody reads more than a few lines.
            message: message.chars().take(2000).collect(),
            last_transition_time: same.map_or(Time(now), |same| same.last_transition_time.clone()),
            observed_generation: generation,
        }
    }));
    conditions.sort_by_key(|condition| kinds::ALL.iter().position(|kind| *kind == condition.type_));
    conditions
}

fn failed(old: &ShopStatus, generation: Option<i64>, error: &Error) -> Vec<Said> {
    let (reason, message) = (error.reason(), error.to_string());
    match error.class() {
        Class::User | Class::Bug => vec![
            said(kinds::READY, "False", reason, message.clone()),
            said(kinds::RECONCILING, "False", reason, "No progress without a change from outside"),
            said(kinds::STALLED, "True", reason, message),
        ],
        Class::Retry => {
            let mut conditions = vec![
                said(kinds::RECONCILING, "True", reason, message.clone()),
                said(kinds::STALLED, "False", "Retrying", "It is tried again"),
            ];
            // What was ready stays so while the API server is away, unless there is a new spec.
            if old.observed_generation != generation {
                conditions.push(said(kinds::READY, "False", reason, message));
            }
            conditions
        }
    }
}

fn applied_status(plan: &Plan, applied: &Applied, answer: &Answer, old: &ShopStatus) -> (ShopStatus, Vec<Said>) {
    let services: Vec<_> = plan.services.iter().map(|service| service_status(plan, service, applied)).collect();
    let ready = services.iter().filter(|service| service.reason == AVAILABLE).count();
    let verdict = verdict(plan, old);
    let ingress = ingress::ingress(plan, applied, answer, old);
    let summary = summary(plan, applied, &verdict, &services, &ingress);
    let mut conditions = vec![database(plan, &verdict), cache(plan, applied), ingress, payment()];
    conditions.extend(summary);
    let nginx = plan.nginx.as_ref();
    let status = ShopStatus {
        observed_generation: None,
        conditions: Vec::new(),
        url: nginx.map(|nginx| ingress::url(plan, nginx, applied)),
        database_prefix: Some(plan.database_prefix.clone()),
        database_check: match verdict {
            Database::Unknown | Database::Held(_) => None,
            Database::Reached => Some(DatabaseCheckStatus {
                job: plan.check.job.clone(),
                result: DatabaseCheckStatus::PASSED.to_owned(),
                text: String::new(),
            }),
            Database::Failed(failed) => Some(failed),
        },
        services_ready: Some(format!("{ready}/{}", services.len())),
        services,
        ingress: Some(IngressStatus {
            provider: if nginx.is_some() { "Bundled" } else { "None" }.to_owned(),
            addresses: ingress::addresses(plan, applied),
        }),
    };
    (status, conditions)
}

const WAITING: &str = "Waiting";

fn find<'a>(applied: &'a Applied, name: &str) -> Option<&'a Deployment> {
    applied.objects.deployments.iter().find(|deployment| deployment.name_any() == name)
}

fn service_status(plan: &Plan, service: &crate::plan::ServicePlan, applied: &Applied) -> ServiceStatus {
    let deployment = find(applied, &names::service(&plan.shop.name, service.spec.name));
    let status = deployment.and_then(|deployment| deployment.status.clone()).unwrap_or_default();
    ServiceStatus {
        name: service.spec.name.to_owned(),
        image: service.image.clone(),
        replicas: service.replicas,
        updated_replicas: status.updated_replicas.unwrap_or_default(),
        ready_replicas: status.ready_replicas.unwrap_or_default(),
        reason: if service.waits { WAITING } else { progress(deployment) }.to_owned(),
    }
}

/// What is known about the database. A failed check is tried again under the same name: until there is an answer, the
/// failure stands.
enum Database {
    Unknown,
    Held(Held),
    Reached,
    Failed(DatabaseCheckStatus),
}

fn verdict(plan: &Plan, old: &ShopStatus) -> Database {
    let job = &plan.check.job;
    match &plan.check.verdict {
        Verdict::Passed => Database::Reached,
        Verdict::Failed { code, text, .. } => {
            Database::Failed(DatabaseCheckStatus { job: job.clone(), result: code.clone(), text: text.clone() })
        }
        Verdict::Held(held) => Database::Held(held.clone()),
        Verdict::Running => match &old.database_check {
            Some(old) if old.job == *job && old.result != DatabaseCheckStatus::PASSED => Database::Failed(old.clone()),
            Some(_) | None => Database::Unknown,
        },
    }
}

fn database(plan: &Plan, verdict: &Database) -> Said {
    let kind = kinds::DATABASE_REACHABLE;
    match verdict {
        Database::Reached => said(kind, "True", "ProbeSucceeded", "The database answered with these settings"),
        Database::Failed(failed) => said(kind, "False", &failed.result, failed.text.clone()),
        Database::Held(held) => said(kind, "Unknown", &held.reason, held_message(plan, held)),
        Database::Unknown => {
            said(kind, "Unknown", "ProbeRunning", format!("Job {} tries the database", plan.check.job))
        }
    }
}

/// Nothing is wrong with the database, as far as anybody knows.
fn held_message(plan: &Plan, held: &Held) -> String {
    format!("The pod of Job {}, which tries the database, cannot start: {}", plan.check.job, held.message)
}

fn cache(plan: &Plan, applied: &Applied) -> Said {
    let kind = kinds::CACHE_READY;
    match plan.redis {
        None => said(kind, "Unknown", "External", "Redis is run by others"),
        Some(_) => match progress(find(applied, &names::redis(&plan.shop.name))) {
            AVAILABLE => said(kind, "True", AVAILABLE, "Redis takes connections"),
            reason => said(kind, "False", reason, "Redis is not available"),
        },
    }
}

fn payment() -> Said {
    said(kinds::PAYMENT_SANDBOX, "True", "Sandbox", "Payments go to the sandbox: no real money")
}

/// Ready, Reconciling and Stalled, in the sense of kstatus.
fn summary(
    plan: &Plan,
    applied: &Applied,
    verdict: &Database,
    services: &[ServiceStatus],
    ingress: &Said,
) -> [Said; 3] {
    let shop = &plan.shop.name;
    let others = [
        plan.redis.as_ref().map(|_| names::REDIS_PART),
        Some(names::SANDBOX_PSP_PART),
        plan.nginx.as_ref().map(|_| names::NGINX_PART),
    ];
    let others = others.into_iter().flatten().map(|part| {
        let waits = part == names::NGINX_PART && plan.nginx.as_ref().is_some_and(|nginx| nginx.upstreams.is_none());
        let reason = if waits { WAITING } else { progress(find(applied, &names::service(shop, part.name))) };
        (part.name, reason)
    });
    let all: Vec<(&str, &str)> =
        services.iter().map(|service| (service.name.as_str(), service.reason.as_str())).chain(others).collect();
    let with = |reason: &str| {
        let names: Vec<_> = all.iter().filter(|(_, other)| *other == reason).map(|(name, _)| *name).collect();
        names.join(", ")
    };
    let missing: Vec<_> = all.iter().filter(|(_, reason)| *reason != AVAILABLE).map(|(name, _)| *name).collect();
    let late = with(DEADLINE);
    let stalled = match verdict {
        Database::Failed(failed) => {
            Some((failed.result.clone(), format!("The database check failed: {}", failed.text)))
        }
        Database::Held(held) => Some((held.reason.clone(), held_message(plan, held))),
        Database::Reached | Database::Unknown if !late.is_empty() => {
            Some((DEADLINE.to_owned(), format!("Not available in time: {late}")))
        }
        Database::Reached | Database::Unknown => None,
    };
    let calm = "Everything is as declared";
    match (stalled, missing.is_empty()) {
        (Some((reason, message)), _) => [
            said(kinds::READY, "False", &reason, message.clone()),
            said(kinds::RECONCILING, "False", &reason, "No progress without a change from outside"),
            said(kinds::STALLED, "True", &reason, message),
        ],
        (None, true) => match ingress {
            Said { status: "False", reason, message, .. } => [
                said(kinds::READY, "False", reason, message.clone()),
                said(kinds::RECONCILING, "True", reason, message.clone()),
                said(kinds::STALLED, "False", "Progressing", "Progress is made"),
            ],
            _ => [
                said(kinds::READY, "True", "AllServicesAvailable", "All services are available"),
                said(kinds::RECONCILING, "False", "Reconciled", calm),
                said(kinds::STALLED, "False", "Reconciled", calm),
            ],
        },
        (None, false) => {
            let (reason, message) = match with(WAITING) {
                waiting if waiting.is_empty() => (ROLLING_OUT, format!("Not available: {}", missing.join(", "))),
                waiting => ("WaitingForDependency", format!("Waiting: {waiting}")),
            };
            [
                said(kinds::READY, "False", "ServicesUnavailable", format!("Not available: {}", missing.join(", "))),
                said(kinds::RECONCILING, "True", reason, message),
                said(kinds::STALLED, "False", "Progressing", "Progress is made"),
            ]
        }
    }
}
