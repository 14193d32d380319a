//! The replica set: three mongods, initiated under the names by which they and the services see each other.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures::future::join_all;
use shop_config::{MongoConfig, Secret};
use shop_mongo::{Document, Mongo, doc};
use shop_telemetry::metrics::Metrics;
use tokio::time::{Instant, sleep};

use super::addresses::{MONGODB_PORT, Party};
use super::network::Network;
use super::process::{Process, Program};

/// How long a mongod may take until it answers: it writes its first files with fsync, behind all that a build has left to
/// write on a slow disk.
const START: Duration = Duration::from_secs(180);

/// How long the set may take until it has a primary.
const ELECTION: Duration = Duration::from_secs(60);

/// Names of the members.
pub(crate) const MEMBERS: [&str; 3] = ["mongo-0", "mongo-1", "mongo-2"];

/// The connection string of every service: by names, so that its connections go over its own edges.
pub(crate) const URI: &str = "mongodb://mongo-0:27017,mongo-1:27017,mongo-2:27017/?replicaSet=rs0";

/// The three members.
#[derive(Debug)]
pub(crate) struct ReplicaSet {
    pub(crate) members: Vec<Process>,
}

impl ReplicaSet {
    /// Starts three mongods and waits for a primary.
    ///
    /// # Errors
    /// When a mongod does not start or no primary is elected.
    pub(crate) async fn start(
        network: &mut Network,
        mongod: &Path,
        folder: &Path,
        logs: &Path,
    ) -> anyhow::Result<Self> {
        let mut members = Vec::new();
        for (name, party) in MEMBERS.into_iter().zip(Party::MONGODS) {
            let others: Vec<_> = MEMBERS.into_iter().filter(|other| *other != name).collect();
            let hosts = network.join(name, party, &others).await?;
            let data = folder.join(name);
            std::fs::create_dir_all(&data).context("failed to make a folder for a mongod")?;
            let mut member = Process::new(Program {
                name: name.to_owned(),
                file: mongod.to_owned(),
                arguments: arguments(&data, party),
                environment: Vec::new(),
                hosts,
                log: logs.join(format!("{name}.log")),
            });
            member.start()?;
            members.push(member);
        }
        let mut set = Self { members };
        set.initiate().await?;
        set.primary().await?;
        Ok(set)
    }

    async fn initiate(&mut self) -> anyhow::Result<()> {
        let members: Vec<_> =
            (0..).zip(MEMBERS).map(|(id, name)| doc! { "_id": id, "host": format!("{name}:{MONGODB_PORT}") }).collect();
        let command = doc! { "replSetInitiate": { "_id": "rs0", "members": members } };
        let end = Instant::now() + START;
        loop {
            let Err(error) = self.command(0, command.clone()).await else { return Ok(()) };
            for member in &mut self.members {
                member.ensure_runs()?;
            }
            if Instant::now() > end {
                let logs: Vec<_> = self.members.iter().map(Process::last_lines).collect();
                return Err(error.context(format!("the replica set was not initiated; {}", logs.join("\n"))));
            }
            // It is starting still.
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// The place of the present primary among the members.
    ///
    /// # Errors
    /// When there is none for a minute.
    pub(crate) async fn primary(&self) -> anyhow::Result<usize> {
        let end = Instant::now() + ELECTION;
        while Instant::now() < end {
            let answers =
                join_all((0..self.members.len()).map(|member| self.command(member, doc! { "hello": 1 }))).await;
            let is_primary = |answer: &anyhow::Result<Document>| {
                answer.as_ref().is_ok_and(|hello| hello.get_bool("isWritablePrimary").unwrap_or(false))
            };
            if let Some(member) = answers.iter().position(is_primary) {
                return Ok(member);
            }
            sleep(Duration::from_millis(200)).await;
        }
        anyhow::bail!("the replica set has no primary for {ELECTION:?}")
    }

    /// Makes the primary step down; it does not stand again for `seconds`.
    ///
    /// # Errors
    /// When there is no primary or it refuses.
    pub(crate) async fn step_down(&self, seconds: i32) -> anyhow::Result<()> {
        let primary = self.primary().await?;
        // As maintenance does it: not before another one has all writes and can take over at once. Under load that may take
        // a second try.
        let command = doc! { "replSetStepDown": seconds, "secondaryCatchUpPeriodSecs": 2 };
        let end = Instant::now() + ELECTION;
        loop {
            let told = self.command(primary, command.clone()).await;
            // It may close our connection when it does.
            let hello = self.command(primary, doc! { "hello": 1 }).await?;
            if !hello.get_bool("isWritablePrimary")? {
                return Ok(());
            }
            ensure!(Instant::now() < end, "the primary does not step down: {told:?}");
        }
    }

    /// Gives one member a command, over none of the edges.
    ///
    /// # Errors
    /// When it is away or refuses.
    pub(crate) async fn command(&self, member: usize, command: Document) -> anyhow::Result<Document> {
        let address = Party::MONGODS.get(member).context("the set has three members")?.address();
        let uri = format!("mongodb://{address}:{MONGODB_PORT}/?directConnection=true&serverSelectionTimeoutMS=1000");
        let mongo = connect(&uri, "faults").await?;
        let admin = mongo.database().client().database("admin");
        Ok(mongo.run("command of a test", async move { admin.run_command(command).await }).await?)
    }
}

/// A handle on one service's database as it is seen from here.
///
/// # Errors
/// When the URI is none.
pub(crate) async fn connect(uri: &str, prefix: &str) -> anyhow::Result<Mongo> {
    let config =
        MongoConfig { uri: Secret::new(uri), database_prefix: prefix.to_owned(), owner: None, max_pool_size: 4 };
    Ok(Mongo::connect("faults", &config, &Metrics::new("faults")).await?)
}

fn arguments(data: &Path, party: Party) -> Vec<String> {
    let (port, address) = (MONGODB_PORT.to_string(), party.address().to_string());
    let data = data.to_string_lossy();
    [
        "--dbpath",
        &data,
        "--port",
        &port,
        "--bind_ip",
        &address,
        "--replSet",
        "rs0",
        "--wiredTigerCacheSizeGB",
        "0.25",
        "--oplogSize",
        "256",
        "--nounixsocket",
        "--setParameter",
        "diagnosticDataCollectionEnabled=false",
    ]
    .map(str::to_owned)
    .to_vec()
}
