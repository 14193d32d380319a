//! The operations of edge: ask all pods at once, keep the answers for a moment, merge them; and hand on what admins decide
//! about dead letters.

mod error;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures::future::join_all;
use jiff::Timestamp;
use serde_json::Value;
use shop_service::{CODES_EXTENSION, Service};
use shop_types::Clock;
use tokio::sync::Mutex;
use tracing::error;

use crate::domain::{self, Letters, ServiceHealth};
use crate::peers::Peer;

pub(crate) use error::Error;

/// Health is asked at most once a second, however many ask us.
pub(crate) const HEALTH_LIFE: Duration = Duration::from_secs(1);
/// Documents change with a roll-out only.
const DOCUMENTS_LIFE: Duration = Duration::from_secs(15);
/// A service that did not give its document may be back at any moment.
const INCOMPLETE_LIFE: Duration = Duration::from_secs(1);

/// An answer and when it was made.
struct Kept<T>(Mutex<Option<(Instant, Arc<T>)>>);

impl<T> Kept<T> {
    const fn new() -> Self {
        Self(Mutex::const_new(None))
    }

    /// The kept answer while it is fresh; else a new one. Callers at the same time wait for one making.
    async fn get_or_make<F>(&self, life: impl FnOnce(&T) -> Duration, make: impl FnOnce() -> F) -> Arc<T>
    where
        F: Future<Output = T>,
    {
        let mut kept = self.0.lock().await;
        if let Some((made, answer)) = kept.as_ref()
            && made.elapsed() < life(answer)
        {
            return Arc::clone(answer);
        }
        let answer = Arc::new(make().await);
        *kept = Some((Instant::now(), Arc::clone(&answer)));
        answer
    }
}

/// Asks the pods and keeps their answers for a moment.
pub(crate) struct App {
    peers: Vec<Peer>,
    own_document: Arc<OnceLock<String>>,
    clock: Arc<dyn Clock>,
    started: Instant,
    health: Kept<Vec<ServiceHealth>>,
    documents: Kept<Vec<Value>>,
}

impl App {
    pub(crate) fn connect(service: &Service) -> Self {
        let names = shop_config::SERVICES.iter().map(|spec| spec.name).filter(|name| *name != "edge");
        Self {
            peers: names.map(|name| Peer::new(service.mesh(), name)).collect(),
            own_document: service.document(),
            clock: service.clock(),
            started: Instant::now(),
            health: Kept::new(),
            documents: Kept::new(),
        }
    }

    /// How every service is, at most a second old.
    pub(crate) async fn health(&self) -> Arc<Vec<ServiceHealth>> {
        self.health.get_or_make(|_| HEALTH_LIFE, || join_all(self.peers.iter().map(Peer::health))).await
    }

    /// The present time.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Seconds since this process started.
    pub(crate) fn uptime_seconds(&self) -> u64 {
        self.started.elapsed().as_secs()
    }

    /// The merged OpenAPI document of this service and all others that answer.
    pub(crate) async fn document(&self) -> Value {
        shop_service::merge_documents("shopmesh", &self.documents().await)
    }

    /// The same in the words of Swagger 2.0.
    pub(crate) async fn swagger(&self) -> Value {
        domain::swagger(&self.document().await)
    }

    /// Error codes of single services, `[{code, status, meaning}]`: what several say alike once.
    pub(crate) async fn service_codes(&self) -> Vec<Value> {
        let documents = self.documents().await;
        let all = documents.iter().filter_map(|document| document[CODES_EXTENSION].as_array()).flatten();
        let mut codes: Vec<Value> = Vec::new();
        for code in all {
            if !codes.contains(code) {
                codes.push(code.clone());
            }
        }
        codes
    }

    /// Some dead letters of a service, the oldest first, after the place that an earlier page named.
    pub(crate) async fn letters(&self, service: &str, size: u32, after: Option<String>) -> Result<Letters, Error> {
        let peer = self.consumer(service).ok_or(Error::NoSuchConsumer)?;
        Ok(peer.letters(size, after).await?)
    }

    /// Has a dead letter handled now.
    pub(crate) async fn retry_letter(&self, service: &str, id: String) -> Result<(), Error> {
        let peer = self.consumer(service).ok_or(Error::NoSuchLetter)?;
        Ok(peer.retry_letter(id).await?)
    }

    /// Throws a dead letter away.
    pub(crate) async fn discard_letter(&self, service: &str, id: String) -> Result<(), Error> {
        let peer = self.consumer(service).ok_or(Error::NoSuchLetter)?;
        Ok(peer.discard_letter(id).await?)
    }

    /// The way to a service that consumes events.
    fn consumer(&self, service: &str) -> Option<&Peer> {
        let consumes = shop_config::service(service).is_some_and(|spec| !spec.consumes.is_empty());
        self.peers.iter().find(|peer| consumes && peer.name() == service)
    }

    async fn documents(&self) -> Arc<Vec<Value>> {
        let life = |documents: &Vec<Value>| {
            if documents.len() > self.peers.len() { DOCUMENTS_LIFE } else { INCOMPLETE_LIFE }
        };
        let ask = || async {
            let texts = join_all(self.peers.iter().map(Peer::document)).await;
            let own = self.own_document.get().and_then(|text| parse(text));
            own.into_iter().chain(texts.iter().flatten().filter_map(|text| parse(text))).collect()
        };
        self.documents.get_or_make(life, ask).await
    }
}

fn parse(text: &str) -> Option<Value> {
    serde_json::from_str(text)
        .inspect_err(|fault| error!("A service gave an API document that is not JSON: {fault}"))
        .ok()
}
