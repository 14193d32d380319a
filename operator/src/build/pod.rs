//! What every pod of a shop has in common: it runs under the restricted Pod Security Standard, on a read-only root file
//! system, without a token of the API server.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMapEnvSource, ConfigMapVolumeSource, Container, ContainerPort, EmptyDirVolumeSource,
    EnvFromSource, EnvVar, EnvVarSource, HTTPGetAction, KeyToPath, Lifecycle, LocalObjectReference,
    ObjectFieldSelector, PodSecurityContext, PodSpec, PodTemplateSpec, Probe, ResourceRequirements, SeccompProfile,
    SecretKeySelector, SecretVolumeSource, SecurityContext, TCPSocketAction, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{metadata, names};
use crate::plan::Plan;
use metadata::Part;

/// User and group of our own images.
pub(super) const NONROOT: i64 = 65_532;

/// What is particular about a pod with one container.
pub(super) struct Pod<'a> {
    pub(super) part: Part,
    pub(super) image: &'a str,
    /// Replaces the image's own entry point; empty: it stays.
    pub(super) command: Vec<String>,
    pub(super) args: Vec<String>,
    /// A `ConfigMap` whose keys are environment variables.
    pub(super) settings: Option<String>,
    pub(super) env: Vec<EnvVar>,
    pub(super) ports: Vec<(&'static str, u16)>,
    pub(super) probes: Option<Probes>,
    pub(super) files: Vec<Files>,
    pub(super) resources: ResourceRequirements,
    pub(super) user: i64,
    pub(super) grace_seconds: Option<i32>,
    pub(super) lifecycle: Option<Lifecycle>,
    pub(super) annotations: Vec<(&'static str, String)>,
    pub(super) restart: Restart,
}

/// What becomes of a container that ended.
#[derive(Clone, Copy)]
pub(super) enum Restart {
    Always,
    Never,
}

/// How the kubelet sees whether a container lives and is ready.
#[derive(Clone, Copy)]
pub(super) enum Probes {
    /// `/livez` and `/readyz` on the admin port.
    Admin,
    /// One path for both.
    Path(&'static str, &'static str),
    /// A port that takes connections.
    Port(&'static str),
}

/// A folder in the container.
pub(super) struct Files {
    pub(super) name: &'static str,
    pub(super) folder: &'static str,
    pub(super) source: Source,
}

/// What a folder holds.
pub(super) enum Source {
    /// All keys of a `ConfigMap`.
    ConfigMap(String),
    /// Keys of a Secret, each with its file name.
    Secret(String, Vec<(String, &'static str)>),
    /// Nothing at first; it can be written, up to so much.
    Empty(&'static str),
}

/// The template of a pod.
pub(super) fn template(plan: &Plan, pod: Pod<'_>) -> PodTemplateSpec {
    let annotations: BTreeMap<_, _> =
        pod.annotations.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(metadata::labels(&plan.shop, pod.part)),
            annotations: (!annotations.is_empty()).then_some(annotations),
            ..ObjectMeta::default()
        }),
        spec: Some(spec(plan, pod)),
    }
}

fn spec(plan: &Plan, pod: Pod<'_>) -> PodSpec {
    let pull_secrets: Vec<_> =
        plan.pull.secrets.iter().map(|name| LocalObjectReference { name: name.clone() }).collect();
    PodSpec {
        service_account_name: Some(names::service(&plan.shop.name, pod.part.name)),
        automount_service_account_token: Some(false),
        // Variables for every Service of the namespace would change with each of them, and are used by nobody.
        enable_service_links: Some(false),
        image_pull_secrets: (!pull_secrets.is_empty()).then_some(pull_secrets),
        termination_grace_period_seconds: pod.grace_seconds.map(i64::from),
        restart_policy: Some(match pod.restart {
            Restart::Always => "Always".to_owned(),
            Restart::Never => "Never".to_owned(),
        }),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(pod.user),
            run_as_group: Some(pod.user),
            fs_group: Some(pod.user),
            seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }),
            ..PodSecurityContext::default()
        }),
        volumes: (!pod.files.is_empty()).then(|| pod.files.iter().map(volume).collect()),
        containers: vec![container(plan, pod)],
        ..PodSpec::default()
    }
}

