//! All edges, and the names under which each party sees the others.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use shop_config::{GRPC_PORT, HTTP_PORT};

use super::addresses::{MONGODB_PORT, PSP_PORT, Party, REDIS_PORT, index_of};
use crate::proxy::{Backends, Edge, Endpoints, Weather};

/// From whom to whom, by name: `("order-0", "inventory")`, `("payment-1", "psp")`, `("mongo-0", "mongo-1")`.
pub(crate) type Way = (String, String);

/// All edges.
#[derive(Debug)]
pub(crate) struct Network {
    folder: PathBuf,
    edges: BTreeMap<Way, Edge>,
    endpoints: BTreeMap<&'static str, Arc<Endpoints>>,
}

impl Network {
    /// Without any edge yet; files with names go into `folder`.
    pub(crate) fn new(folder: &Path) -> Self {
        let endpoints = shop_config::SERVICES.iter().map(|spec| (spec.name, Arc::default())).collect();
        Self { folder: folder.to_owned(), edges: BTreeMap::new(), endpoints }
    }

    /// The pods of a service that take requests.
    ///
    /// # Errors
    /// When there is no such service.
    pub(crate) fn endpoints(&self, service: &str) -> anyhow::Result<&Arc<Endpoints>> {
        self.endpoints.get(service).with_context(|| format!("there is no service {service}"))
    }

    /// Opens the edges of a party to servers and services, and writes down its view of names. `own` names lead it to
    /// itself. Services are reached by gRPC, by NGINX over HTTP.
    ///
    /// # Errors
    /// When an address is taken or the file cannot be written.
    pub(crate) async fn join(&mut self, name: &str, party: Party, peers: &[&str]) -> anyhow::Result<PathBuf> {
        let mut hosts = format!("127.0.0.1 localhost\n{} {name}\n", party.address());
        for &peer in peers {
            let (other, port, backends) = self.find(peer, party == Party::NGINX)?;
            let seen = other.seen_by(party);
            // Writing to a String cannot fail.
            let _ = writeln!(hosts, "{seen} {peer}");
            if let std::collections::btree_map::Entry::Vacant(place) = self.edges.entry((name.into(), peer.into())) {
                place.insert(Edge::open(SocketAddr::from((seen, port)), backends).await?);
            }
        }
        let path = self.folder.join(format!("{name}.hosts"));
        std::fs::write(&path, hosts).with_context(|| format!("failed to write {}", path.display()))?;
        Ok(path)
    }

    fn find(&self, peer: &str, over_http: bool) -> anyhow::Result<(Party, u16, Backends)> {
        let one = |party: Party, port| (party, port, Backends::One(SocketAddr::from((party.address(), port))));
        let member = peer.strip_prefix("mongo-").and_then(|number| number.parse::<usize>().ok());
        if let Some(party) = member.and_then(|number| Party::MONGODS.get(number)) {
            return Ok(one(*party, MONGODB_PORT));
        }
        Ok(match peer {
            "redis" => one(Party::REDIS, REDIS_PORT),
            "psp" => one(Party::PSP, PSP_PORT),
            service => {
                let endpoints = Arc::clone(self.endpoints(service)?);
                let index = index_of(service).with_context(|| format!("there is no service {service}"))?;
                let port = if over_http { HTTP_PORT } else { GRPC_PORT };
                (Party::service(index), port, Backends::Pods(endpoints, port))
            }
        })
    }

    /// Changes the weather on every edge for which `which(from, to)` holds, and says how many they are.
    pub(crate) fn set(&self, weather: Weather, which: impl Fn(&str, &str) -> bool) -> usize {
        let chosen = self.edges.iter().filter(|((from, to), _)| which(from, to));
        chosen.map(|(_, edge)| edge.set(weather)).count()
    }

    /// Makes everything as if there were no proxies.
    pub(crate) fn heal(&self) {
        self.set(Weather::Clear, |_, _| true);
    }

    /// Connections opened so far on the edges for which `which(from, to)` holds.
    pub(crate) fn opened(&self, which: impl Fn(&str, &str) -> bool) -> u64 {
        self.edges.iter().filter(|((from, to), _)| which(from, to)).map(|(_, edge)| edge.opened()).sum()
    }
}

/// The service that a pod's name belongs to; `None` for servers.
pub(crate) fn service_of(name: &str) -> Option<&'static str> {
    let (service, _) = name.rsplit_once('-')?;
    shop_config::service(service).map(|spec| spec.name)
}

/// Whether an edge leads from service to service.
pub(crate) fn is_grpc(from: &str, to: &str) -> bool {
    service_of(from).is_some() && shop_config::service(to).is_some()
}
