//! What a list of products could be narrowed to further: counts over everything that the list holds, not only one page.

use std::cmp::Reverse;
use std::collections::HashMap;

use shop_types::CategoryId;

use super::Tree;

/// Products that are counted at most, since each costs the database a step.
pub(crate) const MOST_COUNTED: u32 = 10_000;
/// Categories, and pairs of attribute and value, that are told at most.
pub(crate) const MOST_TOLD: usize = 100;

/// Counts of a list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Facets {
    /// Products by category, with those of all below it, the fullest first.
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

/// What narrowing by each category would leave, the fullest first: products count for their own category and for all above
/// it. `within` are the categories that the list is narrowed to already, none for all: those above them would widen it.
pub(crate) fn of_categories(own: Vec<(CategoryId, u64)>, tree: &Tree, within: &[CategoryId]) -> Vec<(CategoryId, u64)> {
    let mut counts: HashMap<CategoryId, u64> = HashMap::new();
    for (id, count) in own {
        for above in tree.lineage(id) {
            *counts.entry(above).or_default() += count;
        }
    }
    let mut counts: Vec<_> = counts.into_iter().filter(|(id, _)| within.is_empty() || within.contains(id)).collect();
    // Ties by id, so that the same catalog always gives the same answer.
    counts.sort_unstable_by_key(|(id, count)| (Reverse(*count), *id));
    counts.truncate(MOST_TOLD);
    counts
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn id(n: u128) -> CategoryId {
        CategoryId::from_uuid(Uuid::from_u128(n))
    }

    #[test]
    fn products_count_for_their_category_and_for_all_above_it() {
        let tree = Tree::new([(id(1), None), (id(2), Some(id(1))), (id(3), Some(id(2))), (id(4), None), (id(5), None)]);
        let own = vec![(id(3), 2), (id(1), 1), (id(4), 2), (id(9), 7)];
        let all = [(id(1), 3), (id(2), 2), (id(3), 2), (id(4), 2)];
        assert_eq!(of_categories(own.clone(), &tree, &[]), all, "one that is gone is told no more");
        assert_eq!(of_categories(own, &tree, &[id(2), id(3)]), all[1..3]);
    }

    #[test]
    fn the_fullest_hundred_are_told() {
        let tree = Tree::new((1..=300).map(|n| (id(n), (n > 200).then(|| id(n - 200)))));
        let told = of_categories((1..=300).map(|n| (id(n), 1)).collect(), &tree, &[]);
        assert_eq!(told, (1..=100).map(|n| (id(n), 2)).collect::<Vec<_>>());
    }
}
