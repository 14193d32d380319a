//! The names of servers as this program sees them: it looks past all edges.

use std::fmt::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

use crate::stack::addresses::Party;
use crate::stack::mongod::MEMBERS;

/// Starts this program again where the names of the servers lead to them. Comes back only when that fails.
pub(crate) fn seen_from_here(folder: &Path) -> anyhow::Error {
    match command(folder) {
        Ok(mut command) => anyhow::Error::from(command.exec()).context("failed to start in a mount namespace"),
        Err(error) => error,
    }
}

fn command(folder: &Path) -> anyhow::Result<Command> {
    let mut hosts = "127.0.0.1 localhost\n".to_owned();
    for (name, party) in MEMBERS.into_iter().zip(Party::MONGODS).chain([("redis", Party::REDIS), ("psp", Party::PSP)]) {
        // Writing to a String cannot fail.
        let _ = writeln!(hosts, "{} {name}", party.address());
    }
    let file = folder.join("own.hosts");
    std::fs::write(&file, hosts).with_context(|| format!("failed to write {}", file.display()))?;
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", r#"mount --bind "$0" /etc/hosts && exec "$@""#]).arg(file);
    command.arg(std::env::current_exe().context("this program has no file")?);
    command.arg("--inside").args(std::env::args_os().skip(1));
    Ok(command)
}
