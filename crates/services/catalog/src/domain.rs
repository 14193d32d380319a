//! The rules of the catalog: what a product and a category may be and how they may change. No I/O, no clock.

pub(crate) mod attributes;
pub(crate) mod category;
pub(crate) mod cursor;
pub(crate) mod facets;
pub(crate) mod import;
pub(crate) mod listing;
pub(crate) mod offer;
pub(crate) mod product;
pub(crate) mod search;
pub(crate) mod tree;

pub(crate) use attributes::Attributes;
pub(crate) use category::{Above, Category, CategoryChange, NewCategory, Placed};
pub(crate) use cursor::{Cursor, Mark};
pub(crate) use facets::Facets;
pub(crate) use listing::Listing;
pub(crate) use offer::Offer;
pub(crate) use product::images::{Image, ImageChange, Media};
pub(crate) use product::{NewProduct, NewVariant, Product, ProductChange, Status, Variant, VariantChange, check_stock};
pub(crate) use search::{Place, Search, Sort};
pub(crate) use tree::Tree;

use shop_types::text::Broken;

/// A rule of the catalog is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// A value does not fit its field.
    #[error("{field} {rule}")]
    Invalid {
        /// Path of the field in the request.
        field: String,
        /// What it must be.
        rule: &'static str,
    },
    /// A parameter of a list does not fit.
    #[error("{name} {rule}")]
    Parameter {
        /// The parameter.
        name: &'static str,
        /// What it must be.
        rule: &'static str,
    },
    /// Archived products do not change any more.
    #[error("the product is archived")]
    Archived,
    /// The product has no variant with this SKU.
    #[error("there is no such variant")]
    NoSuchVariant,
    /// The product's id stands for its default variant.
    #[error("the default variant cannot be removed")]
    DefaultVariant,
    /// A variant of the product has this SKU.
    #[error("another variant is sold under this SKU")]
    SkuTaken,
    /// Variants stand in the document of their product.
    #[error("the product has 100 variants already")]
    TooManyVariants,
    /// The product has no image with this id.
    #[error("there is no such image")]
    NoSuchImage,
    /// Images stand in the document of their product.
    #[error("the product has 20 images already")]
    TooManyImages,
    /// The parent of a category would be below it.
    #[error("a category cannot be below itself")]
    Cycle,
    /// A category, or one below it, would be too far from its root.
    #[error("categories stand at most 8 levels deep")]
    TooDeep,
    /// All categories are one list.
    #[error("there are 1000 categories already")]
    TooManyCategories,
}

impl Error {
    pub(crate) fn invalid(field: impl Into<String>, rule: &'static str) -> Self {
        Self::Invalid { field: field.into(), rule }
    }

    pub(crate) fn parameter(name: &'static str, rule: &'static str) -> Self {
        Self::Parameter { name, rule }
    }

    /// Where the rule is broken; empty when no single field is at fault.
    pub(crate) fn field(&self) -> &str {
        match self {
            Self::Invalid { field, rule: _ } => field,
            Self::Parameter { name, rule: _ } => name,
            Self::Archived
            | Self::NoSuchVariant
            | Self::DefaultVariant
            | Self::SkuTaken
            | Self::TooManyVariants
            | Self::NoSuchImage
            | Self::TooManyImages
            | Self::Cycle
            | Self::TooDeep
            | Self::TooManyCategories => "",
        }
    }

    /// A stable word, the same in answers and in the faults of an import.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "invalid_field",
            Self::Parameter { .. } => "invalid_parameter",
            Self::Archived => "product_archived",
            Self::NoSuchVariant | Self::NoSuchImage => "not_found",
            Self::TooManyImages => "too_many_images",
            Self::DefaultVariant => "default_variant",
            Self::SkuTaken => "sku_taken",
            Self::TooManyVariants => "too_many_variants",
            Self::Cycle => "category_cycle",
            Self::TooDeep => "category_too_deep",
            Self::TooManyCategories => "too_many_categories",
        }
    }

    fn broken(field: &str, broken: Broken) -> Self {
        Self::invalid(field, broken.0)
    }
}

/// Checks the length of a text in characters and refuses control characters, except line breaks where `lines` allows them.
fn text(
    field: &str,
    value: &str,
    range: std::ops::RangeInclusive<usize>,
    lines: Lines,
    rule: &'static str,
) -> Result<String, Error> {
    let trimmed = value.trim();
    let allowed = |c: char| !c.is_control() || (lines == Lines::Many && matches!(c, '\n' | '\r' | '\t'));
    if range.contains(&trimmed.chars().count()) && trimmed.chars().all(allowed) {
        Ok(trimmed.to_owned())
    } else {
        Err(Error::invalid(field, rule))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lines {
    One,
    Many,
}

/// A readable name for URLs: lower-case ASCII letters and digits, joined by single hyphens.
fn slug_of(name: &str) -> String {
    let mut slug = String::with_capacity(name.len());
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(80);
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_plain_and_short() {
        assert_eq!(slug_of("  Blue  Mug, 0.3 l! "), "blue-mug-0-3-l");
        assert_eq!(slug_of("Ünïcode"), "n-code");
        assert_eq!(slug_of("日本"), "");
        assert!(slug_of(&"a-".repeat(100)).len() <= 80);
    }

    #[test]
    fn control_characters_are_refused() {
        assert!(text("name", "a\0b", 1..=200, Lines::One, "r").is_err());
        assert!(text("name", "a\nb", 1..=200, Lines::One, "r").is_err());
        assert!(text("name", "a\nb", 1..=200, Lines::Many, "r").is_ok());
        assert!(text("name", "   ", 1..=200, Lines::Many, "r").is_err());
    }
}
