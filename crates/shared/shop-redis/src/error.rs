//! How a conversation with Redis can end. What belongs here: our words for it, so that nobody else names the client.

use shop_types::ErrorKind;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// How a conversation with Redis can end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL or the prefix cannot be used.
    #[error("the Redis URL cannot be used")]
    Settings(#[source] Source),
    /// A metric has a name that is taken.
    #[error("failed to register the metrics of Redis")]
    Metrics(#[from] prometheus::Error),
    /// Redis is away, or did not answer within the deadline. What was asked may still have been done.
    #[error("Redis did not answer: {what}")]
    Unavailable {
        /// The operation.
        what: &'static str,
        /// What the client said.
        #[source]
        source: Source,
    },
    /// Redis is out of memory, or the stream holds as many unconfirmed entries as it may. Wait and repeat: back-pressure,
    /// not a failure (ruling 31).
    #[error("Redis has no room: {what}")]
    Full {
        /// The operation.
        what: &'static str,
    },
    /// The data is not the data that the [`crate::Mark`] was taken from: flushed, rolled back, restarted or another
    /// server. Nothing has been done. Open the stream again and publish again what is not confirmed.
    #[error("Redis holds other data than before: {what}")]
    EpochChanged {
        /// The operation.
        what: &'static str,
    },
    /// The stream or the group does not exist, e.g. after a flush. Create it and go on.
    #[error("the consumer group {group} does not exist")]
    NoGroup {
        /// The group.
        group: String,
    },
    /// Redis refused the command, or answered what cannot be understood: a defect of ours or of its configuration.
    #[error("Redis refused: {what}")]
    Failed {
        /// The operation.
        what: &'static str,
        /// What the client or the server said.
        #[source]
        source: Source,
    },
}

impl Error {
    /// What it means for a caller.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Unavailable { .. } | Self::Full { .. } | Self::EpochChanged { .. } | Self::NoGroup { .. } => {
                ErrorKind::Unavailable
            }
            Self::Settings(_) | Self::Metrics(_) | Self::Failed { .. } => ErrorKind::Internal,
        }
    }

    pub(crate) fn from_client(what: &'static str, error: fred::error::Error) -> Self {
        use fred::error::ErrorKind as Kind;
        let word = error.details().split_whitespace().next().unwrap_or_default();
        match (error.kind(), word) {
            (_, "OOM") => Self::Full { what },
            // The server is there and will take commands again: loading, failing over, or its disk is full.
            (
                _,
                "LOADING" | "READONLY" | "MASTERDOWN" | "MISCONF" | "BUSY" | "TRYAGAIN" | "CLUSTERDOWN" | "NOREPLICAS",
            )
            | (
                Kind::IO
                | Kind::Timeout
                | Kind::Canceled
                | Kind::Backpressure
                | Kind::Tls
                | Kind::Auth
                | Kind::Routing
                | Kind::Cluster
                | Kind::Sentinel,
                _,
            ) => Self::Unavailable { what, source: error.into() },
            (
                Kind::Config
                | Kind::InvalidCommand
                | Kind::InvalidArgument
                | Kind::Url
                | Kind::Protocol
                | Kind::Unknown
                | Kind::Parse
                | Kind::NotFound,
                _,
            ) => Self::Failed { what, source: error.into() },
        }
    }

    pub(crate) fn malformed(what: &'static str) -> Self {
        Self::Failed { what, source: "the answer has another shape than the script gives it".into() }
    }
}
