//! How an operation of the catalog can end badly.

use shop_mesh::PeerError;
use shop_types::{Detail, ErrorKind, ServiceError};

use crate::domain;

/// A broken rule, the store, or a peer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Domain(#[from] domain::Error),
    #[error("there is no such product")]
    NoSuchProduct,
    #[error("there is no such category")]
    NoSuchCategory,
    #[error("there is no such import")]
    NoSuchImport,
    #[error("the upload broke off")]
    BrokeOff,
    #[error("an image is at most 5 MiB")]
    ImageTooLarge,
    #[error("an image is PNG, JPEG or WebP, and what its Content-Type says, and not compressed")]
    ImageMedia,
    #[error("an import is at most 16 MiB")]
    ImportTooLarge,
    #[error("an import is text/csv or application/x-ndjson, in UTF-8 and not compressed")]
    ImportMedia,
    #[error("another product is sold under this SKU")]
    SkuTaken,
    #[error("another product has this slug")]
    SlugTaken,
    #[error("another category has this name")]
    CategoryNameTaken,
    #[error("products or other categories are in this category")]
    CategoryInUse,
    #[error("orders hold more pieces of this SKU than it is to have")]
    StockHeld,
    #[error("the version sent is not the present one, which is {current}")]
    Stale { current: i64 },
    #[error("as many images as this process may are being sent")]
    Busy,
    #[error("this Idempotency-Key was used for another request")]
    KeyReused,
    #[error("the catalog's database did not do it")]
    Store(#[from] shop_mongo::Error),
    #[error("inventory did not do it")]
    Peer(#[source] PeerError),
}

/// Inventory's code for fewer pieces than orders hold: the one thing that a caller may ask for and it must refuse.
const BELOW_ZERO: &str = "stock_below_zero";

impl From<PeerError> for Error {
    fn from(error: PeerError) -> Self {
        if error.kind == ErrorKind::Conflict && error.code == BELOW_ZERO { Self::StockHeld } else { Self::Peer(error) }
    }
}

impl Error {
    /// A field of the body names a category that is not there.
    pub(super) fn unknown_category(field: &'static str) -> Self {
        Self::Domain(domain::Error::invalid(field, "must be the id of a category"))
    }
}

impl ServiceError for Error {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Domain(domain::Error::Invalid { .. } | domain::Error::Parameter { .. }) | Self::KeyReused => {
                ErrorKind::Invalid
            }
            Self::Domain(
                domain::Error::Archived
                | domain::Error::DefaultVariant
                | domain::Error::SkuTaken
                | domain::Error::TooManyVariants
                | domain::Error::TooManyImages
                | domain::Error::Cycle
                | domain::Error::TooDeep
                | domain::Error::TooManyCategories,
            )
            | Self::SkuTaken
            | Self::SlugTaken
            | Self::CategoryNameTaken
            | Self::CategoryInUse
            | Self::StockHeld => ErrorKind::Conflict,
            Self::NoSuchProduct
            | Self::NoSuchCategory
            | Self::NoSuchImport
            | Self::Domain(domain::Error::NoSuchVariant | domain::Error::NoSuchImage) => ErrorKind::NotFound,
            Self::BrokeOff => ErrorKind::Malformed,
            Self::ImportTooLarge | Self::ImageTooLarge => ErrorKind::TooLarge,
            Self::ImportMedia | Self::ImageMedia => ErrorKind::UnsupportedMedia,
            Self::Stale { .. } => ErrorKind::Stale,
            Self::Busy => ErrorKind::Unavailable,
            // A taken key that nobody has sorted out is our defect, not the caller's conflict.
            Self::Store(error) if error.kind() == ErrorKind::Unavailable => ErrorKind::Unavailable,
            // What else inventory refuses of our own request is our defect, unless it is away.
            Self::Peer(error) if error.kind == ErrorKind::Unavailable => ErrorKind::Unavailable,
            Self::Store(_) | Self::Peer(_) => ErrorKind::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Domain(error) => error.code(),
            Self::NoSuchProduct | Self::NoSuchCategory | Self::NoSuchImport => "not_found",
            Self::BrokeOff => "bad_request",
            Self::ImportTooLarge => "import_too_large",
            Self::ImageTooLarge => "image_too_large",
            Self::ImportMedia | Self::ImageMedia => "unsupported_media_type",
            Self::SkuTaken => "sku_taken",
            Self::SlugTaken => "slug_taken",
            Self::CategoryNameTaken => "category_name_taken",
            Self::CategoryInUse => "category_in_use",
            Self::StockHeld => BELOW_ZERO,
            Self::Stale { .. } => "version_conflict",
            Self::KeyReused => "idempotency_key_reused",
            Self::Busy => "unavailable",
            Self::Store(_) | Self::Peer(_) => {
                if self.kind() == ErrorKind::Unavailable {
                    "unavailable"
                } else {
                    "internal"
                }
            }
        }
    }

    fn details(&self) -> Vec<Detail> {
        match self {
            Self::Domain(domain::Error::Invalid { field, rule }) => vec![Detail::new(field.clone(), *rule)],
            Self::Domain(domain::Error::Parameter { name, rule }) => vec![Detail::new(*name, *rule)],
            Self::Domain(
                domain::Error::Archived
                | domain::Error::NoSuchVariant
                | domain::Error::DefaultVariant
                | domain::Error::SkuTaken
                | domain::Error::TooManyVariants
                | domain::Error::NoSuchImage
                | domain::Error::TooManyImages
                | domain::Error::Cycle
                | domain::Error::TooDeep
                | domain::Error::TooManyCategories,
            )
            | Self::NoSuchProduct
            | Self::NoSuchCategory
            | Self::NoSuchImport
            | Self::BrokeOff
            | Self::ImportTooLarge
            | Self::ImageTooLarge
            | Self::SkuTaken
            | Self::SlugTaken
            | Self::CategoryNameTaken
            | Self::CategoryInUse
            | Self::StockHeld
            | Self::Stale { .. }
            | Self::Busy
            | Self::KeyReused
            | Self::Store(_)
            | Self::Peer(_) => Vec::new(),
            Self::ImportMedia => vec![Detail::new("Content-Type", "must be text/csv or application/x-ndjson")],
            Self::ImageMedia => {
                vec![Detail::new("Content-Type", "must be image/png, image/jpeg or image/webp, as the bytes are")]
            }
        }
    }
}
