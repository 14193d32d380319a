//! The shape of the category tree: who is below whom, how deep it may be, and what may be moved where.

use std::collections::HashMap;

use shop_types::CategoryId;

use super::Error;

/// Levels from a root to the deepest category below it.
pub(crate) const MOST_LEVELS: usize = 8;
/// Categories of one shop: all of them are one list.
const MOST_CATEGORIES: usize = 1_000;

/// The parents of all categories.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tree(HashMap<CategoryId, Option<CategoryId>>);

impl Tree {
    /// The tree of these categories and their parents.
    pub(crate) fn new(categories: impl IntoIterator<Item = (CategoryId, Option<CategoryId>)>) -> Self {
        Self(categories.into_iter().collect())
    }

    pub(crate) fn has(&self, id: CategoryId) -> bool {
        self.0.contains_key(&id)
    }

    /// From a category up to its root, itself first; none when it is not there.
    pub(crate) fn lineage(&self, from: CategoryId) -> Vec<CategoryId> {
        let mut path = Vec::new();
        let mut next = Some(from);
        while let Some(id) = next.filter(|id| self.has(*id) && path.len() < self.0.len()) {
            path.push(id);
            next = self.0.get(&id).copied().flatten();
        }
        path
    }

    /// Whether there is room for one more category, below this one or as a root.
    pub(crate) fn check_new(&self, parent: Option<CategoryId>) -> Result<(), Error> {
        if self.0.len() >= MOST_CATEGORIES {
            return Err(Error::TooManyCategories);
        }
        self.check_levels(parent, 1)
    }

    /// Whether a category may stand below this one, or as a root, with everything that is below it.
    pub(crate) fn check_move(&self, id: CategoryId, parent: Option<CategoryId>) -> Result<(), Error> {
        if parent.is_some_and(|parent| self.lineage(parent).contains(&id)) {
            return Err(Error::Cycle);
        }
        self.check_levels(parent, self.levels_of(id))
    }

    fn check_levels(&self, parent: Option<CategoryId>, levels: usize) -> Result<(), Error> {
        let above = parent.map_or(0, |parent| self.lineage(parent).len());
        if above + levels > MOST_LEVELS { Err(Error::TooDeep) } else { Ok(()) }
    }

    /// Levels from a category to the deepest one below it, its own counted.
    fn levels_of(&self, id: CategoryId) -> usize {
        let depths = self.0.keys().filter_map(|below| self.lineage(*below).iter().position(|above| *above == id));
        depths.max().unwrap_or(0) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn id(n: usize) -> CategoryId {
        CategoryId::from_uuid(Uuid::from_u128(n as u128))
    }

    /// 1 above 2 above 3, and so on.
    fn chain(ids: std::ops::RangeInclusive<usize>) -> Vec<(CategoryId, Option<CategoryId>)> {
        let first = *ids.start();
        ids.map(|n| (id(n), (n > first).then(|| id(n - 1)))).collect()
    }

    #[test]
    fn a_category_never_stands_below_itself() {
        let tree = Tree::new(chain(1..=3));
        assert_eq!(tree.lineage(id(3)), [id(3), id(2), id(1)]);
        for below in 1..=3 {
            assert_eq!(tree.check_move(id(1), Some(id(below))), Err(Error::Cycle));
        }
        assert_eq!(tree.check_move(id(3), Some(id(1))), Ok(()));
        assert_eq!(tree.check_move(id(3), None), Ok(()));
    }

    #[test]
    fn no_category_is_deeper_than_eight_levels_also_after_a_move_of_those_above_it() {
        let tree = Tree::new(chain(1..=8).into_iter().chain(chain(11..=17)));
        assert_eq!(tree.check_new(Some(id(7))), Ok(()));
        assert_eq!(tree.check_new(Some(id(8))), Err(Error::TooDeep));
        assert_eq!(tree.check_move(id(11), Some(id(1))), Ok(()));
        assert_eq!(tree.check_move(id(11), Some(id(2))), Err(Error::TooDeep));
        assert_eq!(tree.check_move(id(17), Some(id(7))), Ok(()));
    }

    #[test]
    fn a_shop_has_at_most_a_thousand() {
        let roots = |count: usize| Tree::new((1..=count).map(|n| (id(n), None)));
        assert_eq!(roots(999).check_new(None), Ok(()));
        assert_eq!(roots(1_000).check_new(None), Err(Error::TooManyCategories));
    }

    #[test]
    fn a_circle_that_somebody_else_wrote_ends() {
        let tree = Tree::new([(id(1), Some(id(2))), (id(2), Some(id(1)))]);
        assert_eq!(tree.lineage(id(1)).len(), 2);
        assert!(tree.lineage(id(3)).is_empty());
    }
}
