//! Step four: makes the cluster like the manifests. Writes what differs, by server-side apply, then deletes what is no
//! longer wanted.
//!
//! What does not belong here: what is wanted (`build`). An object that is already as desired is not written: in a steady
//! state this step makes no request that changes anything.

mod difference;

use std::collections::BTreeSet;
use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions, PropagationPolicy};
use kube::core::ObjectMeta;
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::info;

use crate::build::{Desired, Objects, metadata};
use crate::crd::Shop;
use crate::error::Error;
use crate::observe::{Observed, is_ours};

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
    let Objects { service_accounts, secrets, config_maps, services, jobs, deployments } = objects;
    let live = &observed.children;
    let mut writer = Writer { client, shop, applied: Applied::default() };
    let kept_deployments = names(&deployments).union(&names(&waiting)).cloned().collect();
    let wanted = Wanted {
        service_accounts: names(&service_accounts),
        secrets: names(&secrets),
        config_maps: names(&config_maps),
        services: names(&services),
        jobs: names(&jobs),
        deployments: kept_deployments,
    };
    let objects = Objects {
        service_accounts: writer.write_all(&live.service_accounts, service_accounts, Rewrite::Always).await?,
        secrets: writer.write_all(&live.secrets, secrets, Rewrite::Always).await?,
        config_maps: writer.write_all(&live.config_maps, config_maps, Rewrite::Always).await?,
        services: writer.write_all(&live.services, services, Rewrite::Always).await?,
        // The pods of a Job cannot be changed; its name carries a digest of what it depends on.
        jobs: writer.write_all(&live.jobs, jobs, Rewrite::Never).await?,
        deployments: writer.write_deployments(live, deployments, &waiting).await?,
    };
    let Objects { service_accounts, secrets, config_maps, services, jobs, deployments } = live;
    // The other way round: nothing that still runs loses what it needs.
    writer.prune(deployments, &wanted.deployments).await?;
    writer.prune(jobs, &wanted.jobs).await?;
    writer.prune(services, &wanted.services).await?;
    writer.prune(config_maps, &wanted.config_maps).await?;
    writer.prune(secrets, &wanted.secrets).await?;
    writer.prune(service_accounts, &wanted.service_accounts).await?;
    Ok(Applied { objects, ..writer.applied })
}

/// Whether an object that exists is written again when it differs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rewrite {
    Always,
    Never,
}

struct Wanted {
    service_accounts: BTreeSet<String>,
    secrets: BTreeSet<String>,
    config_maps: BTreeSet<String>,
    services: BTreeSet<String>,
    jobs: BTreeSet<String>,
    deployments: BTreeSet<String>,
}

fn names<K: Resource>(objects: &[K]) -> BTreeSet<String> {
    objects.iter().map(ResourceExt::name_any).collect()
}

struct Writer<'a> {
    client: &'a Client,
    shop: &'a Shop,
    applied: Applied,
}

impl Writer<'_> {
    async fn write_all<K: Owned>(&mut self, live: &[K], desired: Vec<K>, rewrite: Rewrite) -> Result<Vec<K>, Error> {
        let mut written = Vec::with_capacity(desired.len());
        for object in desired {
            written.push(self.write(live, object, rewrite).await?);
        }
        Ok(written)
    }

    /// All are tried, so that one refused Deployment does not hold up the others. Those that wait are reported as they are.
    async fn write_deployments(
        &mut self,
        live: &Objects,
        desired: Vec<k8s_openapi::api::apps::v1::Deployment>,
        waiting: &[k8s_openapi::api::apps::v1::Deployment],
    ) -> Result<Vec<k8s_openapi::api::apps::v1::Deployment>, Error> {
        let mut written = Vec::new();
        let mut failure = None;
        for object in desired {
            match self.write(&live.deployments, object, Rewrite::Always).await {
                Ok(object) => written.push(object),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        let waiting = names(waiting);
        written.extend(live.deployments.iter().filter(|live| waiting.contains(&live.name_any())).cloned());
        failure.map_or(Ok(written), Err)
    }

    async fn write<K: Owned>(&mut self, live: &[K], desired: K, rewrite: Rewrite) -> Result<K, Error> {
        let name = desired.name_any();
        let what = format!("{} {name}", K::kind(&()));
        let hash = difference::hash(&desired)?;
        let mut desired = desired;
        desired.annotations_mut().insert(metadata::APPLIED_HASH.to_owned(), hash.clone());
        let api = self.api::<K>();
        let found = live.iter().find(|live| live.name_any() == name);
        match found {
            Some(live) if rewrite == Rewrite::Never || difference::is_as_desired(&desired, live)? => {
                return Ok(live.clone());
            }
            Some(live) => {
                let drifted = live.annotations().get(metadata::APPLIED_HASH) == Some(&hash);
                self.applied.repaired.extend(drifted.then(|| what.clone()));
            }
            None => {
                let meta = api.get_metadata_opt(&name).await.map_err(Error::api("read", what.clone()))?;
                if let Some(meta) = meta {
                    self.may_be_written::<K>(&meta.metadata)?;
                    self.applied.repaired.push(what.clone());
                }
            }
        }
        let params = PatchParams::apply(MANAGER).force();
        let written = api.patch(&name, &params, &Patch::Apply(&desired)).await;
        let written = written.map_err(Error::api("apply", what.clone()))?;
        info!(object = %what, "Applied {what}");
        self.applied.written.push(what);
        Ok(written)
    }

    /// Another's object of the same name is never touched.
    fn may_be_written<K: Owned>(&self, meta: &ObjectMeta) -> Result<(), Error> {
        if is_ours(self.shop, meta) {
            return Ok(());
        }
        let (kind, name) = (K::kind(&()).into_owned(), meta.name.clone().unwrap_or_default());
        let shop = self.shop.name_any();
        let owners = meta.owner_references.as_deref().unwrap_or_default();
        let earlier = owners.iter().any(|owner| owner.kind == Shop::kind(&()) && owner.name == shop);
        Err(if earlier || meta.deletion_timestamp.is_some() {
            Error::Leftover { kind, name }
        } else {
            Error::NameTaken { kind, name }
        })
    }

    /// Deletes what is ours and not wanted, if it is still the object that was seen.
    async fn prune<K: Owned>(&mut self, live: &[K], wanted: &BTreeSet<String>) -> Result<(), Error> {
        for object in live {
            let name = object.name_any();
            if wanted.contains(&name) || object.meta().deletion_timestamp.is_some() {
                continue;
            }
            let what = format!("{} {name}", K::kind(&()));
            let params = DeleteParams {
                propagation_policy: Some(PropagationPolicy::Background),
                preconditions: Some(Preconditions {
                    uid: object.uid(),
                    resource_version: object.resource_version(),
                }),
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
