//! Who may import whom (ARCHITECTURE.md, levels), and which crate alone may name a driver.

use std::collections::BTreeMap;

use cargo_metadata::{DependencyKind, MetadataCommand, Package};

/// Levels of our crates; a crate imports lower levels only. `None`: not a library that others import.
fn level(name: &str) -> Option<u8> {
    match name {
        "shop-types" | "shop-config" | "shop-proto" | "shop-faults" => Some(0),
        "shop-telemetry" | "shop-auth" => Some(1),
        "shop-http" | "shop-mesh" | "shop-mongo" | "shop-redis" => Some(2),
        "shop-events" => Some(3),
        "shop-service" => Some(4),
        "sandbox-psp" | "order-check" => Some(5),
        service if shop_config::service(service).is_some() => Some(5),
        "shopmesh" => Some(6),
        _ => None,
    }
}

fn members() -> Vec<Package> {
    let manifest = crate::tree::root().join("Cargo.toml");
    let metadata =
        MetadataCommand::new().manifest_path(manifest).no_deps().exec().expect("cargo describes the workspace");
    metadata.packages
}

#[test]
fn crates_import_lower_levels_only() {
    let mut broken = Vec::new();
    for package in members() {
        let Some(own) = level(package.name.as_str()) else { continue };
        for dependency in package.dependencies.iter().filter(|d| d.kind != DependencyKind::Development) {
            match level(&dependency.name) {
                Some(other) if other >= own => broken.push(format!("{} -> {}", package.name, dependency.name)),
                Some(other) if own == 6 && (1..4).contains(&other) => {
                    broken.push(format!("{} -> {}", package.name, dependency.name));
                }
                Some(_) | None => {}
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn the_operator_imports_what_both_sides_share_and_nothing_else_of_ours() {
    let allowed = ["shop-types", "shop-config", "shop-telemetry", "shop-proto", "shop-mesh"];
    let operator =
        members().into_iter().find(|package| package.name.as_str() == "operator").expect("there is an operator");
    let broken: Vec<_> = operator
        .dependencies
        .iter()
        .filter(|d| {
            d.kind != DependencyKind::Development && level(&d.name).is_some() && !allowed.contains(&d.name.as_str())
        })
        .map(|d| &d.name)
        .collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn the_testkit_never_ships() {
    let users: Vec<_> = members()
        .into_iter()
        .filter(|package| {
            package.dependencies.iter().any(|d| d.name == "shop-testkit" && d.kind != DependencyKind::Development)
        })
        .map(|package| package.name)
        .collect();
    assert!(users.is_empty(), "{users:#?}");
}

#[test]
fn one_crate_alone_speaks_to_each_server() {
    let owners = BTreeMap::from([
        ("mongodb", vec!["shop-mongo"]),
        ("fred", vec!["shop-redis"]),
        ("kube", vec!["operator", "tests"]),
        ("k8s-openapi", vec!["operator", "tests"]),
    ]);
    let mut broken = Vec::new();
    for package in members() {
        for dependency in &package.dependencies {
            if let Some(owners) = owners.get(dependency.name.as_str())
                && !owners.contains(&package.name.as_str())
            {
                broken.push(format!("{} -> {}", package.name, dependency.name));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_crate_is_named_like_its_folder_and_inherits_the_lints() {
    for package in members() {
        let folder = package.manifest_path.parent().and_then(|path| path.file_name()).expect("a manifest has a folder");
        assert_eq!(package.name.as_str(), folder, "{}", package.manifest_path);
        let manifest = crate::tree::read(package.manifest_path.as_std_path());
        assert!(manifest.contains("[lints]\nworkspace = true"), "{} must inherit the lints", package.manifest_path);
    }
}
