//! Who is asking, and what kind of rights that brings.

use serde::{Deserialize, Serialize};

use crate::{CartId, SessionId, UserId};

/// What a user may do in general; each route says which of these it lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Buys; sees what is their own.
    Customer,
    /// Runs the shop: products, stock, all orders.
    Staff,
    /// Staff that may also change who is staff.
    Admin,
    /// Another program, known by an API key.
    Service,
}

impl Role {
    /// The word in tokens, documents and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Staff => "staff",
            Self::Admin => "admin",
            Self::Service => "service",
        }
    }
}

/// Who sent a request, after the token was verified.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Caller {
    /// No token at all. A bad token is never anonymous: it is refused with 401.
    #[default]
    Anonymous,
    /// A logged-in user.
    User {
        /// Whom the token names.
        id: UserId,
        /// What they may do.
        role: Role,
        /// The session that the token belongs to; revoked sessions are refused.
        session: SessionId,
    },
    /// Nobody known, but holding the secret of one cart (header `X-Guest-Token`). The owner of the cart checks the secret.
    Guest {
        /// The secret as sent; compare it by hash in constant time.
        token: GuestToken,
    },
}

impl Caller {
    /// The user, when somebody is logged in.
    #[must_use]
    pub const fn user(&self) -> Option<UserId> {
        match self {
            Self::User { id, .. } => Some(*id),
            Self::Anonymous | Self::Guest { .. } => None,
        }
    }

    /// The role, when somebody is logged in.
    #[must_use]
    pub const fn role(&self) -> Option<Role> {
        match self {
            Self::User { role, .. } => Some(*role),
            Self::Anonymous | Self::Guest { .. } => None,
        }
    }

    /// Whether the caller runs the shop (staff or admin) and so sees everybody's orders and carts.
    #[must_use]
    pub const fn is_staff(&self) -> bool {
        matches!(self, Self::User { role: Role::Staff | Role::Admin, .. })
    }
}

/// The secret of one guest cart: 256 random bits as URL-safe base64 (43 characters). Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct GuestToken(String);

impl GuestToken {
    /// Takes a token as sent.
    ///
    /// # Errors
    /// [`MalformedGuestToken`] unless it is 43 characters of URL-safe base64.
    pub fn parse(text: &str) -> Result<Self, MalformedGuestToken> {
        let good = text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if good { Ok(Self(text.to_owned())) } else { Err(MalformedGuestToken) }
    }

    /// The secret itself: for hashing and for handing it to its owner once.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// SHA-256 of the secret in hex: the only form in which it is stored and looked up.
    #[must_use]
    pub fn hash(&self) -> String {
        use sha2::Digest as _;
        crate::idempotency::hex(&sha2::Sha256::digest(self.0.as_bytes()))
    }
}

impl std::fmt::Debug for GuestToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("GuestToken(..)")
    }
}

/// A guest token has the wrong shape.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a guest token")]
pub struct MalformedGuestToken;

/// On whose behalf an idempotency key counts: the same key of two subjects means two different things (ruling 23).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A user.
    User(UserId),
    /// The holder of a guest cart.
    Cart(CartId),
    /// Whoever calls without a token, where that is open: all of them are one.
    Anybody,
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::User(id) => write!(f, "user:{id}"),
            Self::Cart(id) => write!(f, "cart:{id}"),
            Self::Anybody => f.write_str("anybody"),
        }
    }
}
