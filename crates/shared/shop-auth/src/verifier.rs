//! From a token to a caller.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::Algorithm;
use shop_config::AuthConfig;
use shop_types::Caller;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::claims::{Parts, decode};
use crate::key_set::KeySet;
use crate::{Claims, Error, Refusal, Revocations};

/// How far the clocks of two pods may be apart.
pub const LEEWAY: SignedDuration = SignedDuration::from_secs(30);
/// How often the mounted file is read.
const RELOAD: Duration = Duration::from_secs(5);

/// Verifies access tokens. One per process, shared.
#[derive(Debug)]
pub struct Verifier {
    file: PathBuf,
    issuer: String,
    audience: String,
    keys: ArcSwap<KeySet>,
    revocations: Revocations,
}

impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeySet").field("keys", &self.len()).finish()
    }
}

impl Verifier {
    /// Reads the mounted key set.
    ///
    /// # Errors
    /// Names the file when it is missing, is not a key set, or holds no Ed25519 key.
    pub async fn load(auth: &AuthConfig) -> Result<Arc<Self>, Error> {
        let AuthConfig { key_set_file, issuer, audience } = auth;
        let keys = KeySet::parse(KeySet::read(key_set_file).await?, key_set_file)?;
        Ok(Arc::new(Self {
            file: key_set_file.clone(),
            issuer: issuer.clone(),
            audience: audience.clone(),
            keys: ArcSwap::from_pointee(keys),
            revocations: Revocations::default(),
        }))
    }

    /// Who the bearer of a token is. Nothing in the token is believed before its signature holds.
    ///
    /// # Errors
    /// The first [`Refusal`] met.
    ///
    /// Source: RFC 7519 section 7.2, RFC 8725, RFC 9068 section 4.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Caller, Refusal> {
        let parts = Parts::of(token)?;
        let keys = self.keys.load();
        let key = keys.get(&parts.header.kid).ok_or(Refusal::UnknownKey)?;
        match jsonwebtoken::crypto::verify(parts.signature, parts.message, key, Algorithm::EdDSA) {
            Ok(true) => {}
            Ok(false) | Err(_) => return Err(Refusal::BadSignature),
        }
        let claims: Claims = decode(parts.payload)?;
        self.check(&claims, now)?;
        Ok(Caller::User { id: claims.sub, role: claims.role, session: claims.sid })
    }

    fn check(&self, claims: &Claims, now: Timestamp) -> Result<(), Refusal> {
        if claims.iss != self.issuer {
            return Err(Refusal::WrongIssuer);
        }
        if claims.aud != self.audience {
            return Err(Refusal::WrongAudience);
        }
        if now.duration_since(claims.exp) > LEEWAY {
            return Err(Refusal::Expired);
        }
        let begins = claims.nbf.map_or(claims.iat, |nbf| nbf.max(claims.iat));
        if begins.duration_since(now) > LEEWAY {
            return Err(Refusal::NotYet);
        }
        if self.revocations.is_revoked(claims.sid) {
            return Err(Refusal::Revoked);
        }
        Ok(())
    }

    /// The sessions whose tokens are refused.
    #[must_use]
    pub fn revocations(&self) -> &Revocations {
        &self.revocations
    }

    /// Follows changes of the mounted file on a task of its own, within 5 s, until told to stop. A file that cannot be
    /// used changes nothing and is logged once.
    pub fn watch(self: &Arc<Self>, stop: CancellationToken) -> JoinHandle<()> {
        let verifier = Arc::clone(self);
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(RELOAD);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut logged = None;
            while stop.run_until_cancelled(ticks.tick()).await.is_some() {
                match verifier.reload().await {
                    Ok(Reload::Same) => logged = None,
                    Ok(Reload::Changed(keys)) => {
                        logged = None;
                        tracing::info!(keys, "Took over a changed key set with {keys} keys");
                    }
                    Err(error) => {
                        let text = error.to_string();
                        if logged.as_ref() != Some(&text) {
                            tracing::error!(
                                error = &error as &(dyn std::error::Error + 'static),
                                "Kept the old key set, since the new one cannot be used"
                            );
                            logged = Some(text);
                        }
                    }
                }
            }
        })
    }

    async fn reload(&self) -> Result<Reload, Error> {
        let text = KeySet::read(&self.file).await?;
        if self.keys.load().is_read_from(&text) {
            return Ok(Reload::Same);
        }
        let keys = KeySet::parse(text, &self.file)?;
        let count = keys.len();
        self.keys.store(Arc::new(keys));
        Ok(Reload::Changed(count))
    }
}

/// What reading the file again brought.
enum Reload {
    Same,
    /// So many keys now.
    Changed(usize),
}
