//! Step four: makes the cluster like the manifests. Writes what differs, by server-side apply, then deletes what is no
//! longer wanted, once every roll-out is finished: a pod of before may start again at any time, and needs what it was told of.
//!
//! What does not belong here: what is wanted (`build`). An object that is already as desired is not written: in a steady
//! state this step makes no request that changes anything.

mod difference;

use std::collections::BTreeSet;
use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions, PropagationPolicy};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::info;

use crate::build::{Desired, Objects, metadata};
use crate::crd::{Shop, ShopSpec};
use crate::error::Error;
use crate::observe::{Observed, is_ours, references};
use crate::rollout::{AVAILABLE, progress};

/// The field manager of everything that belongs to a Shop.
pub const MANAGER: &str = "shopmesh.dev/operator";

/// What was done and what is there now.
#[derive(Default)]
pub struct Applied {
    /// The objects as the API server has them.
    pub objects: Objects,
    /// Objects written, as `Kind name`.
    pub written: Vec<String>,
    /// Those of them that were there before and had been changed by others.
    pub repaired: Vec<String>,
    /// Objects deleted, as `Kind name`.
    pub deleted: Vec<String>,
}

/// A kind of object that a Shop owns.
trait Owned:
    Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned
{
}

impl<K> Owned for K where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned
{
}

/// Makes the cluster like the manifests.
///
/// # Errors
/// [`Error::NameTaken`] and [`Error::Leftover`] for an object that is not ours, before anything is written;
/// [`Error::Api`] for the first request that failed. What others depend on is written first, so that a failure leaves
/// running pods with everything they need; of the Deployments all are tried.
pub async fn apply(client: &Client, shop: &Shop, observed: &Observed, desired: Desired) -> Result<Applied, Error> {
    let Desired { objects, waiting } = desired;
    let live = &observed.children;
    let mut writer = Writer { client, shop, hidden: BTreeSet::new(), applied: Applied::default() };
    let kept = Kept::of(&objects, &waiting, &shop.spec);
    let Objects { service_accounts, secrets, config_maps, services, jobs, deployments } = objects;
    writer.check(&live.service_accounts, &service_accounts).await?;
    writer.check(&live.secrets, &secrets).await?;
    writer.check(&live.config_maps, &config_maps).await?;
    writer.check(&live.services, &services).await?;
    writer.check(&live.jobs, &jobs).await?;
    writer.check(&live.deployments, &deployments).await?;
    let objects = Objects {
        service_accounts: writer.write_all(&live.service_accounts, service_accounts).await?,
        secrets: writer.write_all(&live.secrets, secrets).await?,
        config_maps: writer.write_all(&live.config_maps, config_maps).await?,
        services: writer.write_all(&live.services, services).await?,
        jobs: writer.write_jobs(&live.jobs, jobs).await?,
        deployments: writer.write_deployments(&live.deployments, deployments, &waiting).await?,
    };
    let Objects { service_accounts, secrets, config_maps, services, jobs, deployments } = live;
    writer.prune(jobs, &kept.jobs).await?;
    if !is_rolled_out(&objects.deployments, &waiting) {
        return Ok(Applied { objects, ..writer.applied });
    }
    // The other way round: nothing that still runs loses what it needs.
    writer.prune(deployments, &kept.deployments).await?;
    writer.prune(services, &kept.services).await?;
    writer.prune(config_maps, &kept.config_maps).await?;
    writer.prune(secrets, &kept.secrets).await?;
    writer.prune(service_accounts, &kept.service_accounts).await?;
    Ok(Applied { objects, ..writer.applied })
}

/// Whether no pod of before is left: those of a Deployment that waits, or that is on its way, need all that they were told
/// of, also a Redis that is no longer wanted.
fn is_rolled_out(deployments: &[Deployment], waiting: &[Deployment]) -> bool {
    waiting.is_empty() && deployments.iter().all(|deployment| progress(Some(deployment)) == AVAILABLE)
}

/// Names of what is not pruned.
struct Kept {
    service_accounts: BTreeSet<String>,
    secrets: BTreeSet<String>,
    config_maps: BTreeSet<String>,
    services: BTreeSet<String>,
    jobs: BTreeSet<String>,
    deployments: BTreeSet<String>,
}

