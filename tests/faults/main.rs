//! Fault tests: real processes, real faults, and a verdict on what users were promised. See README.md.
//!
//! What belongs here: arguments, choosing cases, running them one after the other, the exit code.

mod cases;
mod chance;
mod history;
mod judge;
mod load;
mod proxy;
mod report;
mod shop;
mod stack;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use crate::cases::Case;
use crate::report::{Row, say};
use crate::stack::{Binaries, Stack};

/// How often every failpoint fails when all cases run.
const ROUNDS_OF_ALL: u32 = 3;

/// Runs cases of faults against a whole shop and prints a table; exit code 1 if anything is lost, doubled, oversold or wrong.
#[derive(Parser, Debug)]
#[command(name = "tests/faults/run")]
struct Arguments {
    /// Cases to run, such as `F1`, or `W6` for all that begin with `W6-`. Without any: the smoke set.
    cases: Vec<String>,
    /// The cases of `make test`.
    #[arg(long, conflicts_with_all = ["all", "cases"])]
    smoke: bool,
    /// All cases.
    #[arg(long, conflicts_with = "cases")]
    all: bool,
    /// Prints the cases and ends.
    #[arg(long)]
    list: bool,
    /// Rounds of each failpoint; 1 by default, 3 with `--all`.
    #[arg(long)]
    repeats: Option<u32>,
    /// The program under test, built with failpoints; `run` sets it.
    #[arg(long, hide = true)]
    shopmesh: PathBuf,
    /// The MongoDB server; `run` sets it.
    #[arg(long, hide = true)]
    mongod: PathBuf,
    /// Where data goes while it runs; `run` sets it.
    #[arg(long, hide = true)]
    folder: PathBuf,
    /// Where logs and histories of bad cases stay; `run` sets it.
    #[arg(long, hide = true)]
    kept: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let started = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let ended = started.context("failed to start the runtime").and_then(|runtime| {
        runtime.block_on(async {
            tokio::select! {
                // Whatever runs is ended when this is dropped.
                ended = Box::pin(execute(arguments)) => ended,
                told = told_to_end() => told.and(Err(anyhow::anyhow!("interrupted"))),
            }
        })
    });
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("faults: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn told_to_end() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("failed to listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("failed to listen for SIGINT")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

/// Whether all is well.
async fn execute(arguments: Arguments) -> anyhow::Result<bool> {
    let chosen = choose(&arguments)?;
    if arguments.list {
        for case in &chosen {
            report::print(&format!("{:<16} {}{}", case.name, case.what, if case.smoke { " (smoke)" } else { "" }));
        }
        return Ok(true);
    }
    let binaries = Binaries {
        shopmesh: arguments.shopmesh,
        mongod: arguments.mongod,
        logs: arguments.folder.join("logs"),
        folder: arguments.folder,
    };
    std::fs::create_dir_all(&binaries.logs).context("failed to make the folder of logs")?;
    let mut stack = Stack::start(binaries).await?;
    let rounds = arguments.repeats.unwrap_or(if arguments.all { ROUNDS_OF_ALL } else { 1 });
    let mut rows = Vec::<Row>::new();
    for case in &chosen {
        let row = cases::run(&mut stack, case, rounds).await;
        if !row.is_good() {
            keep(&stack.binaries.logs, &arguments.kept.join(&case.name))?;
            stack.afresh(&[]).await.context("failed to begin afresh after a bad case")?;
        }
        rows.push(row);
    }
    drop(stack);
    report::table(&rows);
    Ok(rows.iter().all(Row::is_good))
}

fn choose(arguments: &Arguments) -> anyhow::Result<Vec<Case>> {
    let mut chosen = cases::all();
    if !arguments.cases.is_empty() {
        let named = |case: &Case, name: &str| case.name == name || case.name.starts_with(&format!("{name}-"));
        for name in &arguments.cases {
            ensure!(chosen.iter().any(|case| named(case, name)), "there is no case {name}; --all --list shows them");
        }
        chosen.retain(|case| arguments.cases.iter().any(|name| named(case, name)));
    } else if !arguments.all {
        chosen.retain(|case| case.smoke);
    }
    Ok(chosen)
}

/// Copies logs and history of a bad case to where they stay.
fn keep(logs: &Path, kept: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(kept).context("failed to make the folder of a bad case")?;
    for entry in std::fs::read_dir(logs).context("failed to read the logs")? {
        let entry = entry.context("failed to read the logs")?;
        std::fs::copy(entry.path(), kept.join(entry.file_name())).context("failed to keep a log")?;
    }
    say(&format!("  logs and history: {}", kept.display()));
    Ok(())
}
