//! Every environment variable of a process stands in docs/reference/environment.md, and no other.

use std::collections::BTreeSet;

use crate::tree::read;

#[test]
fn every_variable_is_documented_and_every_documented_one_is_read() {
    let code = read("crates/shared/shop-config/src/environment/names.rs");
    let read_by_code: BTreeSet<_> = code.lines().filter_map(|line| line.split('"').nth(1)).collect();
    assert!(read_by_code.len() > 20, "the names were not found: {read_by_code:?}");

    let page = read("docs/reference/environment.md");
    let rows = page.lines().filter(|line| line.starts_with("| `"));
    let documented: Vec<_> = rows.filter_map(|row| row.split('`').nth(1)).collect();
    let once: BTreeSet<_> = documented.iter().copied().collect();

    assert_eq!(once, read_by_code, "left: documented, right: read");
    assert_eq!(documented.len(), once.len(), "each variable has one row: {documented:?}");
}