impl Kept {
    /// A Secret that the Shop names stays, whoever made it.
    fn of(objects: &Objects, waiting: &[Deployment], spec: &ShopSpec) -> Self {
        let Objects { service_accounts, secrets, config_maps, services, jobs, deployments } = objects;
        Self {
            service_accounts: names(service_accounts),
            secrets: names(secrets).into_iter().chain(references(spec).into_iter().map(str::to_owned)).collect(),
            config_maps: names(config_maps),
            services: names(services),
            jobs: names(jobs),
            deployments: names(deployments).union(&names(waiting)).cloned().collect(),
        }
    }
}

fn names<K: Resource>(objects: &[K]) -> BTreeSet<String> {
    objects.iter().map(ResourceExt::name_any).collect()
}

fn find<'a, K: Resource>(objects: &'a [K], name: &str) -> Option<&'a K> {
    objects.iter().find(|object| object.meta().name.as_deref() == Some(name))
}

/// `Kind name`, as objects are named in logs, Events and errors.
fn called<K: Owned>(name: &str) -> String {
    format!("{} {name}", K::kind(&()))
}

struct Writer<'a> {
    client: &'a Client,
    shop: &'a Shop,
    /// Objects of ours that are not among the live ones: somebody removed their labels.
    hidden: BTreeSet<String>,
    applied: Applied,
}

