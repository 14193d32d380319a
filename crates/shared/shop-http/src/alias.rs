//! The compatibility aliases: older names and spellings of calls that `/api/v1` has too. What belongs here: their table, how
//! they are marked, how their bodies are read and what they have in common. Which there are, each service says in its
//! `aliases.rs`.

pub mod body;
pub mod query;
pub mod reply;
pub mod value;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue, LINK};
use utoipa::openapi::path::Operation;
use utoipa::openapi::{Deprecated, OpenApi};

pub use self::body::{LooseBody, PricedBody};
pub use self::query::{Limits, LooseQuery};
pub use self::reply::{Ids, Pagination, Price};
pub use self::value::Decimal;
use crate::{Access, Method, Route};

const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");

/// Since when aliases are deprecated (RFC 9745): 2026-11-21.
const SINCE: HeaderValue = HeaderValue::from_static("@1795219200");

/// One line of a table of aliases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alias {
    /// Its method.
    pub method: Method,
    /// Its path template.
    pub template: &'static str,
    /// Who may call it.
    pub access: Access,
    /// Whether callers without a token may, too, in a Shop whose aliases are open.
    pub is_open: bool,
    /// The call that takes its place, or the list that holds what it names.
    pub successor: &'static str,
}

impl Alias {
    /// A line.
    #[must_use]
    pub const fn new(method: Method, template: &'static str, access: Access, successor: &'static str) -> Self {
        Self { method, template, access, is_open: false, successor }
    }

    /// One of the calls that some testers and load scripts make without a token.
    #[must_use]
    pub const fn open(self) -> Self {
        Self { is_open: true, ..self }
    }

    /// Its line in the access table.
    pub(crate) const fn route(&self, is_open: bool) -> Route {
        let access = if is_open && self.is_open { self.access.or_anybody() } else { self.access };
        (self.method, self.template, access)
    }
}

/// Says on an answer that the call has a successor.
pub(crate) fn mark(headers: &mut HeaderMap, successor: &'static str) {
    headers.insert(DEPRECATION, SINCE);
    if let Ok(link) = HeaderValue::try_from(format!("<{successor}>; rel=\"successor-version\"")) {
        headers.append(LINK, link);
    }
}

/// Marks every call of a document as deprecated and gives each a name of its own: one handler may serve several paths.
pub(crate) fn mark_document(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        let operations = [
            ("get", &mut item.get),
            ("post", &mut item.post),
            ("put", &mut item.put),
            ("patch", &mut item.patch),
            ("delete", &mut item.delete),
        ];
        for (method, operation) in operations {
            if let Some(operation) = operation {
                mark_operation(method, path, operation);
            }
        }
    }
}

fn mark_operation(method: &str, path: &str, operation: &mut Operation) {
    let elements = path.split('/').map(|element| element.trim_matches(['{', '}']).to_ascii_lowercase());
    let name: Vec<String> = elements.filter(|element| !element.is_empty()).collect();
    operation.operation_id = Some(format!("alias_{method}_{}", name.join("_")));
    operation.deprecated = Some(Deprecated::True);
}
