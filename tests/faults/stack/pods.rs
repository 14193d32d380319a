//! The pods of all services: settings, starting, ending, and which of them take requests.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use shop_config::{
    ADMIN_PORT, Config, GRPC_PORT, HTTP_PORT, MongoConfig, RateConfig, RedisConfig, Secret, ServiceSpec, Store,
};
use tokio::time::{Instant, sleep};

use super::addresses::{PSP_PORT, Party, index_of};
use super::keys::Keys;
use super::network::Network;
use super::process::{Process, Program};
use super::{Binaries, mongod, psp, redis};

/// How long an order may wait for its money: so short that declined ones are over before a case is judged.
pub(crate) const ORDER_DEADLINE: Duration = Duration::from_secs(20);
/// More than a run can send.
const UNLIMITED: RateConfig = RateConfig { requests: 1_000_000, window: Duration::from_secs(1) };
/// How long pods may take to become ready, all at once on a busy machine.
const READY: Duration = Duration::from_secs(90);

/// One pod.
#[derive(Debug)]
pub(crate) struct Pod {
    pub(crate) service: &'static str,
    pub(crate) party: Party,
    pub(crate) process: Process,
}

/// All pods.
#[derive(Debug)]
pub(crate) struct Pods {
    all: BTreeMap<String, Pod>,
    folder: PathBuf,
    logs: PathBuf,
    binary: PathBuf,
    /// Put before the names of databases and keys.
    pub(crate) prefix: String,
    /// Environment that every pod gets besides its settings.
    everywhere: Vec<(String, String)>,
}

impl Pods {
    /// No pods yet; files go into `folder`.
    pub(crate) fn new(binaries: &Binaries, (folder, logs): (&Path, &Path), prefix: &str) -> Self {
        Self {
            all: BTreeMap::new(),
            folder: folder.to_owned(),
            logs: logs.to_owned(),
            binary: binaries.shopmesh.clone(),
            prefix: prefix.to_owned(),
            everywhere: Vec::new(),
        }
    }

    /// Environment that every pod started from now on gets.
    pub(crate) fn everywhere(&mut self, environment: &[(&str, &str)]) {
        self.everywhere = owned(environment);
    }

    /// Names of all pods.
    pub(crate) fn names(&self) -> Vec<String> {
        self.all.keys().cloned().collect()
    }

    /// Names of the pods of one service.
    pub(crate) fn of(&self, service: &str) -> Vec<String> {
        self.all.iter().filter(|(_, pod)| pod.service == service).map(|(name, _)| name.clone()).collect()
    }

    /// The pods with their names.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&String, &mut Pod)> {
        self.all.iter_mut()
    }

    /// One pod.
    ///
    /// # Errors
    /// When there is none of that name.
    pub(crate) fn get(&mut self, name: &str) -> anyhow::Result<&mut Pod> {
        self.all.get_mut(name).with_context(|| format!("there is no pod {name}"))
    }

    /// Where the probes of all pods go, by service.
    pub(crate) fn parties(&self) -> Vec<(&'static str, Party)> {
        self.all.values().map(|pod| (pod.service, pod.party)).collect()
    }

    /// Starts a pod with settings of its own and does not wait for it. A pod of that name is replaced.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) async fn start(
        &mut self,
        network: &mut Network,
        keys: &Keys,
        (spec, replica): (&'static ServiceSpec, u8),
        extra: &[(&str, &str)],
    ) -> anyhow::Result<String> {
        let name = format!("{}-{replica}", spec.name);
        let index = index_of(spec.name).context("a service of the table is in the table")?;
        let party = Party::pod(index, replica);
        let mut peers = spec.peers.to_vec();
        if spec.needs(Store::MongoDb) {
            peers.extend(mongod::MEMBERS);
        }
        if spec.needs(Store::Redis) {
            peers.push("redis");
        }
        if spec.name == "payment" {
            peers.push("psp");
        }
        let hosts = network.join(&name, party, &peers).await?;
        let settings = self.settings(keys, &name, party)?.to_env();
        let mut environment: Vec<_> = settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        environment.extend(self.everywhere.iter().cloned());
        environment.extend(owned(extra));
        let program = Program {
            name: name.clone(),
            file: self.binary.clone(),
            arguments: vec![spec.name.to_owned()],
            environment,
            hosts,
            log: self.logs.join(format!("{name}.log")),
        };
        if self.all.contains_key(&name) {
            // Its ports are free when it has ended, not before.
            self.remove(&name).await?;
        }
        let mut process = Process::new(program);
        process.start()?;
        self.all.insert(name.clone(), Pod { service: spec.name, party, process });
        Ok(name)
    }

    /// Ends a pod without a word and forgets it.
    ///
    /// # Errors
    /// When there is none of that name.
    pub(crate) async fn remove(&mut self, name: &str) -> anyhow::Result<()> {
        let mut pod = self.all.remove(name).with_context(|| format!("there is no pod {name}"))?;
        if pod.process.runs()? { pod.process.kill().await } else { Ok(()) }
    }

    /// Waits until these pods are ready; says how long it took.
    ///
    /// # Errors
    /// When one ended, or is not ready in time.
    pub(crate) async fn ready(&mut self, names: &[String]) -> anyhow::Result<Duration> {
        let (started, client) = (Instant::now(), reqwest::Client::new());
        for name in names {
            loop {
                let pod = self.get(name)?;
                pod.process.ensure_runs()?;
                if is_ready(&client, pod.party).await {
                    break;
                }
                ensure!(started.elapsed() < READY, "{name} is not ready after {READY:?}; see its log");
                sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(started.elapsed())
    }

    fn settings(&self, keys: &Keys, name: &str, party: Party) -> anyhow::Result<Config> {
        let at = |port| SocketAddr::from((party.address(), port));
        let mut config = Config::from_lookup(&|_| None).context("settings have defaults")?;
        name.clone_into(&mut config.pod);
        (config.http, config.grpc, config.admin) = (at(HTTP_PORT), at(GRPC_PORT), at(ADMIN_PORT));
        config.peer_url = format!("http://{{service}}:{GRPC_PORT}");
        config.mongodb = Some(MongoConfig {
            uri: Secret::new(mongod::URI),
            database_prefix: self.prefix.clone(),
            owner: None,
            max_pool_size: 10,
        });
        config.redis = Some(RedisConfig { url: Secret::new(redis::URL), key_prefix: format!("{}:", self.prefix) });
        config.auth = keys.auth.clone();
        config.identity.signing_key_file = Some(keys.signing_key_file.clone());
        config.payment.url = format!("http://psp:{PSP_PORT}");
        config.payment.api_key_file = Some(self.folder.join(psp::KEY_FILE));
        config.payment.webhook_secret_file = Some(self.folder.join(psp::WEBHOOK_SECRET_FILE));
        config.order_deadline = ORDER_DEADLINE;
        // All buyers come from one address.
        config.limits.general = UNLIMITED;
        config.limits.authentication = UNLIMITED;
        config.telemetry.sampling_percent = 0;
        config.drain_delay = Duration::from_secs(1);
        Ok(config)
    }
}

/// Whether a pod says that it takes requests.
pub(crate) async fn is_ready(client: &reqwest::Client, party: Party) -> bool {
    let url = format!("http://{}:{ADMIN_PORT}/readyz", party.address());
    let reply = client.get(url).timeout(Duration::from_secs(1)).send().await;
    reply.is_ok_and(|reply| reply.status().is_success())
}

fn owned(environment: &[(&str, &str)]) -> Vec<(String, String)> {
    environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
