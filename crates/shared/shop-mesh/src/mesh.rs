//! The peers of a service, and the way to each of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use shop_config::Config;
use shop_telemetry::metrics::Metrics;
use tonic::transport::Endpoint;

use crate::channel::Channel;
use crate::metrics::CallMetrics;

/// A peer that does not take a connection within this is away.
const CONNECT: Duration = Duration::from_secs(1);
/// A connection without a sign of life for `PING` + `PONG` is dead: a hung peer, a cut cable.
const PING: Duration = Duration::from_secs(5);
const PONG: Duration = Duration::from_secs(2);

/// Why the mesh cannot be set up or served.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL template does not give a URL.
    #[error("the URL of the peer {peer} is not one")]
    Url {
        /// The peer.
        peer: &'static str,
        /// What is wrong with it.
        source: tonic::transport::Error,
    },
    /// The metrics clash with others.
    #[error("failed to register the metrics of calls to peers")]
    Metrics(#[from] prometheus::Error),
    /// The server stopped for another reason than being told to.
    #[error("failed to serve gRPC")]
    Serve(#[source] tonic::transport::Error),
}

/// The ways to the peers that the service table names for a service. Clones share the connections.
#[derive(Debug, Clone)]
pub struct Mesh {
    service: &'static str,
    channels: Arc<HashMap<&'static str, Channel>>,
    unknown: Channel,
}

impl Mesh {
    /// Prepares the channels of a service; connects to nobody yet. Call it on the tokio runtime.
    ///
    /// # Errors
    /// [`Error::Url`] when `peer_url` does not give a URL, [`Error::Metrics`] when other metrics took our names.
    pub fn new(service: &'static str, config: &Config, metrics: &Metrics) -> Result<Self, Error> {
        let metrics = CallMetrics::register(metrics)?;
        let peers = shop_config::service(service).map_or(&[][..], |spec| spec.peers);
        let mut channels = HashMap::new();
        for &peer in peers {
            let url = config.peer_url.replace("{service}", peer);
            let endpoint = Endpoint::from_shared(url)
                .and_then(|endpoint| endpoint.user_agent(service))
                .map_err(|source| Error::Url { peer, source })?
                .connect_timeout(CONNECT)
                .http2_keep_alive_interval(PING)
                .keep_alive_timeout(PONG)
                .keep_alive_while_idle(true)
                .tcp_nodelay(true);
            channels.insert(peer, Channel::new(peer, Some(endpoint.connect_lazy()), metrics.clone()));
        }
        let unknown = Channel::new("unknown", None, metrics);
        Ok(Self { service, channels: Arc::new(channels), unknown })
    }

    /// The way to a peer, for a generated client. A peer that the service table does not name for this service gives a
    /// channel whose calls fail as unavailable: no network policy would let them through.
    #[must_use]
    pub fn channel(&self, peer: &str) -> Channel {
        self.channels.get(peer).cloned().unwrap_or_else(|| {
            tracing::error!(service = self.service, peer, "The service table does not name {peer} as a peer");
            self.unknown.clone()
        })
    }
}
