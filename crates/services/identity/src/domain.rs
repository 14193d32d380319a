//! The rules of identity: what a name and a password may be, and what a refresh token brings its holder. No I/O, no
//! clock, no chance: all three are arguments.

pub(crate) mod password;
pub(crate) mod refresh;
pub(crate) mod session;
pub(crate) mod user;

pub(crate) use password::Password;
pub(crate) use refresh::{RefreshKey, RefreshToken};
pub(crate) use session::{Lifetimes, Presented, Session};
pub(crate) use user::{Name, User};
