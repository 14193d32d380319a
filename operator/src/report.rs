//! Step five: tells. The conditions are a pure function of what was seen and done; the status is written only when it says
//! something new, and what changed is told as Events too.

mod conditions;
mod events;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{Patch, PatchParams};
use kube::runtime::events::{Event, Recorder};
use kube::{Api, Client, Resource, ResourceExt};
use serde_json::json;
use tracing::warn;

use crate::apply::Applied;
use crate::ask::Answer;
use crate::crd::{Shop, ShopStatus};
use crate::error::Error;
use crate::plan::Plan;

pub use conditions::{hangs_on_answer, status};

/// The field manager of the status.
pub const MANAGER: &str = "shopmesh.dev/operator.status";

/// How a reconciliation ended.
#[derive(Clone, Copy)]
pub enum Outcome<'a> {
    /// The cluster is like the manifests; pods may still be on their way.
    Applied(&'a Plan, &'a Applied, &'a Answer),
    /// It is not.
    Failed(&'a Error),
}

/// Writes status and Events.
///
/// # Errors
/// [`Error::Api`] if the status cannot be written. An Event that cannot be written is logged: it only says what the status
/// says too.
pub async fn report(
    client: &Client,
    recorder: &Recorder,
    shop: &Shop,
    outcome: Outcome<'_>,
    now: Timestamp,
) -> Result<ShopStatus, Error> {
    let old = shop.status.as_ref();
    let new = status(shop, outcome, now);
    if old != Some(&new) {
        let name = shop.name_any();
        let manifest = json!({
            "apiVersion": Shop::api_version(&()),
            "kind": Shop::kind(&()),
            "metadata": { "name": name },
            "status": new,
        });
        let params = PatchParams::apply(MANAGER).force();
        Api::<Shop>::namespaced(client.clone(), &shop.namespace().unwrap_or_default())
            .patch_status(&name, &params, &Patch::Apply(&manifest))
            .await
            .map_err(Error::api("write the status of", format!("Shop {name}")))?;
    }
    for event in events::events(old, &new, outcome) {
        publish(recorder, &shop.object_ref(&()), event).await;
    }
    Ok(new)
}

/// Tells that an object cannot even be read as a Shop.
pub async fn report_unreadable(recorder: &Recorder, object: &ObjectReference, text: &str) {
    publish(recorder, object, events::warning("InvalidSpec", text)).await;
}

async fn publish(recorder: &Recorder, object: &ObjectReference, event: Event) {
    if let Err(error) = recorder.publish(&event, object).await {
        warn!(reason = event.reason, %error, "Failed to write Event {}", event.reason);
    }
}
