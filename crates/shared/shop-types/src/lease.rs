//! Where a process gets the right to answer a client's next requests. What belongs here: the trait. Who keeps the count for
//! all processes (Redis), and what is done with a lease (the limiter of HTTP), stand above and do not know each other.

use std::fmt::Debug;
use std::pin::Pin;
use std::time::Duration;

use crate::rate::Rate;

/// What a [`LeaseSource`] answers later.
pub type Leasing<'a, T> = Pin<Box<dyn Future<Output = Result<T, Unreachable>> + Send + 'a>>;

/// Counts for all processes of a shop what each client has left, and hands it out in slices: a process that was granted
/// several requests answers them without asking again.
pub trait LeaseSource: Send + Sync + Debug {
    /// Takes up to `wanted` requests from an allowance; the name says whose and under which limit. Answers soon or not at
    /// all: a request waits for it.
    ///
    /// # Errors
    /// [`Unreachable`] when the count cannot be had. It may have been made all the same.
    fn lease<'a>(&'a self, allowance: &'a str, rate: Rate, wanted: u32) -> Leasing<'a, Lease>;

    /// Gives back what was leased and not used. Nobody waits for it.
    ///
    /// # Errors
    /// [`Unreachable`] when it was not taken: then it grows back by itself.
    fn give_back<'a>(&'a self, allowance: &'a str, rate: Rate, unused: u32, mark: Mark) -> Leasing<'a, ()>;
}

/// A slice of an allowance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// How many requests may be answered: none, some, or as many as were wanted.
    pub granted: u32,
    /// How long until the allowance is whole again, if nobody takes any more.
    pub whole_in: Duration,
    /// How long until the next request can be granted; zero unless none was.
    pub retry_in: Duration,
    /// Names the lease when it is given back.
    pub mark: Mark,
}

/// Which part of an allowance a lease is, on the clock of its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark(pub u64);

/// The count that all processes share cannot be had for now.
#[derive(Debug, thiserror::Error)]
#[error("the shared count of requests cannot be reached")]
pub struct Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>);

impl Unreachable {
    /// Says why.
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}
