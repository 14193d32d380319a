//! One binary for all services: `shopmesh catalog`, `shopmesh order`, `shopmesh all`.
//!
//! One match over the services, then `run`. Everything else lives in the services and in the kit.

mod check_invariants;

use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use shop_config::Config;
use shop_service::Service;

/// A whole shop backend, one service per process. Settings come from the environment (docs/reference/environment.md).
#[derive(Parser)]
#[command(name = "shopmesh", version, about, after_help = AFTER_HELP)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "Every service serves public HTTP on 8080, gRPC on 9090 and /livez, /readyz, /metrics on 9091, \
unless SHOPMESH_HTTP_ADDRESS, SHOPMESH_GRPC_ADDRESS and SHOPMESH_ADMIN_ADDRESS say otherwise. \
MONGO_URI and REDIS_URL say where its state is.";

#[derive(Subcommand)]
enum Command {
    /// Customers, staff, sessions, tokens
    Identity,
    /// Products, variants, categories
    Catalog,
    /// Stock per variant, reservations
    Inventory,
    /// Guest and customer carts
    Cart,
    /// Payments and their providers
    Payment,
    /// Orders and the saga that places them
    Order,
    /// Landing page, aggregate health, merged API documents
    Edge,
    /// All services in one process, for development and small shops
    All,
    /// Tells whether the database can hold a shop: prints a code and a sentence, exits with 0 when it can
    CheckDatabase,
    /// Checks orders, stock, money and events against each other: exits with 0 when nothing contradicts
    CheckInvariants(check_invariants::Arguments),
    /// The sandbox payment provider: no real money
    SandboxPsp,
}

impl Command {
    /// The name in logs and traces.
    const fn name(&self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Catalog => "catalog",
            Self::Inventory => "inventory",
            Self::Cart => "cart",
            Self::Payment => "payment",
            Self::Order => "order",
            Self::Edge => "edge",
            Self::All => "all",
            Self::CheckDatabase => "check-database",
            Self::CheckInvariants(_) => "check-invariants",
            Self::SandboxPsp => "sandbox-psp",
        }
    }

    /// The exit code when it could not do its work.
    fn failed(&self) -> ExitCode {
        match self {
            // 1 says that the shop is wrong.
            Self::CheckInvariants(_) => ExitCode::from(2),
            Self::Identity
            | Self::Catalog
            | Self::Inventory
            | Self::Cart
            | Self::Payment
            | Self::Order
            | Self::Edge
            | Self::All
            | Self::CheckDatabase
            | Self::SandboxPsp => ExitCode::FAILURE,
        }
    }
}

fn main() -> ExitCode {
    let command = Arguments::parse().command;
    let failed = command.failed();
    match start(command) {
        Ok(code) => code,
        Err(error) => {
            // The log may not be set up yet; a failed start must be readable in any case.
            #[expect(clippy::disallowed_macros, reason = "the last words of a process that could not start")]
            {
                eprintln!("shopmesh: {error:#}");
            }
            failed
        }
    }
}

fn start(command: Command) -> anyhow::Result<ExitCode> {
    shop_faults::arm();
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .map_err(|_| anyhow::anyhow!("another TLS provider is installed already"))?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("failed to start the runtime")?;
    runtime.block_on(Box::pin(execute(command)))
}

async fn execute(command: Command) -> anyhow::Result<ExitCode> {
    if matches!(command, Command::SandboxPsp) {
        tracing_subscriber::fmt().json().init();
        #[expect(clippy::disallowed_methods, reason = "a stranger to the shop: its settings are not in shop-config")]
        let settings = sandbox_psp::Settings::from_lookup(&|name| std::env::var(name).ok())?;
        sandbox_psp::run(settings).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let config = Config::from_env()?;
    if matches!(command, Command::CheckDatabase) {
        return shop_service::check_database(&config).await;
    }
    if let Command::CheckInvariants(arguments) = &command {
        return Box::pin(check_invariants::run(arguments, &config)).await;
    }
    shop_service::run(&config, command.name(), Box::pin(services(&command, &config))).await?;
    Ok(ExitCode::SUCCESS)
}

async fn services(command: &Command, config: &Config) -> anyhow::Result<Vec<Service>> {
    Ok(match command {
        Command::Identity => vec![identity::service(config).await?],
        Command::Catalog => vec![catalog::service(config).await?],
        Command::Inventory => vec![inventory::service(config).await?],
        Command::Cart => vec![cart::service(config).await?],
        Command::Payment => vec![payment::service(config).await?],
        Command::Order => vec![order::service(config).await?],
        Command::Edge => vec![edge::service(config).await?],
        Command::All => vec![
            identity::service(config).await?,
            catalog::service(config).await?,
            inventory::service(config).await?,
            cart::service(config).await?,
            payment::service(config).await?,
            order::service(config).await?,
            edge::service(config).await?,
        ],
        Command::CheckDatabase | Command::CheckInvariants(_) | Command::SandboxPsp => Vec::new(),
    })
}
