//! Everything that is written or shipped fits the schemas of this API server, judged by kubeconform.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::manifests::{documents, examples, rendered};
use crate::place::client;
use tests::path;
use tests::wait::until;

#[tokio::test]
async fn all_objects_of_the_examples_fit_the_schemas() {
    let mut all = Vec::new();
    for (_, example) in examples() {
        if example["kind"] == "Shop" {
            all.extend(rendered(&example, "shop"));
        }
        all.push(example);
    }
    conform(&all).await.unwrap();
}

#[tokio::test]
async fn all_objects_of_the_charts_fit_the_schemas() {
    let all = charts();
    for kind in ["CustomResourceDefinition", "ClusterRole", "Role", "Deployment", "Shop"] {
        assert!(all.iter().any(|object| object["kind"] == kind), "no {kind} in the charts");
    }
    conform(&all).await.unwrap();
}

#[tokio::test]
async fn the_judge_sees_wrong_types_and_unknown_fields() {
    let good = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a" }, "data": { "a": "b" } });
    conform(&[good]).await.unwrap();
    for bad in [
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a" }, "data": { "a": 1 } }),
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a" }, "date": {} }),
        json!({ "apiVersion": "v1", "kind": "ConfigMaps", "metadata": { "name": "a" } }),
        json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "a" }, "spec": { "replicas": 1 } }),
        json!({ "apiVersion": "shopmesh.dev/v1alpha1", "kind": "Shop", "metadata": { "name": "a" }, "spec": {} }),
    ] {
        assert!(conform(std::slice::from_ref(&bad)).await.is_err(), "{bad}");
    }
}

/// Everything that the charts install, with the settings that add or change objects.
pub(crate) fn charts() -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let assembled = Command::new(path("deploy/helm/assemble")).arg(folder.path()).status().unwrap();
    assert!(assembled.success(), "the charts can be copied");
    let mut all = Vec::new();
    let digest = format!(
        "image.digest=sha256:{},image.pullSecrets[0].name=a,priorityClassName=system-cluster-critical",
        "0".repeat(64)
    );
    for (chart, settings) in [
        ("shopmesh-operator", ""),
        ("shopmesh-operator", "watchNamespaces={a,b},clusterDNS={10.0.0.10},clusterDomain=example.net"),
        ("shopmesh-operator", &digest),
        ("shop", "mongodbURI=mongodb://db.example.net"),
    ] {
        all.extend(documents(&template(&folder.path().join(chart), settings)));
    }
    all
}

fn template(chart: &Path, settings: &str) -> String {
    let mut command = Command::new("helm");
    // The Kubernetes of the test cluster; helm takes its own otherwise.
    command.args(["template", "demo", "--namespace", "shop", "--kube-version", "1.34.0"]).arg(chart);
    if !settings.is_empty() {
        command.args(["--set", settings]);
    }
    let output = command.output().expect("helm can be run: tests/operator/run puts it on PATH");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Has kubeconform judge objects; an error holds its words.
async fn conform(objects: &[Value]) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    write_schemas(&folder, &definitions().await);
    let text: Vec<_> = objects.iter().map(|object| format!("---\n{object}\n")).collect();
    let manifests = folder.path().join("manifests.yaml");
    std::fs::write(&manifests, text.concat()).unwrap();
    let location =
        format!("{}/{{{{.ResourceKind}}}}_{{{{.Group}}}}_{{{{.ResourceAPIVersion}}}}.json", folder.path().display());
    let mut command = Command::new("kubeconform");
    command.args(["-strict", "-summary", "-schema-location", &location]).arg(&manifests);
    let output = command.output().expect("kubeconform can be run: tests/operator/run puts it on PATH");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(said);
    }
    assert!(said.contains(&format!("{} resource", objects.len())) && said.contains("Skipped: 0"), "{said}");
    Ok(())
}

/// The schemas of everything that this API server knows, Shops among it.
async fn definitions() -> Map<String, Value> {
    let client = client().await;
    let look = || async {
        let request = http::Request::get("/openapi/v2").body(Vec::new()).unwrap();
        let mut document: Value = client.request(request).await.unwrap();
        let definitions = document["definitions"].take();
        let is_there = definitions.as_object().is_some_and(|all| all.contains_key(SHOP));
        Published { definitions, is_there }
    };
    let published = until("the schema of Shop is published", look, |published| published.is_there).await;
    published.definitions.as_object().unwrap().clone()
}

const SHOP: &str = "dev.shopmesh.v1alpha1.Shop";

struct Published {
    definitions: Value,
    is_there: bool,
}

impl std::fmt::Debug for Published {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The document has megabytes.
        write!(formatter, "a document, with Shop: {}", self.is_there)
    }
}

/// One file for each kind, with all that it refers to.
fn write_schemas(folder: &TempDir, definitions: &Map<String, Value>) {
    let strict: BTreeMap<_, _> =
        definitions.iter().map(|(name, schema)| (name.clone(), strict(name, schema))).collect();
    for (name, schema) in definitions {
        for kind in schema["x-kubernetes-group-version-kind"].as_array().into_iter().flatten() {
            let text = |field: &str| kind[field].as_str().unwrap_or_default().to_lowercase();
            let (kind, group, version) = (text("kind"), text("group"), text("version"));
            // kubeconform's way to name the group that has no name.
            let group = if group.is_empty() { version.clone() } else { group };
            let mut needed = BTreeSet::new();
            collect(&strict, name, &mut needed);
            let needed: BTreeMap<_, _> = needed.iter().map(|name| (name, &strict[name])).collect();
            let document = json!({ "$ref": format!("#/definitions/{name}"), "definitions": needed });
            std::fs::write(folder.path().join(format!("{kind}_{group}_{version}.json")), document.to_string()).unwrap();
        }
    }
}

fn collect(all: &BTreeMap<String, Value>, name: &str, needed: &mut BTreeSet<String>) {
    if needed.insert(name.to_owned()) {
        let mut references = Vec::new();
        references_of(&all[name], &mut references);
        for reference in references {
            collect(all, &reference, needed);
        }
    }
}

fn references_of(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Object(fields) => {
            if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
                found.extend(reference.strip_prefix("#/definitions/").map(str::to_owned));
            }
            fields.values().for_each(|value| references_of(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references_of(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The schema with fields that are not listed forbidden, and with the types that the document leaves to its readers.
fn strict(name: &str, schema: &Value) -> Value {
    match name {
        "io.k8s.apimachinery.pkg.util.intstr.IntOrString" => return json!({ "type": ["integer", "string"] }),
        "io.k8s.apimachinery.pkg.api.resource.Quantity" => return json!({ "type": ["number", "string"] }),
        _ => {}
    }
    let mut schema = schema.clone();
    forbid_others(&mut schema);
    schema
}

fn forbid_others(schema: &mut Value) {
    let Value::Object(fields) = schema else { return };
    let is_open = fields.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true));
    if fields.get("properties").is_some_and(Value::is_object) && !is_open {
        fields.entry("additionalProperties").or_insert(Value::Bool(false));
    }
    if let Some(Value::Object(properties)) = fields.get_mut("properties") {
        properties.values_mut().for_each(forbid_others);
    }
    for name in ["items", "additionalProperties"] {
        if let Some(inner) = fields.get_mut(name) {
            forbid_others(inner);
        }
    }
}
