//! Failpoints and planted bugs, for tests that prove what the saga promises. What belongs here: the names and what they
//! do. Without the feature `enabled` every call is empty and the compiler leaves nothing of it in the program.
//!
//! `FAILPOINTS="W6=1*return(abort);X4=return(error)"` arms places of a process when it starts (the syntax is that of the
//! crate `fail`); `SHOPMESH_PLANTED_BUG=unguarded_decrement` plants a bug.

/// A failpoint was told to fail here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the failpoint {0} was told to fail")]
pub struct Injected(pub &'static str);

/// Every place that can be made to fail right after the write or call of the table in docs/design/orders.md 1.5. One more,
/// `DRIVE`, is where a driver of an order begins, after W1 and outside the request that waits for it.
pub const FAILPOINTS: [&str; 15] =
    ["W1", "W2", "W3", "X4", "W5", "W6", "W7", "X7", "W8", "W9", "W10", "W11", "W12", "W13", "RELAY"];

/// A bug that a test plants to prove that the checks would find it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// Writes are acknowledged by the primary alone.
    WeakWrites,
    /// Stock is taken without asking whether it is there.
    UnguardedDecrement,
    /// Consumers do not remember what they have handled.
    InboxOff,
    /// Consumers acknowledge before they commit.
    AckBeforeCommit,
    /// Consumer groups begin at the end of the stream.
    GroupAtEnd,
    /// A release without a reservation leaves no tombstone.
    TombstoneSkipped,
    /// Every try asks the payment provider under a new key.
    NewKeyPerTry,
    /// The relay never publishes again what it has published once.
    RelayTrustsPublished,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::WeakWrites,
        Self::UnguardedDecrement,
        Self::InboxOff,
        Self::AckBeforeCommit,
        Self::GroupAtEnd,
        Self::TombstoneSkipped,
        Self::NewKeyPerTry,
        Self::RelayTrustsPublished,
    ];

    /// The word in `SHOPMESH_PLANTED_BUG`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::WeakWrites => "weak_writes",
            Self::UnguardedDecrement => "unguarded_decrement",
            Self::InboxOff => "inbox_off",
            Self::AckBeforeCommit => "ack_before_commit",
            Self::GroupAtEnd => "group_at_end",
            Self::TombstoneSkipped => "tombstone_skipped",
            Self::NewKeyPerTry => "new_key_per_try",
            Self::RelayTrustsPublished => "relay_trusts_published",
        }
    }
}

#[cfg(feature = "enabled")]
mod armed;
#[cfg(feature = "enabled")]
pub use armed::{arm, at, planted};

/// Reads which places fail; call it once, before anything else starts.
#[cfg(not(feature = "enabled"))]
pub const fn arm() {}

/// A place that tests can make fail.
///
/// # Errors
/// Never without the feature `enabled`.
#[cfg(not(feature = "enabled"))]
#[expect(clippy::unused_async, reason = "the same shape as with the feature")]
pub async fn at(_name: &'static str) -> Result<(), Injected> {
    Ok(())
}

/// Whether a bug was planted. Never without the feature `enabled`.
#[cfg(not(feature = "enabled"))]
#[must_use]
pub const fn planted(_bug: Bug) -> bool {
    false
}
