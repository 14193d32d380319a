//! Categories: a tree of names.

use jiff::Timestamp;
use shop_types::CategoryId;

use super::{Error, Lines, text};

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
            name: text("name", &new.name, 1..=100, Lines::One, NAME)?,
            description: description(new.description.as_deref())?,
            parent: new.parent,
            version: 1,
            created_at: now,
            updated_at: now,
        })
    }

    /// Applies a change and counts the version up. `ancestors_of_parent` are the ids from the new parent up to its root;
    /// the category itself among them would close a circle.
    pub(crate) fn change(
        mut self,
        change: CategoryChange,
        ancestors_of_parent: &[CategoryId],
        now: Timestamp,
    ) -> Result<Self, Error> {
        let CategoryChange { name, description: new_description, parent } = change;
        if let Some(name) = name {
            self.name = text("name", &name, 1..=100, Lines::One, NAME)?;
        }
        if new_description.is_some() {
            self.description = description(new_description.as_deref())?;
        }
        if let Some(parent) = parent {
            if parent == Some(self.id) || ancestors_of_parent.contains(&self.id) {
                return Err(Error::Cycle);
            }
            self.parent = parent;
        }
        self.version += 1;
        self.updated_at = now;
        Ok(self)
    }
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

    #[test]
    fn a_category_never_stands_below_itself() {
        let new = NewCategory { name: "Mugs".into(), description: None, parent: None };
        let category = Category::create(id(1), &new, Timestamp::UNIX_EPOCH).unwrap();
        let below = |parent| CategoryChange { parent: Some(Some(parent)), ..CategoryChange::default() };
        assert_eq!(category.clone().change(below(id(1)), &[], Timestamp::UNIX_EPOCH), Err(Error::Cycle));
        assert_eq!(
            category.clone().change(below(id(3)), &[id(3), id(2), id(1)], Timestamp::UNIX_EPOCH),
            Err(Error::Cycle)
        );
        assert!(category.change(below(id(3)), &[id(3), id(2)], Timestamp::UNIX_EPOCH).is_ok());
    }
}
