//! What the payment provider and the shop both know.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::PodSpec;
use kube::ResourceExt;
use operator::build::{Desired, build};
use operator::plan::plan;

use crate::fixture::{built, put, settings, shop, world};
use crate::pods::pods;

/// What pods know of webhooks.
struct Webhooks {
    /// Files with secrets, as `file=key`, by the container that has them.
    files: BTreeMap<String, Vec<String>>,
    /// What the sandbox is told, as `variable=value`.
    told: Vec<String>,
}

fn webhooks(desired: Desired) -> Webhooks {
    let mut objects = desired.objects;
    objects.deployments.extend(desired.waiting);
    let pods = pods(&objects);
    let files = |pod: &PodSpec| {
        let volume = pod.volumes.as_ref()?.iter().find(|volume| volume.name == "payment")?;
        let items = volume.secret.as_ref()?.items.as_ref()?.iter();
        Some((pod.containers[0].name.clone(), items.map(|item| format!("{}={}", item.path, item.key)).collect()))
    };
    let sandbox = pods.iter().find(|pod| pod.containers[0].name == "sandbox-psp").unwrap();
    let variables = sandbox.containers[0].env.iter().flatten();
    let told = variables.filter(|variable| variable.name.contains("WEBHOOK"));
    Webhooks {
        files: pods.iter().filter_map(files).collect(),
        told: told.map(|variable| format!("{}={}", variable.name, variable.value.as_deref().unwrap())).collect(),
    }
}

/// The same files for the two who need them.
fn both(files: &[&str]) -> BTreeMap<String, Vec<String>> {
    ["payment", "sandbox-psp"].map(|name| (name.to_owned(), files.iter().map(ToString::to_string).collect())).into()
}

#[test]
fn sandbox_and_payment_share_the_secret_of_webhooks() {
    let Webhooks { files, told } = webhooks(built("{}"));
    assert_eq!(files, both(&["api-key=apiKey", "webhook-secret=webhookSecret"]));
    assert_eq!(
        told,
        [
            "SANDBOX_PSP_WEBHOOK_URL=http://demo-payment:8080/api/v1/payments/webhooks/sandbox",
            "SANDBOX_PSP_WEBHOOK_SECRET_FILE=/etc/shopmesh/payment/webhook-secret",
        ]
    );
}

#[test]
fn a_secret_of_the_user_brings_webhooks_if_it_has_their_key() {
    let shop = shop("payment: {provider: Sandbox, secretRef: {name: psp, key: main}}");
    let mut observed = world(&shop);
    let Webhooks { files, told } = webhooks(build(&plan(&shop, &observed, &settings()).unwrap()));
    assert_eq!((files, told), (both(&["api-key=main"]), Vec::new()));

    put(&mut observed, "psp", "webhookSecret", "whsec");
    let desired = build(&plan(&shop, &observed, &settings()).unwrap());
    assert!(desired.objects.secrets.iter().all(|secret| secret.name_any() != "demo-sandbox-psp"), "none is made");
    let Webhooks { files, told } = webhooks(desired);
    assert_eq!(files, both(&["api-key=main", "webhook-secret=webhookSecret"]));
    assert_eq!(told.len(), 2);
}
