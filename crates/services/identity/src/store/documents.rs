//! Documents as they are stored, their way to and from domain values, and the validators that repeat their rules.

use bson::spec::BinarySubtype;
use bson::{Binary, DateTime};
use serde::{Deserialize, Serialize};
use shop_mongo::{Document, doc};
use shop_types::Role;

use super::{Account, Registration, email};
use crate::app::hashing::Hash;
use crate::domain::refresh::Digest;
use crate::domain::session::Generation;
use crate::domain::{Session, User};

/// A stored value that is no longer what we wrote: somebody else wrote into our database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the field {0} of a stored document cannot be read")]
pub(super) struct Unreadable(pub(super) &'static str);

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct UserDocument {
    #[serde(rename = "_id")]
    pub(super) id: String,
    number: i64,
    email: String,
    name: String,
    role: Role,
    /// A hash in PHC form.
    password: Secret,
    version: i64,
    created_at: DateTime,
    /// Those of before it was kept have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    updated_at: Option<DateTime>,
    /// Whether somebody proved that they read the address.
    #[serde(default)]
    email_verified: bool,
    /// Since when an admin keeps it closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deactivated_at: Option<DateTime>,
    /// Set on the one account that was made from the mounted Secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_admin: Option<bool>,
    /// By what a repeated registration is known again.
    #[serde(skip_serializing_if = "Option::is_none")]
    registration: Option<Binary>,
    /// How many changes have ended all sessions, and the session that the last one has spared.
    #[serde(default)]
    generation: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spared: Option<String>,
    /// Whose Secret made the first admin what it is, the last one last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    shops: Vec<String>,
}

/// A text that is stored and never printed.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What every account must match.
pub(super) fn user_rules() -> Document {
    doc! { "$jsonSchema": {
        "required": ["_id", "number", email::FIELD, "name", "role", "password", "version", "created_at", "updated_at"],
        "properties": {
            "_id": { "bsonType": "string", "minLength": 36, "maxLength": 36 },
            "number": { "bsonType": "long", "minimum": 1_i64 },
            "role": { "enum": ["customer", "staff", "admin"] },
            "password": { "bsonType": "string", "pattern": r"^\$argon2id\$" },
            "shops": { "bsonType": "array", "items": { "bsonType": "string" } },
            "email_verified": { "bsonType": "bool" },
            "deactivated_at": { "bsonType": "date" },
            "version": { "bsonType": "long", "minimum": 1_i64 },
            "generation": { "bsonType": "long", "minimum": 0_i64 },
        },
    } }
}

impl UserDocument {
    pub(super) fn new(account: &Account) -> Self {
        let Account { user, hash, registration, is_first_admin, generation, shops } = account;
        let User { id, number, email, name, role, version, created_at, updated_at, is_verified, deactivated_at } = user;
        Self {
            id: id.to_string(),
            number: *number,
            email: email::stored(email),
            name: name.as_str().to_owned(),
            role: *role,
            password: Secret(hash.as_str().to_owned()),
            version: *version,
            created_at: (*created_at).into(),
            updated_at: Some((*updated_at).into()),
            email_verified: *is_verified,
            deactivated_at: deactivated_at.map(DateTime::from),
            first_admin: is_first_admin.then_some(true),
            generation: generation.number,
            spared: generation.spared.map(|id| id.to_string()),
            registration: registration.as_ref().map(|registration| binary(&registration.0)),
            shops: shops.clone(),
        }
    }

    pub(super) fn into_account(self) -> Result<Account, Unreadable> {
        let user = User {
            id: self.id.parse().map_err(|_| Unreadable("_id"))?,
            number: self.number,
            email: email::read(&self.email)?,
            name: self.name.parse().map_err(|_| Unreadable("name"))?,
            role: self.role,
            version: self.version,
            created_at: self.created_at.to_jiff(),
            updated_at: self.updated_at.unwrap_or(self.created_at).to_jiff(),
            is_verified: self.email_verified,
            deactivated_at: self.deactivated_at.map(DateTime::to_jiff),
        };
        let registration = self.registration.map(|stored| bytes(&stored, "registration")).transpose()?;
        let (hash, registration) = (Hash::from_stored(self.password.0), registration.map(Registration));
        let is_first_admin = self.first_admin == Some(true);
        let spared = self.spared.map(|id| id.parse().map_err(|_| Unreadable("spared"))).transpose()?;
        let generation = Generation { number: self.generation, spared };
        Ok(Account { user, hash, registration, is_first_admin, generation, shops: self.shops })
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SessionDocument {
    #[serde(rename = "_id")]
    pub(super) id: String,
    user: String,
    salt: Binary,
    counter: i64,
    current: Binary,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<Binary>,
    refreshed_at: DateTime,
    closes_at: DateTime,
    ends_at: DateTime,
    access_until: DateTime,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked_until: Option<DateTime>,
    /// After that nothing about the session matters any more.
    forget_at: DateTime,
    #[serde(default)]
    generation: i64,
}

/// What every session must match.
pub(super) fn session_rules() -> Document {
    doc! { "$jsonSchema": {
        "required": ["_id", "user", "salt", "counter", "current", "refreshed_at", "closes_at", "ends_at", "access_until", "forget_at"],
        "properties": {
            "_id": { "bsonType": "string", "minLength": 36, "maxLength": 36 },
            "user": { "bsonType": "string", "minLength": 36, "maxLength": 36 },
            "salt": { "bsonType": "binData" },
            "counter": { "bsonType": "long", "minimum": 0_i64, "maximum": i64::from(u32::MAX) },
            "current": { "bsonType": "binData" },
            "previous": { "bsonType": "binData" },
            "forget_at": { "bsonType": "date" },
            "revoked_until": { "bsonType": "date" },
        },
    } }
}

impl From<&Session> for SessionDocument {
    fn from(session: &Session) -> Self {
        let Session {
            id,
            user,
            salt,
            counter,
            current,
            previous,
            refreshed_at,
            closes_at,
            ends_at,
            access_until,
            revoked_until,
            generation,
        } = session;
        let forget_at = revoked_until.unwrap_or(*access_until).max(*ends_at);
        Self {
            id: id.to_string(),
            user: user.to_string(),
            salt: binary(salt),
            counter: i64::from(*counter),
            current: binary(&current.0),
            previous: previous.map(|previous| binary(&previous.0)),
            refreshed_at: (*refreshed_at).into(),
            closes_at: (*closes_at).into(),
            ends_at: (*ends_at).into(),
            access_until: (*access_until).into(),
            revoked_until: revoked_until.map(Into::into),
            forget_at: forget_at.into(),
            generation: *generation,
        }
    }
}

impl TryFrom<SessionDocument> for Session {
    type Error = Unreadable;

    fn try_from(stored: SessionDocument) -> Result<Self, Unreadable> {
        Ok(Self {
            id: stored.id.parse().map_err(|_| Unreadable("_id"))?,
            user: stored.user.parse().map_err(|_| Unreadable("user"))?,
            salt: bytes(&stored.salt, "salt")?,
            counter: stored.counter.try_into().map_err(|_| Unreadable("counter"))?,
            current: Digest(bytes(&stored.current, "current")?),
            previous: stored.previous.map(|previous| bytes(&previous, "previous").map(Digest)).transpose()?,
            refreshed_at: stored.refreshed_at.to_jiff(),
            closes_at: stored.closes_at.to_jiff(),
            ends_at: stored.ends_at.to_jiff(),
            access_until: stored.access_until.to_jiff(),
            revoked_until: stored.revoked_until.map(DateTime::to_jiff),
            generation: stored.generation,
        })
    }
}

pub(super) fn binary(bytes: &[u8; 32]) -> Binary {
    Binary { subtype: BinarySubtype::Generic, bytes: bytes.to_vec() }
}

fn bytes(binary: &Binary, field: &'static str) -> Result<[u8; 32], Unreadable> {
    binary.bytes.as_slice().try_into().map_err(|_| Unreadable(field))
}
