//! What the aliases take and answer about people.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shop_http::alias::{Ids, Pagination};
use shop_types::{Email, Role};
use utoipa::ToSchema;

use crate::app::Tokens;
use crate::domain::{Name, Password, User};
use crate::routes::body::{TokensBody, chosen_password, name, typed_password};

/// An account to open.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"email": "ada@example.org", "password": "correct horse battery", "name": "Ada Lovelace"}))]
pub(crate) struct RegisterAlias {
    pub(crate) email: Email,
    #[serde(deserialize_with = "chosen_password")]
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 128)]
    pub(crate) password: Password,
    #[serde(deserialize_with = "name")]
    #[schema(value_type = String, min_length = 1, max_length = 100)]
    pub(crate) name: Name,
}

/// Who wants in.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"email": "ada@example.org", "password": "correct horse battery"}))]
pub(crate) struct LoginAlias {
    pub(crate) email: Email,
    #[serde(deserialize_with = "typed_password")]
    #[schema(value_type = String, format = Password)]
    pub(crate) password: Password,
}

/// What to change of one's account.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"name": "Ada King"}))]
pub(crate) struct ProfileChangeAlias {
    #[serde(deserialize_with = "name")]
    #[schema(value_type = String, min_length = 1, max_length = 100)]
    pub(crate) name: Name,
}

/// Proof that an account is one's own, to delete it.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"password": "correct horse battery"}))]
pub(crate) struct DeletionAlias {
    #[serde(deserialize_with = "typed_password")]
    #[schema(value_type = String, format = Password)]
    pub(crate) password: Password,
}

/// An account as the aliases show it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserAlias {
    #[serde(flatten)]
    ids: Ids,
    email: Email,
    name: String,
    role: Role,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When anything of it was changed last.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<User> for UserAlias {
    fn from(user: User) -> Self {
        let User { id, number, email, name, role, created_at, updated_at, .. } = user;
        Self { ids: Ids::new(&id, number), email, name: name.as_str().to_owned(), role, created_at, updated_at }
    }
}

/// A session and whom it is of.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionAlias {
    message: &'static str,
    #[serde(flatten)]
    tokens: TokensBody,
    user: UserAlias,
}

impl SessionAlias {
    pub(crate) fn new(message: &'static str, (user, tokens): (User, Tokens)) -> Self {
        Self { message, tokens: tokens.into(), user: user.into() }
    }
}

/// An account that was read.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FoundUserAlias {
    pub(crate) user: UserAlias,
    /// Always false: nothing about people is kept for later readers.
    pub(crate) cached: bool,
}

/// An account that was changed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WrittenUserAlias {
    pub(crate) message: &'static str,
    pub(crate) user: UserAlias,
}

/// A page of accounts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UsersAlias {
    pub(crate) users: Vec<UserAlias>,
    pub(crate) pagination: Pagination,
    /// Always false: nothing about people is kept for later readers.
    pub(crate) cached: bool,
}

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MessageAlias {
    pub(crate) message: &'static str,
}
