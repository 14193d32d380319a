//! Every promise of the requirement documents that the services own is kept by a row of the table of calls, or by a test.

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

#[test]
fn every_promise_is_kept_by_a_row_or_by_a_test_that_is_there() {
    let calls = read("tests/conformance/calls.yaml");
    let rows: BTreeSet<&str> =
        calls.lines().filter_map(|line| line.strip_prefix("- {id: ")?.split(',').next()).collect();
    let elsewhere = read("tests/conformance/promises.yaml");
    let elsewhere: BTreeMap<String, Vec<String>> = serde_yaml_ng::from_str(&elsewhere).expect("promises.yaml");
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
