//! Every metric that the code registers stands in docs/reference/metrics.md with its type, and no other.

use std::collections::BTreeSet;

use crate::tree::{read, rust_files};

/// The functions that register one, whose names are the types.
const TYPES: [&str; 3] = ["counter", "gauge", "histogram"];

/// The metrics that a source registers before its tests, as `name type`.
fn registered(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let mut found = Vec::new();
    for kind in TYPES {
        let call = format!("{kind}(");
        for arguments in code.split(call.as_str()).skip(1) {
            // What hands a name on has none in quotes.
            let name = arguments.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next());
            found.extend(name.map(|name| format!("{name} {kind}")));
        }
    }
    found
}

#[test]
fn every_metric_is_documented_and_every_documented_one_is_registered() {
    let mut by_code = BTreeSet::new();
    for (path, source) in rust_files() {
        let is_program = path.starts_with("crates") || path.starts_with("operator");
        if is_program && path.components().any(|part| part.as_os_str() == "src") {
            by_code.extend(registered(&source));
        }
    }
    assert!(by_code.len() > 40, "the registrations were not found: {by_code:?}");

    let page = read("docs/reference/metrics.md");
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let name_and_type = |row: &str| {
        let cells: Vec<_> = row.split('|').skip(1).take(2).map(|cell| cell.trim().replace('`', "")).collect();
        cells.join(" ")
    };
    let documented: Vec<String> = rows.map(name_and_type).collect();
    let once: BTreeSet<_> = documented.iter().cloned().collect();

    assert_eq!(once, by_code, "left: documented, right: registered");
    assert_eq!(documented.len(), once.len(), "each metric has one row: {documented:?}");
}

#[test]
fn a_registration_is_read_however_it_is_wrapped_and_not_in_tests() {
    let source = "metrics.counter(\"a_total\", \"A\", &[])?;\nall.gauge(\n    \"b\",\n    \"B\")?;\ngauge(name, help);\n\
        #[cfg(test)]\nmod tests {\n metrics.histogram(\"c_seconds\", \"C\") }\n";
    assert_eq!(registered(source), ["a_total counter", "b gauge"]);
}
