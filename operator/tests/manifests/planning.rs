//! What the plan decides: defaults, references, the gate of the roll-out, and who is affected by a change.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;
use operator::build::{Desired, build};
use operator::crd::Shop;
use operator::observe::{Held, Observed};
use operator::plan::{Plan, RETRY_SECONDS, Verdict, plan};
use serde_json::json;

use crate::fixture::{built, planned, put, settings, shop, world};

fn planned_in(shop: &Shop, observed: &Observed) -> Plan {
    plan(shop, observed, &settings()).unwrap()
}

/// A Job with a condition that holds since `since`.
fn job(name: &str, condition: &str, since: Timestamp) -> Job {
    serde_json::from_value(json!({
        "metadata": {"name": name},
        "status": {"conditions": [{"type": condition, "status": "True", "lastTransitionTime": since.to_string()}]},
    }))
    .unwrap()
}

fn names(deployments: &[Deployment]) -> Vec<String> {
    deployments.iter().map(ResourceExt::name_any).collect()
}

#[test]
fn a_shop_that_says_nothing_has_two_pods_of_each_service_and_a_single_replica_one() {
    assert!(planned(&shop("{}")).services.iter().all(|service| service.replicas == 2));
    let single = planned(&shop("availability: SingleReplica"));
    assert!(single.services.iter().all(|service| service.replicas == 1) && !single.spread);
    assert_eq!(single.nginx.unwrap().replicas, 1);
}

#[test]
fn a_service_wins_over_defaults_and_defaults_over_availability() {
    let plan = planned(&shop("defaults: {replicas: 3}\nservices: [{name: cart, replicas: 5}]"));
    let of = |name: &str| plan.services.iter().find(|service| service.spec.name == name).unwrap().replicas;
    assert_eq!((of("cart"), of("order")), (5, 3));
}

#[test]
fn a_registry_moves_every_image_that_is_not_named_in_full() {
    let spec = "image: {registry: mirror.test/shop}\nredis: {managed: {image: 'own/redis:7'}}\nservices: [{name: cart, image: 'own/cart:1'}]";
    let plan = planned(&shop(spec));
    let image = |name: &str| plan.services.iter().find(|service| service.spec.name == name).unwrap().image.clone();
    assert_eq!(image("order"), "mirror.test/shop/shopmesh:1.2.3");
    assert_eq!(image("cart"), "own/cart:1");
    assert_eq!(plan.redis.unwrap().image, "own/redis:7");
    assert_eq!(plan.nginx.unwrap().image, "mirror.test/shop/nginx-unprivileged:1.29");
}

#[test]
fn the_prefix_of_databases_differs_for_names_that_read_alike() {
    let prefix = |namespace: &str, name: &str| {
        let mut shop = shop("{}");
        shop.metadata.namespace = Some(namespace.into());
        shop.metadata.name = Some(name.into());
        planned(&shop).database_prefix
    };
    let (one, two) = (prefix("a-b", "c"), prefix("a", "b-c"));
    assert!(one.starts_with("a_b_c_") && two.starts_with("a_b_c_") && one != two, "{one} {two}");
    assert_eq!(one, prefix("a-b", "c"));
    let long = prefix("a-long-namespace-name", "and-a-long-shop-name");
    assert!(long.len() == 24 && long.starts_with("a_long_namespac_"), "{long}");
    assert_eq!(planned(&shop("mongodb: {uriSecretRef: {name: mongodb}, databasePrefix: own}")).database_prefix, "own");
}

#[test]
fn services_with_data_wait_until_the_database_was_reached() {
    let shop = shop("{}");
    let Desired { objects, waiting } = build(&planned(&shop));
    assert_eq!(waiting.len(), 6);
    assert_eq!(names(&objects.deployments), ["demo-edge", "demo-redis", "demo-sandbox-psp", "demo-nginx"]);

    let mut observed = world(&shop);
    observed.children.jobs = vec![job(&objects.jobs[0].name_any(), "Complete", observed.now)];
    let Desired { objects, waiting } = build(&planned_in(&shop, &observed));
    assert_eq!((objects.deployments.len(), waiting.len()), (10, 0));
}

#[test]
fn a_new_uri_and_all_that_the_check_is_made_of_are_checked_anew_and_nothing_else_is() {
    let first = planned(&shop("{}")).check.job;
    for same in ["defaults: {replicas: 5, logLevel: Debug}", "redis: {managed: {image: 'own/redis:7'}}"] {
        assert_eq!(planned(&shop(same)).check.job, first, "{same}");
    }
    for other in [
        "image: {shopmesh: 'other:1'}",
        "image: {pullPolicy: Always}",
        "image: {pullSecretRefs: [{name: pull}]}",
        "defaults: {resources: {limits: {memory: 1Gi}}}",
        "mongodb: {uriSecretRef: {name: atlas}}",
        "mongodb: {uriSecretRef: {name: mongodb, key: other}}",
        "mongodb: {uriSecretRef: {name: mongodb}, databasePrefix: own}",
    ] {
        assert_ne!(planned(&shop(other)).check.job, first, "{other}");
    }
    let shop = shop("{}");
    let mut observed = world(&shop);
    put(&mut observed, "mongodb", "uri", "mongodb://elsewhere");
    assert_ne!(planned_in(&shop, &observed).check.job, first);
}

