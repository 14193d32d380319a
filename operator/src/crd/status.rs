//! What the operator reports about a Shop.
#![expect(unreachable_pub, reason = "KubeSchema repeats each struct, with its visibility, inside a function")]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the operator saw and did.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShopStatus {
    /// The generation of the spec that this status is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The state in conditions: Ready, Reconciling, Stalled, `DatabaseReachable`, `CacheReady`, `IngressReady`, `PaymentSandbox`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// Where the shop answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What the names of the shop's databases begin with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_prefix: Option<String>,
    /// The last verdict about the database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_check: Option<DatabaseCheckStatus>,
    /// Ready services of all, such as `7/7`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub services_ready: Option<String>,
    /// The services one by one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub services: Vec<ServiceStatus>,
    /// The way in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingress: Option<IngressStatus>,
}

/// The last verdict about the database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseCheckStatus {
    /// The Job; its name stands for one URI and for all that its pod is made of.
    pub job: String,
    /// `Passed`, or the reason why not.
    pub result: String,
    /// What the Job said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
}

impl DatabaseCheckStatus {
    /// The result of a database that was reached. The Job may be deleted then.
    pub const PASSED: &str = "Passed";
}

/// One service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceStatus {
    /// Its name.
    pub name: String,
    /// The image it is to run.
    pub image: String,
    /// Pods wanted.
    pub replicas: i32,
    /// Pods of the newest revision.
    pub updated_replicas: i32,
    /// Pods that take requests.
    pub ready_replicas: i32,
    /// Available, `RollingOut`, Waiting or `ProgressDeadlineExceeded`.
    pub reason: String,
}

/// The way in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IngressStatus {
    /// Who routes requests: Bundled or None.
    pub provider: String,
    /// Addresses that a load balancer was given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
}

/// The types of conditions, in the order in which they are listed.
pub mod kinds {
    /// Every service is available with the declared settings and can be reached.
    pub const READY: &str = "Ready";
    /// The spec is not yet realised; progress is made.
    pub const RECONCILING: &str = "Reconciling";
    /// The spec is not realised, and nothing will change without a human.
    pub const STALLED: &str = "Stalled";
    /// The database answered to the present URI and image.
    pub const DATABASE_REACHABLE: &str = "DatabaseReachable";
    /// Redis takes connections.
    pub const CACHE_READY: &str = "CacheReady";
    /// The way in works.
    pub const INGRESS_READY: &str = "IngressReady";
    /// Payments are not real.
    pub const PAYMENT_SANDBOX: &str = "PaymentSandbox";
    /// All of them.
    pub const ALL: [&str; 7] =
        [READY, RECONCILING, STALLED, DATABASE_REACHABLE, CACHE_READY, INGRESS_READY, PAYMENT_SANDBOX];
}
