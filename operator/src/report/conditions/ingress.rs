//! What is said about the way in.

use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt;

use super::{Said, WAITING, find, is_true, said};
use crate::apply::Applied;
use crate::ask::Answer;
use crate::build::names;
use crate::crd::ShopStatus;
use crate::crd::shop::ServiceType;
use crate::crd::status::kinds;
use crate::plan::{NginxPlan, Plan};
use crate::rollout::{AVAILABLE, progress};

/// The condition. A shop that was not asked now is as open as it was: it is asked on its way to Ready.
pub(super) fn ingress(plan: &Plan, applied: &Applied, answer: &Answer, old: &ShopStatus) -> Said {
    let kind = kinds::INGRESS_READY;
    let Some(nginx) = &plan.nginx else {
        return said(kind, "Unknown", "Disabled", "The shop has no way in from outside");
    };
    if nginx.upstreams.is_none() {
        return said(kind, "False", WAITING, "NGINX waits for the Services of the shop");
    }
    match progress(find(applied, &names::nginx(&plan.shop.name))) {
        AVAILABLE => {}
        reason => return said(kind, "False", reason, "NGINX is not available"),
    }
    if nginx.service_type == ServiceType::LoadBalancer && addresses(plan, applied).is_empty() {
        return said(kind, "False", "AddressPending", "The load balancer has no address yet");
    }
    match answer {
        Answer::Unwell(why) => {
            said(kind, "False", "NotAnswering", format!("The shop is not well through NGINX: {why}"))
        }
        Answer::NotAsked if !is_true(old, kind) => {
            said(kind, "False", WAITING, "The shop is asked through NGINX when everything is available")
        }
        Answer::NotAsked | Answer::Well => said(kind, "True", AVAILABLE, "NGINX takes requests"),
    }
}

pub(super) fn addresses(plan: &Plan, applied: &Applied) -> Vec<String> {
    let status = nginx_service(plan, applied).and_then(|service| service.status.as_ref());
    let ingress = status.and_then(|status| status.load_balancer.as_ref()?.ingress.as_ref());
    ingress.into_iter().flatten().filter_map(|entry| entry.ip.clone().or_else(|| entry.hostname.clone())).collect()
}

pub(super) fn url(plan: &Plan, nginx: &NginxPlan, applied: &Applied) -> String {
    let inside = || format!("{}.{}.svc", names::nginx(&plan.shop.name), plan.shop.namespace);
    let address = match nginx.service_type {
        ServiceType::LoadBalancer => addresses(plan, applied).into_iter().next().map(in_url),
        ServiceType::ClusterIp | ServiceType::NodePort => None,
    };
    format!("http://{}", plan.host.clone().or(address).unwrap_or_else(inside))
}

/// An address as it stands in a URL (RFC 3986, 3.2.2).
fn in_url(address: String) -> String {
    if address.parse::<std::net::Ipv6Addr>().is_ok() { format!("[{address}]") } else { address }
}

fn nginx_service<'a>(plan: &Plan, applied: &'a Applied) -> Option<&'a Service> {
    let name = names::nginx(&plan.shop.name);
    applied.objects.services.iter().find(|service| service.name_any() == name)
}
