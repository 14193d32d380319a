//! Step two: decides. Every default filled, every reference resolved, and whether the roll-out may go on. Pure.
//!
//! What does not belong here: how a decision is written as a manifest (`build`).

mod check;
mod images;
mod nginx;
mod readable;
mod resources;
mod settings;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ResourceRequirements;
use kube::Resource;
use shop_config::{Secret, ServiceSpec, Store};

use crate::crd::Shop;
use crate::crd::shop::{
    Aliases, Availability, EnvVar, EvictionPolicy, IngressTimeouts, PullPolicy, RedisMode, ServiceType, TraceExporter,
};
use crate::error::Error;
use crate::keys;
use crate::observe::Observed;

pub use check::{DatabaseCheck, RETRY_SECONDS, Retry, Verdict};
pub use images::Images;
pub use settings::{PaymentSecrets, Secrets, service_settings};

/// What the operator was told at its start and every Shop shares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The images to run unless a Shop says otherwise.
    pub images: Images,
    /// The cluster's name server; without it NGINX cannot look up single pods and repeats no request.
    pub dns: Option<ClusterDns>,
}

/// The cluster's name server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterDns {
    /// Its addresses.
    pub servers: Vec<std::net::IpAddr>,
    /// The domain of all names, usually `cluster.local`.
    pub domain: String,
}

/// Everything that `build` needs to know.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Whose objects they are.
    pub shop: Identity,
    /// How images are pulled.
    pub pull: Pull,
    /// Whether pods are spread over nodes and zones.
    pub spread: bool,
    /// The services, in the order of the service table.
    pub services: Vec<ServicePlan>,
    /// Key material and passwords.
    pub secrets: Secrets,
    /// The managed Redis; `None` when it is run by others.
    pub redis: Option<RedisPlan>,
    /// The sandbox payment provider.
    pub sandbox_psp: SandboxPlan,
    /// The bundled NGINX.
    pub nginx: Option<NginxPlan>,
    /// What the names of databases begin with.
    pub database_prefix: String,
    /// Whether the database was reached with these settings.
    pub check: DatabaseCheck,
    /// Where the shop answers, as far as the spec tells.
    pub host: Option<String>,
    /// Whether older names of calls are served.
    pub serves_aliases: bool,
}

/// Whose objects they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Name of the Shop.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// Its UID.
    pub uid: String,
}

/// How images are pulled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pull {
    /// When a node asks the registry.
    pub policy: PullPolicy,
    /// Secrets with credentials.
    pub secrets: Vec<String>,
}

