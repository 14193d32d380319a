//! The part of the Shop about how often clients may ask.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many requests each client may make, counted over all pods: by account for those who are logged in, else by address.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RateLimit {
    /// For most requests: 5,000 in 15 minutes by default.
    #[serde(default = "general")]
    pub general: Rate,
    /// For requests that check a password or send a letter, always by address: 500 in 15 minutes by default.
    #[serde(default = "authentication")]
    pub authentication: Rate,
    /// Networks of proxies in front of NGINX, such as a load balancer's, whose `X-Forwarded-For` is believed. Without
    /// them all who come through such a proxy share one allowance.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 43), regex(pattern = "^[0-9a-f:.]+/[0-9]{1,3}$")))]
    #[x_kube(validation = Rule::new("self.all(network, isCIDR(network))").message("`trustedProxies` must be networks such as 192.0.2.0/24"))]
    pub trusted_proxies: Vec<String>,
}

/// So many requests in so much time. What was used grows back evenly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rate {
    /// How many requests may be made at once, and in each window from then on.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub requests: i32,
    /// How long it takes until all of them may be made again.
    #[serde(default = "fifteen_minutes")]
    #[schemars(range(min = 1, max = 86_400))]
    pub window_seconds: i32,
}

impl Default for RateLimit {
    fn default() -> Self {
        Self { general: general(), authentication: authentication(), trusted_proxies: Vec::new() }
    }
}

fn general() -> Rate {
    Rate { requests: 5_000, window_seconds: fifteen_minutes() }
}

fn authentication() -> Rate {
    Rate { requests: 500, window_seconds: fifteen_minutes() }
}

const fn fifteen_minutes() -> i32 {
    900
}
