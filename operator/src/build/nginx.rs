//! The bundled NGINX: the way in. What it is told, `nginx_config` says.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Lifecycle, LifecycleHandler, SleepAction};
use kube::ResourceExt;

use super::deployment::{Replace, deployment};
use super::pod::{Files, Pod, Probes, Restart, Source};
use super::{Part, config, metadata, names, nginx_config, service};
use crate::crd::shop::ServiceType;
use crate::plan::{NginxPlan, Plan};

/// The user of the unprivileged image.
const NGINX_USER: i64 = 101;

const CONFIG_FOLDER: &str = "/etc/shopmesh/nginx";

pub(super) fn nginx(plan: &Plan, nginx: &NginxPlan) -> Part {
    let part = names::NGINX_PART;
    let name = names::nginx(&plan.shop.name);
    let text = nginx_config::text(plan, nginx);
    let settings = config::config_map(plan, part, BTreeMap::from([(names::NGINX_CONFIG.to_owned(), text)]));
    let file = format!("{CONFIG_FOLDER}/{}", names::NGINX_CONFIG);
    let pod = Pod {
        part,
        image: &nginx.image,
        command: ["nginx", "-e", "stderr", "-c", file.as_str(), "-g", "daemon off;"].map(str::to_owned).into(),
        args: Vec::new(),
        settings: None,
        env: Vec::new(),
        ports: vec![("http", nginx_config::PORT), ("status", nginx_config::STATUS_PORT)],
        probes: Some(Probes::Path("http", nginx_config::HEALTH_PATH)),
        files: vec![
            Files { name: "config", folder: CONFIG_FOLDER, source: Source::ConfigMap(settings.name_any()) },
            Files { name: "tmp", folder: "/tmp", source: Source::Empty("256Mi") },
        ],
        resources: nginx.resources.clone(),
        user: NGINX_USER,
        grace_seconds: Some(30),
        // NGINX closes its port at once when told to stop: not before the others stopped sending to it.
        lifecycle: Some(Lifecycle {
            pre_stop: Some(LifecycleHandler { sleep: Some(SleepAction { seconds: 5 }), ..LifecycleHandler::default() }),
            ..Lifecycle::default()
        }),
        annotations: Vec::new(),
        restart: Restart::Always,
    };
    let mut address = service::address(plan, part, name, &[("http", names::NGINX_PORT)]);
    if let Some(spec) = &mut address.spec {
        spec.type_ = Some(nginx.service_type.as_str().to_owned());
        if nginx.service_type == ServiceType::LoadBalancer {
            // Otherwise Kubernetes replaces addresses by those of nodes, and all clients share one rate limit.
            spec.external_traffic_policy = Some("Local".to_owned());
        }
        if let Some(port) = spec.ports.as_mut().and_then(|ports| ports.first_mut()) {
            port.node_port = nginx.node_port;
        }
    }
    Part {
        service_account: metadata::service_account(plan, part),
        config_maps: vec![settings],
        services: vec![address],
        deployment: deployment(plan, pod, nginx.replicas, Replace::OneByOne),
        waits: nginx.upstreams.is_none(),
    }
}
