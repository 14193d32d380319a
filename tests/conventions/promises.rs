//! Every promise of the requirement documents that the services own is kept by a row of the table of calls, or by a test, and
//! stands in docs/reference/promises.md.

use std::collections::{BTreeMap, BTreeSet};

use crate::tree::{read, root};

/// The promises by document: which of them, and that the table says how.
const PROMISED: [(&str, &[u32]); 5] = [
    ("S0", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]),
    ("S1", &[1, 2, 12, 13, 14, 16, 17, 19, 22, 25, 27]),
    ("S2", &[8, 9, 10, 11]),
    ("S3", &[1, 2, 3, 4, 5, 6, 7, 8]),
    ("S4", &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23]),
];

/// The ids that rows of the table of calls bear.
fn ids(calls: &str) -> BTreeSet<&str> {
    calls.lines().filter_map(|line| line.strip_prefix("- {id: ")?.split(',').next()).collect()
}

/// What keeps promises beside rows of their name.
fn kept_elsewhere() -> BTreeMap<String, Vec<String>> {
    serde_yaml_ng::from_str(&read("tests/conformance/promises.yaml")).expect("promises.yaml")
}

#[test]
fn every_promise_is_kept_by_a_row_or_by_a_test_that_is_there() {
    let calls = read("tests/conformance/calls.yaml");
    let (rows, elsewhere) = (ids(&calls), kept_elsewhere());
    let is_there = |keeper: &str| match keeper.split_once("::") {
        Some((file, test)) => {
            let file = root().join(file);
            file.is_file() && read(&file).contains(&format!("fn {test}("))
        }
        None => rows.contains(keeper),
    };
    let mut broken = Vec::new();
    for (document, numbers) in PROMISED {
        for number in numbers {
            let id = format!("{document}-{number}");
            let keepers = elsewhere.get(&id);
            if keepers.is_none_or(Vec::is_empty) && !rows.contains(id.as_str()) {
                broken.push(format!("{id} is kept by nothing"));
            }
            broken.extend(
                keepers
                    .into_iter()
                    .flatten()
                    .filter(|keeper| !is_there(keeper))
                    .map(|keeper| format!("{id}: no {keeper}")),
            );
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_promise_that_is_named_has_one_row_in_the_reference() {
    let calls = read("tests/conformance/calls.yaml");
    let mut named: BTreeSet<String> = kept_elsewhere().into_keys().collect();
    named.extend(ids(&calls).into_iter().filter(|id| id.starts_with('S')).map(str::to_owned));

    let page = read("docs/reference/promises.md");
    let documented: Vec<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| S")?.split(' ').next())
        .map(|number| format!("S{number}"))
        .collect();
    let once: BTreeSet<String> = documented.iter().cloned().collect();

    assert_eq!(once, named, "left: documented, right: named by calls.yaml or promises.yaml");
    assert_eq!(documented.len(), once.len(), "each promise has one row: {documented:?}");
}
