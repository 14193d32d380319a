//! The part of the Shop about the way in from outside.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::service::Resources;
use crate::crd::Quantity;

/// The way in from outside.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.provider != 'None' || !has(self.bundled)").message("`bundled` must not be set when `provider` is None"))]
pub struct Ingress {
    /// Who routes requests to the services.
    #[serde(default)]
    pub provider: IngressProvider,
    /// The host name that the shop answers to; absent: every host name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)*$")
    )]
    pub host: Option<String>,
    /// The NGINX that the operator runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bundled: Option<BundledIngress>,
    /// Largest body that NGINX passes on; larger ones are refused with 413. Most calls take 64 KiB at most, pictures of products
    /// 5 MiB and imports 16 MiB: who wants those whole sets 16Mi. 1Ki to 64Mi.
    #[serde(default = "one_megabyte")]
    #[x_kube(validation = Rule::new("!quantity(string(self)).isLessThan(quantity('1Ki')) && !quantity(string(self)).isGreaterThan(quantity('64Mi'))").message("`maxBodySize` must be 1Ki to 64Mi"))]
    pub max_body_size: Quantity,
    /// How long a service may take.
    #[serde(default)]
    pub timeouts: IngressTimeouts,
}

/// Who routes requests to the services.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum IngressProvider {
    /// What fits the cluster; at present always Bundled.
    #[default]
    Auto,
    /// An NGINX that the operator runs.
    Bundled,
    /// Nobody: the services are reachable inside the cluster only.
    None,
}

/// The NGINX that the operator runs.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.nodePort) || self.serviceType != 'ClusterIP'").message("`nodePort` may be set only when `serviceType` is NodePort or LoadBalancer"))]
pub struct BundledIngress {
    /// Full reference of an image with `nginx` 1.22 or newer, instead of the operator's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512), regex(pattern = "^[A-Za-z0-9][A-Za-z0-9._:/@-]*$"))]
    pub image: Option<String>,
    /// Number of pods; by default two, or one when `availability` is `SingleReplica`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 50))]
    pub replicas: Option<i32>,
    /// How the Service is reached.
    #[serde(default)]
    pub service_type: ServiceType,
    /// The port of every node, instead of one that the cluster chooses.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65_535))]
    pub node_port: Option<i32>,
    /// Resources of the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
}

/// How a Service is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ServiceType {
    /// Inside the cluster.
    #[default]
    #[serde(rename = "ClusterIP")]
    ClusterIp,
    /// By a port of every node.
    NodePort,
    /// By an address that the cluster's provider gives.
    LoadBalancer,
}

/// How long a service may take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IngressTimeouts {
    /// Until a connection is open.
    #[serde(default = "five")]
    #[schemars(range(min = 1, max = 60))]
    pub connect_seconds: i32,
    /// Between two reads of the answer.
    #[serde(default = "thirty")]
    #[schemars(range(min = 1, max = 600))]
    pub read_seconds: i32,
    /// Between two writes of the request.
    #[serde(default = "thirty")]
    #[schemars(range(min = 1, max = 600))]
    pub send_seconds: i32,
}

impl ServiceType {
    /// Kubernetes' own word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClusterIp => "ClusterIP",
            Self::NodePort => "NodePort",
            Self::LoadBalancer => "LoadBalancer",
        }
    }
}

impl Default for Ingress {
    fn default() -> Self {
        Self {
            provider: IngressProvider::default(),
            host: None,
            bundled: None,
            max_body_size: one_megabyte(),
            timeouts: IngressTimeouts::default(),
        }
    }
}

impl Default for IngressTimeouts {
    fn default() -> Self {
        Self { connect_seconds: five(), read_seconds: thirty(), send_seconds: thirty() }
    }
}

fn one_megabyte() -> Quantity {
    Quantity::new("1Mi")
}

const fn five() -> i32 {
    5
}

const fn thirty() -> i32 {
    30
}
