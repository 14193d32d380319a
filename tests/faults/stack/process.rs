//! One process of the stack: started with its own view of names, signalled, ended with all that it started.

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Lines of a log that a message shows, and characters of each.
const LAST_LINES: usize = 8;
const LINE_WIDTH: usize = 400;

/// How a process is started, each time in the same way.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    /// What it is called in messages and logs, such as `order-0`.
    pub(crate) name: String,
    pub(crate) file: PathBuf,
    pub(crate) arguments: Vec<String>,
    /// Its whole environment.
    pub(crate) environment: Vec<(String, String)>,
    /// What it sees as `/etc/hosts`.
    pub(crate) hosts: PathBuf,
    /// Where its output goes, added to what is there.
    pub(crate) log: PathBuf,
}

/// A process, or the place of one that was ended.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) program: Program,
    child: Option<Child>,
}

impl Process {
    /// A place where nothing runs yet.
    pub(crate) const fn new(program: Program) -> Self {
        Self { program, child: None }
    }

    /// Starts it; what ran here before must have ended.
    ///
    /// # Errors
    /// When it cannot be started, or still runs.
    pub(crate) fn start(&mut self) -> anyhow::Result<()> {
        ensure!(!self.runs()?, "{} runs already", self.program.name);
        let Program { name, file, arguments, environment, hosts, log } = &self.program;
        let log = OpenOptions::new().create(true).append(true).open(log).context("failed to open the log")?;
        // In its own mount namespace, so that names lead each caller to its own addresses; with a group of its own, so that
        // it can be ended with all its children; and it dies with this program even when that is killed.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "unshare", "--mount", "sh", "-c"])
            .arg(r#"mount --bind "$0" /etc/hosts && exec "$@""#)
            .arg(hosts)
            .arg(file)
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("failed to share the log")?)
            .stderr(log)
            .process_group(0)
            .spawn()
            .with_context(|| format!("failed to start {name}"))?;
        self.child = Some(child);
        Ok(())
    }

    /// Whether it runs: not ended, not killed.
    ///
    /// # Errors
    /// When the system does not tell.
    pub(crate) fn runs(&mut self) -> anyhow::Result<bool> {
        match &mut self.child {
            None => Ok(false),
            Some(child) => Ok(child.try_wait().context("failed to look after a process")?.is_none()),
        }
    }

    /// Makes sure that it runs.
    ///
    /// # Errors
    /// When it has ended; says how, with the last lines of its log.
    pub(crate) fn ensure_runs(&mut self) -> anyhow::Result<()> {
        let ended = match &mut self.child {
            None => "was not started".to_owned(),
            Some(child) => match child.try_wait().context("failed to look after a process")? {
                None => return Ok(()),
                Some(status) => format!("has ended ({status})"),
            },
        };
        anyhow::bail!("{} {ended}; {}", self.program.name, self.last_lines())
    }

    /// The end of its log, for messages.
    pub(crate) fn last_lines(&self) -> String {
        let path = self.program.log.display();
        let log = match std::fs::read(&self.program.log) {
            Ok(log) => log,
            Err(error) => return format!("its log {path} cannot be read: {error}"),
        };
        let text = String::from_utf8_lossy(&log);
        let lines: Vec<_> = text.lines().rev().take(LAST_LINES).collect();
        let mut shown = format!("the last lines of its log {path}:");
        for line in lines.into_iter().rev() {
            shown.push_str("\n  ");
            shown.extend(line.chars().take(LINE_WIDTH));
        }
        shown
    }

    /// Sends a signal, such as `KILL`, `STOP`, `CONT`, to the whole group.
    ///
    /// # Errors
    /// When it does not run.
    pub(crate) async fn signal(&self, signal: &str) -> anyhow::Result<()> {
        let name = &self.program.name;
        let pid = self.child.as_ref().and_then(Child::id).with_context(|| format!("{name} does not run"))?;
        let sent = Command::new("kill").args([format!("-{signal}"), "--".into(), format!("-{pid}")]).status().await;
        ensure!(sent.context("failed to run kill")?.success(), "{name} could not be sent {signal}");
        Ok(())
    }

    /// Ends it as a power cut would, and waits until it is gone.
    ///
    /// # Errors
    /// When it does not run.
    pub(crate) async fn kill(&mut self) -> anyhow::Result<()> {
        self.signal("KILL").await?;
        self.ended(Duration::from_secs(10)).await
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// When it has not after `patience`.
    pub(crate) async fn ended(&mut self, patience: Duration) -> anyhow::Result<()> {
        let Some(child) = &mut self.child else { return Ok(()) };
        timeout(patience, child.wait())
            .await
            .with_context(|| format!("{} did not end within {patience:?}", self.program.name))?
            .context("failed to wait for a process")?;
        self.child = None;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Children of the leader would outlive it.
        if let Some(pid) = self.child.as_ref().and_then(Child::id) {
            let group = format!("-{pid}");
            let ended = std::process::Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
            if let Err(error) = ended {
                crate::report::say(&format!("{} was not ended: {error}", self.program.name));
            }
        }
    }
}
