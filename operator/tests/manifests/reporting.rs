//! What the conditions say, and that they say nothing new when nothing is new.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::DeploymentStatus;
use kube::ResourceExt;
use operator::apply::Applied;
use operator::ask::Answer;
use operator::build::build;
use operator::crd::{Shop, ShopStatus};
use operator::error::Error;
use operator::observe::{Held, Observed};
use operator::plan::{Plan, plan};
use operator::report::{Outcome, hangs_on_answer, status};
use serde_json::json;

use crate::fixture::{settings, shop, world};

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

/// How far all Deployments are.
#[derive(Clone, Copy, PartialEq)]
enum Pods {
    Available,
    Starting,
    Late,
}

fn world_with_check(shop: &Shop, condition: Option<&str>) -> Observed {
    let mut observed = world(shop);
    let name = plan(shop, &observed, &settings()).unwrap().check.job;
    observed.children.jobs.extend(condition.map(|condition| {
        let conditions = json!([{"type": condition, "status": "True", "message": "it failed"}]);
        serde_json::from_value(json!({"metadata": {"name": name}, "status": {"conditions": conditions}})).unwrap()
    }));
    observed
}

/// What a round would have left, with the Deployments as far as said.
fn applied(plan: &Plan, pods: Pods) -> Applied {
    let mut objects = build(plan).objects;
    for deployment in &mut objects.deployments {
        deployment.metadata.generation = Some(1);
        let wanted = deployment.spec.as_ref().unwrap().replicas;
        let ready = if pods == Pods::Available { wanted } else { Some(0) };
        let late = json!([{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]);
        deployment.status = Some(DeploymentStatus {
            observed_generation: Some(1),
            replicas: wanted,
            updated_replicas: wanted,
            ready_replicas: ready,
            available_replicas: ready,
            conditions: (pods == Pods::Late).then(|| serde_json::from_value(late).unwrap()),
            ..DeploymentStatus::default()
        });
    }
    Applied { objects, ..Applied::default() }
}

fn reported(shop: &Shop, check: Option<&str>, pods: Pods, now: Timestamp) -> ShopStatus {
    answered(shop, check, pods, &Answer::Well, now)
}

fn answered(shop: &Shop, check: Option<&str>, pods: Pods, answer: &Answer, now: Timestamp) -> ShopStatus {
    let plan = plan(shop, &world_with_check(shop, check), &settings()).unwrap();
    status(shop, Outcome::Applied(&plan, &applied(&plan, pods), answer), now)
}

fn is_asked(shop: &Shop, check: Option<&str>, pods: Pods) -> bool {
    let plan = plan(shop, &world_with_check(shop, check), &settings()).unwrap();
    hangs_on_answer(shop, &plan, &applied(&plan, pods), NOW)
}

/// `Type=Status Reason` of one condition.
fn condition(status: &ShopStatus, kind: &str) -> String {
    let found = status.conditions.iter().find(|condition| condition.type_ == kind).unwrap();
    format!("{} {}", found.status, found.reason)
}

fn summary(status: &ShopStatus) -> [String; 3] {
    ["Ready", "Reconciling", "Stalled"].map(|kind| condition(status, kind))
}

#[test]
fn a_shop_with_all_pods_available_is_ready() {
    let status = reported(&shop("{}"), Some("Complete"), Pods::Available, NOW);
    assert_eq!(summary(&status), ["True AllServicesAvailable", "False Reconciled", "False Reconciled"]);
    assert_eq!(condition(&status, "DatabaseReachable"), "True ProbeSucceeded");
    assert_eq!(condition(&status, "CacheReady"), "True Available");
    assert_eq!(condition(&status, "IngressReady"), "True Available");
    assert_eq!(condition(&status, "PaymentSandbox"), "True Sandbox");
    assert_eq!(status.services_ready.as_deref(), Some("7/7"));
    assert_eq!(status.url.as_deref(), Some("http://demo-nginx.shop.svc"));
    assert_eq!(status.observed_generation, Some(3));
    assert!(status.conditions.iter().all(|condition| condition.observed_generation == Some(3)));
    assert!(status.conditions.iter().any(|condition| condition.message.contains("no real money")));
}

#[test]
fn a_shop_that_does_not_say_that_it_is_well_is_not_ready() {
    let silent = Answer::Unwell("/health answered 503: cart is DOWN".into());
    let status = answered(&shop("{}"), Some("Complete"), Pods::Available, &silent, NOW);
    assert_eq!(summary(&status), ["False NotAnswering", "True NotAnswering", "False Progressing"]);
    assert_eq!(condition(&status, "IngressReady"), "False NotAnswering");
    let ingress = status.conditions.iter().find(|condition| condition.type_ == "IngressReady").unwrap();
    assert!(ingress.message.ends_with("/health answered 503: cart is DOWN"), "{}", ingress.message);
}

#[test]
fn a_shop_is_asked_when_nothing_else_keeps_it_from_being_ready() {
    let mut shop = shop("{}");
    assert!(is_asked(&shop, Some("Complete"), Pods::Available));
    assert!(!is_asked(&shop, Some("Complete"), Pods::Starting));
    assert!(!is_asked(&shop, Some("Complete"), Pods::Late));
    assert!(!is_asked(&shop, None, Pods::Available));
    assert!(!is_asked(&shop, Some("Failed"), Pods::Available));
    shop.status = Some(reported(&shop, Some("Complete"), Pods::Starting, NOW));
    assert!(is_asked(&shop, Some("Complete"), Pods::Available));
}

#[test]
fn a_shop_without_a_way_in_is_never_asked() {
    assert!(!is_asked(&shop("ingress: {provider: None}"), Some("Complete"), Pods::Available));
}

#[test]
fn a_ready_shop_is_not_asked_and_stays_ready() {
    let mut shop = shop("{}");
    let ready = reported(&shop, Some("Complete"), Pods::Available, NOW);
    shop.status = Some(ready.clone());
    assert!(!is_asked(&shop, Some("Complete"), Pods::Available));
    assert_eq!(answered(&shop, Some("Complete"), Pods::Available, &Answer::NotAsked, NOW), ready);
}

#[test]
fn a_roll_out_leaves_the_way_in_open_and_ends_with_a_question() {
    let mut shop = shop("{}");
    shop.status = Some(reported(&shop, Some("Complete"), Pods::Available, NOW));
    let plan = plan(&shop, &world_with_check(&shop, Some("Complete")), &settings()).unwrap();
    let mut rolling = applied(&plan, Pods::Available);
    let cart = rolling.objects.deployments.iter_mut().find(|deployment| deployment.name_any() == "demo-cart").unwrap();
    cart.status.as_mut().unwrap().updated_replicas = Some(0);
    let during = status(&shop, Outcome::Applied(&plan, &rolling, &Answer::NotAsked), NOW);
    assert_eq!(summary(&during)[0], "False ServicesUnavailable");
    assert_eq!(condition(&during, "IngressReady"), "True Available");
    assert!(!hangs_on_answer(&shop, &plan, &rolling, NOW));
    shop.status = Some(during);
    assert!(is_asked(&shop, Some("Complete"), Pods::Available));
}

#[test]
fn a_shop_whose_pods_start_is_reconciling() {
    let status = reported(&shop("{}"), Some("Complete"), Pods::Starting, NOW);
    assert_eq!(summary(&status), ["False ServicesUnavailable", "True RollingOut", "False Progressing"]);
    assert_eq!(status.services_ready.as_deref(), Some("0/7"));
}

#[test]
fn a_shop_waits_for_its_database_check() {
    let status = reported(&shop("{}"), None, Pods::Available, NOW);
    assert_eq!(summary(&status), ["False ServicesUnavailable", "True WaitingForDependency", "False Progressing"]);
    assert_eq!(condition(&status, "DatabaseReachable"), "Unknown ProbeRunning");
    let order = status.services.iter().find(|service| service.name == "order").unwrap();
    assert_eq!(order.reason, "Waiting");
}

#[test]
fn a_failed_database_check_stalls_until_the_next_has_an_answer() {
    let mut shop = shop("{}");
    let failed = reported(&shop, Some("Failed"), Pods::Available, NOW);
    assert_eq!(condition(&failed, "Stalled"), "True CheckFailed");
    assert_eq!(condition(&failed, "DatabaseReachable"), "False CheckFailed");
    shop.status = Some(failed.clone());
    assert_eq!(reported(&shop, None, Pods::Available, NOW), failed);
    let passed = reported(&shop, Some("Complete"), Pods::Available, NOW);
    assert_eq!(condition(&passed, "Ready"), "True AllServicesAvailable");
}

#[test]
fn a_check_whose_pod_cannot_start_stalls_without_blaming_the_database() {
    let shop = shop("{}");
    let mut observed = world_with_check(&shop, None);
    let name = plan(&shop, &observed, &settings()).unwrap().check.job;
    observed.children.jobs = vec![serde_json::from_value(json!({"metadata": {"name": name}})).unwrap()];
    let held = Held { reason: "ErrImagePull".into(), message: "registry.test: not found".into() };
    observed.held_checks.insert(name, held);
    let plan = plan(&shop, &observed, &settings()).unwrap();
    let status = status(&shop, Outcome::Applied(&plan, &applied(&plan, Pods::Available), &Answer::NotAsked), NOW);
    assert_eq!(condition(&status, "DatabaseReachable"), "Unknown ErrImagePull");
    assert_eq!(summary(&status), ["False ErrImagePull", "False ErrImagePull", "True ErrImagePull"]);
    let stalled = status.conditions.iter().find(|condition| condition.type_ == "Stalled").unwrap();
    assert!(stalled.message.contains("cannot start: registry.test: not found"), "{}", stalled.message);
    assert_eq!(status.database_check, None);
}

#[test]
fn the_failure_of_an_earlier_uri_says_nothing_about_a_new_one() {
    let mut shop = shop("{}");
    shop.status = Some(reported(&shop, Some("Failed"), Pods::Available, NOW));
    shop.spec.image.shopmesh = Some("other:1".into());
    let status = reported(&shop, None, Pods::Available, NOW);
    assert_eq!(condition(&status, "DatabaseReachable"), "Unknown ProbeRunning");
    assert_eq!(condition(&status, "Stalled"), "False Progressing");
}

#[test]
fn pods_that_are_late_stall_the_shop_and_are_named() {
    let status = reported(&shop("{}"), Some("Complete"), Pods::Late, NOW);
    assert_eq!(condition(&status, "Stalled"), "True ProgressDeadlineExceeded");
    let stalled = status.conditions.iter().find(|condition| condition.type_ == "Stalled").unwrap();
    assert!(stalled.message.contains("catalog") && stalled.message.contains("redis"), "{}", stalled.message);
}

#[test]
fn a_load_balancer_without_an_address_is_not_ready() {
    let shop = shop("ingress: {bundled: {serviceType: LoadBalancer}}");
    let plan = plan(&shop, &world_with_check(&shop, Some("Complete")), &settings()).unwrap();
    let mut applied = applied(&plan, Pods::Available);
    let pending = status(&shop, Outcome::Applied(&plan, &applied, &Answer::Well), NOW);
    assert_eq!(condition(&pending, "IngressReady"), "False AddressPending");
    assert_eq!(condition(&pending, "Ready"), "False AddressPending");
    let service = applied.objects.services.iter_mut().find(|service| service.name_any() == "demo-nginx").unwrap();
    service.status = Some(serde_json::from_value(json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}})).unwrap());
    let ready = status(&shop, Outcome::Applied(&plan, &applied, &Answer::Well), NOW);
    assert_eq!(condition(&ready, "Ready"), "True AllServicesAvailable");
    assert_eq!(ready.url.as_deref(), Some("http://192.0.2.7"));
}