#[test]
fn a_check_that_passed_counts_when_its_job_is_gone_and_is_not_made_again() {
    let mut shop = shop("{}");
    let job = planned(&shop).check.job;
    let told = |job: &str, result: &str| {
        let check = json!({ "databaseCheck": { "job": job, "result": result } });
        Some(serde_json::from_value(check).unwrap())
    };
    shop.status = told(&job, "Passed");
    let Desired { objects, waiting } = build(&planned(&shop));
    assert_eq!((objects.jobs.len(), waiting.len()), (0, 0));
    for status in [told("demo-database-other", "Passed"), told(&job, "CheckFailed"), None] {
        shop.status = status;
        let Desired { objects, waiting } = build(&planned(&shop));
        assert_eq!((objects.jobs.len(), waiting.len()), (1, 6));
    }
}

#[test]
fn a_check_whose_pod_cannot_start_says_why() {
    let shop = shop("{}");
    let name = planned(&shop).check.job;
    let mut observed = world(&shop);
    observed.children.jobs = vec![serde_json::from_value(json!({"metadata": {"name": name}})).unwrap()];
    let held = Held { reason: "ImagePullBackOff".into(), message: "Back-off pulling image".into() };
    observed.held_checks.insert(name.clone(), held.clone());
    let plan = planned_in(&shop, &observed);
    assert_eq!(plan.check.verdict, Verdict::Held(held));
    let Desired { objects, waiting } = build(&plan);
    assert_eq!((objects.jobs.len(), waiting.len()), (1, 6));

    let late = json!([{"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "Job was active"}]);
    observed.children.jobs[0].status = Some(serde_json::from_value(json!({ "conditions": late })).unwrap());
    let Verdict::Failed { text, .. } = planned_in(&shop, &observed).check.verdict else { panic!("it is over") };
    assert!(text.contains("its pod did not start, or got no answer"), "{text}");
}

#[test]
fn a_failed_check_tells_why_and_makes_way_after_a_pause() {
    let shop = shop("{}");
    let name = planned(&shop).check.job;
    let mut observed = world(&shop);
    let since = observed.now;
    observed.children.jobs = vec![job(&name, "Failed", since)];
    let message = r#"{"code":"authentication_failed","text":"The database refused user and password"}"#;
    observed.check_messages.insert(name.clone(), message.into());
    let plan = planned_in(&shop, &observed);
    let Verdict::Failed { code, text, .. } = &plan.check.verdict else { panic!("{:?}", plan.check.verdict) };
    assert_eq!((code.as_str(), text.as_str()), ("AuthenticationFailed", "The database refused user and password"));
    assert_eq!(build(&plan).objects.jobs.len(), 1);

    observed.now = Timestamp::from_second(since.as_second() + RETRY_SECONDS).unwrap();
    let Desired { objects, waiting } = build(&planned_in(&shop, &observed));
    assert_eq!((objects.jobs.len(), waiting.len()), (0, 6));
}

#[test]
fn last_words_that_are_no_message_still_fail_the_check() {
    let shop = shop("{}");
    let name = planned(&shop).check.job;
    for said in [None, Some("Segmentation fault"), Some(r#"{"code":"No Code!","text":"x"}"#)] {
        let mut observed = world(&shop);
        observed.children.jobs = vec![job(&name, "Failed", observed.now)];
        observed.check_messages.extend(said.map(|said| (name.clone(), said.to_owned())));
        let Verdict::Failed { code, text, .. } = planned_in(&shop, &observed).check.verdict else { panic!("{said:?}") };
        assert!(code == "CheckFailed" && !text.is_empty(), "{code} {text}");
    }
}

#[test]
fn nginx_waits_for_the_addresses_that_it_looks_up_at_its_start() {
    let shop = shop("{}");
    let mut observed = world(&shop);
    let with = build(&planned_in(&shop, &observed));
    assert!(names(&with.objects.deployments).contains(&"demo-nginx".to_owned()));
    observed.children.services.pop();
    let without = build(&planned_in(&shop, &observed));
    assert!(names(&without.waiting).contains(&"demo-nginx".to_owned()));
}

/// Names of the Deployments whose pods differ.
fn rolled(one: &Desired, two: &Desired) -> Vec<String> {
    let all = |desired: &Desired| -> BTreeMap<String, _> {
        let both = desired.objects.deployments.iter().chain(&desired.waiting);
        both.map(|it| (it.name_any(), it.spec.as_ref().unwrap().template.clone())).collect()
    };
    let (one, two) = (all(one), all(two));
    one.iter()
        .filter(|(name, template)| two.get(*name).is_some_and(|two| two != *template))
        .map(|(name, _)| name.clone())
        .collect()
}

#[test]
fn a_change_starts_new_pods_of_those_alone_who_read_it() {
    let before = built("{}");
    for (spec, expected) in [
        ("services: [{name: cart, replicas: 7}]", &[][..]),
        ("services: [{name: cart, logLevel: Debug}]", &["demo-cart"]),
        ("services: [{name: cart, env: [{name: A, value: b}]}]", &["demo-cart"]),
        ("order: {deadlineSeconds: 60}", &["demo-order"]),
        ("auth: {accessTokenTTLSeconds: 60}", &["demo-identity"]),
        ("rateLimit: {authentication: {requests: 5}}", &["demo-identity"]),
        ("ingress: {maxBodySize: 2Mi}", &["demo-nginx"]),
        ("redis: {managed: {maxMemory: 128Mi}}", &["demo-redis"]),
        ("admin: {email: ada@example.org}", &[]),
    ] {
        assert_eq!(rolled(&before, &built(spec)), expected, "{spec}");
    }
}

#[test]
fn a_new_secret_starts_new_pods_of_those_alone_who_read_it() {
    let shop = shop("{}");
    let before = build(&planned(&shop));
    let after = |change: fn(&mut Observed)| {
        let mut observed = world(&shop);
        change(&mut observed);
        rolled(&before, &build(&planned_in(&shop, &observed)))
    };
    let data_owners = ["demo-cart", "demo-catalog", "demo-identity", "demo-inventory", "demo-order", "demo-payment"];
    assert_eq!(after(|world| put(world, "mongodb", "uri", "mongodb://elsewhere")), data_owners);
    let key = |world: &mut Observed| world.made.payment_api_key = shop_config::Secret::new("new");
    assert_eq!(after(key), ["demo-payment", "demo-sandbox-psp"]);
    let webhooks = |world: &mut Observed| world.made.payment_webhook_secret = shop_config::Secret::new("new");
    assert_eq!(after(webhooks), ["demo-payment", "demo-sandbox-psp"]);
    let key = |world: &mut Observed| world.made.signing_key = operator::keys::signing_key().unwrap();
    assert_eq!(after(key), ["demo-identity"]);
}

#[test]
fn tokens_name_the_host_as_their_issuer_unless_told_otherwise() {
    let issuer = |spec: &str| {
        let plan = planned(&shop(spec));
        let settings = &plan.services[0].settings;
        settings.iter().find(|(name, _)| *name == "SHOPMESH_TOKEN_ISSUER").unwrap().1.clone()
    };
    assert_eq!(issuer("{}"), "demo.shop.svc");
    assert_eq!(issuer("ingress: {host: shop.example.com}"), "https://shop.example.com");
    assert_eq!(issuer("ingress: {host: shop.example.com}\nauth: {issuer: own}"), "own");
}

#[test]
fn the_key_set_is_one_that_services_accept() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    std::fs::write(&file, operator::keys::key_set(&operator::keys::signing_key().unwrap()).unwrap()).unwrap();
    let auth = shop_config::AuthConfig { key_set_file: file, issuer: "i".into(), audience: "a".into() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(shop_auth::Verifier::load(&auth)).unwrap();
}

#[test]
fn services_sign_with_the_key_id_of_the_key_set() {
    let key = operator::keys::signing_key().unwrap();
    let auth = shop_config::AuthConfig { key_set_file: "unused".into(), issuer: "i".into(), audience: "a".into() };
    let signer = shop_auth::Signer::from_pem(key.expose(), &auth).unwrap();
    let set: serde_json::Value = serde_json::from_str(&operator::keys::key_set(&key).unwrap()).unwrap();
    assert_eq!(set["keys"][0], signer.jwk());
}

#[test]
fn what_was_made_is_kept_whatever_the_spec_says() {
    let one = built("{}");
    let two = built("availability: SingleReplica\nredis: {managed: {maxMemory: 64Mi}}\nadmin: {email: a@b.cd}");
    let secret = |desired: &Desired, name: &str, key: &str| {
        let secret = desired.objects.secrets.iter().find(|secret| secret.name_any() == name).unwrap();
        secret.data.as_ref().unwrap()[key].clone()
    };
    for (name, key) in [("demo-signing-key", "signing.pem"), ("demo-redis", "password"), ("demo-admin", "password")] {
        assert_eq!(secret(&one, name, key), secret(&two, name, key), "{name}");
    }
    assert_ne!(secret(&one, "demo-admin", "email"), secret(&two, "demo-admin", "email"));
}
