//! How much memory an order takes: books orders (a hold, and its capture) and says what the process has grown by.
//!
//! `cargo run --release -p sandbox-psp --example orders_in_memory -- 200000 /tmp/ledger`; a second run reads the file back.
#![expect(clippy::disallowed_methods, reason = "a program that is run by hand")]

use std::path::PathBuf;

use anyhow::Context as _;
use jiff::Timestamp;
use sandbox_psp::book::{Ask, Book, Command};
use uuid::Uuid;

/// Bytes of memory that this process has now.
fn resident() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

fn make(book: &mut Book, key: &str, command: &Command) -> anyhow::Result<String> {
    let fingerprint = "f".repeat(64);
    let ask = Ask { command, key, fingerprint: &fingerprint, now: Timestamp::now(), new_id: Uuid::now_v7() };
    let entry = book.decide(&ask)??;
    let id = entry.authorization.clone();
    book.apply(entry)?;
    Ok(id)
}

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let orders: u64 = arguments.next().context("how many orders?")?.parse()?;
    let file: PathBuf = arguments.next().context("which file?")?.into();
    let before = resident()?;
    let mut book = Book::open(&file)?;
    let read = u64::try_from(book.len())? / 2;
    for n in 0..orders.saturating_sub(read) {
        let reference = format!("{}:1", Uuid::now_v7());
        let hold = Command::Authorize {
            amount: 500,
            currency: "EUR".into(),
            reference: reference.clone(),
            method: "tok_visa".into(),
        };
        let id = make(&mut book, &reference, &hold)?;
        make(&mut book, &format!("{reference}:capture"), &Command::Capture { id })?;
        if n % 128 == 127 {
            book.write()?;
        }
    }
    book.write()?;
    let (grown, orders) = (resident()?.saturating_sub(before), u64::try_from(book.len())? / 2);
    let disk = std::fs::metadata(&file)?.len();
    tracing_subscriber::fmt().init();
    tracing::info!(
        orders,
        read,
        memory_bytes_per_order = grown / orders.max(1),
        disk_bytes_per_order = disk / orders.max(1)
    );
    Ok(())
}
