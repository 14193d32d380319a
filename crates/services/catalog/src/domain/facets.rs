//! What a list of products could be narrowed to further: counts over everything that the list holds, not only one page.

use shop_types::CategoryId;

/// Products that are counted at most, since each costs the database a step.
pub(crate) const MOST_COUNTED: u32 = 10_000;
/// Categories, and pairs of attribute and value, that are told at most.
pub(crate) const MOST_TOLD: u32 = 100;

/// Counts of a list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Facets {
    /// Products by category, the fullest first.
    pub(crate) categories: Vec<(CategoryId, u64)>,
    /// Products by name and value of an attribute or option, the most frequent first.
    pub(crate) attributes: Vec<(String, String, u64)>,
    /// Least and highest price of a default variant, minor units; `None` for an empty list.
    pub(crate) prices: Option<(i64, i64)>,
    /// Products of which at least one piece can be sold.
    pub(crate) in_stock: u64,
    /// Whether all were counted, and not only the first [`MOST_COUNTED`].
    pub(crate) exact: bool,
}
