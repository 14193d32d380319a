//! A request about an order that counts once: who sends it, and under which key.

use shop_mongo::Claim;
use shop_types::caller::Subject;
use shop_types::{Fingerprint, IdempotencyKey, UserId};

use super::{Error, Viewer};
use crate::domain::Owner;

/// Who asks for something about an order, and under which key.
#[derive(Debug, Clone)]
pub(crate) struct Keyed {
    pub(crate) viewer: Viewer,
    /// Who is logged in; nobody for guests.
    pub(crate) user: Option<UserId>,
    pub(crate) key: IdempotencyKey,
    pub(crate) fingerprint: Fingerprint,
}

impl Keyed {
    /// The claim on the key; a guest's counts for the cart that the order was made from (ruling 23).
    ///
    /// # Errors
    /// [`Error::NoSuchOrder`] for a guest with an order that is not theirs.
    pub(super) fn claim(&self, route: &str, owner: &Owner) -> Result<Claim, Error> {
        let subject = match (self.user, owner) {
            (Some(user), _) => Subject::User(user),
            (None, Owner::Guest { cart, .. }) => Subject::Cart(*cart),
            (None, Owner::User(_)) => return Err(Error::NoSuchOrder),
        };
        Ok(Claim::new(subject, route, &self.key, self.fingerprint.clone()))
    }
}
