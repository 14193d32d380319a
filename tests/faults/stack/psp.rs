//! The payment provider: its own process, its own ledger, and never faulted silently.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::addresses::{NGINX_PORT, PSP_PORT, Party};
use super::network::Network;
use super::process::{Process, Program};
use super::{Binaries, wait_for_http};

/// The file with the key that payment sends.
pub(crate) const KEY_FILE: &str = "psp-key";
/// The file with the secret that webhooks are signed with.
pub(crate) const WEBHOOK_SECRET_FILE: &str = "psp-webhook-secret";

/// Where it tells what it has booked.
const WEBHOOKS: &str = "/api/v1/payments/webhooks/sandbox";

/// The provider.
#[derive(Debug)]
pub(crate) struct Psp {
    pub(crate) process: Process,
    /// What it wrote down; the judge reads it.
    pub(crate) ledger: PathBuf,
}

impl Psp {
    /// Starts it with the ledger of this name.
    ///
    /// # Errors
    /// When it does not become ready.
    pub(crate) async fn start(
        network: &mut Network,
        binaries: &Binaries,
        (folder, logs): (&Path, &Path),
        prefix: &str,
    ) -> anyhow::Result<Self> {
        let hosts = network.join("psp", Party::PSP, &[]).await?;
        let ledger = folder.join(format!("{prefix}.ledger"));
        let (key, secret) = (folder.join(KEY_FILE), folder.join(WEBHOOK_SECRET_FILE));
        std::fs::write(&key, "key-of-the-fault-tests").context("failed to write a key")?;
        std::fs::write(&secret, "secret-of-the-fault-tests").context("failed to write a secret")?;
        let environment = [
            ("SANDBOX_PSP_ADDRESS", SocketAddr::from((Party::PSP.address(), PSP_PORT)).to_string()),
            ("SANDBOX_PSP_ADMIN_ADDRESS", Self::admin().to_string()),
            ("SANDBOX_PSP_API_KEY_FILE", key.to_string_lossy().into_owned()),
            ("SANDBOX_PSP_LEDGER_FILE", ledger.to_string_lossy().into_owned()),
            ("SANDBOX_PSP_HANG_SECONDS", "4".into()),
            ("SANDBOX_PSP_WEBHOOK_URL", format!("http://{}:{NGINX_PORT}{WEBHOOKS}", Party::NGINX.address())),
            ("SANDBOX_PSP_WEBHOOK_SECRET_FILE", secret.to_string_lossy().into_owned()),
        ];
        let mut process = Process::new(Program {
            name: "psp".into(),
            file: binaries.shopmesh.clone(),
            arguments: vec!["sandbox-psp".into()],
            environment: environment.map(|(name, value)| (name.to_owned(), value)).to_vec(),
            hosts,
            log: logs.join("psp.log"),
        });
        process.start()?;
        wait_for_http("the payment provider", &format!("http://{}/readyz", Self::admin())).await?;
        Ok(Self { process, ledger })
    }

    fn admin() -> SocketAddr {
        SocketAddr::from((Party::PSP.address(), shop_config::ADMIN_PORT))
    }
}
