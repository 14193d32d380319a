//! The first admin, from a mounted Secret: once (ruling 24), and once more for each Shop that is made anew on the same
//! database (ADR 0002).

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use shop_config::IdentityConfig;
use shop_types::{Email, Role};

use super::sessions::Reason;
use super::{App, Error};
use crate::domain::session::Generation;
use crate::domain::{Name, Password};
use crate::store::{Account, Created, Newcomer, Renewal, Renewed};

/// Where the first admin's address and password are mounted, and by which Shop.
#[derive(Debug, Clone)]
pub(crate) struct FirstAdmin {
    email_file: PathBuf,
    password_file: PathBuf,
    /// UID of the Shop; `None` outside of Kubernetes.
    shop: Option<String>,
}

impl FirstAdmin {
    /// Finds the two files in the settings; `None` when neither is named.
    ///
    /// # Errors
    /// When only one is.
    pub(crate) fn from_config(config: &IdentityConfig) -> anyhow::Result<Option<Self>> {
        let shop = config.shop_uid.clone();
        match (config.admin_email_file.clone(), config.admin_password_file.clone()) {
            (Some(email_file), Some(password_file)) => Ok(Some(Self { email_file, password_file, shop })),
            (None, None) => Ok(None),
            (Some(_), None) | (None, Some(_)) => {
                anyhow::bail!(
                    "the first admin needs a file with the e-mail address and one with the password, or neither"
                )
            }
        }
    }

    async fn read(&self) -> anyhow::Result<(Email, Password)> {
        let Self { email_file, password_file, .. } = self;
        let email = line(email_file).await?.parse::<Email>();
        let email = email.with_context(|| format!("{} holds no e-mail address", email_file.display()))?;
        let password = Password::chosen(&line(password_file).await?);
        let password = password.with_context(|| format!("{} holds no usable password", password_file.display()))?;
        Ok((email, password))
    }
}

impl App {
    /// Creates the first admin from the mounted Secret when there is no admin, and gives them its address and password
    /// again when another Shop has mounted it; else changes nothing and says so.
    ///
    /// # Errors
    /// When the files cannot be read, or hold what no account can have; the texts never show what they hold.
    pub(crate) async fn ensure_first_admin(&self) -> anyhow::Result<()> {
        let Some(mounted) = &self.first_admin else {
            if !self.store.has_admin().await? {
                tracing::warn!("There is no admin, and no Secret of a first admin is mounted: nobody can run the shop");
            }
            return Ok(());
        };
        if let Some(shop) = &mounted.shop
            && let Some(admin) = self.store.first_admin().await?
            && !admin.shops.contains(shop)
        {
            return self.renew_first_admin(mounted, &admin, shop).await;
        }
        if self.store.has_admin().await? {
            tracing::info!(
                "There is an admin: the mounted Secret of the first admin is not looked at, nor are edits of it"
            );
            return Ok(());
        }
        self.create_first_admin(mounted).await
    }

    async fn create_first_admin(&self, mounted: &FirstAdmin) -> anyhow::Result<()> {
        let (email, password) = mounted.read().await?;
        let name: Name = "Admin".parse()?;
        let hash = self.hashing.hash(password).await.map_err(Error::Hashing)?;
        let user = self.new_user(email, name, Role::Admin).await?;
        let event = self.user_created(&user);
        let id = user.id;
        let shops = mounted.shop.iter().cloned().collect();
        let account =
            Account { user, hash, registration: None, is_first_admin: true, generation: Generation::FIRST, shops };
        let newcomer = Newcomer { account, event, letter: None, session: None };
        let why = match self.store.create_user(&newcomer).await? {
            Created::Done => {
                tracing::info!(user.id = %id, "Created the first admin");
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

    /// Address and password change together, and no session of theirs goes on after that: a pod that dies before has done nothing,
    /// and the next one does it all.
    async fn renew_first_admin(&self, mounted: &FirstAdmin, admin: &Account, shop: &str) -> anyhow::Result<()> {
        let (email, password) = mounted.read().await?;
        let hash = self.hashing.hash(password).await.map_err(Error::Hashing)?;
        let user = admin.user.id;
        let first = self.ending(user, None).await?;
        let is_verified = admin.user.is_verified && admin.user.email == email;
        let renewal = Renewal { user, email, is_verified, hash, shop: shop.to_owned(), now: self.now() };
        match self.store.renew_first_admin(renewal, &first).await? {
            Renewed::Done => {
                self.has_ended(user, &first, Reason::NewShop).await;
                tracing::warn!(
                    user.id = %user,
                    "The Shop was made anew: the first admin has address and password of the mounted Secret again, and \
                     the sessions of before have ended"
                );
            }
            Renewed::Before => tracing::info!("Another pod gave the first admin the mounted Secret of this new Shop"),
            Renewed::EmailTaken => tracing::error!(
                user.id = %user,
                "The Shop was made anew, but the first admin keeps the old address and password: another account has the \
                 address in the mounted Secret; name another one there and start identity again"
            ),
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
