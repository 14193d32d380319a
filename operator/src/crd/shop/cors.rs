//! The part of the Shop about web pages of other origins.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which web pages of other origins may call the shop from a browser. Pages of the shop's own host always may.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.credentials == 'Omit' || !has(self.allowedOrigins) || !('*' in self.allowedOrigins)").message("`credentials` must be Omit when `allowedOrigins` has '*'"))]
pub struct Cors {
    /// Origins such as `https://shop.example`, with a port if it is not the usual one, or `*` for all. None: no page of
    /// another origin may call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 32),
        inner(
            length(max = 255),
            regex(
                pattern = "^([*]|https?://[a-z0-9.-]+(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?)$"
            )
        )
    )]
    pub allowed_origins: Vec<String>,
    /// Whether browsers send cookies and client certificates along. Tokens in headers need no Include.
    #[serde(default)]
    pub credentials: Credentials,
    /// How long a browser may keep the answer to its question what is allowed.
    #[serde(default = "ten_minutes")]
    #[schemars(range(min = 0, max = 86_400))]
    pub max_age_seconds: i32,
}

/// Whether browsers send cookies and client certificates along.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Credentials {
    /// They do not.
    #[default]
    Omit,
    /// They do.
    Include,
}

impl Default for Cors {
    fn default() -> Self {
        Self { allowed_origins: Vec::new(), credentials: Credentials::default(), max_age_seconds: ten_minutes() }
    }
}

const fn ten_minutes() -> i32 {
    600
}
