//! When Shops are reconciled: at a change of a Shop, of anything it owns, of a Secret it names, and from time to time.
//!
//! What does not belong here: what a round does (`reconcile`).

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service, ServiceAccount};
use kube::api::ListParams;
use kube::core::{DeserializeGuard, PartialObjectMeta};
use kube::runtime::controller::{self, Action};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::{Controller, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::backoff::{Backoff, spread};
use crate::build::metadata;
use crate::crd::Shop;
use crate::error::Class;
use crate::keys;
use crate::metrics::SUCCEEDED;
use crate::observe::references;
use crate::reconcile::{Context, Next, reconcile};
use crate::report::report_unreadable;

/// A Shop, or what could not be read as one: a single bad object must not blind the operator for all others.
type Guarded = DeserializeGuard<Shop>;

/// Shorter than the idle time-out of common load balancers in front of API servers.
const WATCH_SECONDS: u32 = 200;
/// Changes come in bursts, such as pods becoming ready.
const DEBOUNCE: Duration = Duration::from_millis(250);
/// Shops that are reconciled at a time, in each watched namespace.
const CONCURRENCY: u16 = 4;

/// Which namespaces are watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// All of them.
    Cluster,
    /// These alone; rights are needed in no other.
    Namespaces(Vec<String>),
}

struct Shared {
    context: Context,
    backoff: Backoff,
}

/// Reconciles Shops until it is told to stop, then finishes the rounds that were begun.
pub async fn run(context: Context, scope: Scope, stop: CancellationToken) {
    let shared = Arc::new(Shared { context, backoff: Backoff::default() });
    let namespaces = match scope {
        Scope::Cluster => vec![None],
        Scope::Namespaces(namespaces) => namespaces.into_iter().map(Some).collect(),
    };
    join_all(namespaces.into_iter().map(|namespace| watch(Arc::clone(&shared), namespace, stop.clone()))).await;
}

/// Waits until Shops can be listed: the definition may be installed after the operator.
pub async fn wait_for_definition(client: &Client, scope: &Scope, stop: &CancellationToken) {
    let api: Api<PartialObjectMeta<Shop>> = match scope {
        Scope::Cluster => Api::all(client.clone()),
        Scope::Namespaces(namespaces) => match namespaces.first() {
            Some(namespace) => Api::namespaced(client.clone(), namespace),
            None => return,
        },
    };
    while let Err(error) = api.list(&ListParams::default().limit(1)).await {
        warn!(%error, "Failed to list Shops; trying again in 5 s. Is the definition of Shop installed?");
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(Duration::from_secs(5)) => {}
        }
    }
}

async fn watch(shared: Arc<Shared>, namespace: Option<String>, stop: CancellationToken) {
    let client = &shared.context.client;
    let all = || watcher::Config::default().timeout(WATCH_SECONDS);
    let ours = || all().labels(&metadata::operator_selector());
    let config = controller::Config::default().debounce(DEBOUNCE).concurrency(CONCURRENCY);
    let controller = Controller::new(api::<Guarded>(client, namespace.as_deref()), all());
    let shops = controller.store();
    info!(namespace, "Watching Shops");
    controller
        .with_config(config)
        .owns(api::<PartialObjectMeta<Deployment>>(client, namespace.as_deref()), ours())
        .owns(api::<PartialObjectMeta<Job>>(client, namespace.as_deref()), ours())
        .owns(api::<PartialObjectMeta<Service>>(client, namespace.as_deref()), ours())
        .owns(api::<PartialObjectMeta<ConfigMap>>(client, namespace.as_deref()), ours())
        .owns(api::<PartialObjectMeta<ServiceAccount>>(client, namespace.as_deref()), ours())
        // Their contents are read when needed and kept nowhere.
        .watches(api::<PartialObjectMeta<Secret>>(client, namespace.as_deref()), all(), move |secret| {
            concerned(&shops, &secret)
        })
        .graceful_shutdown_on(async move { stop.cancelled().await })
        .run(round, |_, never, _| match *never {}, Arc::clone(&shared))
        .for_each(|result| async {
            match result {
                // A change of an object whose Shop is gone: nothing to do.
                Ok(_) | Err(controller::Error::ObjectNotFound(_)) => {}
                Err(controller::Error::QueueError(error)) => warn!(%error, "A watch ended; it is opened again"),
                Err(error @ (controller::Error::RunnerError(_) | controller::Error::ReconcilerFailed(..))) => {
                    error!(%error, "The controller failed");
                }
            }
        })
        .await;
}

fn api<K>(client: &Client, namespace: Option<&str>) -> Api<K>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
{
    match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// The Shops that own a Secret or name it.
fn concerned(shops: &Store<Guarded>, secret: &PartialObjectMeta<Secret>) -> Vec<ObjectRef<Guarded>> {
    let (name, namespace) = (secret.name_any(), secret.namespace());
    let owners = secret.owner_references();
    let is_concerned = |shop: &Shop| {
        references(&shop.spec).contains(name.as_str())
            || owners.iter().any(|owner| Some(&owner.uid) == shop.meta().uid.as_ref())
    };
    shops
        .state()
        .into_iter()
        .filter(|shop| shop.namespace() == namespace && shop.0.as_ref().is_ok_and(is_concerned))
        .map(|shop| ObjectRef::from_obj(&*shop))
        .collect()
}

/// One round and its aftermath: the pause until the next is decided here, since kube has no back-off for single objects.
async fn round(shop: Arc<Guarded>, shared: Arc<Shared>) -> Result<Action, std::convert::Infallible> {
    let Shared { context, backoff } = &*shared;
    let shop = match &shop.0 {
        Ok(shop) => shop,
        Err(invalid) => {
            warn!(shop = shop.name_any(), namespace = shop.namespace(), %invalid, "Failed to read a Shop");
            report_unreadable(&context.recorder, &shop.object_ref(&()), &invalid.error).await;
            context.metrics.reconciled("Unreadable", 0.0);
            return Ok(Action::await_change());
        }
    };
    let (name, namespace, uid) = (shop.name_any(), shop.namespace(), shop.uid().unwrap_or_default());
    let start = Instant::now();
    let result = Box::pin(reconcile(shop, context)).await;
    let seconds = start.elapsed().as_secs_f64();
    let pause = match result {
        Ok(next) => {
            context.metrics.reconciled(SUCCEEDED, seconds);
            match next {
                Next::In(pause) => {
                    backoff.succeeded(&uid).await;
                    spread(pause, chance())
                }
                Next::Growing => backoff.failed(&uid, Class::Retry, chance()).await,
            }
        }
        Err(error) => {
            context.metrics.reconciled(error.reason(), seconds);
            let class = error.class();
            match class {
                Class::User => warn!(shop = name, namespace, reason = error.reason(), "Stalled: {error}"),
                Class::Retry => info!(shop = name, namespace, reason = error.reason(), "To be tried again: {error}"),
                Class::Bug => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    error!(shop = name, namespace, reason = error.reason(), cause, "Failed: {error}");
                }
            }
            backoff.failed(&uid, class, chance()).await
        }
    };
    Ok(Action::requeue(pause))
}

/// A number between 0 and 1; without random bytes pauses are merely not spread.
fn chance() -> f64 {
    keys::random_u32().map_or(0.5, |number| f64::from(number) / f64::from(u32::MAX))
}
