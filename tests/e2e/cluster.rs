//! The cluster and the Shops in it, as `kubectl` sees them.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::Write;
use std::process::Command;
use std::time::Instant;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Pod, Secret, Service};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use kube::{Client, Resource, ResourceExt};
use operator::crd::Shop;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tests::wait::until;

/// Where the operator is installed.
pub(crate) const SYSTEM: &str = "shopmesh-system";
/// Name of the Shop in each namespace.
pub(crate) const NAME: &str = "demo";

/// A namespace with a Shop in it.
pub(crate) struct Site {
    client: Client,
    pub(crate) namespace: String,
}

/// The connection string of the cluster's MongoDB.
pub(crate) fn mongodb_uri() -> String {
    #[expect(clippy::disallowed_methods, reason = "tests find their servers by environment")]
    std::env::var("SHOPMESH_TEST_MONGODB_URI").expect("tests/e2e/run names a MongoDB")
}

/// What all scenarios ask for, unless they say otherwise.
pub(crate) fn spec() -> Value {
    let rate = json!({ "requests": 1_000_000, "windowSeconds": 1 });
    json!({
        "availability": "SingleReplica",
        "currency": "EUR",
        "mongodb": { "uriSecretRef": { "name": "mongodb" } },
        "redis": { "managed": { "maxMemory": "64Mi" } },
        "admin": { "email": "admin@demo.example" },
        "payment": { "provider": "Sandbox" },
        // All visitors come from one address.
        "rateLimit": { "general": rate, "authentication": rate },
        "services": [{ "name": "catalog", "replicas": 2 }],
    })
}

/// Tells people something while the scenarios run.
pub(crate) fn say(text: &str) {
    std::io::stderr().write_all(format!("{text}\n").as_bytes()).unwrap();
}

/// The shop that most scenarios share, ready and as declared by [`spec`].
pub(crate) async fn shared() -> Site {
    let site = Site::new("shop").await;
    site.put_mongodb(&mongodb_uri()).await;
    site.apply(&spec()).await;
    site.ready().await;
    site
}

