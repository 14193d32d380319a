//! Step one: reads what the plan depends on. The Secrets that the Shop names, the ones that the operator made earlier,
//! and what runs now. Decides nothing and writes nothing.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{self as core, Pod};
use kube::api::ListParams;
use kube::{Api, Client, Resource};
use shop_config::Secret;

use crate::build::{Objects, metadata, names};
use crate::crd::{Shop, ShopSpec};
use crate::error::Error;
use crate::keys;

/// The world around one Shop.
#[derive(Clone, Default)]
pub struct Observed {
    /// Secrets that the Shop names and that exist, by name and key.
    pub referenced: BTreeMap<String, BTreeMap<String, Secret>>,
    /// What the operator made for this Shop: found again, or made now.
    pub made: Made,
    /// What exists and belongs to this Shop.
    pub children: Objects,
    /// Last words of the database checks that failed, by the name of the Job.
    pub check_messages: BTreeMap<String, String>,
    /// Why the pods of database checks cannot be started, by the name of the Job.
    pub held_checks: BTreeMap<String, Held>,
    /// When it was read.
    pub now: Timestamp,
}

/// Why a pod cannot be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The kubelet's word, such as `ImagePullBackOff`.
    pub reason: String,
    /// What it says more.
    pub message: String,
}

/// Secrets that the operator makes once for each Shop.
#[derive(Clone, Debug)]
pub struct Made {
    /// Ed25519, PKCS #8 PEM.
    pub signing_key: Secret,
    /// Of the managed Redis.
    pub redis_password: Secret,
    /// Of the first administrator.
    pub admin_password: Secret,
    /// Of the sandbox payment provider.
    pub payment_api_key: Secret,
    /// What that provider signs its webhooks with.
    pub payment_webhook_secret: Secret,
}

impl Default for Made {
    fn default() -> Self {
        let none = || Secret::new("");
        Self {
            signing_key: none(),
            redis_password: none(),
            admin_password: none(),
            payment_api_key: none(),
            payment_webhook_secret: none(),
        }
    }
}

/// Reads everything. Each answer comes from the API server itself, not from a cache that may lag behind our own writes.
///
/// # Errors
/// [`Error::Api`] names what could not be read; [`Error::Internal`] when no Secret could be made.
pub async fn observe(client: &Client, shop: &Shop, now: Timestamp) -> Result<Observed, Error> {
    let namespace = shop.meta().namespace.clone().unwrap_or_default();
    let api = Api::<core::Secret>::namespaced(client.clone(), &namespace);
    let mut referenced = BTreeMap::new();
    for name in references(&shop.spec) {
        if let Some(secret) = api.get_opt(name).await.map_err(Error::api("read", format!("Secret {name}")))? {
            referenced.insert(name.to_owned(), texts(&secret));
        }
    }
    let children = children(client, &namespace, shop).await?;
    let pods = check_pods(client, &namespace, shop, &children.jobs).await?;
    let check_messages = pods.iter().filter_map(|pod| Some((job_of(pod)?, message_of(pod)?))).collect();
    let held_checks = pods.iter().filter_map(|pod| Some((job_of(pod)?, held_by(pod)?))).collect();
    Ok(Observed { referenced, made: made(&api, shop).await?, children, check_messages, held_checks, now })
}

/// Names of all Secrets that the Shop names.
#[must_use]
pub fn references(spec: &ShopSpec) -> BTreeSet<&str> {
    references_by_field(spec).into_iter().map(|(_, name)| name).collect()
}

/// Names of all Secrets that the Shop names, each with the path of its field.
#[must_use]
pub fn references_by_field(spec: &ShopSpec) -> Vec<(&'static str, &str)> {
    let mut names = vec![("spec.mongodb.uriSecretRef", spec.mongodb.uri_secret_ref.name.as_str())];
    let redis = spec.redis.external.as_ref();
    names.extend(redis.map(|redis| ("spec.redis.external.urlSecretRef", redis.url_secret_ref.name.as_str())));
    names.extend(spec.admin.secret_ref.as_ref().map(|secret| ("spec.admin.secretRef", secret.name.as_str())));
    names.extend(spec.payment.secret_ref.as_ref().map(|secret| ("spec.payment.secretRef", secret.name.as_str())));
    let pull = spec.image.pull_secret_refs.iter();
    names.extend(pull.map(|secret| ("spec.image.pullSecretRefs", secret.name.as_str())));
    names
}

/// Whether an object belongs to this very Shop: it names its UID as owner; or, with the owner removed by hand, it still
/// has our labels.
#[must_use]
pub fn is_ours(shop: &Shop, meta: &kube::core::ObjectMeta) -> bool {
    let owners = meta.owner_references.as_deref().unwrap_or_default();
    if let Some(owner) = owners.iter().find(|owner| owner.controller == Some(true)) {
        Some(&owner.uid) == shop.meta().uid.as_ref()
    } else {
        let name = shop.meta().name.as_deref().unwrap_or_default();
        metadata::owner_labels(name)
            .iter()
            .all(|(key, value)| meta.labels.as_ref().and_then(|labels| labels.get(key)) == Some(value))
    }
}

async fn children(client: &Client, namespace: &str, shop: &Shop) -> Result<Objects, Error> {
    Ok(Objects {
        service_accounts: list(client, namespace, shop).await?,
        secrets: list(client, namespace, shop).await?,
        config_maps: list(client, namespace, shop).await?,
        services: list(client, namespace, shop).await?,
        jobs: list(client, namespace, shop).await?,
        deployments: list(client, namespace, shop).await?,
    })
}

