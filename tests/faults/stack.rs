//! Everything that runs: replica set, Redis, payment provider, pods, NGINX, and the edges between them.
//!
//! What belongs here: bringing it up, giving it a new set of databases, and what all cases do to it. One file beside this
//! for each kind of party.

pub(crate) mod addresses;
mod dns;
pub(crate) mod keys;
mod kubelet;
pub(crate) mod mongod;
pub(crate) mod network;
mod nginx;
pub(crate) mod pods;
pub(crate) mod process;
mod psp;
pub(crate) mod redis;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use operator::build::names;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use self::keys::Keys;
use self::kubelet::Watched;
use self::mongod::ReplicaSet;
use self::network::Network;
use self::pods::Pods;
use self::process::Process;
use self::psp::Psp;
use self::redis::Redis;
use crate::report::say;

/// Replicas of every service, unless a case says otherwise.
pub(crate) const REPLICAS: u8 = 2;

/// Programs and folders of this run.
#[derive(Debug, Clone)]
pub(crate) struct Binaries {
    /// `shopmesh`, with failpoints.
    pub(crate) shopmesh: PathBuf,
    pub(crate) mongod: PathBuf,
    /// Data; removed at the end.
    pub(crate) folder: PathBuf,
    /// Logs; removed unless a case fails.
    pub(crate) logs: PathBuf,
}

/// The whole stack. Dropping it ends every process.
pub(crate) struct Stack {
    pub(crate) binaries: Binaries,
    pub(crate) keys: Keys,
    pub(crate) network: Network,
    pub(crate) mongodb: ReplicaSet,
    pub(crate) redis: Redis,
    pub(crate) psp: Psp,
    pub(crate) pods: Pods,
    // Held so that it runs.
    _nginx: Process,
    watched: Watched,
    tasks: Vec<JoinHandle<()>>,
    prefixes: u32,
    numbers: u32,
}

impl Stack {
    /// Starts all of it and waits until every pod is ready.
    ///
    /// # Errors
    /// When a part does not come up.
    pub(crate) async fn start(binaries: Binaries) -> anyhow::Result<Self> {
        let started = Instant::now();
        let (folder, logs) = (binaries.folder.clone(), binaries.logs.clone());
        let places = (folder.as_path(), logs.as_path());
        let keys = Keys::make(&folder)?;
        let mut network = Network::new(&folder);
        say("starting three mongods and waiting for a primary");
        let mongodb = ReplicaSet::start(&mut network, &binaries.mongod, &folder, &logs).await?;
        say("starting Redis, the payment provider and NGINX");
        let redis = Redis::start(&mut network, &folder, &logs).await?;
        let prefix = "f0".to_owned();
        let psp = Psp::start(&mut network, &binaries, places, &prefix).await?;
        let nginx = nginx::start(&mut network, &folder, &logs).await?;
        let pods = Pods::new(&binaries, places, &prefix);
        let watched = Watched::default();
        let mut endpoints = std::collections::BTreeMap::new();
        let mut headless = std::collections::BTreeMap::new();
        for spec in shop_config::SERVICES {
            endpoints.insert(spec.name, Arc::clone(network.endpoints(spec.name)?));
            headless.insert(names::headless("shop", spec.name), Arc::clone(network.endpoints(spec.name)?));
        }
        let tasks = vec![dns::serve(headless).await?, kubelet::watch(Arc::clone(&watched), endpoints)];
        let mut stack = Self {
            binaries,
            keys,
            network,
            mongodb,
            redis,
            psp,
            pods,
            _nginx: nginx,
            watched,
            tasks,
            prefixes: 0,
            numbers: 0,
        };
        stack.start_pods().await?;
        say(&format!("the stack is up after {} s", started.elapsed().as_secs()));
        Ok(stack)
    }

    async fn start_pods(&mut self) -> anyhow::Result<()> {
        say(&format!("starting {REPLICAS} pods of each service and waiting until they are ready"));
        let mut names = Vec::new();
        for spec in shop_config::SERVICES {
            for replica in 0..REPLICAS {
                names.push(self.pods.start(&mut self.network, &self.keys, (spec, replica), &[]).await?);
            }
        }
        self.pods.ready(&names).await?;
        self.in_service().await
    }

