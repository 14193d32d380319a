//! All services in one process, with a first admin and a payment provider, and what the shop says it serves.

use std::collections::BTreeMap;
use std::time::Duration;

use sandbox_psp::{Server, Settings};
use serde_json::Value;
use shop_config::Config;
use shop_service::Service;
use shop_testkit::{Peers, TestShop};
use tempfile::TempDir;

const PSP_KEY: &str = "key-of-conformance";

/// A running shop.
pub(crate) struct Shop {
    services: TestShop,
    // Takes the money, and holds its key.
    _provider: (Server, TempDir),
}

/// A call that the shop serves, as its OpenAPI document tells.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) template: String,
    /// The kinds of caller that it lets in.
    pub(crate) callers: Vec<String>,
}

impl Call {
    /// Method and template.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method, self.template)
    }
}

async fn services(mut config: Config) -> anyhow::Result<Vec<Service>> {
    let folder = config.auth.key_set_file.parent().unwrap().to_owned();
    for (name, text, file) in [
        ("email", "boss@example.org", &mut config.identity.admin_email_file),
        ("password", "correct horse battery", &mut config.identity.admin_password_file),
    ] {
        std::fs::write(folder.join(name), text)?;
        *file = Some(folder.join(name));
    }
    Ok(vec![
        identity::service(&config).await?,
        catalog::service(&config).await?,
        inventory::service(&config).await?,
        cart::service(&config).await?,
        payment::service(&config).await?,
        order::service(&config).await?,
        edge::service(&config).await?,
    ])
}

impl Shop {
    pub(crate) async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key");
        std::fs::write(&key, PSP_KEY).unwrap();
        let settings = Settings { hang: Duration::from_secs(20), ..Settings::local(key) };
        let provider = Server::start(&settings).await.unwrap();
        let peers = Peers {
            payment_url: Some(format!("http://{}", provider.address())),
            payment_api_key: Some(PSP_KEY.into()),
            ..Peers::default()
        };
        let services = Box::pin(TestShop::start_all(peers, services)).await;
        Self { services, _provider: (provider, folder) }
    }

    /// Where it answers.
    pub(crate) fn url(&self) -> String {
        self.services.url("")
    }

    /// What Prometheus would be told.
    pub(crate) async fn metrics(&self) -> String {
        let reply = self.services.client().get(self.services.admin_url("/metrics")).send().await.unwrap();
        reply.text().await.unwrap()
    }

    /// Tokens of the usual callers, by kind.
    pub(crate) fn tokens(&self) -> BTreeMap<String, String> {
        let callers = self.services.callers();
        let tokens = [
            ("customer", callers.customer()),
            ("staff", callers.staff()),
            ("admin", callers.admin()),
            ("service", callers.service()),
            ("expired", callers.expired()),
        ];
        tokens.into_iter().map(|(kind, who)| (kind.to_owned(), who.token)).collect()
    }

    /// All calls of its OpenAPI document.
    pub(crate) async fn calls(&self) -> Vec<Call> {
        let reply = self.services.client().get(self.services.url("/openapi.json")).send().await.unwrap();
        let document: Value = reply.json().await.unwrap();
        let mut calls = Vec::new();
        for (template, item) in document["paths"].as_object().unwrap() {
            for method in ["get", "post", "put", "patch", "delete"] {
                let Some(operation) = item.get(method) else { continue };
                let callers = operation["x-callers"].as_array().into_iter().flatten();
                calls.push(Call {
                    method: method.to_uppercase(),
                    template: template.clone(),
                    callers: callers.map(|caller| caller.as_str().unwrap().to_owned()).collect(),
                });
            }
        }
        assert!(calls.len() > 100, "only {} calls", calls.len());
        calls
    }
}
