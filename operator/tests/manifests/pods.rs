//! What holds for every manifest of every Shop: restricted pods, names that lead somewhere, settings that can be read.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{PodSpec, PodTemplateSpec};
use kube::{Resource, ResourceExt};
use operator::build::{Objects, build, metadata};
use operator::observe::references;
use shop_config::{Config, names as env};

use crate::fixture::{built, planned, root, shop};

/// All objects of a plain Shop and of one with everything set, each with the Secrets that it names.
fn all() -> Vec<(Objects, BTreeSet<String>)> {
    let full = std::fs::read_to_string(root().join("operator/tests/golden/full.shop.yaml")).unwrap();
    let mut full = operator::crd::read(&full).unwrap();
    full.metadata.namespace = Some("shop".into());
    full.metadata.uid = Some("5f0c".into());
    [shop("{}"), full]
        .iter()
        .map(|shop| {
            let desired = build(&planned(shop));
            let mut objects = desired.objects;
            objects.deployments.extend(desired.waiting);
            (objects, references(&shop.spec).into_iter().map(str::to_owned).collect())
        })
        .collect()
}

fn templates(objects: &Objects) -> Vec<PodTemplateSpec> {
    let deployments = objects.deployments.iter().filter_map(|it| Some(it.spec.as_ref()?.template.clone()));
    let jobs = objects.jobs.iter().filter_map(|it| Some(it.spec.as_ref()?.template.clone()));
    deployments.chain(jobs).collect()
}

pub(crate) fn pods(objects: &Objects) -> Vec<PodSpec> {
    templates(objects).into_iter().filter_map(|template| template.spec).collect()
}

#[test]
fn every_pod_is_restricted_and_without_rights() {
    for (objects, _) in all() {
        assert!(pods(&objects).len() >= 9);
        for pod in pods(&objects) {
            let security = pod.security_context.unwrap();
            assert_eq!(security.run_as_non_root, Some(true));
            assert!(security.run_as_user.is_some_and(|user| user > 0));
            assert_eq!(security.seccomp_profile.unwrap().type_, "RuntimeDefault");
            assert_eq!(pod.automount_service_account_token, Some(false));
            assert_ne!(pod.service_account_name.as_deref(), Some("default"));
            assert_eq!((pod.host_network, pod.host_pid, pod.host_ipc), (None, None, None));
            for volume in pod.volumes.into_iter().flatten() {
                let kinds = [volume.config_map.is_some(), volume.secret.is_some(), volume.empty_dir.is_some()];
                assert_eq!(kinds.into_iter().filter(|kind| *kind).count(), 1, "{}", volume.name);
            }
            for container in pod.containers {
                let security = container.security_context.unwrap();
                assert_eq!(security.allow_privilege_escalation, Some(false));
                assert_eq!(security.read_only_root_filesystem, Some(true));
                assert_eq!(security.capabilities.unwrap().drop, Some(vec!["ALL".to_owned()]));
                let resources = container.resources.unwrap();
                assert!(["cpu", "memory"].iter().all(|name| resources.requests.as_ref().unwrap().contains_key(*name)));
                assert!(resources.limits.unwrap().contains_key("memory"));
            }
        }
    }
}

#[test]
fn what_a_pod_names_exists() {
    for (objects, mut secrets) in all() {
        let names = |metas: Vec<String>| metas.into_iter().collect::<BTreeSet<_>>();
        let accounts = names(objects.service_accounts.iter().map(ResourceExt::name_any).collect());
        let maps = names(objects.config_maps.iter().map(ResourceExt::name_any).collect());
        secrets.extend(objects.secrets.iter().map(ResourceExt::name_any));
        for pod in pods(&objects) {
            assert!(accounts.contains(pod.service_account_name.as_ref().unwrap()));
            for volume in pod.volumes.into_iter().flatten() {
                assert!(volume.config_map.is_none_or(|map| maps.contains(&map.name)));
                assert!(volume.secret.is_none_or(|secret| secrets.contains(&secret.secret_name.unwrap())));
            }
            for container in pod.containers {
                for source in container.env_from.into_iter().flatten() {
                    assert!(maps.contains(&source.config_map_ref.unwrap().name));
                }
                for variable in container.env.into_iter().flatten() {
                    let secret = variable.value_from.and_then(|source| source.secret_key_ref);
                    assert!(secret.is_none_or(|secret| secrets.contains(&secret.name)), "{}", variable.name);
                }
            }
        }
    }
}

#[test]
fn every_service_leads_to_a_port_of_its_pods() {
    for (objects, _) in all() {
        let templates = templates(&objects);
        for service in &objects.services {
            let spec = service.spec.as_ref().unwrap();
            let selector = spec.selector.as_ref().unwrap();
            let matches = |template: &&PodTemplateSpec| {
                let labels = template.metadata.as_ref().unwrap().labels.as_ref().unwrap();
                selector.iter().all(|(key, value)| labels.get(key) == Some(value))
            };
            let found: Vec<_> = templates.iter().filter(matches).collect();
            assert_eq!(found.len(), 1, "{}", service.name_any());
            let container = &found[0].spec.as_ref().unwrap().containers[0];
            let ports: BTreeSet<_> = container.ports.iter().flatten().filter_map(|port| port.name.as_deref()).collect();
            for port in spec.ports.iter().flatten() {
                assert!(ports.contains(port.name.as_deref().unwrap()), "{}", service.name_any());
            }
        }
    }
}

