//! Why a shop could not be checked. A shop that was checked and found wrong is no error: see `report`.

use std::path::PathBuf;

/// The check did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database cannot be reached or does not answer.
    #[error("failed to read the databases of the shop")]
    Database(#[from] shop_mongo::Error),
    /// A database has no collection of that name: this is not a shop, or one of another version.
    #[error("the database {database} has no collection {collection}: is this the prefix of a shop that has run?")]
    Missing {
        /// Its name.
        database: String,
        /// Which collection.
        collection: &'static str,
    },
    /// Reading took longer than the database keeps old versions of documents.
    #[error(
        "reading took longer than MongoDB keeps a snapshot; raise its parameter minSnapshotHistoryWindowInSeconds, \
         or stop the shop and check it as stopped"
    )]
    TooSlow,
    /// Documents come in an order that they cannot have.
    #[error("{place} gave {found} after {last}: the ids of orders must be UUIDs")]
    OutOfOrder {
        /// Which collection or file.
        place: &'static str,
        /// What came.
        found: String,
        /// What came before it.
        last: String,
    },
    /// A document has an id that is no text.
    #[error("a document of {0} has an id that is no text")]
    Id(&'static str),
    /// A file cannot be read.
    #[error("failed to read {}", .0.display())]
    File(PathBuf, #[source] std::io::Error),
    /// A temporary file cannot be written or read.
    #[error("failed to sort in a temporary file")]
    Sort(#[source] std::io::Error),
    /// A line of a file is not what it must be.
    #[error("line {line} of {} is not one of the {what}", path.display())]
    Line {
        /// What its lines are.
        what: &'static str,
        /// Counted from 1.
        line: u64,
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
    /// The provider does not give its ledger.
    #[error("failed to read the ledger of the payment provider")]
    Provider(#[source] reqwest::Error),
    /// The entries of the ledger do not follow each other.
    #[error("entry {found} of the ledger follows entry {last}")]
    LedgerOrder {
        /// The last one before it.
        last: u64,
        /// What came.
        found: u64,
    },
}