impl Site {
    /// A namespace where pods must be restricted; made if it is not there.
    pub(crate) async fn new(namespace: &str) -> Self {
        // Another scenario may have been first.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let client = Client::try_default().await.expect("KUBECONFIG names a cluster: run tests/e2e/run");
        let manifest = json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": { "name": namespace, "labels": { "pod-security.kubernetes.io/enforce": "restricted" } },
        });
        let api = Api::<Namespace>::all(client.clone());
        api.patch(namespace, &PatchParams::apply("tests"), &Patch::Apply(manifest)).await.unwrap();
        Self { client, namespace: namespace.to_owned() }
    }

    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Writes the Secret that the Shop names.
    pub(crate) async fn put_mongodb(&self, uri: &str) {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "mongodb" }, "stringData": { "uri": uri },
        });
        let params = PatchParams::apply("tests").force();
        self.api::<Secret>().patch("mongodb", &params, &Patch::Apply(secret)).await.unwrap();
    }

    /// Applies the Shop, as `kubectl apply --server-side` does.
    pub(crate) async fn apply(&self, spec: &Value) {
        self.try_apply(spec).await.unwrap();
    }

    pub(crate) async fn try_apply(&self, spec: &Value) -> Result<Shop, kube::Error> {
        let shop = json!({
            "apiVersion": "shopmesh.dev/v1alpha1", "kind": "Shop", "metadata": { "name": NAME }, "spec": spec,
        });
        self.api().patch(NAME, &PatchParams::apply("tests").force(), &Patch::Apply(&shop)).await
    }

    /// Waits until the Shop is ready as it is declared now, and prints how long that took.
    pub(crate) async fn ready(&self) {
        let since = Instant::now();
        self.condition("Ready", "True", "AllServicesAvailable").await;
        let seconds = since.elapsed().as_secs_f64();
        say(&format!("Shop {NAME} in namespace {}: Ready after {seconds:.1} s", self.namespace));
    }

    /// Waits until the Shop has a condition with this status and reason, for its present generation.
    pub(crate) async fn condition(&self, kind: &str, status: &str, reason: &str) -> Condition {
        let what = format!("{kind} of the Shop in {} is {status} with reason {reason}", self.namespace);
        let api = self.api::<Shop>();
        let look = || async {
            let shop = api.get(NAME).await.unwrap();
            let generation = shop.meta().generation;
            let status = shop.status.unwrap_or_default();
            (status.observed_generation == generation, status.conditions)
        };
        let is_it = |condition: &&Condition| {
            condition.type_ == kind && condition.status == status && condition.reason == reason
        };
        let seen = until(&what, look, |(is_current, all)| *is_current && all.iter().any(|it| is_it(&it))).await;
        seen.1.into_iter().find(|condition| is_it(&condition)).unwrap()
    }

    pub(crate) async fn shop(&self) -> Shop {
        self.api().get(NAME).await.unwrap()
    }

    pub(crate) async fn delete(&self) {
        self.api::<Shop>().delete(NAME, &DeleteParams::default()).await.unwrap();
    }

    /// Where NGINX answers.
    pub(crate) async fn url(&self) -> String {
        let service = self.api::<Service>().get(&format!("{NAME}-nginx")).await.unwrap();
        format!("http://{}", service.spec.unwrap().cluster_ip.unwrap())
    }

    /// E-mail address and password of the first administrator.
    pub(crate) async fn admin(&self) -> (String, String) {
        let secret = self.api::<Secret>().get(&format!("{NAME}-admin")).await.unwrap();
        let text = |key: &str| String::from_utf8(secret.data.as_ref().unwrap()[key].0.clone()).unwrap();
        (text("email"), text("password"))
    }

    /// The pods of the shop that were not told to stop, by service.
    pub(crate) async fn pods(&self) -> BTreeMap<String, Vec<String>> {
        let mut pods = BTreeMap::<_, Vec<_>>::new();
        for pod in self.api::<Pod>().list(&ListParams::default()).await.unwrap() {
            let service = pod.labels().get("shopmesh.dev/service").cloned().unwrap_or_default();
            if pod.metadata.deletion_timestamp.is_none() && service != "database-check" {
                pods.entry(service).or_default().push(pod.name_any());
            }
        }
        for names in pods.values_mut() {
            names.sort();
        }
        pods
    }

    /// How often the process of a pod was started again.
    pub(crate) async fn restarts(&self, pod: &str) -> i32 {
        let status = self.api::<Pod>().get(pod).await.unwrap().status.unwrap_or_default();
        status.container_statuses.unwrap_or_default().iter().map(|container| container.restart_count).sum()
    }

    /// Ends the process of a pod with SIGKILL: a crash that nobody was told of. The kubelet starts another in its place.
    pub(crate) async fn crash(&self, pod: &str) {
        // Pods run on this machine: the pod's UID is part of the name of its control group.
        let uid = self.api::<Pod>().get(pod).await.unwrap().uid().unwrap();
        let mut ended = 0;
        for entry in std::fs::read_dir("/proc").unwrap() {
            let folder = entry.unwrap().path();
            let text = |file: &str| std::fs::read_to_string(folder.join(file)).unwrap_or_default();
            if text("cgroup").contains(&uid) && text("cmdline").starts_with("/shopmesh\0") {
                let process = folder.file_name().unwrap();
                assert!(Command::new("kill").arg("-KILL").arg(process).status().unwrap().success());
                ended += 1;
            }
        }
        assert_eq!(ended, 1, "one process in pod {pod}");
    }

    /// Deletes a pod without letting it finish, as the loss of its node does.
    pub(crate) async fn kill(&self, pod: &str) {
        let at_once = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
        self.api::<Pod>().delete(pod, &at_once).await.unwrap();
    }

    /// Scales a Deployment by hand and waits until as many pods are ready.
    pub(crate) async fn scale(&self, deployment: &str, replicas: i32) {
        let api = self.api::<Deployment>();
        let patch = json!({ "spec": { "replicas": replicas } });
        api.patch(deployment, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
        let look = || async {
            let status = api.get(deployment).await.unwrap().status.unwrap_or_default();
            (status.replicas.unwrap_or_default(), status.ready_replicas.unwrap_or_default())
        };
        until(&format!("{deployment} has {replicas} pods"), look, |seen| *seen == (replicas, replicas)).await;
        let pods = self.api::<Pod>();
        let part = deployment.strip_prefix("demo-").unwrap_or(deployment);
        let ours = ListParams::default().labels(&format!("shopmesh.dev/service={part}"));
        let count = || async { pods.list(&ours).await.unwrap().items.len() };
        if replicas == 0 {
            until(&format!("the pods of {deployment} are gone"), count, |count| *count == 0).await;
        }
    }

    /// Names of all objects of a kind, without what every namespace has.
    pub(crate) async fn names<K>(&self) -> Vec<String>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        let all = self.api::<K>().list(&ListParams::default()).await.unwrap();
        let names = all.iter().map(ResourceExt::name_any);
        names.filter(|name| !["default", "kube-root-ca.crt"].contains(&name.as_str())).collect()
    }
}

/// The operator's own namespace.
pub(crate) async fn system() -> Site {
    // Not `Site::new`: helm made it, and its labels are helm's.
    let client = Client::try_default().await.unwrap();
    Site { client, namespace: SYSTEM.to_owned() }
}