async fn list<K>(client: &Client, namespace: &str, shop: &Shop) -> Result<Vec<K>, Error>
where
    K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned,
{
    let name = shop.meta().name.as_deref().unwrap_or_default();
    let all = Api::<K>::namespaced(client.clone(), namespace)
        .list(&ListParams::default().labels(&metadata::owner_selector(name)))
        .await
        .map_err(Error::api("list", K::plural(&()).into_owned()))?;
    Ok(all.items.into_iter().filter(|object| is_ours(shop, object.meta())).collect())
}

async fn made(api: &Api<core::Secret>, shop: &Shop) -> Result<Made, Error> {
    let name = shop.meta().name.as_deref().unwrap_or_default();
    let spec = &shop.spec;
    let mut made = Made::default();
    let signing_key = find(api, shop, &names::signing_key(name), names::SIGNING_KEY).await?;
    made.signing_key = signing_key.map_or_else(keys::signing_key, Ok)?;
    if spec.redis.external.is_none() {
        made.redis_password = find_or_make(api, shop, &names::redis(name), names::PASSWORD).await?;
    }
    if spec.admin.secret_ref.is_none() {
        made.admin_password = find_or_make(api, shop, &names::admin(name), names::PASSWORD).await?;
    }
    if spec.payment.secret_ref.is_none() {
        let secret = names::sandbox_psp(name);
        made.payment_api_key = find_or_make(api, shop, &secret, names::API_KEY).await?;
        made.payment_webhook_secret = find_or_make(api, shop, &secret, names::WEBHOOK_SECRET).await?;
    }
    Ok(made)
}

async fn find_or_make(api: &Api<core::Secret>, shop: &Shop, name: &str, key: &str) -> Result<Secret, Error> {
    find(api, shop, name, key).await?.map_or_else(keys::password, Ok)
}

/// By name and not by label: a Secret whose labels were removed must not be taken for absent and made anew.
async fn find(api: &Api<core::Secret>, shop: &Shop, name: &str, key: &str) -> Result<Option<Secret>, Error> {
    let secret = api.get_opt(name).await.map_err(Error::api("read", format!("Secret {name}")))?;
    let ours = secret.filter(|secret| is_ours(shop, secret.meta()));
    Ok(ours.and_then(|secret| texts(&secret).remove(key)).filter(|value| !value.expose().is_empty()))
}

/// What is not UTF-8 cannot be a setting of ours and counts as absent.
fn texts(secret: &core::Secret) -> BTreeMap<String, Secret> {
    let data = secret.data.iter().flatten();
    data.filter_map(|(key, value)| Some((key.clone(), Secret::new(std::str::from_utf8(&value.0).ok()?)))).collect()
}

/// The pods of database checks, unless all have passed.
async fn check_pods(client: &Client, namespace: &str, shop: &Shop, jobs: &[Job]) -> Result<Vec<Pod>, Error> {
    let has_passed = |job: &Job| job.status.as_ref().and_then(|status| status.succeeded).unwrap_or_default() > 0;
    if jobs.iter().all(has_passed) {
        return Ok(Vec::new());
    }
    let name = shop.meta().name.as_deref().unwrap_or_default();
    let selector = format!("{},{}={}", metadata::owner_selector(name), metadata::SERVICE, names::DATABASE_CHECK);
    let pods = Api::<Pod>::namespaced(client.clone(), namespace)
        .list(&ListParams::default().labels(&selector))
        .await
        .map_err(Error::api("list", "pods"))?;
    Ok(pods.items)
}

fn job_of(pod: &Pod) -> Option<String> {
    pod.metadata.labels.as_ref()?.get("batch.kubernetes.io/job-name").cloned()
}

fn message_of(pod: &Pod) -> Option<String> {
    let containers = pod.status.as_ref()?.container_statuses.as_ref()?;
    containers.iter().find_map(|container| container.state.as_ref()?.terminated.as_ref()?.message.clone())
}

/// What the kubelet calls a container that will not start as it is.
const HOLDS: [&str; 6] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "CreateContainerConfigError",
    "CreateContainerError",
];

fn held_by(pod: &Pod) -> Option<Held> {
    let containers = pod.status.as_ref()?.container_statuses.as_ref()?;
    let mut waiting = containers.iter().filter_map(|container| container.state.as_ref()?.waiting.as_ref());
    waiting.find_map(|waiting| {
        let reason = waiting.reason.clone().filter(|reason| HOLDS.contains(&reason.as_str()))?;
        Some(Held { reason, message: waiting.message.clone().unwrap_or_default() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_held_by_what_does_not_pass_by_itself() {
        let pod = |reason: &str| -> Pod {
            let state = serde_json::json!({"waiting": {"reason": reason, "message": "no such image"}});
            let container = serde_json::json!({
                "name": "a", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": state,
            });
            serde_json::from_value(serde_json::json!({"status": {"containerStatuses": [container]}})).unwrap()
        };
        let held = held_by(&pod("ImagePullBackOff")).unwrap();
        assert_eq!((held.reason.as_str(), held.message.as_str()), ("ImagePullBackOff", "no such image"));
        assert_eq!(held_by(&pod("ContainerCreating")), None);
        assert_eq!(held_by(&Pod::default()), None);
    }
}