#[test]
fn what_is_run_by_others_or_switched_off_is_unknown_and_does_not_matter() {
    let shop = shop("redis: {mode: External, external: {urlSecretRef: {name: cache}}}\ningress: {provider: None}");
    let status = reported(&shop, Some("Complete"), Pods::Available, NOW);
    assert_eq!(condition(&status, "CacheReady"), "Unknown External");
    assert_eq!(condition(&status, "IngressReady"), "Unknown Disabled");
    assert_eq!(condition(&status, "Ready"), "True AllServicesAvailable");
    assert_eq!(status.url, None);
}

#[test]
fn the_same_state_gives_the_same_status_at_any_later_time() {
    let mut shop = shop("{}");
    let first = reported(&shop, Some("Complete"), Pods::Available, NOW);
    shop.status = Some(first.clone());
    let later = NOW + SignedDuration::from_hours(1);
    assert_eq!(reported(&shop, Some("Complete"), Pods::Available, later), first);
    let changed = reported(&shop, Some("Complete"), Pods::Starting, later);
    let time = |status: &ShopStatus, kind: &str| {
        status.conditions.iter().find(|condition| condition.type_ == kind).unwrap().last_transition_time.0
    };
    assert_eq!((time(&changed, "Ready"), time(&changed, "DatabaseReachable")), (later, NOW));
}

