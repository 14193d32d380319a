//! What clients send and read. Stored documents never stand here, so that a new stored field is not shown by accident.

use std::str::FromStr;

use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use shop_types::{Email, Role, UserId};
use utoipa::ToSchema;

use crate::app::Tokens;
use crate::domain::{Name, Password, User};

/// An account to open.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "ada@example.org", "password": "correct horse battery", "name": "Ada Lovelace"}))]
pub(crate) struct RegisterBody {
    /// Unique in the shop; upper and lower case are the same.
    pub(crate) email: Email,
    /// Not one of the most common passwords.
    #[serde(deserialize_with = "chosen_password")]
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 128)]
    pub(crate) password: Password,
    /// What to call them.
    #[serde(deserialize_with = "name")]
    #[schema(value_type = String, min_length = 1, max_length = 100)]
    pub(crate) name: Name,
}

/// Who wants in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "ada@example.org", "password": "correct horse battery"}))]
pub(crate) struct LoginBody {
    pub(crate) email: Email,
    #[serde(deserialize_with = "typed_password")]
    #[schema(value_type = String, format = Password)]
    pub(crate) password: Password,
}

/// A refresh token to exchange.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RefreshBody {
    /// The one that came with the last pair.
    pub(crate) refresh_token: String,
}

/// What to change of one's account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Ada King"}))]
pub(crate) struct MeChangeBody {
    #[serde(deserialize_with = "name")]
    #[schema(value_type = String, min_length = 1, max_length = 100)]
    pub(crate) name: Name,
}

/// Another password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"currentPassword": "correct horse battery", "newPassword": "a staple of another kind"}))]
pub(crate) struct PasswordChangeBody {
    /// The one that counts now.
    #[serde(deserialize_with = "typed_password")]
    #[schema(value_type = String, format = Password)]
    pub(crate) current_password: Password,
    /// Not one of the most common passwords.
    #[serde(deserialize_with = "chosen_password")]
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 128)]
    pub(crate) new_password: Password,
}

/// Another e-mail address.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "ada.king@example.org", "password": "correct horse battery"}))]
pub(crate) struct EmailChangeBody {
    /// Unique in the shop; upper and lower case are the same.
    pub(crate) email: Email,
    /// The password of the account.
    #[serde(deserialize_with = "typed_password")]
    #[schema(value_type = String, format = Password)]
    pub(crate) password: Password,
}

/// The proof of whoever wants their account gone.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"password": "correct horse battery"}))]
pub(crate) struct DeletionBody {
    /// The password of the account.
    #[serde(deserialize_with = "typed_password")]
    #[schema(value_type = String, format = Password)]
    pub(crate) password: Password,
}

/// Whose password is forgotten.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "ada@example.org"}))]
pub(crate) struct ForgottenBody {
    pub(crate) email: Email,
}

/// A password that takes the place of a forgotten one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"token": "Zm9yZ290dGVuIGZvcmdvdHRlbiBmb3Jnb3R0ZW4gZm8", "password": "a staple of another kind"}))]
pub(crate) struct ResetBody {
    /// The one in the letter.
    pub(crate) token: String,
    /// Not one of the most common passwords.
    #[serde(deserialize_with = "chosen_password")]
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 128)]
    pub(crate) password: Password,
}

/// A token that verifies an address.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"token": "dmVyaWZpZWQgdmVyaWZpZWQgdmVyaWZpZWQgdmVyaWY"}))]
pub(crate) struct VerificationBody {
    /// The one in the letter.
    pub(crate) token: String,
}

pub(crate) fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Name, D::Error> {
    Name::from_str(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

pub(crate) fn chosen_password<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Password, D::Error> {
    Password::chosen(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

pub(crate) fn typed_password<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Password, D::Error> {
    String::deserialize(deserializer).map(|text| Password::typed(&text))
}

/// A pair of tokens.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TokensBody {
    /// The access token, for the header `Authorization: Bearer`.
    token: String,
    /// For one more pair, once.
    refresh_token: String,
    /// Seconds until the access token expires.
    expires_in: u64,
}

/// A pair of tokens and whom they name.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionBody {
    #[serde(flatten)]
    tokens: TokensBody,
    user: UserBody,
}

/// An account as its owner reads it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserBody {
    id: UserId,
    /// The number that people use.
    number: i64,
    email: Email,
    /// Whether somebody proved that they read the address.
    email_verified: bool,
    name: String,
    role: Role,
    /// Grows with every change; also the `ETag`.
    version: i64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When anything of it was changed last.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<Tokens> for TokensBody {
    fn from(tokens: Tokens) -> Self {
        let Tokens { access, refresh, expires_in } = tokens;
        Self { token: access, refresh_token: refresh.expose(), expires_in: expires_in.as_secs() }
    }
}

impl From<(User, Tokens)> for SessionBody {
    fn from((user, tokens): (User, Tokens)) -> Self {
        Self { tokens: tokens.into(), user: user.into() }
    }
}

impl From<User> for UserBody {
    fn from(user: User) -> Self {
        let User { id, number, email, name, role, version, created_at, updated_at, is_verified, deactivated_at: _ } =
            user;
        Self {
            id,
            number,
            email,
            email_verified: is_verified,
            name: name.as_str().to_owned(),
            role,
            version,
            created_at,
            updated_at,
        }
    }
}
