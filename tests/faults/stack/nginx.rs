//! NGINX with the very configuration that the operator writes for a Shop; only addresses and folders are those of this run.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::{Service, ServiceSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use operator::build::{build, names};
use operator::plan::{ClusterDns, Images, Settings, plan};

use super::addresses::{NGINX_PORT, Party, index_of};
use super::network::Network;
use super::process::{Process, Program};
use super::wait_for_http;

/// Where it tells its own numbers.
const STATUS_PORT: u16 = 8081;

const SHOP: &str = r"
apiVersion: shopmesh.dev/v1alpha1
kind: Shop
metadata: { name: shop, namespace: faults, uid: 00000000-0000-0000-0000-000000000000 }
spec:
  mongodb: { uriSecretRef: { name: mongodb } }
  payment: { provider: Sandbox }
";

/// Starts NGINX and waits until it answers.
///
/// # Errors
/// When it does not.
pub(crate) async fn start(network: &mut Network, folder: &Path, logs: &Path) -> anyhow::Result<Process> {
    let services: Vec<_> = shop_config::SERVICES.iter().map(|spec| spec.name).collect();
    let hosts = network.join("nginx", Party::NGINX, &services).await?;
    let temporary = folder.join("nginx");
    std::fs::create_dir_all(&temporary).context("failed to make a folder for NGINX")?;
    let file = write_configuration(&temporary)?;
    let arguments = ["-e", "stderr", "-c", &file.to_string_lossy(), "-g", "daemon off; user root;"];
    let mut process = Process::new(Program {
        name: "nginx".into(),
        file: "/usr/sbin/nginx".into(),
        arguments: arguments.map(str::to_owned).to_vec(),
        environment: Vec::new(),
        hosts,
        log: logs.join("nginx.log"),
    });
    process.start()?;
    wait_for_http("NGINX", &format!("http://{}:{NGINX_PORT}/nginx-health", Party::NGINX.address())).await?;
    Ok(process)
}

fn write_configuration(temporary: &Path) -> anyhow::Result<PathBuf> {
    let text = configuration()?;
    // In a pod it has all addresses, and a /tmp, to itself.
    let ports = [NGINX_PORT, STATUS_PORT];
    ensure!(
        ports.iter().all(|port| text.contains(&format!("listen {port}"))) && text.contains(" /tmp/"),
        "the operator's configuration of NGINX has another form"
    );
    let text = ports.iter().fold(text, |text, port| {
        text.replace(&format!("listen {port}"), &format!("listen {}:{port}", Party::NGINX.address()))
    });
    let text = text.replace(" /tmp/", &format!(" {}/", temporary.display()));
    let file = temporary.join("nginx.conf");
    std::fs::write(&file, text).context("failed to write the configuration of NGINX")?;
    Ok(file)
}

fn configuration() -> anyhow::Result<String> {
    let shop = operator::crd::read(SHOP)?;
    let mut world = operator::render::imagined(&shop);
    let mut addresses = Vec::new();
    for spec in shop_config::SERVICES {
        let index = index_of(spec.name).context("a service of the table is in the table")?;
        addresses.push(Service {
            metadata: ObjectMeta { name: Some(names::service("shop", spec.name)), ..ObjectMeta::default() },
            spec: Some(ServiceSpec {
                cluster_ip: Some(Party::service(index).seen_by(Party::NGINX).to_string()),
                ..ServiceSpec::default()
            }),
            status: None,
        });
    }
    world.children.services = addresses;
    let image = || "unused".to_owned();
    let settings = Settings {
        images: Images { shopmesh: image(), redis: image(), nginx: image() },
        dns: Some(ClusterDns { servers: vec![IpAddr::V4(Party::DNS.address())], domain: "cluster.local".into() }),
    };
    let objects = build(&plan(&shop, &world, &settings)?).objects;
    let data = objects.config_maps.into_iter().filter_map(|map| map.data).collect::<Vec<BTreeMap<String, String>>>();
    let text = data.into_iter().find_map(|mut data| data.remove(names::NGINX_CONFIG));
    text.context("the operator wrote no configuration for NGINX")
}