impl Writer<'_> {
    /// Another's object of the same name is never touched.
    async fn check<K: Owned>(&mut self, live: &[K], desired: &[K]) -> Result<(), Error> {
        for name in names(desired).difference(&names(live)) {
            let what = called::<K>(name);
            let found = self.api::<K>().get_metadata_opt(name).await;
            let Some(found) = found.map_err(Error::api("read", what.clone()))? else { continue };
            if is_ours(self.shop, &found.metadata) {
                self.hidden.insert(what);
                continue;
            }
            let (kind, name, shop) = (K::kind(&()).into_owned(), name.clone(), self.shop.name_any());
            let owners = found.metadata.owner_references.as_deref().unwrap_or_default();
            let is_leftover = found.metadata.deletion_timestamp.is_some()
                || owners.iter().any(|owner| owner.kind == Shop::kind(&()) && owner.name == shop);
            return Err(if is_leftover { Error::Leftover { kind, name } } else { Error::NameTaken { kind, name } });
        }
        Ok(())
    }

    async fn write_all<K: Owned>(&mut self, live: &[K], desired: Vec<K>) -> Result<Vec<K>, Error> {
        let mut written = Vec::with_capacity(desired.len());
        for object in desired {
            written.push(self.write(live, object).await?);
        }
        Ok(written)
    }

    /// The pods of a Job cannot be changed: its name carries a digest of what matters, and the first one counts.
    async fn write_jobs(&mut self, live: &[Job], desired: Vec<Job>) -> Result<Vec<Job>, Error> {
        let mut written = Vec::with_capacity(desired.len());
        for object in desired {
            written.push(match find(live, &object.name_any()) {
                Some(live) => live.clone(),
                None => self.write(live, object).await?,
            });
        }
        Ok(written)
    }

    /// All are tried, so that one refused Deployment does not hold up the others. Those that wait are reported as they are.
    async fn write_deployments(
        &mut self,
        live: &[Deployment],
        desired: Vec<Deployment>,
        waiting: &[Deployment],
    ) -> Result<Vec<Deployment>, Error> {
        let mut written = Vec::new();
        let mut failure = None;
        for object in desired {
            match self.write(live, object).await {
                Ok(object) => written.push(object),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        written.extend(names(waiting).iter().filter_map(|name| find(live, name)).cloned());
        failure.map_or(Ok(written), Err)
    }

    async fn write<K: Owned>(&mut self, live: &[K], mut desired: K) -> Result<K, Error> {
        let name = desired.name_any();
        let what = called::<K>(&name);
        let hash = difference::hash(&desired)?;
        desired.annotations_mut().insert(metadata::APPLIED_HASH.to_owned(), hash.clone());
        let live = find(live, &name);
        if let Some(live) = live
            && difference::is_as_desired(&desired, live)?
        {
            return Ok(live.clone());
        }
        let api = self.api::<K>();
        let params = PatchParams::apply(MANAGER).force();
        let applied = api.patch(&name, &params, &Patch::Apply(&desired)).await;
        let mut written = applied.map_err(Error::api("apply", what.clone()))?;
        if let Some(without) = difference::without_surplus(&desired, &written)? {
            // Server-side apply leaves alone what others have added to our lists and data.
            let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
            let patched = api.patch(&name, &params, &Patch::Merge(&without)).await;
            written = patched.map_err(Error::api("repair", what.clone()))?;
        }
        if live.is_some_and(|live| live.resource_version() == written.resource_version()) {
            // What differs is put there by the API server, at each write again.
            return Ok(written);
        }
        let drifted = live.is_some_and(|live| live.annotations().get(metadata::APPLIED_HASH) == Some(&hash));
        if drifted || self.hidden.contains(&what) {
            self.applied.repaired.push(what.clone());
        }
        info!(object = %what, "Applied {what}");
        self.applied.written.push(what);
        Ok(written)
    }

    /// Deletes what is ours and not wanted, if it is still the object that was seen.
    async fn prune<K: Owned>(&mut self, live: &[K], kept: &BTreeSet<String>) -> Result<(), Error> {
        for object in live {
            let name = object.name_any();
            if kept.contains(&name) || object.meta().deletion_timestamp.is_some() {
                continue;
            }
            let what = called::<K>(&name);
            let params = DeleteParams {
                propagation_policy: Some(PropagationPolicy::Background),
                preconditions: Some(Preconditions { uid: object.uid(), resource_version: object.resource_version() }),
                ..DeleteParams::default()
            };
            match self.api::<K>().delete(&name, &params).await {
                Ok(_) => {
                    info!(object = %what, "Deleted {what}");
                    self.applied.deleted.push(what);
                }
                // Somebody was faster.
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                Err(source) => return Err(Error::Api { verb: "delete", what, source }),
            }
        }
        Ok(())
    }

    fn api<K: Owned>(&self) -> Api<K> {
        Api::namespaced(self.client.clone(), &self.shop.namespace().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_rolled_out_while_a_pod_of_before_may_be_left() {
        let deployment = |status: serde_json::Value| -> Deployment {
            serde_json::from_value(serde_json::json!({
                "metadata": {"generation": 2}, "spec": {"replicas": 1, "selector": {}, "template": {}}, "status": status,
            }))
            .unwrap()
        };
        let status = |seen: i64, pods: i32, updated: i32, available: i32| {
            deployment(serde_json::json!({
                "observedGeneration": seen, "replicas": pods, "updatedReplicas": updated, "availableReplicas": available,
            }))
        };
        let done = status(2, 1, 1, 1);
        let all = [done.clone(), done.clone()];
        assert!(is_rolled_out(&all, &[]));
        assert!(!is_rolled_out(&all, &all), "some wait for the database");
        for (why, other) in [
            ("the change is not seen yet", status(1, 1, 1, 1)),
            ("an old pod runs beside the new one", status(2, 2, 1, 2)),
            ("the new pod is not available", status(2, 1, 1, 0)),
            ("no pod is new", status(2, 1, 0, 1)),
            ("nothing is known", deployment(serde_json::json!({}))),
        ] {
            assert!(!is_rolled_out(&[done.clone(), other], &[]), "{why}");
        }
    }

    #[test]
    fn a_secret_that_the_shop_names_is_never_deleted() {
        let spec = serde_json::json!({
            "mongodb": {"uriSecretRef": {"name": "mongodb"}}, "admin": {"secretRef": {"name": "demo-admin"}},
            "payment": {"provider": "Sandbox"},
        });
        let kept = Kept::of(&Objects::default(), &[], &serde_json::from_value(spec).unwrap());
        assert_eq!(kept.secrets, ["demo-admin", "mongodb"].map(str::to_owned).into());
    }
}
