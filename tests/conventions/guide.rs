//! The walk through all calls in docs/guide/calls.md leaves none out. That its answers are true, the journeys tell.

use shop_config::SERVICES;

use crate::services::routes;
use crate::tree::read;

/// The calls of a page, as method and path; where a path has a parameter, it has what the page has kept, such as `$mug`.
fn calls(page: &str) -> Vec<(String, String)> {
    let commands = page.replace("\\\n", " ");
    let mut calls = Vec::new();
    for command in commands.lines().flat_map(|line| line.split("curl ").skip(1)) {
        let own = command.split(" | ").next().unwrap_or_default();
        let Some((_, url)) = own.split_once("\"$BASE_URL/") else { continue };
        let path = url.split(['"', '?']).next().unwrap_or_default();
        let words: Vec<_> = own.split_whitespace().collect();
        let named = words.iter().position(|word| *word == "-X").and_then(|at| words.get(at + 1));
        let method = match named {
            Some(method) => *method,
            None if words.iter().any(|word| ["--json", "-d"].contains(word)) => "POST",
            None => "GET",
        };
        calls.push((method.to_owned(), format!("/{path}")));
    }
    calls
}

/// Whether a path is one of a template.
fn is_of(template: &str, path: &str) -> bool {
    let (of, is) = (template.split('/'), path.split('/'));
    of.clone().count() == is.clone().count()
        && of.zip(is).all(|(of, is)| if of.starts_with('{') { !is.is_empty() } else { of == is })
}

/// The row that a call is of: the one with the fewest parameters, as the router has it.
fn row_of<'r>(rows: &'r [String], (method, path): &(String, String)) -> Option<&'r String> {
    let mine = rows
        .iter()
        .filter(|row| row.split_once(' ').is_some_and(|(named, template)| named == method && is_of(template, path)));
    mine.min_by_key(|row| row.matches('{').count())
}

#[test]
fn the_walk_makes_every_call_of_every_service() {
    let rows: Vec<String> =
        SERVICES.iter().flat_map(|spec| routes(&format!("crates/services/{}", spec.name))).collect();
    assert!(rows.len() > 100, "{}", rows.len());
    let made = calls(&read("docs/guide/calls.md"));
    let made: Vec<_> = made.iter().filter_map(|call| row_of(&rows, call)).collect();
    let missing: Vec<_> = rows.iter().filter(|row| !made.contains(row)).collect();
    assert!(missing.is_empty(), "docs/guide/calls.md does not show {missing:#?}");
}

#[test]
fn calls_are_read_as_bash_would() {
    let page = "x=$(curl -s \"$BASE_URL/a?b=1\" | jq -r .c)\ncurl -s -X PATCH \"$BASE_URL/a/$b\" \\\n  --json '{}'\n\
        jq . | curl -s \"$BASE_URL/a\" --json @-\ncurl -s \"$BASE_URL/d\" -d e=f\ntag() { curl -s \"$@\"; }\n";
    let calls = calls(page);
    let read: Vec<_> = calls.iter().map(|(method, path)| format!("{method} {path}")).collect();
    assert_eq!(read, ["GET /a", "PATCH /a/$b", "POST /a", "POST /d"]);
    let rows = ["GET /a/{id}".to_owned(), "GET /a/export".to_owned()];
    for (path, row) in [("/a/export", Some(&rows[1])), ("/a/$b", Some(&rows[0])), ("/a/$b/c", None), ("/a/", None)] {
        assert_eq!(row_of(&rows, &("GET".to_owned(), path.to_owned())), row);
    }
}
