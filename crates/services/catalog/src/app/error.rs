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
    #[error("another product is sold under this SKU")]
    SkuTaken,
    #[error("another product has this slug")]
    SlugTaken,
    #[error("another category has this name")]
    CategoryNameTaken,
    #[error("products or other categories are in this category")]
    CategoryInUse,
    #[error("the version sent is not the present one, which is {current}")]
    Stale { current: i64 },
    #[error("this Idempotency-Key was used for another request")]
    KeyReused,
    #[error("the catalog's database did not do it")]
    Store(#[from] shop_mongo::Error),
    #[error("inventory did not do it")]
    Peer(#[from] PeerError),
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
                | domain::Error::Cycle
                | domain::Error::TooDeep
                | domain::Error::TooManyCategories,
            )
            | Self::SkuTaken
            | Self::SlugTaken
            | Self::CategoryNameTaken
            | Self::CategoryInUse => ErrorKind::Conflict,
            Self::NoSuchProduct | Self::NoSuchCategory | Self::Domain(domain::Error::NoSuchVariant) => {
                ErrorKind::NotFound
            }
            Self::Stale { .. } => ErrorKind::Stale,
            // A taken key that nobody has sorted out is our defect, not the caller's conflict.
            Self::Store(error) if error.kind() == ErrorKind::Unavailable => ErrorKind::Unavailable,
            // What inventory refuses of our own request is our defect, unless it is away.
            Self::Peer(error) if error.kind == ErrorKind::Unavailable => ErrorKind::Unavailable,
            Self::Store(_) | Self::Peer(_) => ErrorKind::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Domain(domain::Error::Invalid { .. }) => "invalid_field",
            Self::Domain(domain::Error::Parameter { .. }) => "invalid_parameter",
            Self::Domain(domain::Error::Archived) => "product_archived",
            Self::Domain(domain::Error::Cycle) => "category_cycle",
            Self::Domain(domain::Error::TooDeep) => "category_too_deep",
            Self::Domain(domain::Error::TooManyCategories) => "too_many_categories",
            Self::Domain(domain::Error::DefaultVariant) => "default_variant",
            Self::Domain(domain::Error::TooManyVariants) => "too_many_variants",
            Self::NoSuchProduct | Self::NoSuchCategory | Self::Domain(domain::Error::NoSuchVariant) => "not_found",
            Self::SkuTaken | Self::Domain(domain::Error::SkuTaken) => "sku_taken",
            Self::SlugTaken => "slug_taken",
            Self::CategoryNameTaken => "category_name_taken",
            Self::CategoryInUse => "category_in_use",
            Self::Stale { .. } => "version_conflict",
            Self::KeyReused => "idempotency_key_reused",
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
                | domain::Error::Cycle
                | domain::Error::TooDeep
                | domain::Error::TooManyCategories,
            )
            | Self::NoSuchProduct
            | Self::NoSuchCategory
            | Self::SkuTaken
            | Self::SlugTaken
            | Self::CategoryNameTaken
            | Self::CategoryInUse
            | Self::Stale { .. }
            | Self::KeyReused
            | Self::Store(_)
            | Self::Peer(_) => Vec::new(),
        }
    }
}