    /// Ends all pods and starts them on new databases, keys in Redis and a new ledger, with more environment.
    ///
    /// # Errors
    /// When they do not come up.
    pub(crate) async fn afresh(&mut self, everywhere: &[(&str, &str)]) -> anyhow::Result<()> {
        self.network.heal();
        for name in self.pods.names() {
            self.pods.remove(&name).await?;
        }
        self.prefixes += 1;
        self.pods.prefix = format!("f{}", self.prefixes);
        self.pods.everywhere(everywhere);
        self.redis.command(&["FLUSHALL"]).await?;
        self.psp.process.kill().await?;
        let places = (self.binaries.folder.as_path(), self.binaries.logs.as_path());
        self.psp = Psp::start(&mut self.network, &self.binaries, places, &self.pods.prefix).await?;
        self.start_pods().await
    }

    /// Starts a pod with more environment and does not wait for it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) async fn launch_pod(
        &mut self,
        service: &str,
        replica: u8,
        extra: &[(&str, &str)],
    ) -> anyhow::Result<String> {
        let spec = shop_config::service(service).with_context(|| format!("there is no service {service}"))?;
        let name = self.pods.start(&mut self.network, &self.keys, (spec, replica), extra).await?;
        self.watched.store(Arc::new(self.pods.parties()));
        Ok(name)
    }

    /// Starts a pod, in the place of one of that name if there is one, and waits until it takes requests. Says how long
    /// it took to become ready.
    ///
    /// # Errors
    /// When it does not come up.
    pub(crate) async fn start_pod(
        &mut self,
        service: &str,
        replica: u8,
        extra: &[(&str, &str)],
    ) -> anyhow::Result<Duration> {
        let name = self.launch_pod(service, replica, extra).await?;
        let took = self.pods.ready(&[name]).await?;
        self.in_service().await?;
        Ok(took)
    }

    /// Ends a pod and takes it out of service for good.
    ///
    /// # Errors
    /// When there is none of that name.
    pub(crate) async fn remove_pod(&mut self, name: &str) -> anyhow::Result<()> {
        self.pods.remove(name).await?;
        self.in_service().await
    }

    /// Waits until all pods that are there take requests.
    ///
    /// # Errors
    /// When they do not within half a minute.
    pub(crate) async fn in_service(&mut self) -> anyhow::Result<()> {
        let parties = self.pods.parties();
        self.watched.store(Arc::new(parties.clone()));
        let end = Instant::now() + Duration::from_secs(30);
        for (service, party) in parties {
            while !self.network.endpoints(service)?.ready().contains(&party.address()) {
                ensure!(Instant::now() < end, "a pod of {service} takes no requests, though it was ready");
                sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(())
    }

    /// A number that names things of one case apart from those of all others.
    pub(crate) fn next_number(&mut self) -> u32 {
        self.numbers += 1;
        self.numbers
    }

    /// Empties all logs, so that those of a case hold nothing else.
    ///
    /// # Errors
    /// When a file cannot be emptied.
    pub(crate) fn clear_logs(&self) -> anyhow::Result<()> {
        for entry in std::fs::read_dir(&self.binaries.logs).context("failed to read the logs")? {
            let path = entry.context("failed to read the logs")?.path();
            std::fs::File::create(&path).with_context(|| format!("failed to empty {}", path.display()))?;
        }
        Ok(())
    }

    /// Makes everything run and well again: edges, stopped processes, missing pods and servers, the number of pods.
    ///
    /// # Errors
    /// When something does not come up.
    pub(crate) async fn heal(&mut self) -> anyhow::Result<()> {
        self.network.heal();
        for member in &mut self.mongodb.members {
            revive(member).await?;
        }
        if self.redis.process.runs()? {
            self.redis.process.signal("CONT").await?;
        } else {
            self.redis.start_again().await?;
        }
        revive(&mut self.psp.process).await?;
        let mut gone = Vec::new();
        for (name, pod) in self.pods.iter_mut() {
            if revive(&mut pod.process).await? {
                gone.push(name.clone());
            }
        }
        self.pods.ready(&gone).await?;
        self.mongodb.primary().await?;
        self.in_service().await
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Starts what ended, wakes what sleeps; says whether it had to be started.
async fn revive(process: &mut Process) -> anyhow::Result<bool> {
    if process.runs()? {
        process.signal("CONT").await?;
        return Ok(false);
    }
    process.start()?;
    Ok(true)
}

/// Waits until a URL is answered with a success.
///
/// # Errors
/// When it is not within half a minute.
pub(crate) async fn wait_for_http(what: &str, url: &str) -> anyhow::Result<()> {
    let (client, end) = (reqwest::Client::new(), Instant::now() + Duration::from_secs(30));
    while Instant::now() < end {
        let reply = client.get(url).timeout(Duration::from_secs(1)).send().await;
        if reply.is_ok_and(|reply| reply.status().is_success()) {
            return Ok(());
        }
        sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!("{what} does not answer at {url}; see its log")
}
