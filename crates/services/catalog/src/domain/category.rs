//! Categories: a tree of names.

use std::collections::HashMap;

use jiff::Timestamp;
use shop_types::CategoryId;

use super::{Error, Lines, Tree, text};

const NAME: &str = "must be 1 to 100 characters on one line";
const DESCRIPTION: &str = "must be at most 2000 characters";

/// A named group of products.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Category {
    pub(crate) id: CategoryId,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) parent: Option<CategoryId>,
    pub(crate) version: i64,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

/// A category and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) category: Category,
    /// Those above it, the root first.
    pub(crate) path: Vec<Above>,
}

/// A category that stands above another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Above {
    pub(crate) id: CategoryId,
    pub(crate) name: String,
}

/// Tells of all categories where they stand, in the order given.
pub(crate) fn place(categories: Vec<Category>) -> Vec<Placed> {
    let tree = Tree::new(categories.iter().map(|category| (category.id, category.parent)));
    let names: HashMap<CategoryId, String> =
        categories.iter().map(|category| (category.id, category.name.clone())).collect();
    let above = |id| names.get(&id).map(|name| Above { id, name: name.clone() });
    let placed = |category: Category| {
        let path = tree.lineage(category.id).into_iter().skip(1).filter_map(above);
        let path: Vec<_> = path.collect();
        Placed { category, path: path.into_iter().rev().collect() }
    };
    categories.into_iter().map(placed).collect()
}

/// What a new category is made of, as asked for.
#[derive(Debug, Clone)]
pub(crate) struct NewCategory {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) parent: Option<CategoryId>,
}

/// What is to change; absent parts stay as they are.
#[derive(Debug, Clone, Default)]
pub(crate) struct CategoryChange {
    pub(crate) name: Option<String>,
    pub(crate) description: Option<String>,
    /// `Some(None)` makes it a root.
    pub(crate) parent: Option<Option<CategoryId>>,
}

impl Category {
    /// Makes a category at version 1.
    pub(crate) fn create(id: CategoryId, new: &NewCategory, now: Timestamp) -> Result<Self, Error> {
        Ok(Self {
            id,
            name: check_name("name", &new.name)?,
            description: description(new.description.as_deref())?,
            parent: new.parent,
            version: 1,
            created_at: now,
            updated_at: now,
        })
    }

    /// Applies a change and counts the version up. `tree` is all categories as they stand before.
    pub(crate) fn change(mut self, change: CategoryChange, tree: &Tree, now: Timestamp) -> Result<Self, Error> {
        let CategoryChange { name, description: new_description, parent } = change;
        if let Some(name) = name {
            self.name = check_name("name", &name)?;
        }
        if new_description.is_some() {
            self.description = description(new_description.as_deref())?;
        }
        if let Some(parent) = parent {
            tree.check_move(self.id, parent)?;
            self.parent = parent;
        }
        self.version += 1;
        self.updated_at = now;
        Ok(self)
    }
}

/// The name of a category, without spaces around it. `field` is where it stands in the request.
///
/// # Errors
/// [`Error::Invalid`] unless it is 1 to 100 characters on one line.
pub(crate) fn check_name(field: &str, name: &str) -> Result<String, Error> {
    text(field, name, 1..=100, Lines::One, NAME)
}

fn description(value: Option<&str>) -> Result<String, Error> {
    text("description", value.unwrap_or_default(), 0..=2_000, Lines::Many, DESCRIPTION)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn id(n: u128) -> CategoryId {
        CategoryId::from_uuid(Uuid::from_u128(n))
    }

    fn root(n: u128, name: &str) -> Category {
        let new = NewCategory { name: name.into(), description: None, parent: None };
        Category::create(id(n), &new, Timestamp::UNIX_EPOCH).unwrap()
    }

    #[test]
    fn every_category_tells_those_above_it_from_the_root_down() {
        let (top, middle) = (root(1, "Top"), Category { parent: Some(id(1)), ..root(2, "Middle") });
        let bottom = Category { parent: Some(id(2)), ..root(3, "Bottom") };
        let placed = place(vec![bottom, top, middle]);
        let paths: Vec<Vec<&str>> =
            placed.iter().map(|placed| placed.path.iter().map(|above| above.name.as_str()).collect()).collect();
        assert_eq!(paths, [vec!["Top", "Middle"], vec![], vec!["Top"]]);
    }

    #[test]
    fn a_move_that_would_close_a_circle_changes_nothing() {
        let tree = Tree::new([(id(1), None), (id(2), Some(id(1)))]);
        let below = CategoryChange { parent: Some(Some(id(2))), ..CategoryChange::default() };
        assert_eq!(root(1, "Top").change(below, &tree, Timestamp::UNIX_EPOCH), Err(Error::Cycle));
        let renamed = CategoryChange { name: Some("Up".into()), ..CategoryChange::default() };
        let renamed = root(1, "Top").change(renamed, &tree, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!((renamed.name.as_str(), renamed.version), ("Up", 2));
    }
}
