//! The first admin, from a mounted Secret, once (ruling 24).

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use shop_config::IdentityConfig;
use shop_types::{Email, Role};

use super::{App, Error};
use crate::domain::{Name, Password};
use crate::store::Created;

/// Where the first admin's address and password are mounted.
#[derive(Debug, Clone)]
pub(crate) struct FirstAdmin {
    email_file: PathBuf,
    password_file: PathBuf,
}

impl FirstAdmin {
    /// Finds the two files in the settings; `None` when neither is named.
    ///
    /// # Errors
    /// When only one is.
    pub(crate) fn from_config(config: &IdentityConfig) -> anyhow::Result<Option<Self>> {
        match (config.admin_email_file.clone(), config.admin_password_file.clone()) {
            (Some(email_file), Some(password_file)) => Ok(Some(Self { email_file, password_file })),
            (None, None) => Ok(None),
            (Some(_), None) | (None, Some(_)) => {
                anyhow::bail!(
                    "the first admin needs a file with the e-mail address and one with the password, or neither"
                )
            }
        }
    }
}

impl App {
    /// Creates the first admin from the mounted Secret when there is no admin; else changes nothing and says so.
    ///
    /// # Errors
    /// When the files cannot be read, or hold what no account can have; the texts never show what they hold.
    pub(crate) async fn ensure_first_admin(&self) -> anyhow::Result<()> {
        if self.store.has_admin().await? {
            if self.first_admin.is_some() {
                tracing::info!(
                    "There is an admin: the mounted Secret of the first admin is not looked at, nor are edits of it"
                );
            }
            return Ok(());
        }
        let Some(FirstAdmin { email_file, password_file }) = &self.first_admin else {
            tracing::warn!("There is no admin, and no Secret of a first admin is mounted: nobody can run the shop");
            return Ok(());
        };
        let email = line(email_file).await?.parse::<Email>();
        let email = email.with_context(|| format!("{} holds no e-mail address", email_file.display()))?;
        let password = Password::chosen(&line(password_file).await?);
        let password = password.with_context(|| format!("{} holds no usable password", password_file.display()))?;
        let name: Name = "Admin".parse()?;
        let hash = self.hashing.hash(password).await.map_err(Error::Hashing)?;
        let user = self.new_user(email, name, Role::Admin).await?;
        let why = match self.store.create_user(user.clone(), hash, None, self.user_created(&user)).await? {
            Created::Done => {
                tracing::info!(user.id = %user.id, "Created the first admin");
                return Ok(());
            }
            // Never make an admin of an account that somebody else opened.
            Created::EmailTaken => "an account that is no admin has the address in the Secret",
            Created::AdminExists => "there was one before, who is no admin any more",
        };
        if self.store.has_admin().await? {
            tracing::info!("Another pod created the first admin");
        } else {
            tracing::error!("The first admin was not created: {why}");
        }
        Ok(())
    }
}

/// The text of a mounted file without the line break that editors leave at its end.
async fn line(file: &Path) -> anyhow::Result<String> {
    let text = tokio::fs::read_to_string(file).await;
    let text = text.with_context(|| format!("failed to read {} of the first admin", file.display()))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
