//! The objects of a Shop without a cluster, from the same `plan` and `build` as in one. For users, documents and tests.

use std::collections::BTreeMap;

use anyhow::Context;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Service, ServiceSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Serialize;
use shop_config::Secret;

use crate::build::{Desired, Objects, build, names};
use crate::crd::{self, Shop};
use crate::keys;
use crate::observe::{Made, Observed, references};
use crate::plan::{Settings, plan};
use crate::yaml;

/// All objects that a Shop leads to, as YAML documents in the order in which they are applied.
///
/// # Errors
/// When the text is no valid Shop, with the path of every field that is wrong.
pub fn render(text: &str, namespace: &str, settings: &Settings) -> anyhow::Result<String> {
    let mut shop = crd::read(text)?;
    shop.metadata.namespace.get_or_insert_with(|| namespace.to_owned());
    shop.metadata.uid.get_or_insert_with(|| "00000000-0000-0000-0000-000000000000".to_owned());
    let plan = plan(&shop, &imagined(&shop), settings)?;
    let Desired { objects, waiting } = build(&plan);
    let mut objects = objects;
    // The check is taken for passed: the Deployments that wait for it are shown.
    objects.deployments.extend(waiting);
    write(&objects).context("failed to write YAML")
}

/// A world in which everything that the Shop names is there, with placeholders for what is secret.
#[must_use]
pub fn imagined(shop: &Shop) -> Observed {
    let spec = &shop.spec;
    let mut referenced: BTreeMap<String, BTreeMap<String, Secret>> =
        references(spec).into_iter().map(|name| (name.to_owned(), BTreeMap::new())).collect();
    let mut put = |name: &str, key: &str, value: &str| {
        referenced.entry(name.to_owned()).or_default().insert(key.to_owned(), Secret::new(value));
    };
    put(&spec.mongodb.uri_secret_ref.name, &spec.mongodb.uri_secret_ref.key, "mongodb://placeholder");
    if let Some(external) = &spec.redis.external {
        put(&external.url_secret_ref.name, &external.url_secret_ref.key, "redis://placeholder");
    }
    if let Some(admin) = &spec.admin.secret_ref {
        put(&admin.name, names::EMAIL, "admin@placeholder.example");
        put(&admin.name, names::PASSWORD, "placeholder");
    }
    if let Some(payment) = &spec.payment.secret_ref {
        put(&payment.name, &payment.key, "placeholder");
    }
    let name = shop.metadata.name.as_deref().unwrap_or_default();
    // Addresses that are set aside for documentation (RFC 5737).
    let services = shop_config::SERVICES.iter().zip(1..).map(|(service, n)| Service {
        metadata: ObjectMeta { name: Some(names::service(name, service.name)), ..ObjectMeta::default() },
        spec: Some(ServiceSpec { cluster_ip: Some(format!("192.0.2.{n}")), ..ServiceSpec::default() }),
        status: None,
    });
    let placeholder = || Secret::new("placeholder");
    Observed {
        referenced,
        made: Made {
            signing_key: keys::placeholder(),
            redis_password: placeholder(),
            admin_password: placeholder(),
            payment_api_key: placeholder(),
            payment_webhook_secret: placeholder(),
        },
        children: Objects { services: services.collect(), ..Objects::default() },
        check_messages: BTreeMap::new(),
        held_checks: BTreeMap::new(),
        now: Timestamp::UNIX_EPOCH,
    }
}

fn write(objects: &Objects) -> Result<String, serde_yaml_ng::Error> {
    let Objects { service_accounts, secrets, config_maps, services, jobs, deployments } = objects;
    let parts = [
        documents(service_accounts)?,
        documents(secrets)?,
        documents(config_maps)?,
        documents(services)?,
        documents(jobs)?,
        documents(deployments)?,
    ];
    Ok(parts.concat())
}

fn documents<K: Serialize>(objects: &[K]) -> Result<String, serde_yaml_ng::Error> {
    objects.iter().map(|object| Ok(format!("---\n{}", yaml::to_string(object)?))).collect()
}
