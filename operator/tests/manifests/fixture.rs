//! Shops, worlds and paths for the other files.

use std::path::{Path, PathBuf};

use operator::build::{Desired, build};
use operator::crd::{self, Shop};
use operator::observe::Observed;
use operator::plan::{ClusterDns, Images, Plan, Settings, plan};
use operator::render::imagined;
use shop_config::Secret;

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

pub(crate) fn settings() -> Settings {
    Settings {
        images: Images {
            shopmesh: "ghcr.io/shopmesh/shopmesh:1.2.3".into(),
            redis: "docker.io/library/redis:7.4".into(),
            nginx: "docker.io/nginxinc/nginx-unprivileged:1.29".into(),
        },
        dns: Some(ClusterDns { servers: vec!["10.96.0.10".parse().unwrap()], domain: "cluster.local".into() }),
    }
}

/// A Shop with the least that it needs and what the test adds, as YAML of its spec.
pub(crate) fn shop(spec: &str) -> Shop {
    let base = "mongodb: {uriSecretRef: {name: mongodb}}\npayment: {provider: Sandbox}\n";
    let mut value: serde_json::Value = serde_yaml_ng::from_str(base).unwrap();
    let own: serde_json::Value = serde_yaml_ng::from_str(spec).unwrap();
    for (name, field) in own.as_object().into_iter().flatten() {
        value[name] = field.clone();
    }
    let text = serde_json::json!({
        "apiVersion": "shopmesh.dev/v1alpha1", "kind": "Shop", "spec": value,
        "metadata": {"name": "demo", "namespace": "shop", "uid": "5f0c", "generation": 3},
    });
    crd::read(&text.to_string()).unwrap()
}

/// A world in which everything that the Shop names is there, and nothing was made yet.
pub(crate) fn world(shop: &Shop) -> Observed {
    imagined(shop)
}

pub(crate) fn planned(shop: &Shop) -> Plan {
    plan(shop, &world(shop), &settings()).unwrap()
}

pub(crate) fn built(spec: &str) -> Desired {
    build(&planned(&shop(spec)))
}

/// Replaces what a Secret of the Shop holds.
pub(crate) fn put(observed: &mut Observed, secret: &str, key: &str, value: &str) {
    observed.referenced.entry(secret.into()).or_default().insert(key.into(), Secret::new(value));
}
