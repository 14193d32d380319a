//! Every service has the same shape.

use shop_config::SERVICES;

use crate::tree::{files, read, root};

const ALLOWED: [&str; 9] = ["lib", "routes", "aliases", "rpc", "events", "app", "domain", "store", "peers"];
const REQUIRED: [&str; 3] = ["lib", "routes", "app"];

#[test]
fn every_service_folder_is_in_the_table_and_the_reverse() {
    let mut folders: Vec<_> = std::fs::read_dir(root().join("crates/services"))
        .expect("there are services")
        .map(|entry| entry.expect("a folder can be read").file_name().into_string().expect("names are text"))
        .collect();
    folders.sort();
    let mut names: Vec<_> = SERVICES.iter().map(|spec| spec.name.to_owned()).collect();
    names.sort();
    assert_eq!(folders, names);
}

#[test]
fn every_service_has_the_files_of_the_shape_and_no_others() {
    for spec in SERVICES {
        let source = format!("crates/services/{}/src", spec.name);
        let mut found = Vec::new();
        for path in files() {
            let Ok(inside) = path.strip_prefix(&source) else { continue };
            if inside.components().count() == 1 && inside.extension().is_some_and(|extension| extension == "rs") {
                found.push(inside.file_stem().and_then(|stem| stem.to_str()).expect("names are text").to_owned());
            }
        }
        for name in &found {
            assert!(ALLOWED.contains(&name.as_str()), "{source}/{name}.rs has no place in the shape");
        }
        for name in REQUIRED {
            assert!(found.iter().any(|other| other == name), "{source}/{name}.rs is missing");
        }
        assert!(
            root().join(format!("crates/services/{}/README.md", spec.name)).is_file(),
            "{} has no README.md",
            spec.name
        );
        assert!(
            root().join(format!("crates/services/{}/tests/api/main.rs", spec.name)).is_file(),
            "{} has no API tests",
            spec.name
        );
    }
}

#[test]
fn rules_are_pure() {
    const IMPURE: [&str; 8] =
        ["actix_web::", "mongodb::", "bson::", "fred::", "tonic::", "tokio::", "async fn", "::now("];
    let mut broken = Vec::new();
    for (path, text) in crate::tree::rust_files() {
        let text_path = path.to_string_lossy();
        let is_domain = text_path.starts_with("crates/services/")
            && (text_path.ends_with("src/domain.rs") || text_path.contains("src/domain/"));
        if is_domain {
            let hits = IMPURE.iter().filter(|word| text.contains(**word));
            broken.extend(hits.map(|word| format!("{text_path} names {word}")));
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// The rows of the access tables in a source: `METHOD /path`.
fn rows(source: &str) -> Vec<String> {
    // A long row has its parts on lines of their own.
    let source = source.split_whitespace().collect::<Vec<_>>().join(" ").replace("( ", "(");
    let rows = source.split("(Method::").skip(1);
    rows.map(|row| {
        let (method, rest) = row.split_once(',').unwrap_or_default();
        let path = rest.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next());
        let path = path.unwrap_or_else(|| panic!("no method and path in {}", row.get(..40).unwrap_or(row)));
        format!("{} {path}", method.to_uppercase())
    })
    .collect()
}

/// The routes of a service, without its aliases.
pub(crate) fn routes(folder: &str) -> Vec<String> {
    rows(&read(format!("{folder}/src/routes.rs")))
}

/// The routes and aliases of a service.
fn access_rows(folder: &str) -> Vec<String> {
    let aliases = format!("{folder}/src/aliases.rs");
    let mut all = routes(folder);
    if root().join(&aliases).is_file() {
        all.extend(rows(&read(aliases)));
    }
    all
}

#[test]
fn a_row_is_read_however_it_is_wrapped() {
    let source = "&[\n    (Method::Get, \"/a\", X),\n    (\n        Method::Post,\n        \"/b\", X),\n    \
        Alias::new(Method::Put,\n \"/c/{d}\", X, \"/a\"),\n]";
    assert_eq!(rows(source), ["GET /a", "POST /b", "PUT /c/{d}"]);
}

#[test]
fn every_readme_lists_exactly_the_routes_of_its_access_table() {
    for spec in SERVICES {
        let folder = format!("crates/services/{}", spec.name);
        let mut served = access_rows(&folder);
        assert!(!served.is_empty(), "{folder}: routes.rs has no access table");
        let readme = read(format!("{folder}/README.md"));
        let mut documented: Vec<String> = readme
            .lines()
            .filter_map(|line| line.trim().strip_prefix("| `"))
            .filter_map(|row| row.split('`').next())
            .filter(|cell| ["GET ", "POST ", "PUT ", "PATCH ", "DELETE "].iter().any(|method| cell.starts_with(method)))
            .map(str::to_owned)
            .collect();
        served.sort();
        documented.sort();
        assert_eq!(documented, served, "{folder}/README.md and the access tables differ");
    }
}

#[test]
fn every_readme_names_the_topics_and_peers_of_the_table() {
    for spec in SERVICES {
        let readme = read(format!("crates/services/{}/README.md", spec.name));
        for word in spec.consumes.iter().chain(spec.peers) {
            assert!(readme.contains(&format!("`{word}`")), "{}: README.md does not name `{word}`", spec.name);
        }
    }
}

#[test]
fn every_route_is_called_in_an_api_test() {
    for spec in SERVICES {
        let folder = format!("crates/services/{}", spec.name);
        let tests: String = crate::tree::rust_files()
            .into_iter()
            .filter(|(path, _)| path.starts_with(format!("{folder}/tests/api")))
            .map(|(_, text)| text)
            .collect();
        for row in access_rows(&folder) {
            let path = row.split_once(' ').expect("a row has a path").1;
            let fixed = path.split('{').next().unwrap_or(path).trim_end_matches('/');
            assert!(tests.contains(fixed), "{folder}: no API test calls {row}");
        }
    }
}
