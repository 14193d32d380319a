//! Resources of containers: what the Shop says, field by field over our defaults.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ResourceRequirements;

use crate::crd::Quantity;
use crate::crd::shop::{Amounts, Defaults, Resources, Service};
use crate::error::Error;

/// A container of a service.
pub(super) fn of_service(defaults: &Defaults, own: Option<&Service>) -> Result<ResourceRequirements, Error> {
    let ours = amounts(Some("50m"), Some("64Mi"), Some("256Mi"));
    let layers = [own.and_then(|own| own.resources.as_ref()), defaults.resources.as_ref(), Some(&ours)];
    let field = match own {
        Some(own) => format!("spec.services[{}].resources", own.name.0),
        None => "spec.defaults.resources".to_owned(),
    };
    merged(&field, &layers)
}

/// The container of Redis, whose memory follows its data.
pub(super) fn of_redis(max_memory_bytes: u128, own: Option<&Resources>) -> Result<ResourceRequirements, Error> {
    let ours = Resources {
        requests: Some(Amounts { cpu: Some(Quantity::new("50m")), memory: Some(Quantity::bytes(max_memory_bytes)) }),
        limits: Some(Amounts { cpu: None, memory: Some(Quantity::bytes(max_memory_bytes * 3 / 2)) }),
    };
    merged("spec.redis.managed.resources", &[own, Some(&ours)])
}

/// The container of NGINX.
pub(super) fn of_nginx(own: Option<&Resources>) -> Result<ResourceRequirements, Error> {
    let ours = amounts(Some("50m"), Some("32Mi"), Some("128Mi"));
    merged("spec.ingress.bundled.resources", &[own, Some(&ours)])
}

/// The error for a text that is no amount, which the schema excludes.
pub(super) fn no_amount(field: &str) -> Error {
    Error::Invalid(format!("{field}: must be an amount such as 500m or 64Mi"))
}

fn amounts(cpu: Option<&str>, memory: Option<&str>, most_memory: Option<&str>) -> Resources {
    Resources {
        requests: Some(Amounts { cpu: cpu.map(Quantity::new), memory: memory.map(Quantity::new) }),
        limits: Some(Amounts { cpu: None, memory: most_memory.map(Quantity::new) }),
    }
}

/// Takes one amount out of two.
type Pick = fn(&Amounts) -> Option<&Quantity>;

/// The first layer that says something counts, for each of the four amounts. A request that was not asked for yields to a
/// smaller limit that was.
fn merged(field: &str, layers: &[Option<&Resources>]) -> Result<ResourceRequirements, Error> {
    let mut requests = BTreeMap::new();
    let mut limits = BTreeMap::new();
    let picks: [(&str, Pick); 2] =
        [("cpu", |amounts| amounts.cpu.as_ref()), ("memory", |amounts| amounts.memory.as_ref())];
    for (name, pick) in picks {
        let request = first(layers, |layer| layer.requests.as_ref().and_then(pick));
        let limit = first(layers, |layer| layer.limits.as_ref().and_then(pick));
        let milli = |amount: &Quantity| amount.milli().ok_or_else(|| no_amount(&format!("{field}.{name}")));
        let mut kept = request.map(|(_, amount)| amount);
        if let (Some((asked_request, request)), Some((asked_limit, limit))) = (request, limit)
            && milli(request)? > milli(limit)?
        {
            let ours = layers.len() - 1;
            if asked_request == ours {
                kept = Some(limit);
            } else if asked_limit == ours {
                return Err(Error::Invalid(format!(
                    "{field}.requests.{name}: must not be more than the limit, which is {} by default",
                    limit.as_str()
                )));
            } else {
                return Err(Error::Invalid(format!("{field}.requests.{name}: must not be more than the limit")));
            }
        }
        requests.extend(kept.map(|amount| (name.to_owned(), amount.to_kubernetes())));
        limits.extend(limit.map(|(_, amount)| (name.to_owned(), amount.to_kubernetes())));
    }
    Ok(ResourceRequirements { requests: Some(requests), limits: Some(limits), ..Default::default() })
}

fn first<'a>(
    layers: &[Option<&'a Resources>],
    pick: impl Fn(&'a Resources) -> Option<&'a Quantity>,
) -> Option<(usize, &'a Quantity)> {
    layers.iter().enumerate().find_map(|(index, layer)| Some((index, pick((*layer)?)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(memory: &str) -> Resources {
        Resources { limits: Some(Amounts { memory: Some(Quantity::new(memory)), cpu: None }), requests: None }
    }

    fn request(memory: &str) -> Resources {
        Resources { requests: Some(Amounts { memory: Some(Quantity::new(memory)), cpu: None }), limits: None }
    }

    fn of(resources: Resources) -> Result<ResourceRequirements, Error> {
        of_service(&Defaults { resources: Some(resources), ..Defaults::default() }, None)
    }

    #[test]
    fn what_is_not_said_is_ours() {
        let all = of(Resources::default()).unwrap();
        assert_eq!(all.requests.unwrap()["cpu"].0, "50m");
        assert_eq!(all.limits.unwrap()["memory"].0, "256Mi");
    }

    #[test]
    fn our_request_yields_to_a_smaller_limit() {
        let all = of(limit("32Mi")).unwrap();
        assert_eq!(all.requests.unwrap()["memory"].0, "32Mi");
        assert_eq!(all.limits.unwrap()["memory"].0, "32Mi");
    }

    #[test]
    fn a_request_above_its_limit_names_its_field() {
        let error = of(request("1Gi")).unwrap_err().to_string();
        assert!(error.contains("spec.defaults.resources.requests.memory") && error.contains("256Mi"), "{error}");
        let both = Resources { limits: limit("1Gi").limits, ..request("2Gi") };
        assert!(of(both).is_err());
    }
}
