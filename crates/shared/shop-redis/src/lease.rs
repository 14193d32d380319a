//! The count behind rate limits: what each client has left, for all processes of the shop (ruling 28).
//!
//! What belongs here: the two scripts and how they are called. What does not: who is limited, how large a slice is asked
//! for, and what is done while Redis is away (shop-http).

use std::sync::Arc;
use std::time::Duration;

use fred::types::Value;
use shop_types::lease::{Leasing, Mark, Unreachable};
use shop_types::{Lease, LeaseSource, Rate};

use crate::breaker::Breaker;
use crate::client::Lane;
use crate::{Error, Redis};

/// The allowances of all clients; one key each, which goes when the allowance is whole again. Clones share a breaker, so
/// that requests do not wait, one after another, for a Redis that does not answer.
#[derive(Debug, Clone)]
pub struct Leases {
    redis: Redis,
    breaker: Arc<Breaker>,
}

impl Leases {
    pub(crate) fn new(redis: Redis) -> Self {
        Self { redis, breaker: Arc::new(Breaker::new()) }
    }

    async fn take(&self, allowance: &str, rate: Rate, wanted: u32) -> Result<Lease, Unreachable> {
        const WHAT: &str = "lease_take";
        let arguments = vec![number(rate.interval()), i64::from(rate.requests()).into(), i64::from(wanted).into()];
        let reply = self.ask(WHAT, include_str!("lease/take.lua"), allowance, arguments).await?;
        read(reply).ok_or_else(|| self.lost(Error::malformed(WHAT)))
    }

    async fn put_back(&self, allowance: &str, rate: Rate, unused: u32, mark: Mark) -> Result<(), Unreachable> {
        let arguments = vec![number(rate.interval()), i64::from(unused).into(), number(mark.0)];
        self.ask("lease_give_back", include_str!("lease/give_back.lua"), allowance, arguments).await.map(drop)
    }

    async fn ask(
        &self,
        what: &'static str,
        script: &'static str,
        allowance: &str,
        arguments: Vec<Value>,
    ) -> Result<Value, Unreachable> {
        if !self.breaker.allows() {
            return Err(Unreachable::new("Redis did not answer a moment ago"));
        }
        let keys = vec![self.redis.key(&format!("rate:{allowance}"))];
        self.redis.eval(Lane::Request, what, script, keys, arguments).await.map_err(|error| self.lost(error))
    }

    fn lost(&self, error: Error) -> Unreachable {
        self.breaker.failed();
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "Failed to count requests in Redis; counting without it for a moment"
        );
        Unreachable::new(error)
    }
}

impl LeaseSource for Leases {
    fn lease<'a>(&'a self, allowance: &'a str, rate: Rate, wanted: u32) -> Leasing<'a, Lease> {
        Box::pin(self.take(allowance, rate, wanted))
    }

    fn give_back<'a>(&'a self, allowance: &'a str, rate: Rate, unused: u32, mark: Mark) -> Leasing<'a, ()> {
        Box::pin(self.put_back(allowance, rate, unused, mark))
    }
}

fn read(reply: Value) -> Option<Lease> {
    let numbers: Vec<u64> = reply.into_array().into_iter().map(|value| value.as_u64()).collect::<Option<_>>()?;
    let [granted, whole_in, retry_in, mark] = numbers[..] else { return None };
    Some(Lease {
        granted: u32::try_from(granted).ok()?,
        whole_in: Duration::from_micros(whole_in),
        retry_in: Duration::from_micros(retry_in),
        mark: Mark(mark),
    })
}

fn number(number: u64) -> Value {
    i64::try_from(number).unwrap_or(i64::MAX).into()
}
