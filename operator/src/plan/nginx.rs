//! The bundled NGINX: what of it the Shop leaves open, and what it may not say.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Service;

use super::{Chosen, Identity, NginxPlan, Settings, resources};
use crate::build::names;
use crate::crd::shop::{BundledIngress, Ingress, IngressProvider};
use crate::error::Error;
use crate::observe::Observed;

pub(super) fn plan(
    ingress: &Ingress,
    shop: &Identity,
    images: &Chosen<'_>,
    replicas: i32,
    settings: &Settings,
    observed: &Observed,
) -> Result<Option<NginxPlan>, Error> {
    match ingress.provider {
        IngressProvider::None => return Ok(None),
        IngressProvider::Auto | IngressProvider::Bundled => {}
    }
    let BundledIngress { image, replicas: own, service_type, node_port, resources: amounts } =
        ingress.bundled.clone().unwrap_or_default();
    Ok(Some(NginxPlan {
        image: image.unwrap_or_else(|| images.relocated(&images.images.nginx)),
        replicas: own.unwrap_or(replicas),
        resources: resources::of_nginx(amounts.as_ref())?,
        service_type,
        node_port,
        max_body_bytes: max_body_bytes(ingress)?,
        timeouts: ingress.timeouts.clone(),
        dns: settings.dns.clone(),
        upstreams: upstreams(shop, &observed.children.services),
    }))
}

/// What is less is no body, and 0 means no limit to NGINX. No service takes more than 16 MiB, and NGINX keeps what it is
/// sent in a folder of 256 MiB.
fn max_body_bytes(ingress: &Ingress) -> Result<u128, Error> {
    let field = "spec.ingress.maxBodySize";
    let bytes = ingress.max_body_size.whole().ok_or_else(|| resources::no_amount(field))?;
    if (1024..=64 * 1024 * 1024).contains(&bytes) {
        Ok(bytes)
    } else {
        Err(Error::Invalid(format!("{field}: must be 1Ki to 64Mi")))
    }
}

fn upstreams(shop: &Identity, services: &[Service]) -> Option<BTreeMap<&'static str, String>> {
    let address = |service: &shop_config::ServiceSpec| {
        let name = names::service(&shop.name, service.name);
        let found = services.iter().find(|service| service.metadata.name.as_ref() == Some(&name))?;
        Some((service.name, found.spec.as_ref()?.cluster_ip.clone()?))
    };
    shop_config::SERVICES.iter().map(address).collect()
}
