//! The OpenAPI document of what a process really mounts, with what all calls have in common, with examples, and the error codes
//! of its services beside it.

mod answers;
mod examples;
mod merge;

use serde_json::{Value, json};
use shop_http::{Code, Mount};

pub use merge::merge_documents;

/// The version of this build.
#[must_use]
pub const fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// The extension of the document that lists error codes: `[{code, status, meaning}]`.
pub const CODES_EXTENSION: &str = "x-shopmesh-errors";

/// The document of all mounts as JSON text.
///
/// # Errors
/// When the access table and the served routes of a mount differ (ruling 5), or the document cannot be written.
pub(crate) fn collect(title: &str, mounts: &[Mount], codes: &[Code]) -> anyhow::Result<String> {
    let mut documents = Vec::with_capacity(mounts.len());
    for mount in mounts {
        let differences = mount.differences();
        anyhow::ensure!(
            differences.is_empty(),
            "the access table of {} and its routes differ: {}",
            mount.service(),
            differences.join("; ")
        );
        documents.push(serde_json::to_value(mount.openapi(version()))?);
    }
    let mut document = merge_documents(&format!("shopmesh {title}"), &documents);
    answers::fill(&mut document);
    examples::fill(&mut document);
    let codes =
        codes.iter().map(|(code, status, meaning)| json!({ "code": code, "status": status, "meaning": meaning }));
    document[CODES_EXTENSION] = Value::Array(codes.collect());
    Ok(document.to_string())
}
