//! What every object carries: its name, labels, and the Shop as its owner.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use kube::Resource;

use super::names;
use crate::crd::Shop;
use crate::plan::{Identity, Plan};

/// Label: which Shop.
pub const SHOP: &str = "shopmesh.dev/shop";
/// Label: which service or other part of it.
pub const SERVICE: &str = "shopmesh.dev/service";
/// Label: stable or canary.
pub const TRACK: &str = "shopmesh.dev/track";
/// Annotation of pods: salted digest of the secrets that they read at their start.
pub const SECRET_HASH: &str = "shopmesh.dev/secret-hash";
/// Annotation: digest of what was applied; tells fields that were removed from those that others added.
pub const APPLIED_HASH: &str = "shopmesh.dev/applied-hash";

const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "shopmesh-operator");

/// A running part of a shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Its name within the shop.
    pub name: &'static str,
    /// What it is for.
    pub role: &'static str,
}

/// The labels by which the objects of one Shop are found.
#[must_use]
pub fn owner_labels(shop: &str) -> BTreeMap<String, String> {
    [MANAGED_BY, (SHOP, shop)].into_iter().map(owned).collect()
}

/// The same as a selector.
#[must_use]
pub fn owner_selector(shop: &str) -> String {
    let labels: Vec<_> = owner_labels(shop).into_iter().map(|(key, value)| format!("{key}={value}")).collect();
    labels.join(",")
}

/// A selector for the objects of all Shops.
#[must_use]
pub fn operator_selector() -> String {
    format!("{}={}", MANAGED_BY.0, MANAGED_BY.1)
}

/// Name, labels and owner of an object that belongs to a part.
pub(super) fn of_part(shop: &Identity, part: Part, name: String) -> ObjectMeta {
    ObjectMeta { labels: Some(labels(shop, part)), ..of_shop(shop, name) }
}

/// Name, labels and owner of an object that belongs to the shop as a whole.
pub(super) fn of_shop(shop: &Identity, name: String) -> ObjectMeta {
    let mut labels = owner_labels(&shop.name);
    labels.extend(
        [("app.kubernetes.io/instance", shop.name.as_str()), ("app.kubernetes.io/part-of", "shopmesh")].map(owned),
    );
    ObjectMeta {
        name: Some(name),
        namespace: Some(shop.namespace.clone()),
        labels: Some(labels),
        owner_references: Some(vec![owner(shop)]),
        ..ObjectMeta::default()
    }
}

/// All labels of a part, for its objects and pods.
pub(super) fn labels(shop: &Identity, part: Part) -> BTreeMap<String, String> {
    let mut labels = owner_labels(&shop.name);
    labels.extend(
        [
            ("app.kubernetes.io/name", part.name),
            ("app.kubernetes.io/instance", shop.name.as_str()),
            ("app.kubernetes.io/component", part.role),
            ("app.kubernetes.io/part-of", "shopmesh"),
        ]
        .map(owned),
    );
    labels.extend(selector(shop, part));
    labels
}

/// The labels by which pods of a part are selected. They can never be changed.
pub(super) fn selector(shop: &Identity, part: Part) -> BTreeMap<String, String> {
    [(SHOP, shop.name.as_str()), (SERVICE, part.name), (TRACK, "stable")].into_iter().map(owned).collect()
}

pub(super) fn label_selector(shop: &Identity, part: Part) -> LabelSelector {
    LabelSelector { match_labels: Some(selector(shop, part)), ..LabelSelector::default() }
}

/// The identity of a part's pods. It may do nothing, and pods are not given its token.
pub(super) fn service_account(plan: &Plan, part: Part) -> ServiceAccount {
    let name = names::service(&plan.shop.name, part.name);
    ServiceAccount {
        metadata: of_part(&plan.shop, part, name),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    }
}

fn owner(shop: &Identity) -> OwnerReference {
    OwnerReference {
        api_version: Shop::api_version(&()).into_owned(),
        kind: Shop::kind(&()).into_owned(),
        name: shop.name.clone(),
        uid: shop.uid.clone(),
        controller: Some(true),
        block_owner_deletion: Some(true),
    }
}

fn owned((key, value): (&str, &str)) -> (String, String) {
    (key.to_owned(), value.to_owned())
}