fn container(plan: &Plan, pod: Pod<'_>) -> Container {
    let mounts: Vec<_> = pod.files.iter().map(mount).collect();
    let ports: Vec<_> = pod
        .ports
        .iter()
        .map(|(name, port)| ContainerPort {
            name: Some((*name).to_owned()),
            container_port: i32::from(*port),
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        })
        .collect();
    Container {
        name: pod.part.name.to_owned(),
        image: Some(pod.image.to_owned()),
        image_pull_policy: Some(
            match plan.pull.policy {
                crate::crd::shop::PullPolicy::Always => "Always",
                crate::crd::shop::PullPolicy::IfNotPresent => "IfNotPresent",
                crate::crd::shop::PullPolicy::Never => "Never",
            }
            .to_owned(),
        ),
        command: (!pod.command.is_empty()).then_some(pod.command),
        args: (!pod.args.is_empty()).then_some(pod.args),
        env_from: pod.settings.map(|name| {
            let config_map_ref = Some(ConfigMapEnvSource { name, optional: None });
            vec![EnvFromSource { config_map_ref, ..EnvFromSource::default() }]
        }),
        env: (!pod.env.is_empty()).then_some(pod.env),
        ports: (!ports.is_empty()).then_some(ports),
        startup_probe: pod.probes.map(|probes| probe(probes, Moment::Startup)),
        liveness_probe: pod.probes.map(|probes| probe(probes, Moment::Liveness)),
        readiness_probe: pod.probes.map(|probes| probe(probes, Moment::Readiness)),
        lifecycle: pod.lifecycle,
        resources: Some(pod.resources),
        security_context: Some(SecurityContext {
            allow_privilege_escalation: Some(false),
            read_only_root_filesystem: Some(true),
            capabilities: Some(Capabilities { add: None, drop: Some(vec!["ALL".to_owned()]) }),
            ..SecurityContext::default()
        }),
        volume_mounts: (!mounts.is_empty()).then_some(mounts),
        ..Container::default()
    }
}

#[derive(Clone, Copy)]
enum Moment {
    Startup,
    Liveness,
    Readiness,
}

/// A start is looked at every second, so that a ready pod is seen at once; after that liveness is slow to judge.
fn probe(probes: Probes, moment: Moment) -> Probe {
    let (period, failures) = match moment {
        Moment::Startup => (1, 60),
        Moment::Liveness => (10, 3),
        Moment::Readiness => (2, 2),
    };
    let get = |port: &str, path: &str| HTTPGetAction {
        path: Some(path.to_owned()),
        port: IntOrString::String(port.to_owned()),
        scheme: Some("HTTP".to_owned()),
        ..HTTPGetAction::default()
    };
    let (http_get, tcp_socket) = match (probes, moment) {
        (Probes::Admin, Moment::Readiness) => (Some(get("metrics", "/readyz")), None),
        (Probes::Admin, Moment::Startup | Moment::Liveness) => (Some(get("metrics", "/livez")), None),
        (Probes::Path(port, path), _) => (Some(get(port, path)), None),
        (Probes::Port(port), _) => {
            (None, Some(TCPSocketAction { port: IntOrString::String(port.to_owned()), host: None }))
        }
    };
    Probe {
        http_get,
        tcp_socket,
        period_seconds: Some(period),
        failure_threshold: Some(failures),
        timeout_seconds: Some(2),
        ..Probe::default()
    }
}

fn mount(files: &Files) -> VolumeMount {
    VolumeMount {
        name: files.name.to_owned(),
        mount_path: files.folder.to_owned(),
        read_only: match files.source {
            Source::ConfigMap(_) | Source::Secret(..) => Some(true),
            Source::Empty(_) => None,
        },
        ..VolumeMount::default()
    }
}

/// Files of Secrets are readable by the pod's group alone.
const SECRET_MODE: i32 = 0o440;

fn volume(files: &Files) -> Volume {
    let mut volume = Volume { name: files.name.to_owned(), ..Volume::default() };
    match &files.source {
        Source::ConfigMap(name) => {
            volume.config_map = Some(ConfigMapVolumeSource { name: name.clone(), ..ConfigMapVolumeSource::default() });
        }
        Source::Secret(name, keys) => {
            let items =
                keys.iter().map(|(key, file)| KeyToPath { key: key.clone(), path: (*file).to_owned(), mode: None });
            volume.secret = Some(SecretVolumeSource {
                secret_name: Some(name.clone()),
                default_mode: Some(SECRET_MODE),
                items: Some(items.collect()),
                optional: None,
            });
        }
        Source::Empty(size) => {
            volume.empty_dir =
                Some(EmptyDirVolumeSource { medium: None, size_limit: Some(Quantity((*size).to_owned())) });
        }
    }
    volume
}

/// A variable with a value.
pub(super) fn value(name: &str, value: impl Into<String>) -> EnvVar {
    EnvVar { name: name.to_owned(), value: Some(value.into()), value_from: None }
}

/// A variable from a Secret.
pub(super) fn from_secret(name: &str, secret: &str, key: &str) -> EnvVar {
    let source = SecretKeySelector { name: secret.to_owned(), key: key.to_owned(), optional: None };
    let value_from = EnvVarSource { secret_key_ref: Some(source), ..EnvVarSource::default() };
    EnvVar { name: name.to_owned(), value: None, value_from: Some(value_from) }
}

/// A variable with the pod's own name.
pub(super) fn pod_name(name: &str) -> EnvVar {
    let source = ObjectFieldSelector { api_version: Some("v1".to_owned()), field_path: "metadata.name".to_owned() };
    let value_from = EnvVarSource { field_ref: Some(source), ..EnvVarSource::default() };
    EnvVar { name: name.to_owned(), value: None, value_from: Some(value_from) }
}
