//! Fault tests: real processes, real faults, and a verdict on what users were promised. See README.md.
//!
//! What belongs here: arguments, choosing cases, running them one after the other, the exit code.

mod cases;
mod chance;
mod history;
mod judge;
mod load;
mod names;
mod planted;
mod proxy;
mod report;
mod shop;
mod stack;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use crate::cases::Case;
use crate::report::{Row, say};
use crate::stack::{Binaries, Stack};

/// How often every failpoint fails when all cases run.
const ROUNDS_OF_ALL: u32 = 3;

/// Runs cases of faults against a whole shop and prints a table; exit code 1 if anything is lost, doubled, oversold or wrong.
#[derive(Parser, Debug)]
#[command(name = "tests/faults/run")]
#[expect(clippy::struct_excessive_bools, reason = "they are flags of a command line")]
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
    /// A random schedule of faults for so many minutes, instead of cases.
    #[arg(long, conflicts_with_all = ["all", "smoke", "cases", "planted"])]
    minutes: Option<u64>,
    /// The seed of that schedule; without it another one each time.
    #[arg(long, requires = "minutes")]
    seed: Option<u64>,
    /// Plants each known bug and shows which case finds it.
    #[arg(long, conflicts_with_all = ["all", "smoke", "cases"])]
    planted: bool,
    /// Names lead to the servers already; the program starts itself with it.
    #[arg(long, hide = true)]
    inside: bool,
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
    if !arguments.inside && !arguments.list {
        // Comes back only if it could not begin.
        say(&format!("faults: {:#}", names::seen_from_here(&arguments.folder)));
        return ExitCode::FAILURE;
    }
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
    let play = Play {
        kept: &arguments.kept,
        rounds: arguments.repeats.unwrap_or(if arguments.all { ROUNDS_OF_ALL } else { 1 }),
    };
    if arguments.planted {
        return planted::prove(&mut stack, &play).await;
    }
    let mut rows = Vec::<Row>::new();
    if let Some(minutes) = arguments.minutes {
        let seed = arguments.seed.unwrap_or_else(|| u64::from(std::process::id()));
        say(&format!("soak of {minutes} min; the same again: --minutes {minutes} --seed {seed}"));
        let end = Instant::now() + Duration::from_secs(minutes * 60);
        let mut number = 0;
        while Instant::now() < end {
            number += 1;
            rows.push(play.case(&mut stack, &cases::episode(seed, number), &[]).await?);
        }
    } else {
        for case in &chosen {
            rows.push(play.case(&mut stack, case, &[]).await?);
        }
    }
    drop(stack);
    report::table(&rows);
    Ok(rows.iter().all(Row::is_good))
}

/// How cases are run.
pub(crate) struct Play<'a> {
    kept: &'a Path,
    rounds: u32,
}

impl Play<'_> {
    /// Runs a case; after a bad one its logs are kept and the next begins on empty databases, with this environment.
    ///
    /// # Errors
    /// When the stack cannot go on.
    pub(crate) async fn case(
        &self,
        stack: &mut Stack,
        case: &Case,
        environment: &[(&str, &str)],
    ) -> anyhow::Result<Row> {
        let row = cases::run(stack, case, self.rounds).await;
        if !row.is_good() {
            keep(&stack.binaries.logs, &self.kept.join(&case.name))?;
            stack.afresh(environment).await.context("failed to begin afresh after a bad case")?;
        }
        Ok(row)
    }
}

fn choose(arguments: &Arguments) -> anyhow::Result<Vec<Case>> {
    let mut chosen = cases::all();
    if !arguments.cases.is_empty() {
        let exact = |name: &str| cases::all().iter().any(|case| case.name == name);
        let named = |case: &Case, name: &str| {
            if exact(name) { case.name == name } else { case.name.starts_with(&format!("{name}-")) }
        };
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
