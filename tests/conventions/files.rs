//! Every file: its size, its name, its first line.

use crate::tree::{files, rust_files};

const FORBIDDEN: [&str; 8] = ["utils", "util", "common", "helpers", "helper", "misc", "manager", "mod"];

#[test]
fn no_file_is_longer_than_500_lines() {
    let long: Vec<_> = rust_files()
        .into_iter()
        .filter(|(_, text)| text.lines().count() > 500)
        .map(|(path, text)| format!("{} has {} lines", path.display(), text.lines().count()))
        .collect();
    assert!(long.is_empty(), "split into a folder of the same name: {long:#?}");
}

#[test]
fn every_room_has_a_name_that_says_what_is_in_it() {
    let bad: Vec<_> = files()
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .filter(|path| path.file_stem().and_then(|stem| stem.to_str()).is_some_and(|stem| FORBIDDEN.contains(&stem)))
        .collect();
    assert!(bad.is_empty(), "{bad:#?}");
}

#[test]
fn every_file_says_first_what_belongs_in_it() {
    let silent: Vec<_> =
        rust_files().into_iter().filter(|(_, text)| !text.starts_with("//!")).map(|(path, _)| path).collect();
    assert!(silent.is_empty(), "must open with `//!`: {silent:#?}");
}

#[test]
fn nothing_is_left_to_be_done_in_code_without_an_issue() {
    let open: Vec<_> = rust_files()
        .into_iter()
        .filter(|(path, _)| !path.starts_with("tests/conventions"))
        .filter(|(_, text)| text.contains("todo!(") || text.contains("unimplemented!(") || text.contains("FIXME"))
        .map(|(path, _)| path)
        .collect();
    assert!(open.is_empty(), "{open:#?}");
}
