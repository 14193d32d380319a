//! One service: its Deployment, settings, addresses and identity.

use k8s_openapi::api::core::v1::{EnvVar, Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use shop_config::{ADMIN_PORT, GRPC_PORT, HTTP_PORT, Store, names as env};

use super::deployment::{Replace, deployment};
use super::metadata::Part as Label;
use super::pod::{self, Files, NONROOT, Pod, Probes, Restart, Source};
use super::{Part, config, metadata, names};
use crate::plan::{PaymentSecrets, Plan, ServicePlan};

pub(super) fn service(plan: &Plan, service: &ServicePlan) -> Part {
    let part = Label { name: service.spec.name, role: "service" };
    let name = names::service(&plan.shop.name, part.name);
    let settings = config::settings(plan, part, service);
    let pod = Pod {
        part,
        image: &service.image,
        command: Vec::new(),
        args: vec![part.name.to_owned()],
        settings: settings.metadata.name.clone(),
        env: variables(plan, service),
        ports: PORTS.to_vec(),
        probes: Some(Probes::Admin),
        files: files(plan, service),
        resources: service.resources.clone(),
        user: NONROOT,
        grace_seconds: Some(service.grace_seconds),
        lifecycle: None,
        annotations: vec![(metadata::SECRET_HASH, service.secret_hash.clone())],
        restart: Restart::Always,
    };
    Part {
        service_account: metadata::service_account(plan, part),
        config_maps: vec![settings],
        services: vec![
            address(plan, part, name, &PORTS),
            headless(plan, part, names::headless(&plan.shop.name, part.name), &PORTS),
        ],
        deployment: deployment(plan, pod, service.replicas, Replace::OneByOne),
        waits: service.waits,
    }
}

const PORTS: [(&str, u16); 3] = [("http", HTTP_PORT), ("grpc", GRPC_PORT), ("metrics", ADMIN_PORT)];

/// What differs from pod to pod or is secret, and what the user adds.
fn variables(plan: &Plan, service: &ServicePlan) -> Vec<EnvVar> {
    let mut variables = vec![pod::pod_name(env::POD)];
    if service.spec.needs(Store::MongoDb) {
        variables.extend(mongodb_uri(plan));
    }
    if service.spec.needs(Store::Redis) {
        let url = &plan.secrets.redis_url;
        variables.push(pod::from_secret(env::REDIS_URL, &url.secret, &url.key));
    }
    variables.extend(service.env.iter().map(|own| pod::value(&own.name, own.value.clone())));
    variables
}

/// The connection string under both of its names.
pub(super) fn mongodb_uri(plan: &Plan) -> [EnvVar; 2] {
    let uri = &plan.secrets.mongodb_uri;
    [env::MONGO_URI, env::MONGODB_URL].map(|name| pod::from_secret(name, &uri.secret, &uri.key))
}

fn files(plan: &Plan, service: &ServicePlan) -> Vec<Files> {
    let secrets = &plan.secrets;
    let shop = &plan.shop.name;
    let mut files =
        vec![Files { name: "keys", folder: names::KEYS_FOLDER, source: Source::ConfigMap(names::key_set(shop)) }];
    match service.spec.name {
        names::IDENTITY => {
            let signing = vec![(names::SIGNING_KEY.to_owned(), names::SIGNING_KEY)];
            let admin = [names::EMAIL, names::PASSWORD].map(|key| (key.to_owned(), key)).into();
            files.push(Files {
                name: "signing",
                folder: names::SIGNING_FOLDER,
                source: Source::Secret(names::signing_key(shop), signing),
            });
            files.push(Files {
                name: "admin",
                folder: names::ADMIN_FOLDER,
                source: Source::Secret(secrets.admin.clone(), admin),
            });
        }
        names::PAYMENT => files.push(payment_secrets(plan)),
        _ => {}
    }
    files
}

/// What the payment provider and the service that calls it both know: the API key, and the secret of webhooks if there is one.
pub(super) fn payment_secrets(plan: &Plan) -> Files {
    let PaymentSecrets { api_key, webhook_secret, are_made: _ } = &plan.secrets.payment;
    let mut keys = vec![(api_key.key.clone(), "api-key")];
    keys.extend(webhook_secret.iter().map(|webhook| (webhook.key.clone(), "webhook-secret")));
    Files { name: "payment", folder: names::PAYMENT_FOLDER, source: Source::Secret(api_key.secret.clone(), keys) }
}

/// A Service with an address of its own.
pub(super) fn address(plan: &Plan, part: Label, name: String, ports: &[(&str, u16)]) -> Service {
    Service {
        metadata: metadata::of_part(&plan.shop, part, name),
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".to_owned()),
            selector: Some(metadata::selector(&plan.shop, part)),
            ports: Some(ports.iter().map(|(name, port)| self::port(name, *port)).collect()),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

/// A Service whose name stands for every single ready pod.
fn headless(plan: &Plan, part: Label, name: String, ports: &[(&str, u16)]) -> Service {
    let mut service = address(plan, part, name, ports);
    if let Some(spec) = &mut service.spec {
        spec.cluster_ip = Some("None".to_owned());
    }
    service
}

/// A port that reaches the container's port of the same name.
pub(super) fn port(name: &str, port: u16) -> ServicePort {
    ServicePort {
        name: Some(name.to_owned()),
        port: i32::from(port),
        protocol: Some("TCP".to_owned()),
        target_port: Some(IntOrString::String(name.to_owned())),
        ..ServicePort::default()
    }
}
