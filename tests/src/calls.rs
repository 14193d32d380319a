//! Every promised call, made once: the table `conformance/calls.yaml` against any shop, by its base URL, and the shop's own list
//! of its calls against the table.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

mod runner;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use self::runner::Runner;
pub use self::runner::asks_again;
use crate::wait::until;

/// A call that a shop serves, as its OpenAPI document tells.
#[derive(Debug, Clone)]
pub struct Call {
    /// In capitals.
    pub method: String,
    /// The path, with its parameters in braces.
    pub template: String,
    /// The kinds of caller that it lets in.
    pub callers: Vec<String>,
    /// The services that answer it.
    pub services: Vec<String>,
    /// Whether it stands for a newer call.
    pub is_older: bool,
}

impl Call {
    /// Method and template.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.template)
    }
}

/// All calls of the OpenAPI document of the shop at a URL, once that is of all its services.
///
/// # Panics
/// When it does not come to be, in time.
pub async fn served(base: &str) -> Vec<Call> {
    until("the document has all services", || documented(base), |calls| has_all_services(calls)).await
}

/// Whether the front of the shop has heard of all its services.
fn has_all_services(calls: &[Call]) -> bool {
    shop_config::SERVICES.iter().all(|spec| calls.iter().any(|call| call.services.iter().any(|name| name == spec.name)))
}

async fn documented(base: &str) -> Vec<Call> {
    let reply = reqwest::get(format!("{base}/openapi.json")).await.unwrap();
    let document: Value = reply.json().await.unwrap();
    let mut calls = Vec::new();
    for (template, item) in document["paths"].as_object().unwrap() {
        for method in ["get", "post", "put", "patch", "delete"] {
            let Some(operation) = item.get(method) else { continue };
            let texts = |field: &str| {
                let items = operation[field].as_array().into_iter().flatten();
                items.map(|item| item.as_str().unwrap().to_owned()).collect()
            };
            calls.push(Call {
                method: method.to_uppercase(),
                template: template.clone(),
                callers: texts("x-callers"),
                services: texts("tags"),
                is_older: operation["deprecated"] == true,
            });
        }
    }
    calls
}

/// Whether a call is one for older clients, by its path: what is not under `/api/v1` is, but for what the front answers itself
/// and for what a standard has named.
fn is_older(call: &Call) -> bool {
    let stands_alone = call.services == ["edge"] || call.template.starts_with("/.well-known/");
    !(call.template.starts_with("/api/v1/") || stands_alone)
}

/// What is not as the table promises at the shop at a URL, one line each. The shop is one that nobody has used: the table fills
/// it. `given` has what rows name and none keeps: `bossEmail` and `bossPassword` of an admin, and tokens of a `customer`, of
/// `staff`, of an `admin` and of a `service`.
///
/// # Panics
/// When it does not answer at all, or does not come to be what a row waits for.
pub async fn broken_promises(base: &str, given: BTreeMap<String, String>) -> Vec<String> {
    let rows = table::rows();
    let listed: BTreeSet<String> = rows.iter().map(|row| row.call.clone()).collect();
    let calls = served(base).await;
    let served: BTreeSet<String> = calls.iter().map(Call::name).collect();
    let mut broken: Vec<_> =
        served.difference(&listed).map(|call| format!("{call} has no row in calls.yaml")).collect();
    broken.extend(listed.difference(&served).map(|call| format!("{call} has a row, and the shop does not have it")));
    let is_marked = |call: &&Call| call.is_older == is_older(call);
    let unmarked =
        calls.iter().filter(|call| !is_marked(call)).map(|call| format!("{} is marked wrongly", call.name()));
    broken.extend(unmarked);
    let older = calls.iter().filter(|call| call.is_older).map(Call::name).collect();
    let mut runner = Runner::new(base.to_owned(), given, older);
    for row in &rows {
        if let Err(why) = runner.make(row).await {
            broken.push(format!("{} {}: {why}", row.id, row.call));
        }
    }
    broken
}
