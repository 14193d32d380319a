//! Every pod of the shop, asked over `pod.v1.Pod`.

use std::time::Duration;

use shop_mesh::{Channel, Mesh, PeerError};
use shop_proto::pod::pod_client::PodClient;
use shop_proto::pod::{
    DeadLetter, DiscardDeadLetterRequest, HealthRequest, ListDeadLettersRequest, OpenApiRequest, RetryDeadLetterRequest,
};
use tonic::Status;
use tracing::warn;

use crate::domain::{Answer, Letter, Letters, ServiceHealth};

/// A pod that is slower than this to speak of itself counts as silent: the page must answer. Longer than a pod waits for
/// its Redis, so that it can still say that this one is away.
const PATIENCE: Duration = Duration::from_millis(1_800);

/// One service and the way to it.
#[derive(Clone)]
pub(crate) struct Peer {
    name: &'static str,
    client: PodClient<Channel>,
}

impl Peer {
    pub(crate) fn new(mesh: &Mesh, name: &'static str) -> Self {
        Self { name, client: PodClient::new(mesh.channel(name)) }
    }

    /// How it is; silence is an answer too.
    pub(crate) async fn health(&self) -> ServiceHealth {
        let mut client = self.client.clone();
        let answer = match tokio::time::timeout(PATIENCE, client.health(HealthRequest {})).await {
            Ok(Ok(reply)) => {
                let reply = reply.into_inner();
                let dependencies = reply.dependencies.into_iter().map(|store| (store.name, store.reachable));
                Some(Answer {
                    version: reply.version,
                    uptime_seconds: reply.uptime_seconds,
                    dependencies: dependencies.collect(),
                })
            }
            Ok(Err(status)) => {
                warn!(peer = self.name, code = ?status.code(), "A service does not tell its health");
                None
            }
            Err(_) => {
                warn!(peer = self.name, "A service does not tell its health in time");
                None
            }
        };
        ServiceHealth { name: self.name, answer }
    }

    /// Its OpenAPI document as JSON text; `None` when it does not answer.
    pub(crate) async fn document(&self) -> Option<String> {
        let mut client = self.client.clone();
        match tokio::time::timeout(PATIENCE, client.open_api(OpenApiRequest {})).await {
            Ok(Ok(reply)) => Some(reply.into_inner().json),
            Ok(Err(status)) => {
                warn!(peer = self.name, code = ?status.code(), "A service does not give its API document");
                None
            }
            Err(_) => {
                warn!(peer = self.name, "A service does not give its API document in time");
                None
            }
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Some of its dead letters. The admin's token travels along.
    pub(crate) async fn letters(&self, limit: u32, after: Option<String>) -> Result<Letters, PeerError> {
        let request = ListDeadLettersRequest { service: self.name.into(), limit, after: after.unwrap_or_default() };
        let reply = self.client.clone().list_dead_letters(request).await.map_err(|status| self.failed(status))?;
        let reply = reply.into_inner();
        Ok(Letters {
            items: reply.letters.into_iter().map(letter).collect(),
            next: Some(reply.next).filter(|next| !next.is_empty()),
            total: reply.total,
        })
    }

    /// Has it handle a dead letter now.
    pub(crate) async fn retry_letter(&self, id: String) -> Result<(), PeerError> {
        let request = RetryDeadLetterRequest { service: self.name.into(), id };
        let reply = self.client.clone().retry_dead_letter(request).await;
        reply.map(drop).map_err(|status| self.failed(status))
    }

    /// Has it throw a dead letter away.
    pub(crate) async fn discard_letter(&self, id: String) -> Result<(), PeerError> {
        let request = DiscardDeadLetterRequest { service: self.name.into(), id };
        let reply = self.client.clone().discard_dead_letter(request).await;
        reply.map(drop).map_err(|status| self.failed(status))
    }

    fn failed(&self, status: Status) -> PeerError {
        PeerError::from_status(self.name, status)
    }
}

fn letter(letter: DeadLetter) -> Letter {
    let DeadLetter { id, producer, topic, reason, deliveries, at, body } = letter;
    Letter { id, producer, topic, reason, deliveries, at, body }
}
