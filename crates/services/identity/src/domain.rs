//! The rules of identity: what a name and a password may be, what a refresh token brings its
//! holder, what is written down. No I/O, no
//! clock, no chance: all three are arguments.

pub(crate) mod address;
pub(crate) mod api_key;
pub(crate) mod audit;
pub(crate) mod customer_order;
pub(crate) mod export;
pub(crate) mod letter;
pub(crate) mod password;
pub(crate) mod refresh;
pub(crate) mod search;
pub(crate) mod secret;
pub(crate) mod session;
pub(crate) mod token_request;
pub(crate) mod user;

pub(crate) use api_key::{ApiKey, ProgramRole};
pub(crate) use customer_order::CustomerOrder;
pub(crate) use password::Password;
pub(crate) use refresh::{RefreshKey, RefreshToken};
pub(crate) use search::Search;
pub(crate) use session::{Lifetimes, Presented, Session};
pub(crate) use user::{Change, Name, User};
