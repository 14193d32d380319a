//! Redis, with its append-only file as a shop runs it, and commands that tests give it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use super::addresses::{Party, REDIS_PORT};
use super::network::Network;
use super::process::{Process, Program};

/// The URL of every service.
pub(crate) const URL: &str = "redis://redis:6379/0";

/// The server.
#[derive(Debug)]
pub(crate) struct Redis {
    pub(crate) process: Process,
    /// Where its data is.
    pub(crate) folder: PathBuf,
}

impl Redis {
    /// Starts it and waits until it answers.
    ///
    /// # Errors
    /// When it does not.
    pub(crate) async fn start(network: &mut Network, folder: &Path, logs: &Path) -> anyhow::Result<Self> {
        let hosts = network.join("redis", Party::REDIS, &[]).await?;
        let folder = folder.join("redis");
        std::fs::create_dir_all(&folder).context("failed to make a folder for Redis")?;
        let (address, port) = (Party::REDIS.address().to_string(), REDIS_PORT.to_string());
        let arguments = [
            "--bind",
            &address,
            "--port",
            &port,
            "--dir",
            &folder.to_string_lossy(),
            "--save",
            "",
            "--appendonly",
            "yes",
            "--appendfsync",
            "everysec",
        ];
        let process = Process::new(Program {
            name: "redis".into(),
            file: "/usr/bin/redis-server".into(),
            arguments: arguments.map(str::to_owned).to_vec(),
            environment: Vec::new(),
            hosts,
            log: logs.join("redis.log"),
        });
        let mut redis = Self { process, folder };
        redis.start_again().await?;
        Ok(redis)
    }

    /// Starts it on its old data and waits until it answers.
    ///
    /// # Errors
    /// When it does not within 20 s.
    pub(crate) async fn start_again(&mut self) -> anyhow::Result<()> {
        self.process.start()?;
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            match self.command(&["PING"]).await {
                Ok(answer) if answer == "PONG" => return Ok(()),
                Ok(_) | Err(_) if Instant::now() < end => sleep(Duration::from_millis(50)).await,
                Ok(answer) => anyhow::bail!("Redis says {answer}"),
                Err(error) => return Err(error.context("Redis does not answer")),
            }
        }
    }

    /// Gives a command and returns the answer as text, over none of the edges.
    ///
    /// # Errors
    /// When Redis is away or refuses.
    pub(crate) async fn command(&self, words: &[&str]) -> anyhow::Result<String> {
        let (address, port) = (Party::REDIS.address().to_string(), REDIS_PORT.to_string());
        let ran = Command::new("redis-cli").args(["-h", &address, "-p", &port, "-e"]).args(words).output().await;
        let ran = ran.context("failed to run redis-cli")?;
        let text = String::from_utf8_lossy(&ran.stdout).trim().to_owned();
        ensure!(ran.status.success(), "redis-cli {}: {text}{}", words.join(" "), String::from_utf8_lossy(&ran.stderr));
        Ok(text)
    }
}
