//! The command line: `run`, `crd`, `render` and `probe`.

mod dns;
mod probe;

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use actix_web::http::Uri;
use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use kube::Client;
use kube::runtime::events::{Recorder, Reporter};
use shop_config::TelemetryConfig;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::admin::{self, Readiness, Ready};
use crate::ask::OverHttp;
use crate::clock::SystemClock;
use crate::controller::{self, Scope};
use crate::crd::{self, Rules};
use crate::metrics::Metrics;
use crate::plan::{ClusterDns, Images, Settings};
use crate::reconcile::Context;
use crate::render::render;

/// Turns Shop resources into running shops.
#[derive(Debug, Parser)]
#[command(name = "shopmesh-operator", version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch Shops and keep the cluster like them, until SIGTERM.
    Run(Run),
    /// Print the definition of Shop, to be installed before Shops are: `shopmesh-operator crd | kubectl apply --server-side -f -`.
    Crd,
    /// Print all objects that a Shop leads to, without a cluster. Secrets that the operator would make are shown as placeholders.
    Render(Render),
    /// Ask a URL that starts with `http://`: prints status and first line if the status is 2xx, else fails. For `helm test`.
    Probe {
        /// Such as `http://shopmesh-operator-metrics.shopmesh-system.svc:9091/readyz`.
        url: Uri,
    },
}

#[derive(Debug, Args)]
struct Run {
    /// Namespaces to watch, separated by commas; none: all of them.
    #[arg(long, env = "WATCH_NAMESPACE", value_delimiter = ',')]
    watch_namespace: Vec<String>,
    /// Where `/livez`, `/readyz` and `/metrics` listen.
    #[arg(long, env = "SHOPMESH_OPERATOR_ADMIN_ADDRESS", default_value = "0.0.0.0:9091")]
    admin_address: SocketAddr,
    /// Name of this pod, for Events.
    #[arg(long, env = "POD_NAME")]
    pod_name: Option<String>,
    /// What is logged: error, warn, info, debug, trace, or a filter such as `info,operator=debug`.
    #[arg(long, env = "SHOPMESH_OPERATOR_LOG", default_value = "info,kube_runtime=warn,kube_client=warn")]
    log: String,
    #[command(flatten)]
    settings: SettingsArgs,
}

#[derive(Debug, Args)]
struct Render {
    /// A file with one Shop; `-` reads standard input.
    file: PathBuf,
    /// The namespace, if the Shop names none.
    #[arg(long, short, default_value = "default")]
    namespace: String,
    #[command(flatten)]
    settings: SettingsArgs,
}

#[derive(Debug, Args)]
struct SettingsArgs {
    /// Image of all services, unless a Shop names another.
    #[arg(
        long,
        env = "SHOPMESH_IMAGE",
        default_value = concat!("ghcr.io/shopmesh/shopmesh:", env!("CARGO_PKG_VERSION"))
    )]
    shopmesh_image: String,
    /// Image of the managed Redis, unless a Shop names another.
    #[arg(long, env = "REDIS_IMAGE", default_value = "docker.io/library/redis:7.4-alpine")]
    redis_image: String,
    /// Image of the bundled NGINX, unless a Shop names another.
    #[arg(long, env = "NGINX_IMAGE", default_value = "docker.io/nginxinc/nginx-unprivileged:1.29-alpine")]
    nginx_image: String,
    /// Addresses of the cluster's name server, separated by commas; by default those of this pod.
    #[arg(long, env = "CLUSTER_DNS", value_delimiter = ',')]
    cluster_dns: Vec<IpAddr>,
    /// Domain of all names in the cluster; by default that of this pod, or `cluster.local`.
    #[arg(long, env = "CLUSTER_DOMAIN")]
    cluster_domain: Option<String>,
}

