//! `shopmesh check-database`: tells the operator whether a roll-out may begin (ruling 33).

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use shop_config::{Config, SERVICES, Store};

/// Where Kubernetes reads a container's last words.
const TERMINATION_LOG: &str = "/dev/termination-log";

/// Checks the database and prints `{"code", "text"}`, also to the termination log where there is one.
///
/// # Errors
/// When `MONGO_URI` is not set or the verdict cannot be written.
pub async fn check_database(config: &Config) -> anyhow::Result<ExitCode> {
    let settings = config.mongodb.as_ref().context("MONGO_URI must be set")?;
    let owners: Vec<&str> = SERVICES.iter().filter(|spec| spec.needs(Store::MongoDb)).map(|spec| spec.name).collect();
    let verdict = shop_mongo::check(settings, &owners).await;
    let words = serde_json::json!({ "code": verdict.code, "text": verdict.text }).to_string();
    if Path::new(TERMINATION_LOG).exists() {
        tokio::fs::write(TERMINATION_LOG, &words).await.context("failed to write the termination log")?;
    }
    #[expect(clippy::disallowed_macros, reason = "the answer of a command line tool")]
    {
        println!("{words}");
    }
    Ok(if verdict.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
