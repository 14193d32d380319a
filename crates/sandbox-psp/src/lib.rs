//! A payment provider for tests and demos: its own process, its own ledger, no real money.
//!
//! It is a stranger to the shop and the outside judge for its money: it shares no code with the payment service, has its
//! own clock, and keeps an append-only ledger of every hold, capture, void and refund. README.md tells the API.

pub mod api;
mod blocks;
pub mod book;
pub mod cards;
pub mod desk;
pub mod faults;
pub mod ledger;
pub mod metrics;
pub mod problem;
pub mod server;
pub mod settings;
pub mod webhooks;

pub use server::Server;
pub use settings::Settings;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

/// Serves until SIGTERM, SIGINT, or the loss of the ledger.
///
/// # Errors
/// It cannot start ([`Server::start`]), or the ledger can no longer be written.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("failed to listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("failed to listen for SIGINT")?;
    let server = Server::start(&settings).await?;
    let lost = tokio::select! {
        _ = terminate.recv() => false,
        _ = interrupt.recv() => false,
        () = server.closed() => true,
    };
    server.stop().await?;
    anyhow::ensure!(!lost, "the ledger can no longer be written");
    Ok(())
}