fn failed(shop: &Shop, error: &Error) -> ShopStatus {
    status(shop, Outcome::Failed(error), NOW)
}

#[test]
fn an_error_of_the_user_stalls_and_keeps_what_was_known() {
    let mut shop = shop("{}");
    shop.status = Some(reported(&shop, Some("Complete"), Pods::Available, NOW));
    shop.metadata.generation = Some(4);
    let error = Error::SecretNotFound { field: "spec.mongodb.uriSecretRef", name: "atlas".into() };
    let status = failed(&shop, &error);
    assert_eq!(summary(&status), ["False SecretNotFound", "False SecretNotFound", "True SecretNotFound"]);
    assert_eq!(condition(&status, "DatabaseReachable"), "True ProbeSucceeded");
    assert_eq!((status.observed_generation, status.services.len()), (Some(4), 7));
}

#[test]
fn a_new_shop_that_fails_has_all_conditions_at_once() {
    let error = Error::SecretNotFound { field: "spec.mongodb.uriSecretRef", name: "atlas".into() };
    let status = failed(&shop("{}"), &error);
    assert_eq!(status.conditions.len(), 7);
    assert_eq!(condition(&status, "CacheReady"), "Unknown NotObserved");
}

#[test]
fn an_api_server_that_is_away_leaves_a_ready_shop_ready() {
    let mut shop = shop("{}");
    shop.status = Some(reported(&shop, Some("Complete"), Pods::Available, NOW));
    let answer = kube::core::Status::failure("busy", "TooManyRequests").with_code(429);
    let error = Error::api("list", "services")(kube::Error::Api(answer.boxed()));
    let status = failed(&shop, &error);
    assert_eq!(summary(&status), ["True AllServicesAvailable", "True ApiServerUnavailable", "False Retrying"]);
    shop.metadata.generation = Some(4);
    assert_eq!(condition(&failed(&shop, &error), "Ready"), "False ApiServerUnavailable");
}

#[test]
fn a_missing_right_names_verb_and_object() {
    let answer = kube::core::Status::failure("deployments.apps is forbidden", "Forbidden").with_code(403);
    let error = Error::api("apply", "Deployment demo-cart")(kube::Error::Api(answer.boxed()));
    let status = failed(&shop("{}"), &error);
    assert_eq!(condition(&status, "Stalled"), "True PermissionDenied");
    let stalled = status.conditions.iter().find(|condition| condition.type_ == "Stalled").unwrap();
    assert_eq!(stalled.message, "failed to apply Deployment demo-cart: deployments.apps is forbidden");
}
