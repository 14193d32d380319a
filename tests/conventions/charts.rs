//! Charts and the kustomize base: that they say the same as the code, the workspace and their own documentation.

use std::process::Command;

use serde_json::Value;

use crate::tree::{read, root};

const OPERATOR: &str = "deploy/helm/shopmesh-operator";
const CHARTS: [&str; 3] = [OPERATOR, "deploy/helm/shopmesh-operator-crds", "deploy/helm/shop"];

fn yaml(path: &str) -> Value {
    serde_yaml_ng::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Rows of the Markdown table below a heading, as cells without their backquotes.
fn rows(path: &str, heading: &str) -> Vec<Vec<String>> {
    let text = read(path);
    let (_, below) = text.split_once(heading).unwrap_or_else(|| panic!("{path} has no {heading}"));
    let lines = below.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let cell = |text: &str| text.replace('`', "").trim().to_owned();
    let rows: Vec<Vec<_>> = lines.skip(2).map(|line| line.trim_matches('|').split('|').map(cell).collect()).collect();
    assert!(!rows.is_empty(), "{path}: no table below {heading}");
    rows
}

fn words(text: &str) -> Vec<String> {
    let mut words: Vec<_> = text.split(", ").map(str::to_owned).collect();
    words.sort();
    words
}

#[test]
fn the_kustomize_base_is_what_the_chart_renders() {
    let output = Command::new(root().join("deploy/kustomize/generate")).arg("--check").output();
    let output = output.expect("deploy/kustomize/generate can be run");
    let (said, why) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{why}");
}

#[test]
fn the_operator_has_the_rights_that_its_documentation_lists() {
    let manifests = read("deploy/kustomize/operator/operator.yaml");
    let mut given = Vec::new();
    for document in serde_yaml_ng::Deserializer::from_str(&manifests) {
        let object: Value = serde::Deserialize::deserialize(document).expect("the manifests are YAML");
        for rule in object["rules"].as_array().into_iter().flatten() {
            let list = |field: &str| -> Vec<String> {
                serde_json::from_value(rule[field].clone()).unwrap_or_else(|error| panic!("{field}: {error}"))
            };
            let group = list("apiGroups").concat();
            let verbs = words(&list("verbs").join(", "));
            for resource in list("resources") {
                given.push((if group.is_empty() { "core".to_owned() } else { group.clone() }, resource, verbs.clone()));
            }
        }
    }
    let mut listed = Vec::new();
    for row in rows("operator/README.md", "## Rights") {
        // What is said of a verb beyond its name, such as when it is needed.
        let plain = row[2].split(", where").next().unwrap_or_default();
        for resource in words(&row[1]) {
            listed.push((row[0].clone(), resource, words(plain)));
        }
    }
    given.sort();
    listed.sort();
    assert_eq!(given, listed);
}

#[test]
fn every_chart_has_the_version_of_the_workspace() {
    let manifest = read("Cargo.toml");
    let version = manifest.lines().find_map(|line| line.strip_prefix("version = "));
    let version = version.expect("the workspace has a version").trim_matches('"');
    for chart in CHARTS {
        let about = yaml(&format!("{chart}/Chart.yaml"));
        assert_eq!(
            (about["version"].as_str(), about["appVersion"].as_str()),
            (Some(version), Some(version)),
            "{chart}"
        );
        for dependency in about["dependencies"].as_array().into_iter().flatten() {
            assert_eq!(dependency["version"].as_str(), Some(version), "{chart}");
        }
    }
    let lock = yaml(&format!("{OPERATOR}/Chart.lock"));
    assert_eq!(lock["dependencies"][0]["version"].as_str(), Some(version), "run `helm dependency update {OPERATOR}`");
}

#[test]
fn every_value_of_a_chart_is_documented_and_every_documented_value_exists() {
    for chart in [OPERATOR, "deploy/helm/shop"] {
        let documented: Vec<_> =
            rows(&format!("{chart}/README.md"), "## Values").iter().flat_map(|row| words(&row[0])).collect();
        let values = yaml(&format!("{chart}/values.yaml"));
        for (name, value) in values.as_object().expect("values are an object") {
            let inner: Vec<_> =
                value.as_object().into_iter().flatten().map(|(field, _)| format!("{name}.{field}")).collect();
            let is_told =
                documented.contains(name) || !inner.is_empty() && inner.iter().all(|name| documented.contains(name));
            assert!(is_told, "{chart}/README.md does not tell of {name}");
        }
        for name in documented {
            let pointer = format!("/{}", name.replace('.', "/"));
            assert!(values.pointer(&pointer).is_some(), "{chart}/values.yaml has no {name}");
        }
    }
}

#[test]
fn the_chart_and_the_program_take_the_same_images() {
    let values = yaml(&format!("{OPERATOR}/values.yaml"));
    let program = read("operator/src/cli.rs");
    for operand in ["redis", "nginx"] {
        let image = values["operands"][operand].as_str().expect("an image is a text");
        assert!(program.contains(&format!("default_value = \"{image}\"")), "operator/src/cli.rs does not take {image}");
    }
}
