//! Hashing of passwords: argon2id on as many threads as there are cores, with a short queue before them.
//!
//! One hash takes a core for some 20 ms and 19 MiB of memory. Without a bound a flood of logins would take both from every
//! other request; with it the flood is refused. The memory is kept, one piece for each thread: taken anew for every
//! hash, the allocator would hold on to many, and a flood would grow the process by hundreds of MiB.

mod threads;

use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use prometheus::{HistogramVec, IntCounterVec};
use shop_telemetry::context;
use shop_telemetry::metrics::Metrics;
use subtle::ConstantTimeEq as _;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use self::threads::{Memory, Threads};
use crate::domain::Password;

/// The floor that OWASP recommends: 19 MiB, 2 passes, 1 lane.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// Bytes of a salt and of a hash: what RFC 9106 recommends.
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;

/// Requests that may wait for a core.
const QUEUE: usize = 50;
/// How long one waits that has no deadline of its own.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// How much nicer the threads are: a quarter of a core is theirs beside one that answers and wants all of it (sched(7)).
pub(super) const NICER: i32 = 5;

/// A hash that nobody has a password for: 32 random bytes under a random salt. Whoever logs in with an address that has
/// no account is compared with it, so that both ways cost the same.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$EbFS0sfB5/4AEgQcM7G5zA$BIgpg3l0oDJvovc7Z3PeagyZxzdLd38N7YPbPYeKRzk";

/// A hash in PHC form, with its salt and parameters.
#[derive(Clone)]
pub(crate) struct Hash(String);

/// How hashing can end badly.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// As many wait as may, for a core or for their turn at an address, or this one has waited too long.
    #[error("too many passwords are being checked")]
    Busy,
    /// The library refused, or a stored hash is none.
    #[error("the password could not be hashed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Hashes and compares passwords.
pub(crate) struct Hashing {
    params: Params,
    threads: Threads,
    /// Cores, and places in the queue before them.
    room: Arc<Semaphore>,
    /// Cores.
    cores: Arc<Semaphore>,
    hashes: IntCounterVec,
    waits: HistogramVec,
}

impl Hash {
    /// Takes back what [`Self::as_str`] gave, from our own store.
    pub(crate) fn from_stored(phc: String) -> Self {
        Self(phc)
    }

    /// The text, for the store alone.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hash(..)")
    }
}

impl Hashing {
    /// Prepares hashing on `cores` threads, so much nicer than the others.
    ///
    /// # Errors
    /// When the metrics cannot be registered or the threads not be started.
    pub(crate) fn new(cores: usize, nicer: i32, metrics: &Metrics) -> anyhow::Result<Self> {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None)?;
        Ok(Self {
            params,
            threads: Threads::start(cores, nicer)?,
            room: Arc::new(Semaphore::new(cores + QUEUE)),
            cores: Arc::new(Semaphore::new(cores)),
            hashes: metrics.counter("password_hashes_total", "Passwords hashed or compared", &["operation"])?,
            waits: metrics.histogram(
                "password_hash_duration_seconds",
                "Time from asking for a password hash to having it",
                &["operation"],
                &[0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0],
            )?,
        })
    }

    /// Hashes a password under a random salt.
    ///
    /// # Errors
    /// [`Error::Busy`]; [`Error::Failed`] without random bytes.
    pub(crate) async fn hash(&self, password: Password) -> Result<Hash, Error> {
        let params = self.params.clone();
        let hash = move |memory: &mut Memory| {
            let (mut salt, mut hash) = ([0; SALT_BYTES], [0; HASH_BYTES]);
            getrandom::fill(&mut salt)?;
            digest(params, password.as_bytes(), &salt, &mut hash, memory)?;
            let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
            Ok(Hash(format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${hash}")))
        };
        self.on_a_core("hash", hash).await
    }

    /// Compares a password with the hash of an account, or, without an account, does the same work and answers `false`.
    ///
    /// # Errors
    /// [`Error::Busy`]; [`Error::Failed`] when the stored hash is none.
    pub(crate) async fn is_right(&self, password: Password, of: Option<&Hash>) -> Result<bool, Error> {
        let (is_somebody, phc) = (of.is_some(), of.map_or(NOBODY, Hash::as_str).to_owned());
        let compare = move |memory: &mut Memory| {
            let stored = PasswordHash::new(&phc)?;
            if stored.algorithm.as_str() != "argon2id" {
                return Err("a stored hash is not of argon2id".into());
            }
            let (Some(salt), Some(expected)) = (&stored.salt, &stored.hash) else {
                return Err("a stored hash lacks its salt or itself".into());
            };
            let mut hash = vec![0; expected.as_bytes().len()];
            digest(Params::try_from(&stored)?, password.as_bytes(), salt, &mut hash, memory)?;
            Ok(is_somebody & bool::from(hash.ct_eq(expected.as_bytes())))
        };
        self.on_a_core("compare", compare).await
    }

    /// Runs one hash when a core is free. The work goes on when its caller has gone, and holds its place until then.
    async fn on_a_core<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&mut Memory) -> Result<T, BoxError> + Send + 'static,
    ) -> Result<T, Error> {
        let started = Instant::now();
        let place = Arc::clone(&self.room).try_acquire_owned().map_err(|_| Error::Busy)?;
        let patience = context::remaining().map_or(PATIENCE, |left| left.min(PATIENCE));
        let core = timeout(patience, Arc::clone(&self.cores).acquire_owned()).await;
        context::waited(started.elapsed());
        let core = core.map_err(|_| Error::Busy)?;
        let core = core.map_err(|closed| Error::Failed(closed.into()))?;
        self.hashes.with_label_values(&[operation]).inc();
        let done = self.threads.run(move |memory| {
            let result = work(memory);
            drop((core, place));
            result
        });
        let result = done.await.ok_or_else(|| Error::Failed("the hash panicked".into()))?.map_err(Error::Failed);
        self.waits.with_label_values(&[operation]).observe(started.elapsed().as_secs_f64());
        result
    }
}

/// One run of argon2id in the memory that is given, which grows to what the parameters want.
fn digest(params: Params, password: &[u8], salt: &[u8], hash: &mut [u8], memory: &mut Memory) -> Result<(), BoxError> {
    if memory.len() < params.block_count() {
        memory.resize(params.block_count(), Block::new());
    }
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    Ok(argon2.hash_password_into_with_memory(password, salt, hash, memory)?)
}

#[cfg(test)]
mod tests;
