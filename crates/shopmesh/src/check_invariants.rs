//! `shopmesh check-invariants`: arguments, and how the report is printed. What is checked stands in order-check.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use order_check::{Invariant, LedgerSource, Settings};
use shop_config::Config;

/// What is checked, against what.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The payment provider's ledger: a file of JSON lines, or the URL that gives it
    #[arg(long, value_name = "FILE|URL")]
    ledger: Option<String>,
    /// File with the API key for that URL
    #[arg(long, value_name = "FILE", requires = "ledger")]
    ledger_key_file: Option<PathBuf>,
    /// What clients were answered, as JSON lines
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// Wait until nothing is on its way, at most so long
    #[arg(long, value_name = "SECONDS")]
    wait: Option<u64>,
    /// Nothing writes any more: read without a snapshot, whatever the size
    #[arg(long)]
    stopped: bool,
    /// Check these alone: I1,I2
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<Invariant>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Checks the shop of `MONGO_URI` and prints what was found: exits with 0 when nothing contradicts, with 1 when something
/// does.
///
/// # Errors
/// When it could not be checked.
pub(crate) async fn run(arguments: &Arguments, config: &Config) -> anyhow::Result<ExitCode> {
    let report = order_check::check(&settings(arguments, config)?).await?;
    let text = if arguments.json { serde_json::to_string_pretty(&report.json())? } else { report.to_string() };
    #[expect(clippy::disallowed_macros, reason = "the answer of a command line tool")]
    {
        println!("{text}");
    }
    Ok(if report.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn settings(arguments: &Arguments, config: &Config) -> anyhow::Result<Settings> {
    let mongodb = config.mongodb.clone().context("MONGO_URI must be set")?;
    let key = arguments.ledger_key_file.as_ref().map(|file| {
        let read = std::fs::read_to_string(file).with_context(|| format!("failed to read {}", file.display()));
        read.map(|text| text.trim().to_owned())
    });
    let key = key.transpose()?;
    let ledger = arguments.ledger.as_ref().map(|place| LedgerSource::new(place, key)).transpose()?;
    let mut settings = Settings::new(mongodb);
    settings.ledger = ledger;
    settings.history.clone_from(&arguments.history);
    settings.wait = arguments.wait.map(Duration::from_secs);
    settings.stopped = arguments.stopped;
    if !arguments.only.is_empty() {
        settings.only = arguments.only.iter().copied().collect();
    }
    Ok(settings)
}
