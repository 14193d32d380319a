//! What the node would do: pods run and become ready, the pod of the database check ends with its verdict. The rest, from
//! `ReplicaSets` to the status of Deployments and Jobs, is done by the real controllers.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use operator::build::{metadata, names};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How the database check ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Reached,
    /// With a code and a text.
    Failed(&'static str, &'static str),
    /// Not at all: its image cannot be pulled.
    NoImage,
}

/// Plays the node for one namespace, until it is dropped.
pub(crate) struct Kubelet {
    verdict: watch::Sender<Verdict>,
    starts: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Kubelet {
    pub(crate) fn start(client: Client, namespace: &str) -> Self {
        let (verdict, verdicts) = watch::channel(Verdict::Reached);
        let (starts, may_start) = watch::channel(true);
        let pods = Api::<Pod>::namespaced(client, namespace);
        let task = tokio::spawn(async move {
            loop {
                let (verdict, starts) = (verdicts.borrow().clone(), *may_start.borrow());
                for pod in pods.list(&ListParams::default()).await.unwrap() {
                    if starts || is_check(&pod) {
                        run(&pods, &pod, &verdict).await;
                    }
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        });
        Self { verdict, starts, task }
    }

    /// Says how database checks end from now on.
    pub(crate) fn database(&self, verdict: Verdict) {
        self.verdict.send_replace(verdict);
    }

    /// Says whether new pods become ready from now on; database checks end anyhow.
    pub(crate) fn starts(&self, starts: bool) {
        self.starts.send_replace(starts);
    }
}

fn is_check(pod: &Pod) -> bool {
    pod.labels().get(metadata::SERVICE).is_some_and(|part| part == names::DATABASE_CHECK)
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(pods: &Api<Pod>, pod: &Pod, verdict: &Verdict) {
    let is_new = pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Pending");
    if !is_new || pod.metadata.deletion_timestamp.is_some() {
        return;
    }
    let status = match (is_check(pod), verdict) {
        (false, _) => json!({
            "phase": "Running",
            "conditions": [{ "type": "Ready", "status": "True", "lastTransitionTime": pod.creation_timestamp() }],
        }),
        (true, Verdict::Reached) => ended("Succeeded", 0, &json!({ "code": "Ok", "text": "reached" })),
        (true, Verdict::NoImage) => waiting("ImagePullBackOff", "Back-off pulling image \"registry.test/shopmesh:1\""),
        (true, Verdict::Failed(code, text)) => ended("Failed", 1, &json!({ "code": code, "text": text })),
    };
    let patch = json!({ "status": status });
    match pods.patch_status(&pod.name_any(), &PatchParams::default(), &Patch::Merge(patch)).await {
        Ok(_) => {}
        // Deleted in the meantime.
        Err(kube::Error::Api(status)) if status.code == 404 => {}
        Err(error) => panic!("the kubelet cannot write a status: {error}"),
    }
}

fn ended(phase: &str, code: i32, message: &Value) -> Value {
    let terminated = json!({ "exitCode": code, "message": message.to_string(), "reason": "Completed" });
    check(phase, &json!({ "terminated": terminated }))
}

fn waiting(reason: &str, message: &str) -> Value {
    check("Pending", &json!({ "waiting": { "reason": reason, "message": message } }))
}

fn check(phase: &str, state: &Value) -> Value {
    json!({
        "phase": phase,
        "containerStatuses": [{
            "name": names::DATABASE_CHECK, "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": state,
        }],
    })
}
