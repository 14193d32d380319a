//! Everything that is written or shipped is taken by the API server, and every pod is restricted (Pod Security Standards).

use k8s_openapi::api::core::v1::ServiceAccount;
use kube::ResourceExt;
use kube::api::PostParams;
use operator::render::render;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::place::{Place, settings};
use tests::path;

/// The Shops among the examples, with the names of their files.
pub(crate) fn examples() -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(path("examples")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        all.extend(documents(&std::fs::read_to_string(path).unwrap()).into_iter().map(|it| (name.clone(), it)));
    }
    assert!(all.len() >= 4, "there are examples");
    all
}

/// What a Shop leads to.
pub(crate) fn rendered(shop: &Value, namespace: &str) -> Vec<Value> {
    documents(&render(&shop.to_string(), namespace, &settings()).unwrap())
}

/// The documents of a YAML stream.
pub(crate) fn documents(text: &str) -> Vec<Value> {
    let all = serde_yaml_ng::Deserializer::from_str(text).map(|document| Value::deserialize(document).unwrap());
    all.filter(|document| !document.is_null()).collect()
}

#[tokio::test]
async fn the_api_server_takes_every_object_of_every_example() {
    let place = Place::empty().await;
    let mut tried = 0;
    for (file, example) in examples() {
        dry_run(&place, &file, &example).await;
        tried += 1;
        if example["kind"] == "Shop" {
            for object in rendered(&example, &place.namespace) {
                dry_run(&place, &file, &object).await;
                tried += 1;
            }
        }
    }
    assert!(tried > 200, "only {tried} objects were tried");
}

#[tokio::test]
async fn every_pod_is_restricted() {
    let place = Place::empty().await;
    let mut pods = Vec::new();
    for (file, example) in examples() {
        match example["kind"].as_str() {
            Some("Shop") => {
                for object in rendered(&example, &place.namespace) {
                    keep_account(&place, &object).await;
                    pods.extend(pod(&object).map(|pod| (file.clone(), pod)));
                }
            }
            _ => pods.extend(pod(&example).map(|pod| (file.clone(), pod))),
        }
    }
    for object in crate::schemas::charts() {
        keep_account(&place, &object).await;
        pods.extend(pod(&object).map(|pod| ("the charts".to_owned(), pod)));
    }
    assert!(pods.len() > 40, "only {} pods", pods.len());
    for (file, pod) in pods {
        dry_run(&place, &file, &pod).await;
    }
    let mut privileged = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "bad" } });
    privileged["spec"] = json!({ "containers": [{ "name": "a", "image": "a" }] });
    let refusal = create(&place, &privileged).await.unwrap_err();
    assert!(refusal.contains("violates PodSecurity \"restricted"), "the namespace must be strict: {refusal}");
}

/// The pod that an object leads to.
fn pod(object: &Value) -> Option<Value> {
    let kind = object["kind"].as_str()?;
    let template = match kind {
        "Deployment" | "StatefulSet" | "Job" => object["spec"]["template"].clone(),
        "Pod" => object.clone(),
        _ => return None,
    };
    let mut spec = template["spec"].clone();
    if kind == "StatefulSet" {
        // Its controller adds these.
        let claims = object["spec"]["volumeClaimTemplates"].as_array().into_iter().flatten();
        for claim in claims {
            let volume = json!({ "name": claim["metadata"]["name"], "persistentVolumeClaim": { "claimName": "any" } });
            spec["volumes"].as_array_mut().unwrap().push(volume);
        }
    }
    let name = json!({ "name": object["metadata"]["name"] });
    Some(json!({ "apiVersion": "v1", "kind": "Pod", "metadata": name, "spec": spec }))
}

/// A pod is refused when its `ServiceAccount` does not exist.
async fn keep_account(place: &Place, object: &Value) {
    if object["kind"] != "ServiceAccount" {
        return;
    }
    let name = object["metadata"]["name"].as_str().unwrap();
    let account = ServiceAccount::default();
    let account = ServiceAccount {
        metadata: kube::core::ObjectMeta { name: Some(name.into()), ..Default::default() },
        ..account
    };
    match place.api().create(&PostParams::default(), &account).await {
        Ok(created) => assert_eq!(created.name_any(), name),
        Err(kube::Error::Api(status)) if status.code == 409 => {}
        Err(error) => panic!("{error}"),
    }
}

async fn dry_run(place: &Place, file: &str, object: &Value) {
    if let Err(refusal) = create(place, object).await {
        panic!("{file}: {} {}: {refusal}", object["kind"], object["metadata"]["name"]);
    }
}

/// Has the API server check an object, with strict field validation, without keeping it.
async fn create(place: &Place, object: &Value) -> Result<Value, String> {
    let (api, plural) = match object["kind"].as_str().unwrap() {
        "Shop" => ("apis/shopmesh.dev/v1alpha1", "shops"),
        "Deployment" => ("apis/apps/v1", "deployments"),
        "StatefulSet" => ("apis/apps/v1", "statefulsets"),
        "Job" => ("apis/batch/v1", "jobs"),
        "Service" => ("api/v1", "services"),
        "ServiceAccount" => ("api/v1", "serviceaccounts"),
        "ConfigMap" => ("api/v1", "configmaps"),
        "Secret" => ("api/v1", "secrets"),
        "Pod" => ("api/v1", "pods"),
        other => panic!("no way to try a {other}"),
    };
    let mut object = object.clone();
    object["metadata"]["namespace"] = json!(place.namespace);
    let path = format!("/{api}/namespaces/{}/{plural}?dryRun=All&fieldValidation=Strict", place.namespace);
    let request = http::Request::post(path).header("content-type", "application/json");
    let request = request.body(object.to_string().into_bytes()).unwrap();
    place.client.request(request).await.map_err(|error| error.to_string())
}
