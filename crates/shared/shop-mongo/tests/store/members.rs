//! A replica set of its own for a test that makes it fail. Ends with the test.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mongodb::Client;
use mongodb::options::ClientOptions;
use shop_mongo::{Document, DriverError, doc};
use tokio::time::{Instant, sleep};

/// How long until there is a primary.
const ELECTION: Duration = Duration::from_secs(60);

/// Some mongods on free ports.
pub(crate) struct Members {
    processes: Vec<Child>,
    ports: Vec<u16>,
    folder: PathBuf,
}

impl Members {
    /// Starts so many and waits for a primary.
    pub(crate) async fn start(count: usize) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("members-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::SeqCst));
        let mut members = Self {
            processes: Vec::new(),
            ports: free_ports(count),
            folder: PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name),
        };
        for port in members.ports.clone() {
            members.spawn(port);
        }
        let configured: Vec<Document> = (0..)
            .zip(&members.ports)
            .map(|(id, port)| doc! { "_id": id, "host": format!("127.0.0.1:{port}") })
            .collect();
        let command = doc! { "replSetInitiate": { "_id": "rs0", "members": configured } };
        until("the set is initiated", || async { members.command(0, command.clone()).await.is_ok() }).await;
        members.primary().await;
        members
    }

    fn spawn(&mut self, port: u16) {
        let data = self.folder.join(port.to_string());
        std::fs::create_dir_all(&data).unwrap();
        let mut command = Command::new(mongod());
        command.arg("--dbpath").arg(&data).args(["--port", &port.to_string(), "--bind_ip", "127.0.0.1"]);
        command.args(["--replSet", "rs0", "--oplogSize", "64", "--wiredTigerCacheSizeGB", "0.25", "--nounixsocket"]);
        command.args(["--setParameter", "diagnosticDataCollectionEnabled=false"]);
        // For fail points.
        command.args(["--setParameter", "enableTestCommands=1"]);
        let started = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.processes.push(started.expect("mongod starts: run `make deps`"));
    }

    /// All of them, as a service is told.
    pub(crate) fn uri(&self) -> String {
        let hosts: Vec<_> = self.ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        format!("mongodb://{}/?replicaSet=rs0", hosts.join(","))
    }

    /// The place of the present primary.
    pub(crate) async fn primary(&self) -> usize {
        let started = Instant::now();
        while started.elapsed() < ELECTION {
            for member in 0..self.ports.len() {
                if let Ok(hello) = self.command(member, doc! { "hello": 1 }).await
                    && hello.get_bool("isWritablePrimary").is_ok_and(|primary| primary)
                {
                    return member;
                }
            }
            sleep(Duration::from_millis(100)).await;
        }
        panic!("no primary for {ELECTION:?}")
    }

    /// Gives one member a command for its database `admin`.
    pub(crate) async fn command(&self, member: usize, command: Document) -> Result<Document, DriverError> {
        let uri = format!("mongodb://127.0.0.1:{}/?directConnection=true", self.ports[member]);
        let mut options = ClientOptions::parse(uri).await?;
        options.server_selection_timeout = Some(Duration::from_secs(2));
        Client::with_options(options)?.database("admin").run_command(command).await
    }

    /// Makes the next so many of these commands fail at the primary; 0 for none any more.
    pub(crate) async fn fail(&self, times: i32, mut data: Document, commands: &[&str]) {
        data.insert("failCommands", commands);
        let mode = if times == 0 {
            doc! { "mode": "off" }
        } else {
            doc! { "mode": { "times": times }, "data": data }
        };
        let mut command = doc! { "configureFailPoint": "failCommand" };
        command.extend(mode);
        self.command(self.primary().await, command).await.unwrap();
    }
}

impl Drop for Members {
    fn drop(&mut self) {
        for process in &mut self.processes {
            // One that has ended by itself cannot be killed.
            drop(process.kill());
            drop(process.wait());
        }
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let end = Instant::now() + ELECTION;
    while !is_so().await {
        assert!(Instant::now() < end, "not within {ELECTION:?}: {what}");
        sleep(Duration::from_millis(100)).await;
    }
}

/// Where `tests/servers/servers install` puts it.
fn mongod() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "the settings of tests/servers, which is a shell script")]
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let fetched = || {
        let home = || PathBuf::from(set("HOME").unwrap_or_default()).join(".cache");
        set("XDG_CACHE_HOME").map_or_else(home, PathBuf::from).join("shopmesh-servers")
    };
    set("SERVERS_CACHE").map_or_else(fetched, PathBuf::from).join("bin/mongod")
}

fn free_ports(count: usize) -> Vec<u16> {
    let held: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    held.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}
