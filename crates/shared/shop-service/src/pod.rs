//! `pod.v1.Pod`: what every pod answers about itself (ruling 4), and what an admin does with the events that it gave up.

mod letters;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use shop_auth::Verifier;
use shop_events::DeadLetters;
use shop_mongo::Mongo;
use shop_proto::pod::pod_server::{Pod, PodServer};
use shop_proto::pod::{
    Dependency, DiscardDeadLetterReply, DiscardDeadLetterRequest, HealthReply, HealthRequest, ListDeadLettersReply,
    ListDeadLettersRequest, OpenApiReply, OpenApiRequest, RetryDeadLetterReply, RetryDeadLetterRequest,
};
use shop_redis::Redis;
use shop_types::{AuditTrail, Clock};
use tonic::{Request, Response, Status};

/// How long a part that is asked after may take: what takes longer is not there for anybody.
const PING: Duration = Duration::from_secs(1);

/// Answers for all services of one process.
pub(crate) struct PodInfo {
    pub(crate) name: String,
    pub(crate) started: Instant,
    pub(crate) openapi: String,
    pub(crate) mongo: Vec<Mongo>,
    pub(crate) redis: Vec<Redis>,
    /// Of each service that consumes events.
    pub(crate) letters: BTreeMap<&'static str, DeadLetters>,
    /// Where each service keeps what admins do with them.
    pub(crate) trails: BTreeMap<&'static str, Arc<dyn AuditTrail>>,
    pub(crate) verifier: Arc<Verifier>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl PodInfo {
    pub(crate) fn into_server(self) -> PodServer<Self> {
        PodServer::new(self)
    }
}

#[tonic::async_trait]
impl Pod for PodInfo {
    async fn health(&self, _: Request<HealthRequest>) -> Result<Response<HealthReply>, Status> {
        // A driver without a primary looks for one longer than who asks has patience.
        let in_time = async |ping| tokio::time::timeout(PING, ping).await.unwrap_or(false);
        let mongo = futures::future::join_all(self.mongo.iter().map(|mongo| in_time(mongo.ping())));
        let redis = futures::future::join_all(self.redis.iter().map(Redis::ping));
        let (mongo, redis) = tokio::join!(mongo, redis);
        let mut dependencies = Vec::with_capacity(2);
        for (name, answers) in [("mongodb", mongo), ("redis", redis)] {
            if !answers.is_empty() {
                dependencies.push(Dependency { name: name.into(), reachable: answers.into_iter().all(|up| up) });
            }
        }
        Ok(Response::new(HealthReply {
            service: self.name.clone(),
            version: crate::version().into(),
            uptime_seconds: self.started.elapsed().as_secs(),
            dependencies,
        }))
    }

    async fn open_api(&self, _: Request<OpenApiRequest>) -> Result<Response<OpenApiReply>, Status> {
        Ok(Response::new(OpenApiReply { json: self.openapi.clone() }))
    }

    async fn list_dead_letters(
        &self,
        request: Request<ListDeadLettersRequest>,
    ) -> Result<Response<ListDeadLettersReply>, Status> {
        self.admin(&request)?;
        self.list(request.into_inner()).await.map(Response::new)
    }

    async fn retry_dead_letter(
        &self,
        request: Request<RetryDeadLetterRequest>,
    ) -> Result<Response<RetryDeadLetterReply>, Status> {
        let admin = self.admin(&request)?;
        let RetryDeadLetterRequest { service, id } = request.into_inner();
        self.retry(admin, &service, &id).await?;
        Ok(Response::new(RetryDeadLetterReply {}))
    }

    async fn discard_dead_letter(
        &self,
        request: Request<DiscardDeadLetterRequest>,
    ) -> Result<Response<DiscardDeadLetterReply>, Status> {
        let admin = self.admin(&request)?;
        let DiscardDeadLetterRequest { service, id } = request.into_inner();
        self.discard(admin, &service, &id).await?;
        Ok(Response::new(DiscardDeadLetterReply {}))
    }
}
