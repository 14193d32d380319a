//! MongoDB out: accounts, sessions, what was done to them. Documents never leave this file and its folder.

mod addresses;
mod api_keys;
mod audit;
mod customer_orders;
mod deletions;
mod documents;
mod email;
mod exports;
mod letters;
mod pages;
mod sessions;
mod staff;
mod users;

use jiff::Timestamp;
use shop_mongo::{Error, IndexModel, Mongo, Setup, doc, idempotency, inbox, options::IndexOptions, outbox};
use shop_types::event::RevocationFact;
use shop_types::{Email, Envelope, SessionId, UserId};
use subtle::ConstantTimeEq as _;

pub(crate) use self::audit::AuditFilter;
pub(crate) use self::customer_orders::Linked;
pub(crate) use self::deletions::{Deletion, Warrant};
pub(crate) use self::exports::{Held, Wished};
pub(crate) use self::letters::{Posted, Reset};
pub(crate) use self::staff::{AccountChange, Changed, Details, Edited, Opening};
use crate::app::hashing::Hash;
use crate::domain::session::Generation;
use crate::domain::{Session, User};

const USERS: &str = "users";
const SESSIONS: &str = "sessions";
/// Whose inbox rows are ours.
const GROUP: &str = "identity";

const FIRST_ADMIN_INDEX: &str = "first_admin";

/// An account with what proves who owns it.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) user: User,
    pub(crate) hash: Hash,
    pub(crate) registration: Option<Registration>,
    /// Whether it was made from the mounted Secret.
    pub(crate) is_first_admin: bool,
    /// Which of its sessions go on.
    pub(crate) generation: Generation,
    /// UIDs of the Shops from whose Secret this first admin got address and password, the last one last.
    pub(crate) shops: Vec<String>,
}

impl Account {
    /// An account that was not made from the mounted Secret.
    pub(crate) const fn of_person(user: User, hash: Hash, registration: Option<Registration>) -> Self {
        Self { user, hash, registration, is_first_admin: false, generation: Generation::FIRST, shops: Vec::new() }
    }

    /// Whether what proves who owns it, and what they may do, is still as in another reading of the same account, and was all the
    /// time in between.
    pub(crate) fn proves_like(&self, other: &Self) -> bool {
        let of = |account: &Self| (account.user.role, account.user.is_active(), account.generation.number);
        self.hash.as_str() == other.hash.as_str() && of(self) == of(other)
    }
}

/// By what a repeated registration is known again: a digest of its key and its name.
#[derive(Debug, Clone)]
pub(crate) struct Registration(pub(crate) [u8; 32]);

impl Registration {
    /// Whether two are of the same registration, in constant time.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// An account to be opened, and what is written with it.
#[derive(Debug)]
pub(crate) struct Newcomer {
    pub(crate) account: Account,
    /// Tells of the account.
    pub(crate) event: Envelope,
    pub(crate) letter: Option<Posted>,
    /// Its first session.
    pub(crate) session: Option<Session>,
}

/// What became of a new account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Created {
    Done,
    /// Another account has the address.
    EmailTaken,
    /// There was a first admin before.
    AdminExists,
}

/// Another password for an account.
#[derive(Debug)]
pub(crate) struct PasswordChange {
    pub(crate) user: UserId,
    /// The session that goes on.
    pub(crate) here: SessionId,
    /// The one that it replaces.
    pub(crate) old: Hash,
    pub(crate) new: Hash,
    pub(crate) now: Timestamp,
}

/// What became of a new address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EmailChanged {
    Done(User),
    /// Another account has the address.
    Taken,
    /// The account has another version, or is gone.
    Missed,
}

/// What the first admin gets from the Secret of another Shop.
#[derive(Debug)]
pub(crate) struct Renewal {
    pub(crate) user: UserId,
    pub(crate) email: Email,
    /// Whether that address is verified.
    pub(crate) is_verified: bool,
    pub(crate) hash: Hash,
    /// UID of that Shop.
    pub(crate) shop: String,
    pub(crate) now: Timestamp,
}

/// What became of a renewal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Renewed {
    Done,
    /// Another pod did it.
    Before,
    /// Another account has the address; nothing was changed.
    EmailTaken,
}

/// The end of a session before its time, and the event that tells of it.
#[derive(Debug, Clone)]
pub(crate) struct Revocation {
    pub(crate) fact: RevocationFact,
    pub(crate) event: Envelope,
}

/// The service's own database.
pub(crate) struct Store {
    mongo: Mongo,
}

impl Store {
    pub(crate) fn new(mongo: &Mongo) -> Self {
        Self { mongo: mongo.clone() }
    }

    /// Makes collections, validators and indexes; see the table in README.md for which query uses which.
    pub(crate) async fn prepare(&self) -> Result<(), Error> {
        let index = |keys, options| IndexModel::builder().keys(keys).options(options).build();
        let unique = |name: &str| IndexOptions::builder().unique(true).name(name.to_owned());
        let only_one = unique(FIRST_ADMIN_INDEX).partial_filter_expression(doc! { "first_admin": true }).build();
        let users = Setup::new(
            USERS,
            [
                index(doc! { email::FIELD: 1 }, unique(email::INDEX).build()),
                index(doc! { "number": 1 }, unique("number").build()),
                index(doc! { "first_admin": 1 }, only_one),
                index(doc! { "role": 1, "created_at": -1, "_id": -1 }, IndexOptions::default()),
                index(doc! { "created_at": -1, "_id": -1 }, IndexOptions::default()),
                index(doc! { "name": 1, "_id": 1 }, IndexOptions::builder().collation(staff::in_any_case()).build()),
            ],
        );
        let forget = IndexOptions::builder().expire_after(std::time::Duration::ZERO).build();
        let sessions = Setup::new(
            SESSIONS,
            [
                index(doc! { "forget_at": 1 }, forget),
                index(doc! { "user": 1, "refreshed_at": -1, "_id": -1 }, IndexOptions::default()),
                index(doc! { "revoked_until": 1 }, IndexOptions::builder().sparse(true).build()),
            ],
        );
        let users = users.validated(documents::user_rules());
        let sessions = sessions.validated(documents::session_rules());
        let ours = [
            letters::setup(),
            addresses::setup(),
            audit::setup(),
            api_keys::setup(),
            deletions::setup(),
            customer_orders::setup(),
        ];
        let others =
            ours.into_iter().chain(exports::setup()).chain([outbox::setup(), inbox::setup(), idempotency::setup()]);
        self.mongo.ensure(&[users, sessions].into_iter().chain(others).collect::<Vec<_>>()).await
    }
}
