//! Callers of every kind, with tokens signed by a key that was made for this test.

use std::time::Duration;

use shop_auth::Signer;
use shop_config::AuthConfig;
use shop_service::SystemClock;
use shop_types::{Clock as _, Role, SessionId, UserId};

/// Someone with a token.
#[derive(Debug, Clone)]
pub struct Who {
    /// Whom the token names.
    pub id: UserId,
    /// Their session.
    pub session: SessionId,
    /// The access token itself.
    pub token: String,
}

impl Who {
    /// The value of the `Authorization` header.
    #[must_use]
    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }
}

/// Makes callers.
pub struct Callers {
    signer: Signer,
}

impl Callers {
    pub(crate) fn new(pem: &str, auth: &AuthConfig) -> Self {
        Self { signer: Signer::from_pem(pem, auth).expect("the test's own key is good") }
    }

    /// A new customer.
    #[must_use]
    pub fn customer(&self) -> Who {
        self.fresh(Role::Customer)
    }

    /// A new member of staff.
    #[must_use]
    pub fn staff(&self) -> Who {
        self.fresh(Role::Staff)
    }

    /// A new admin.
    #[must_use]
    pub fn admin(&self) -> Who {
        self.fresh(Role::Admin)
    }

    /// A new program.
    #[must_use]
    pub fn service(&self) -> Who {
        self.fresh(Role::Service)
    }

    /// A customer whose token has expired an hour ago.
    #[must_use]
    pub fn expired(&self) -> Who {
        self.signed(Role::Customer, jiff::SignedDuration::from_hours(-2), Duration::from_secs(3600))
    }

    fn fresh(&self, role: Role) -> Who {
        self.signed(role, jiff::SignedDuration::ZERO, Duration::from_secs(600))
    }

    fn signed(&self, role: Role, age: jiff::SignedDuration, life: Duration) -> Who {
        let clock = SystemClock;
        let (id, session) = (UserId::from_uuid(clock.new_id()), SessionId::from_uuid(clock.new_id()));
        let token = self
            .signer
            .sign(id, session, role, clock.now() + age, life, clock.new_id())
            .expect("the test's own key signs");
        Who { id, session, token }
    }
}