impl SettingsArgs {
    /// Fills in what was not said from the name server that this process itself uses.
    fn into_settings(self, resolv_conf: Option<&str>) -> Settings {
        let own = resolv_conf.and_then(dns::of_resolv_conf);
        let domain = self.cluster_domain.or_else(|| own.as_ref().map(|own| own.domain.clone()));
        let servers = match (self.cluster_dns, own) {
            (servers, _) if !servers.is_empty() => servers,
            (_, Some(own)) => own.servers,
            (_, None) => Vec::new(),
        };
        let domain = domain.unwrap_or_else(|| "cluster.local".to_owned());
        Settings {
            images: Images { shopmesh: self.shopmesh_image, redis: self.redis_image, nginx: self.nginx_image },
            dns: (!servers.is_empty()).then_some(ClusterDns { servers, domain }),
        }
    }
}

impl Cli {
    /// Does what was asked.
    ///
    /// # Errors
    /// What the user should read on the terminal.
    pub async fn execute(self) -> anyhow::Result<()> {
        match self.command {
            Command::Run(arguments) => run(arguments).await,
            Command::Crd => print(&crd::definition_yaml()?),
            Command::Render(Render { file, namespace, settings }) => {
                let text = read(&file)?;
                print(&render(&text, &namespace, &settings.into_settings(None))?)
            }
            Command::Probe { url } => {
                let answer = probe::probe(&url).await?;
                print(&format!("{answer}\n"))
            }
        }
    }
}

fn read(file: &std::path::Path) -> anyhow::Result<String> {
    if file.as_os_str() == "-" {
        return std::io::read_to_string(std::io::stdin()).context("failed to read standard input");
    }
    std::fs::read_to_string(file).with_context(|| format!("failed to read {}", file.display()))
}

fn print(text: &str) -> anyhow::Result<()> {
    std::io::stdout().lock().write_all(text.as_bytes()).context("failed to write to standard output")
}

async fn run(arguments: Run) -> anyhow::Result<()> {
    let Run { watch_namespace, admin_address, pod_name, log, settings } = arguments;
    let telemetry = TelemetryConfig { log, otlp_endpoint: None, sampling_percent: 0 };
    let guard = shop_telemetry::logs::init(&telemetry, "operator").context("failed to set up logs")?;
    let resolv_conf = tokio::fs::read_to_string("/etc/resolv.conf").await;
    if let Err(error) = &resolv_conf {
        warn!(%error, "Failed to read /etc/resolv.conf; the cluster's domain is taken from the settings");
    }
    let settings = settings.into_settings(resolv_conf.as_deref().ok());
    info!(?settings, "Starting");
    let namespaces: Vec<_> = watch_namespace.into_iter().filter(|namespace| !namespace.is_empty()).collect();
    let scope = if namespaces.is_empty() { Scope::Cluster } else { Scope::Namespaces(namespaces) };
    let client = Client::try_default().await.context("failed to find an API server")?;
    let metrics = Metrics::new()?;
    let context = Context {
        recorder: Recorder::new(
            client.clone(),
            Reporter { controller: "shopmesh.dev/operator".to_owned(), instance: pod_name },
        ),
        rules: Arc::new(Rules::of(&crd::definition())),
        client: client.clone(),
        settings,
        metrics: metrics.clone(),
        clock: Arc::new(SystemClock),
        ask: Arc::new(OverHttp),
    };
    let stop = CancellationToken::new();
    let readiness = Readiness::default();
    let admin = tokio::spawn(admin::serve(admin_address, readiness.clone(), metrics, stop.clone()));
    tokio::spawn(stop_on_signal(stop.clone()));
    controller::wait_for_definition(&client, &scope, &stop).await;
    if !stop.is_cancelled() {
        readiness.set(Ready::Yes);
        let unready = {
            let stop = stop.clone();
            async move {
                stop.cancelled().await;
                readiness.set(Ready::No);
            }
        };
        tokio::join!(controller::run(context, scope, stop.clone()), unready);
    }
    stop.cancel();
    admin.await?.context("failed to serve the admin port")?;
    info!("Stopped");
    guard.shutdown().await.context("failed to end logs")
}

async fn stop_on_signal(stop: CancellationToken) {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return error!("Failed to listen to signals; the process can only be killed");
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    info!("Stopping");
    stop.cancel();
}
