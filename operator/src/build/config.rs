//! `ConfigMaps`: what pods are told that is no secret.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;

use super::metadata::{self, Part};
use super::names;
use crate::keys;
use crate::plan::{Plan, ServicePlan};

/// The settings of a service, by environment variable.
pub(super) fn settings(plan: &Plan, part: Part, service: &ServicePlan) -> ConfigMap {
    let data = service.settings.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    config_map(plan, part, data)
}

/// The public keys of access tokens, for every service.
pub(super) fn key_set(plan: &Plan) -> ConfigMap {
    ConfigMap {
        metadata: metadata::of_shop(&plan.shop, names::key_set(&plan.shop.name)),
        data: Some(BTreeMap::from([(names::KEY_SET.to_owned(), plan.secrets.key_set.clone())])),
        ..ConfigMap::default()
    }
}

/// A `ConfigMap` that cannot be changed; its name tells what it holds. Other settings are another one: pods of before that
/// start again find theirs, and those that read it are replaced because they name another.
pub(super) fn config_map(plan: &Plan, part: Part, data: BTreeMap<String, String>) -> ConfigMap {
    let digest = keys::digest("", data.iter().flat_map(|(key, value)| [key.as_str(), value.as_str()]));
    ConfigMap {
        metadata: metadata::of_part(&plan.shop, part, names::settings(&plan.shop.name, part.name, &digest[..8])),
        immutable: Some(true),
        data: Some(data),
        ..ConfigMap::default()
    }
}
