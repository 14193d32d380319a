//! Every metric that a runbook names is one that the code registers.

use crate::tree::{files, read, rust_files};

/// How the names of our metrics begin; other words of the pages do not.
const BEGINNINGS: [&str; 7] = ["dead_letters", "events_", "http_", "orders_", "outbox_", "payment_", "stream_"];

#[test]
fn every_metric_of_a_runbook_is_registered_somewhere() {
    let code: Vec<String> =
        rust_files().into_iter().filter(|(path, _)| path.starts_with("crates")).map(|(_, text)| text).collect();
    let mut named = 0;
    let mut unknown = Vec::new();
    for page in files().into_iter().filter(|path| path.starts_with("docs/runbooks")) {
        let text = read(&page);
        for word in text.split(|letter: char| !letter.is_ascii_lowercase() && letter != '_') {
            if !BEGINNINGS.iter().any(|beginning| word.starts_with(beginning)) {
                continue;
            }
            named += 1;
            let quoted = format!("\"{word}\"");
            if !code.iter().any(|text| text.contains(&quoted)) {
                unknown.push(format!("{}: {word}", page.display()));
            }
        }
    }
    assert!(named > 10, "the runbooks name their metrics: {named}");
    assert!(unknown.is_empty(), "{unknown:#?}");
}
