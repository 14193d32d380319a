//! The signing key of this pod, and the public keys as outside verifiers read them.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use arc_swap::ArcSwapOption;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use shop_auth::{Signer, Verifier};
use shop_config::{AuthConfig, Config};
use shop_types::{Caller, Clock, Role, SessionId, UserId};

use super::Lifetimes;
use crate::domain::RefreshKey;

/// How long a read of the mounted key set is answered again.
const FRESH: SignedDuration = SignedDuration::from_secs(5);
/// The members of a public Ed25519 key that leave this process, whatever else somebody mounts.
const MEMBERS: [&str; 6] = ["kty", "crv", "x", "kid", "use", "alg"];

/// What only identity holds.
pub(crate) struct Keys {
    pub(crate) signer: Signer,
    pub(crate) refresh: RefreshKey,
}

impl Keys {
    /// Reads the mounted signing key and checks that its tokens will be accepted.
    ///
    /// # Errors
    /// Without a key there is no service: when the file is not named, cannot be read or is not a key, and when the mounted
    /// key set does not hold its public half.
    pub(crate) async fn load(
        config: &Config,
        verifier: &Verifier,
        clock: &dyn Clock,
        lifetimes: Lifetimes,
    ) -> anyhow::Result<Self> {
        let file = config.identity.signing_key_file.as_deref();
        let file = file.context("SHOPMESH_SIGNING_KEY_FILE must name the signing key: there is no default")?;
        let pem = tokio::fs::read_to_string(file).await;
        let pem = pem.with_context(|| format!("failed to read the signing key {}", file.display()))?;
        let signer = Signer::from_pem(&pem, &config.auth)
            .with_context(|| format!("{} cannot be used as the signing key", file.display()))?;
        let (user, session) = (UserId::from_uuid(clock.new_id()), SessionId::from_uuid(clock.new_id()));
        let probe = signer.sign(user, session, Role::Customer, clock.now(), lifetimes.access, clock.new_id())?;
        let set = config.auth.key_set_file.display();
        let caller = verifier.verify(&probe, clock.now());
        let caller =
            caller.with_context(|| format!("the key set {set} does not hold the public half of the signing key"))?;
        anyhow::ensure!(
            caller == Caller::User { id: user, role: Role::Customer, session },
            "a token names somebody else"
        );
        Ok(Self { signer, refresh: RefreshKey::derive(&pem) })
    }
}

/// The mounted key set as it is published: all keys that tokens may be signed with, also during a rotation.
pub(crate) struct PublishedKeys {
    file: PathBuf,
    last: ArcSwapOption<(Timestamp, Value)>,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Map<String, Value>>,
}

impl PublishedKeys {
    pub(crate) fn new(auth: &AuthConfig) -> Self {
        Self { file: auth.key_set_file.clone(), last: ArcSwapOption::empty() }
    }

    /// The key set, at most 5 s old, or the last one that could be read.
    ///
    /// # Errors
    /// When none could be read so far.
    pub(crate) async fn read(&self, now: Timestamp) -> anyhow::Result<Value> {
        let last = self.last.load_full();
        if let Some(last) = last.as_ref().filter(|last| now.duration_since(last.0).abs() < FRESH) {
            return Ok(last.1.clone());
        }
        match (read(&self.file).await, last) {
            (Ok(keys), _) => {
                self.last.store(Some((now, keys.clone()).into()));
                Ok(keys)
            }
            (Err(error), Some(last)) => {
                tracing::warn!(error = format!("{error:#}"), "Published the key set that was read before");
                Ok(last.1.clone())
            }
            (Err(error), None) => Err(error),
        }
    }
}

async fn read(file: &Path) -> anyhow::Result<Value> {
    let failed = || format!("failed to read the key set {}", file.display());
    let text = tokio::fs::read(file).await.with_context(failed)?;
    let set: KeySet = serde_json::from_slice(&text).with_context(failed)?;
    let ours = |key: &Map<String, Value>| key.get("crv").and_then(Value::as_str) == Some("Ed25519");
    let public = |key: Map<String, Value>| -> Map<String, Value> {
        key.into_iter().filter(|(name, _)| MEMBERS.contains(&name.as_str())).collect()
    };
    let keys: Vec<_> = set.keys.into_iter().filter(ours).map(public).collect();
    Ok(json!({ "keys": keys }))
}
