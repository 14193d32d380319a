//! Files on disk equal what the code prints: the definition, and all objects of some Shops.

use std::path::Path;

use operator::crd;
use operator::render::render;

use crate::fixture::{root, settings};

#[expect(clippy::disallowed_methods, reason = "a switch of the test run")]
fn is_update() -> bool {
    std::env::var("UPDATE_GOLDEN").is_ok_and(|value| value == "1")
}

fn compare(file: &Path, text: &str) {
    if is_update() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
        return;
    }
    let stored = std::fs::read_to_string(file).unwrap_or_default();
    let first = stored.lines().zip(text.lines()).position(|(stored, text)| stored != text);
    let line = first.unwrap_or_else(|| stored.lines().count().min(text.lines().count()));
    assert!(
        stored == text,
        "{} is out of date from line {}: run `UPDATE_GOLDEN=1 cargo test -p operator` and review the difference\n\
         stored:  {:?}\ncurrent: {:?}",
        file.display(),
        line + 1,
        stored.lines().nth(line),
        text.lines().nth(line),
    );
}

#[test]
fn the_definition_on_disk_is_the_one_that_the_operator_prints() {
    let text = crd::definition_yaml().unwrap();
    compare(&root().join("deploy/helm/shopmesh-operator-crds/files/shops.yaml"), &text);
    compare(&root().join("deploy/kustomize/crd/shops.yaml"), &text);
}

#[test]
fn every_shop_of_the_golden_folder_leads_to_its_objects() {
    let folder = root().join("operator/tests/golden");
    let mut shops = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".shop.yaml")) else { continue };
        let text = std::fs::read_to_string(&path).unwrap();
        compare(&folder.join(format!("{name}.objects.yaml")), &render(&text, "shop", &settings()).unwrap());
        shops += 1;
    }
    assert!(shops >= 3, "only {shops} Shops");
}
