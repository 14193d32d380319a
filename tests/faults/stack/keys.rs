//! Keys that are made for one run, and tokens signed by them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use shop_auth::Signer;
use shop_config::AuthConfig;
use shop_service::SystemClock;
use shop_types::{Clock as _, Role, SessionId, UserId};

/// Long enough for every case, soaks make new ones.
const LIFE: Duration = Duration::from_secs(2 * 3600);

/// The keys of a run.
pub(crate) struct Keys {
    signer: Signer,
    /// What verifies tokens.
    pub(crate) auth: AuthConfig,
    /// The private key, for identity.
    pub(crate) signing_key_file: PathBuf,
}

/// Someone with a token.
#[derive(Debug, Clone)]
pub(crate) struct Who {
    pub(crate) id: UserId,
    pub(crate) token: String,
}

impl Keys {
    /// Makes a key and writes it into `folder`.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(crate) fn make(folder: &Path) -> anyhow::Result<Self> {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).context("failed to make a key")?;
        let public: [u8; 32] = key.public_key_raw().try_into().context("an Ed25519 key has 32 bytes")?;
        let (pem, pem_file, key_set_file) = (key.serialize_pem(), folder.join("signing.pem"), folder.join("jwks.json"));
        let key_set = shop_auth::key_set_json(&[shop_auth::jwk_from_public(&public)]);
        std::fs::write(&key_set_file, key_set).context("failed to write the key set")?;
        std::fs::write(&pem_file, &pem).context("failed to write the signing key")?;
        let auth = AuthConfig { key_set_file, issuer: "shopmesh".into(), audience: "shopmesh".into() };
        let signer = Signer::from_pem(&pem, &auth).context("the key that was made is none")?;
        Ok(Self { signer, auth, signing_key_file: pem_file })
    }

    /// Someone new.
    ///
    /// # Errors
    /// When the key refuses to sign.
    pub(crate) fn person(&self, role: Role) -> anyhow::Result<Who> {
        let clock = SystemClock;
        let (id, session) = (UserId::from_uuid(clock.new_id()), SessionId::from_uuid(clock.new_id()));
        let token = self.signer.sign(id, session, role, clock.now(), LIFE, clock.new_id()).context("no token")?;
        Ok(Who { id, token })
    }
}
