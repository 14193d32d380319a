//! A namespace for one test: its Shop, its Secrets, its operator.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret, Service, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use kube::client::{Body, ClientBuilder};
use kube::runtime::events::{Recorder, Reporter};
use kube::{Client, Config, CustomResourceExt, Resource, ResourceExt};
use operator::build::metadata;
use operator::clock::SystemClock;
use operator::controller::{self, Scope};
use operator::crd::{self, Rules, Shop};
use operator::metrics::Metrics;
use operator::plan::{ClusterDns, Images, Settings};
use operator::reconcile::Context;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::{OnceCell, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tower::util::MapRequestLayer;

use crate::answers::Answers;
use crate::kubelet::Kubelet;
use tests::wait::until;

/// Name of the Shop in each namespace.
pub(crate) const SHOP: &str = "demo";
/// A connection string of the right form; nobody connects to it.
pub(crate) const URI: &str = "mongodb://db.example.net/?replicaSet=rs0";

/// A namespace, with its Shop's node.
pub(crate) struct Place {
    pub(crate) client: Client,
    pub(crate) namespace: String,
    pub(crate) kubelet: Kubelet,
    pub(crate) answers: Arc<Answers>,
}

/// A running operator.
pub(crate) struct Operator {
    stop: CancellationToken,
    task: JoinHandle<()>,
    writes: mpsc::UnboundedReceiver<String>,
}

/// What the chart would tell the operator.
pub(crate) fn settings() -> Settings {
    Settings {
        images: Images {
            shopmesh: "registry.test/shopmesh:1".into(),
            redis: "registry.test/redis:7".into(),
            nginx: "registry.test/nginx:1".into(),
        },
        dns: Some(ClusterDns { servers: vec!["10.95.128.10".parse().unwrap()], domain: "cluster.local".into() }),
    }
}

/// The least that makes a Shop.
pub(crate) fn shop() -> Value {
    json!({
        "apiVersion": "shopmesh.dev/v1alpha1", "kind": "Shop", "metadata": { "name": SHOP },
        "spec": {
            "availability": "SingleReplica",
            "mongodb": { "uriSecretRef": { "name": "mongodb" } },
            "payment": { "provider": "Sandbox" },
        },
    })
}

/// A client of the cluster that KUBECONFIG names, after the definition of Shop was installed.
pub(crate) async fn client() -> Client {
    static INSTALLED: OnceCell<()> = OnceCell::const_new();
    // Another test may have been first.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let client = Client::try_default().await.expect("KUBECONFIG names a cluster: run tests/operator/run");
    INSTALLED.get_or_init(|| install_definition(client.clone())).await;
    client
}

async fn install_definition(client: Client) {
    let api = Api::<k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition>::all(
        client.clone(),
    );
    let params = PatchParams::apply("tests").force();
    api.patch(Shop::crd_name(), &params, &Patch::Apply(crd::definition())).await.unwrap();
    let shops = Api::<Shop>::all(client);
    until("Shops are served", || async { shops.list(&ListParams::default()).await.is_ok() }, |served| *served).await;
}

impl Place {
    /// A new namespace where pods must be restricted, with the Secret that the Shop names.
    pub(crate) async fn new() -> Self {
        let place = Self::empty().await;
        place.put_secret("mongodb", "uri", URI).await;
        place
    }

    /// A new namespace where pods must be restricted.
    pub(crate) async fn empty() -> Self {
        let client = client().await;
        let namespace: Namespace = serde_json::from_value(json!({
            "metadata": { "generateName": "test-", "labels": { "pod-security.kubernetes.io/enforce": "restricted" } },
        }))
        .unwrap();
        let namespace = Api::all(client.clone()).create(&PostParams::default(), &namespace).await.unwrap().name_any();
        let accounts = Api::<ServiceAccount>::namespaced(client.clone(), &namespace);
        let look = || async { accounts.get_opt("default").await.unwrap().is_some() };
        until("the namespace is set up", look, |is_there| *is_there).await;
        let kubelet = Kubelet::start(client.clone(), &namespace);
        Self { client, namespace, kubelet, answers: Arc::new(Answers::new()) }
    }

    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub(crate) async fn put_secret(&self, name: &str, key: &str, value: &str) {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name }, "stringData": { key: value },
        });
        let params = PatchParams::apply("tests").force();
        self.api::<Secret>().patch(name, &params, &Patch::Apply(secret)).await.unwrap();
    }

    /// Applies a Shop, as `kubectl apply --server-side` does.
    pub(crate) async fn apply(&self, shop: &Value) -> Shop {
        let params = PatchParams::apply("tests").force();
        self.api().patch(SHOP, &params, &Patch::Apply(shop)).await.unwrap()
    }

    /// Starts an operator for this namespace alone.
    pub(crate) async fn operator(&self) -> Operator {
        Operator::start(&self.namespace, Arc::clone(&self.answers)).await
    }

    /// Waits until the Shop has a condition with this status and reason, for its present generation.
    pub(crate) async fn condition(&self, kind: &str, status: &str, reason: &str) -> Condition {
        let what = format!("{kind} is {status} with reason {reason}");
        let api = self.api::<Shop>();
        let look = || async {
            let shop = api.get(SHOP).await.unwrap();
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

    /// Waits until the Shop is ready.
    pub(crate) async fn ready(&self) {
        self.condition("Ready", "True", "AllServicesAvailable").await;
    }

    /// Everything that belongs to the Shop, as `Kind name` with the object itself.
    pub(crate) async fn children(&self) -> Vec<(String, Value)> {
        let mut all = Vec::new();
        self.list::<ServiceAccount>(&mut all).await;
        self.list::<Secret>(&mut all).await;
        self.list::<ConfigMap>(&mut all).await;
        self.list::<Service>(&mut all).await;
        self.list::<Job>(&mut all).await;
        self.list::<Deployment>(&mut all).await;
        all
    }

    async fn list<K>(&self, all: &mut Vec<(String, Value)>)
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
            + Clone
            + Debug
            + DeserializeOwned
            + serde::Serialize,
    {
        let ours = ListParams::default().labels(&metadata::owner_selector(SHOP));
        for object in self.api::<K>().list(&ours).await.unwrap() {
            all.push((format!("{} {}", K::kind(&()), object.name_any()), serde_json::to_value(&object).unwrap()));
        }
    }

    /// The version of everything that belongs to the Shop, and of the Shop itself: unchanged if nothing was written.
    pub(crate) async fn versions(&self) -> Vec<(String, String)> {
        let version = |object: &Value| object["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
        let mut versions: Vec<_> =
            self.children().await.iter().map(|(name, object)| (name.clone(), version(object))).collect();
        let shop = self.api::<Shop>().get(SHOP).await.unwrap();
        versions.push(("Shop".to_owned(), shop.resource_version().unwrap()));
        versions
    }
}

impl Operator {
    async fn start(namespace: &str, answers: Arc<Answers>) -> Self {
        let (sender, writes) = mpsc::unbounded_channel();
        let noting = MapRequestLayer::new(move |request: http::Request<Body>| {
            if request.method() != http::Method::GET {
                // Nobody listens any more when the test is over.
                let _ = sender.send(format!("{} {}", request.method(), request.uri()));
            }
            request
        });
        let config = Config::infer().await.unwrap();
        let client = ClientBuilder::try_from(config).unwrap().with_layer(&noting).build();
        let reporter = Reporter { controller: "shopmesh.dev/operator".to_owned(), instance: Some("test".to_owned()) };
        let context = Context {
            client: client.clone(),
            settings: settings(),
            rules: Arc::new(Rules::of(&crd::definition())),
            recorder: Recorder::new(client, reporter),
            metrics: Metrics::new().unwrap(),
            clock: Arc::new(SystemClock),
            ask: answers,
        };
        let stop = CancellationToken::new();
        let scope = Scope::Namespaces(vec![namespace.to_owned()]);
        let task = tokio::spawn(controller::run(context, scope, stop.clone()));
        Self { stop, task, writes }
    }

    /// What it has written since it was last asked, as method and path.
    pub(crate) fn writes(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.writes.try_recv().ok()).collect()
    }

    /// Waits until it has written nothing for so long.
    pub(crate) async fn quiet(&mut self, long: Duration) {
        while tokio::time::timeout(long, self.writes.recv()).await.is_ok() {}
    }

    /// Ends it as SIGKILL does: in the middle of whatever it does.
    pub(crate) async fn abort(self) {
        self.task.abort();
        assert!(self.task.await.is_err_and(|error| error.is_cancelled()), "it ran until it was ended");
    }

    /// Ends it as SIGTERM does.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}
