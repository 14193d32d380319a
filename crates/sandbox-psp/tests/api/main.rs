//! The API over real TCP: what a caller sees. The rules themselves are tested beside them in `src/book`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

mod cards;
mod faults;
mod ledger;
mod process;
mod refusals;
mod webhooks;

use std::path::Path;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use sandbox_psp::{Server, Settings};
use serde_json::{Value, json};

const KEY: &str = "sandbox-key-for-tests";

/// A running provider with a client.
struct Psp {
    server: Server,
    client: reqwest::Client,
    folder: tempfile::TempDir,
}

impl Psp {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::start_in(folder, None).await
    }

    /// Starts on a folder that may hold the ledger of an earlier run.
    async fn start_in(folder: tempfile::TempDir, ledger: Option<&str>) -> Self {
        let settings = settings(folder.path(), ledger);
        Self::start_as(folder, settings).await
    }

    /// Starts one that lets callers hang for so long who get no answer.
    async fn start_hanging(hang: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { hang, ..settings(folder.path(), None) };
        Self::start_as(folder, settings).await
    }

    async fn start_as(folder: tempfile::TempDir, settings: Settings) -> Self {
        std::fs::write(folder.path().join("key"), format!("{KEY}\n")).unwrap();
        let server = Server::start(&settings).await.unwrap();
        let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).build().unwrap();
        Self { server, client, folder }
    }

    async fn restart(self) -> Self {
        self.server.stop().await.unwrap();
        Self::start_in(self.folder, Some("ledger")).await
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("http://{}{path}", self.server.address())).bearer_auth(KEY)
    }

    async fn post(&self, path: &str, key: &str, body: &Value) -> (StatusCode, Value) {
        answer(self.request(Method::POST, path).header("Idempotency-Key", key).json(body)).await
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        answer(self.request(Method::GET, path)).await
    }

    /// Places a hold of 5.00 EUR; the reference is the key.
    async fn authorize(&self, key: &str, method: &str) -> (StatusCode, Value) {
        self.post("/v1/authorizations", key, &hold(key, method)).await
    }

    async fn kinds(&self) -> Vec<String> {
        let (_, ledger) = self.get("/v1/ledger").await;
        ledger["entries"].as_array().unwrap().iter().map(|e| e["kind"].as_str().unwrap().to_owned()).collect()
    }
}

fn settings(folder: &Path, ledger: Option<&str>) -> Settings {
    let ledger_file = ledger.map(|name| folder.join(name));
    Settings { ledger_file, hang: Duration::from_millis(300), ..Settings::local(folder.join("key")) }
}

fn hold(reference: &str, method: &str) -> Value {
    json!({ "amount": 500, "currency": "EUR", "reference": reference, "method": method })
}

async fn answer(request: reqwest::RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    (response.status(), response.json().await.unwrap())
}