#[test]
fn everything_has_the_shop_as_its_owner_and_a_name_that_fits() {
    fn check<K: Resource>(objects: &[K]) {
        for object in objects {
            let owner = &object.owner_references()[0];
            assert_eq!((owner.kind.as_str(), owner.uid.as_str(), owner.controller), ("Shop", "5f0c", Some(true)));
            assert!(object.labels().contains_key(metadata::SHOP));
            assert!(object.name_any().len() <= 63, "{}", object.name_any());
        }
    }
    let mut long = shop("{}");
    long.metadata.name = Some("a".repeat(40));
    let desired = build(&planned(&long));
    let mut all = all();
    all.push((desired.objects, BTreeSet::new()));
    for (objects, _) in all {
        let Objects { service_accounts, secrets, config_maps, services, jobs, deployments } = objects;
        check(&service_accounts);
        check(&secrets);
        check(&config_maps);
        check(&services);
        check(&jobs);
        check(&deployments);
    }
}

/// What the pod of a service is told, with a stand-in for what comes from Secrets.
fn environment(objects: &Objects, service: &str) -> BTreeMap<String, String> {
    let name = format!("demo-{service}");
    let deployment = objects.deployments.iter().find(|deployment| deployment.name_any() == name).unwrap();
    let pod = deployment.spec.as_ref().unwrap().template.spec.as_ref().unwrap();
    let source = pod.containers[0].env_from.as_ref().unwrap()[0].config_map_ref.as_ref().unwrap();
    let map = objects.config_maps.iter().find(|map| map.name_any() == source.name).unwrap();
    let mut environment = map.data.clone().unwrap();
    for variable in pod.containers[0].env.iter().flatten() {
        environment.insert(variable.name.clone(), variable.value.clone().unwrap_or_else(|| "from-elsewhere".into()));
    }
    environment
}

#[test]
fn every_service_reads_back_what_it_was_told() {
    let desired = built("currency: CHF\norder: {deadlineSeconds: 120}\nservices: [{name: order, logLevel: Debug}]");
    let mut objects = desired.objects;
    objects.deployments.extend(desired.waiting);
    for service in shop_config::SERVICES {
        let environment = environment(&objects, service.name);
        let config = Config::from_lookup(&|name| environment.get(name).cloned()).unwrap();
        assert_eq!(config.currency, "CHF");
        assert_eq!(config.peer_url, "http://demo-{service}:9090");
        assert_eq!(config.mongodb.is_some(), service.needs(shop_config::Store::MongoDb), "{}", service.name);
        assert_eq!(config.redis.is_some(), service.needs(shop_config::Store::Redis), "{}", service.name);
        assert_eq!(config.identity.signing_key_file.is_some(), service.name == "identity");
        assert_eq!(config.identity.shop_uid.as_deref(), (service.name == "identity").then_some("5f0c"));
        assert_eq!(config.payment.api_key_file.is_some(), service.name == "payment");
        assert_eq!(config.payment.webhook_secret_file.is_some(), service.name == "payment");
        let (level, deadline) = if service.name == "order" { ("debug", 120) } else { ("info", 900) };
        assert_eq!((config.telemetry.log.as_str(), config.order_deadline.as_secs()), (level, deadline));
    }
}

/// What a `ConfigMap` holds, and whether that is for good.
type Content = (Option<bool>, Option<BTreeMap<String, String>>);

#[test]
fn settings_never_change_under_pods_that_have_read_them() {
    let maps = |spec: &str| -> BTreeMap<String, Content> {
        let maps = built(spec).objects.config_maps.into_iter();
        maps.map(|map| (map.name_any(), (map.immutable, map.data))).collect()
    };
    let before = maps("{}");
    for spec in ["order: {deadlineSeconds: 60}", "ingress: {maxBodySize: 2Mi}", "redis: {managed: {maxMemory: 64Mi}}"] {
        let after = maps(spec);
        let new: Vec<_> = after.keys().filter(|name| !before.contains_key(*name)).collect();
        assert_eq!(new.len(), 1, "{spec}: {new:?}");
        assert!(before.iter().all(|(name, map)| after.get(name).is_none_or(|after| after == map)), "{spec}");
    }
    // The public keys are followed while a pod runs.
    let changeable: Vec<_> = before.iter().filter(|(_, (immutable, _))| *immutable != Some(true)).collect();
    assert!(changeable.len() == 1 && changeable[0].0 == "demo-keys", "{changeable:?}");
}

#[test]
fn no_config_map_holds_a_secret() {
    for (objects, _) in all() {
        for map in &objects.config_maps {
            let data = map.data.clone().unwrap_or_default();
            assert!([env::MONGO_URI, env::MONGODB_URL, env::REDIS_URL].iter().all(|name| !data.contains_key(*name)));
            assert!(data.values().all(|value| !value.contains("placeholder") && !value.contains("PRIVATE")));
        }
    }
}

#[test]
fn the_private_key_is_mounted_in_identity_alone() {
    for (objects, _) in all() {
        let key = objects.secrets.iter().find(|secret| secret.name_any().ends_with("-signing-key")).unwrap().name_any();
        let holders: Vec<_> = pods(&objects)
            .into_iter()
            .filter(|pod| {
                let volumes = pod.volumes.iter().flatten();
                volumes
                    .filter_map(|volume| volume.secret.as_ref())
                    .any(|secret| secret.secret_name.as_ref() == Some(&key))
            })
            .map(|pod| pod.containers[0].name.clone())
            .collect();
        assert_eq!(holders, ["identity"]);
    }
}
