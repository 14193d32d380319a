//! Makes the calls of the table against any shop, by its base URL, and remembers what rows keep.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde_json::Value;

use super::table::{Row, misfit};
use crate::wait::until;

/// An id that nothing has.
const UNKNOWN: &str = "0190b3c0-0000-7000-8000-00000000dead";

const KEY: &str = "Idempotency-Key";

/// A run through the table.
pub(crate) struct Runner {
    client: reqwest::Client,
    base: String,
    /// By name: what was given, and what rows have kept.
    kept: BTreeMap<String, String>,
    /// The calls that stand for newer ones.
    older: BTreeSet<String>,
    /// How many rows were made.
    made: usize,
}

/// What came back.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Runner {
    /// Against the shop at a URL; `older` are the calls that it has for older clients.
    pub(crate) fn new(base: String, given: BTreeMap<String, String>, older: BTreeSet<String>) -> Self {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(20)).build().unwrap();
        let mut kept = given;
        kept.insert("unknown".to_owned(), UNKNOWN.to_owned());
        Self { client, base, kept, older, made: 0 }
    }

    /// Makes one call and says what is not as promised.
    pub(crate) async fn make(&mut self, row: &Row) -> Result<(), String> {
        self.made += 1;
        let Answer { status, headers, body } = self.answered(row).await;
        if status != row.status {
            return Err(format!("answered {status} instead of {}: {body}", row.status));
        }
        if let Some(shape) = &row.shape
            && let Some(why) = misfit(&self.filled(shape), &body, "")
        {
            return Err(format!("{why} in {body}"));
        }
        for (name, shape) in &row.answers {
            let sent = headers.get(name).and_then(|value| value.to_str().ok()).map_or(Value::Null, Value::from);
            if let Some(why) = misfit(&self.filled(shape), &sent, name) {
                return Err(why);
            }
        }
        if let Some(why) = self.breach(row, &headers) {
            return Err(format!("{why} in {headers:?}"));
        }
        for (name, pointer) in &row.keep {
            let found = body.pointer(pointer).ok_or_else(|| format!("nothing at {pointer} in {body}"))?;
            let text = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
            self.kept.insert(name.clone(), text);
        }
        Ok(())
    }

    /// What every answer promises in its headers, and this one has not.
    fn breach(&self, row: &Row, headers: &HeaderMap) -> Option<String> {
        let has = |name: &str, part: &str| {
            headers.get_all(name).iter().any(|value| value.to_str().is_ok_and(|value| value.contains(part)))
        };
        // Providers of payments are known by their signatures, and not to be put off.
        let is_limited = !row.call.contains("/webhooks/");
        let is_older = self.older.contains(&row.call);
        let promised = [
            (has("x-request-id", ""), "no X-Request-Id"),
            (has("x-content-type-options", "nosniff"), "no nosniff"),
            (has("content-security-policy", ""), "no Content-Security-Policy"),
            (has("referrer-policy", ""), "no Referrer-Policy"),
            (has("strict-transport-security", ""), "no Strict-Transport-Security"),
            (!has("x-powered-by", ""), "an X-Powered-By"),
            (has("ratelimit-policy", "w=") == is_limited, "no RateLimit-Policy, or one where nobody is limited"),
            (has("ratelimit-remaining", "") == is_limited, "no RateLimit-Remaining, or the reverse"),
            (has("x-ratelimit-limit", "") == is_limited, "no X-RateLimit-Limit, or the reverse"),
            (has("x-ratelimit-reset", "") == is_limited, "no X-RateLimit-Reset, or the reverse"),
            (has("deprecation", "") == is_older, "a Deprecation where none belongs, or the reverse"),
            (has("link", "successor-version") == is_older, "a successor where none belongs, or the reverse"),
        ];
        promised.into_iter().find(|(kept, _)| !kept).map(|(_, why)| why.to_owned())
    }

    /// What is answered in the end, also by a shop with too much to do.
    async fn answered(&self, row: &Row) -> Answer {
        let is_it = |Answer { status, body, .. }: &Answer| {
            let comes = row.until.iter().all(|(pointer, value)| body.pointer(pointer) == Some(&self.filled(value)));
            comes && (*status == row.status || !asks_again(*status, body))
        };
        until(&format!("{} answers {} {:?}", row.call, row.status, row.until), || self.ask(row), is_it).await
    }

    async fn ask(&self, row: &Row) -> Answer {
        let (method, template) = row.call.split_once(' ').unwrap_or_else(|| panic!("{} has no method", row.call));
        let path = self.text(row.path.as_deref().unwrap_or(template));
        let url = format!("{}{path}", self.base);
        let mut request = self.client.request(Method::from_bytes(method.as_bytes()).unwrap(), url);
        if row.caller != "nobody" {
            let name = row.caller.trim_start_matches('$');
            let token = self.kept.get(name).unwrap_or_else(|| panic!("nobody is called {name}"));
            request = request.bearer_auth(token);
        }
        if method == "POST" && !row.headers.contains_key(KEY) {
            // The same for all tries of a row.
            request = request.header(KEY, format!("row-{}", self.made));
        }
        for (name, value) in &row.headers {
            request = request.header(name, self.text(value));
        }
        if let Some(body) = &row.body {
            request = request.json(&self.filled(body));
        }
        if let Some(upload) = &row.upload {
            let bytes = upload.bytes().or_else(|| upload.text.as_deref().map(|text| self.text(text).into_bytes()));
            request = request.header(CONTENT_TYPE, &upload.media_type).body(bytes.unwrap_or_default());
        }
        let reply = request.send().await.unwrap_or_else(|error| panic!("{}: {error}", row.call));
        let (status, headers) = (reply.status().as_u16(), reply.headers().clone());
        let text = reply.text().await.unwrap_or_else(|error| panic!("{}: {error}", row.call));
        Answer { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::Null) }
    }

    /// The same with what was kept in place of its names, the longest names first.
    fn text(&self, text: &str) -> String {
        let mut names: Vec<_> = self.kept.iter().collect();
        names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        names.into_iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${name}"), value))
    }

    fn filled(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(items) => items.iter().map(|item| self.filled(item)).collect(),
            Value::Object(fields) => fields
                .iter()
                .map(|(name, value)| (name.clone(), self.filled(value)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }
}

/// Whether an answer is not the last word on a request: it is to be sent again, with its key.
#[must_use]
pub fn asks_again(status: u16, body: &Value) -> bool {
    matches!(status, 202 | 503) || body["code"] == "request_in_progress"
}

#[test]
fn only_an_answer_that_is_not_the_last_word_is_asked_for_again() {
    let in_progress = serde_json::json!({ "code": "request_in_progress" });
    let sold_out = serde_json::json!({ "code": "sold_out" });
    assert!(asks_again(202, &Value::Null) && asks_again(503, &Value::Null) && asks_again(409, &in_progress));
    for status in [200, 201, 404, 409, 500, 502] {
        assert!(!asks_again(status, &sold_out), "{status}");
    }
}
