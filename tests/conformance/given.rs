//! All services in one process, with a first admin and a payment provider, and what the shop says it serves.

use std::collections::BTreeMap;
use std::time::Duration;

use sandbox_psp::{Server, Settings};
use shop_config::Config;
use shop_service::Service;
use shop_testkit::{Peers, TestShop};
use tempfile::TempDir;
use tests::calls::{Call, served};

const PSP_KEY: &str = "key-of-conformance";
/// Who is the first admin.
pub(crate) const ADMIN_EMAIL: &str = "boss@example.org";
/// And how they log in.
pub(crate) const ADMIN_PASSWORD: &str = "correct horse battery";

/// A running shop.
pub(crate) struct Shop {
    services: TestShop,
    // Takes the money, and holds its key.
    _provider: (Server, TempDir),
}

async fn services(mut config: Config) -> anyhow::Result<Vec<Service>> {
    let folder = config.auth.key_set_file.parent().unwrap().to_owned();
    for (name, text, file) in [
        ("email", ADMIN_EMAIL, &mut config.identity.admin_email_file),
        ("password", ADMIN_PASSWORD, &mut config.identity.admin_password_file),
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
        served(&self.url()).await
    }
}