/// One service.
#[derive(Debug, Clone)]
pub struct ServicePlan {
    /// Its entry in the service table.
    pub spec: &'static ServiceSpec,
    /// Number of pods.
    pub replicas: i32,
    /// Its image.
    pub image: String,
    /// Resources of the container.
    pub resources: ResourceRequirements,
    /// Settings that are no secrets, by environment variable.
    pub settings: Vec<(&'static str, String)>,
    /// Further variables of the user.
    pub env: Vec<EnvVar>,
    /// Digest of the secrets that it reads at its start: another digest starts new pods.
    pub secret_hash: String,
    /// How long a stopped pod may take.
    pub grace_seconds: i32,
    /// Whether it waits until the database was reached.
    pub waits: bool,
}

/// The managed Redis.
#[derive(Debug, Clone, PartialEq)]
pub struct RedisPlan {
    /// Its image.
    pub image: String,
    /// Memory for data.
    pub max_memory_bytes: u128,
    /// What makes room.
    pub eviction_policy: EvictionPolicy,
    /// Resources of the container.
    pub resources: ResourceRequirements,
}

/// The sandbox payment provider.
#[derive(Debug, Clone, PartialEq)]
pub struct SandboxPlan {
    /// Its image.
    pub image: String,
    /// Resources of the container.
    pub resources: ResourceRequirements,
    /// Digest of the API key and the secret of webhooks.
    pub secret_hash: String,
}

/// The bundled NGINX.
#[derive(Debug, Clone, PartialEq)]
pub struct NginxPlan {
    /// Its image.
    pub image: String,
    /// Number of pods.
    pub replicas: i32,
    /// Resources of the container.
    pub resources: ResourceRequirements,
    /// How its Service is reached.
    pub service_type: ServiceType,
    /// The port of every node.
    pub node_port: Option<i32>,
    /// Largest body of a request.
    pub max_body_bytes: u128,
    /// How long a service may take.
    pub timeouts: IngressTimeouts,
    /// The cluster's name server.
    pub dns: Option<ClusterDns>,
    /// The cluster address of each service's Service, by the service's name. Addresses and not names: NGINX looks a name up
    /// at its start alone, and a name server may still give the address of a Service that was made anew meanwhile. `None`
    /// while one of them has no address: then NGINX waits.
    pub upstreams: Option<BTreeMap<&'static str, String>>,
}

/// Decides what is to be.
///
/// # Errors
/// An error of class User names what the Shop or one of its Secrets must have. Nothing is written then.
pub fn plan(shop: &Shop, observed: &Observed, settings: &Settings) -> Result<Plan, Error> {
    let spec = &shop.spec;
    let status = shop.status.as_ref();
    let shop = identity(shop)?;
    let images = Chosen { spec: &spec.image, images: &settings.images };
    let secrets = settings::secrets(spec, &shop, observed)?;
    let database_prefix = spec.mongodb.database_prefix.clone().unwrap_or_else(|| default_prefix(&shop));
    let replicas = match spec.availability {
        Availability::HighlyAvailable => 2,
        Availability::SingleReplica => 1,
    };
    let pull = Pull {
        policy: spec.image.pull_policy,
        secrets: spec.image.pull_secret_refs.iter().map(|secret| secret.name.clone()).collect(),
    };
    let shopmesh = images.shopmesh();
    let services = shop_config::SERVICES
        .iter()
        .map(|service| {
            let own = spec.services.iter().find(|own| own.name.0 == service.name);
            Ok(ServicePlan {
                spec: service,
                replicas: own.and_then(|own| own.replicas).or(spec.defaults.replicas).unwrap_or(replicas),
                image: own.and_then(|own| own.image.clone()).unwrap_or_else(|| shopmesh.clone()),
                resources: resources::of_service(&spec.defaults, own)?,
                settings: service_settings(service, spec, &shop, &database_prefix, &secrets)?,
                env: own.map(|own| own.env.clone()).unwrap_or_default(),
                secret_hash: secrets.digest(service, &shop.uid),
                grace_seconds: spec.defaults.termination_grace_period_seconds,
                waits: false,
            })
        })
        .collect::<Result<Vec<_>, Error>>()?;
    let mut plan = Plan {
        pull,
        spread: spec.availability == Availability::HighlyAvailable,
        services,
        redis: match spec.redis.mode {
            RedisMode::External => None,
            RedisMode::Managed => Some(redis_plan(spec, &images)?),
        },
        check: DatabaseCheck::of_image(&shopmesh),
        sandbox_psp: SandboxPlan {
            image: shopmesh,
            resources: resources::of_service(&spec.defaults, None)?,
            secret_hash: keys::digest(&shop.uid, secrets.payment.texts()),
        },
        nginx: nginx::plan(&spec.ingress, &shop, &images, replicas, settings, observed)?,
        host: spec.ingress.host.clone(),
        serves_aliases: spec.aliases != Aliases::Off,
        secrets,
        database_prefix,
        shop,
    };
    // What the check is made of stands in the plan.
    plan.check = check::database_check(&plan, status, observed)?;
    for service in &mut plan.services {
        service.waits = service.spec.needs(Store::MongoDb) && plan.check.verdict != Verdict::Passed;
    }
    Ok(plan)
}

/// The prefix of a Shop that names none: readable, and different for every Shop (ruling 32).
fn default_prefix(shop: &Identity) -> String {
    let Identity { name, namespace, .. } = shop;
    let readable: String = format!("{namespace}_{name}").replace('-', "_").chars().take(15).collect();
    let hash = keys::digest("", [format!("{namespace}/{name}").as_str()]);
    format!("{readable}_{}", &hash[..8])
}

fn identity(shop: &Shop) -> Result<Identity, Error> {
    let meta = shop.meta();
    match (&meta.name, &meta.namespace, &meta.uid) {
        (Some(name), Some(namespace), Some(uid)) => {
            Ok(Identity { name: name.clone(), namespace: namespace.clone(), uid: uid.clone() })
        }
        (None, ..) | (_, None, _) | (.., None) => {
            Err(Error::Invalid("`metadata` must have name, namespace and uid".to_owned()))
        }
    }
}

/// The images of one Shop.
struct Chosen<'a> {
    spec: &'a crate::crd::shop::Image,
    images: &'a Images,
}

impl Chosen<'_> {
    fn shopmesh(&self) -> String {
        self.spec.shopmesh.clone().unwrap_or_else(|| self.relocated(&self.images.shopmesh))
    }

    fn relocated(&self, image: &str) -> String {
        images::relocated(image, self.spec.registry.as_deref())
    }
}

fn redis_plan(spec: &crate::crd::ShopSpec, images: &Chosen<'_>) -> Result<RedisPlan, Error> {
    let managed = spec.redis.managed.clone().unwrap_or_default();
    let bytes = managed.max_memory.whole().ok_or_else(|| resources::no_amount("spec.redis.managed.maxMemory"))?;
    if bytes < 1024 * 1024 {
        return Err(Error::Invalid("spec.redis.managed.maxMemory: must be at least 1Mi".to_owned()));
    }
    Ok(RedisPlan {
        image: managed.image.unwrap_or_else(|| images.relocated(&images.images.redis)),
        max_memory_bytes: bytes,
        eviction_policy: managed.eviction_policy,
        resources: resources::of_redis(bytes, managed.resources.as_ref())?,
    })
}

/// Where traces go, if anywhere.
fn trace_endpoint(spec: &crate::crd::ShopSpec) -> Option<String> {
    let tracing = &spec.observability.tracing;
    match tracing.exporter {
        TraceExporter::None => None,
        TraceExporter::Otlp => tracing.endpoint.clone(),
    }
}

/// A secret and where pods find it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// Name of the Kubernetes Secret.
    pub secret: String,
    /// Key in it.
    pub key: String,
    /// Its value.
    pub value: Secret,
}
