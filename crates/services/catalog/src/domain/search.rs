//! What a list of products may be narrowed to, and how it may be sorted. Field names come from here, never from a client.

use shop_types::CategoryId;

use super::Error;

/// How a list is sorted; ties are broken by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Sort {
    /// Newest first.
    #[default]
    Newest,
    /// Oldest first.
    Oldest,
    /// Cheapest default variant first.
    Cheapest,
    /// Dearest default variant first.
    Dearest,
    /// By name, A to Z.
    Name,
    /// By name, Z to A.
    NameDescending,
}

impl Sort {
    /// The word in the query: a field, with `-` for descending.
    pub(crate) fn parse(word: &str) -> Result<Self, Error> {
        match word {
            "-createdAt" => Ok(Self::Newest),
            "createdAt" => Ok(Self::Oldest),
            "price" => Ok(Self::Cheapest),
            "-price" => Ok(Self::Dearest),
            "name" => Ok(Self::Name),
            "-name" => Ok(Self::NameDescending),
            _ => Err(Error::invalid("sort", "must be createdAt, price or name, with - before it for descending")),
        }
    }
}

/// Which products a list shows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Search {
    /// Words to find in name and description.
    pub(crate) words: Option<String>,
    pub(crate) category: Option<CategoryId>,
    /// Least price of the default variant, minor units.
    pub(crate) min_price: Option<i64>,
    /// Highest price of the default variant, minor units.
    pub(crate) max_price: Option<i64>,
    /// Only products of which at least one piece can be sold.
    pub(crate) in_stock: bool,
    pub(crate) sort: Sort,
}

impl Search {
    /// Checks the bounds of each part.
    pub(crate) fn check(self) -> Result<Self, Error> {
        if self.words.as_ref().is_some_and(|words| words.trim().is_empty() || words.chars().count() > 64) {
            return Err(Error::invalid("search", "must be 1 to 64 characters"));
        }
        for (field, price) in [("minPrice", self.min_price), ("maxPrice", self.max_price)] {
            if price.is_some_and(|price| price < 0) {
                return Err(Error::invalid(field, "must not be negative"));
            }
        }
        if let (Some(least), Some(most)) = (self.min_price, self.max_price)
            && least > most
        {
            return Err(Error::invalid("minPrice", "must not be above maxPrice"));
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorting_is_by_known_fields_only() {
        assert_eq!(Sort::parse("-price"), Ok(Sort::Dearest));
        assert!(Sort::parse("$where").is_err());
    }

    #[test]
    fn bounds_of_a_search_are_checked() {
        let search = |min_price, max_price| Search { min_price, max_price, ..Search::default() }.check();
        assert!(search(Some(1), Some(1)).is_ok());
        assert!(search(Some(2), Some(1)).is_err());
        assert!(search(Some(-1), None).is_err());
        assert!(Search { words: Some("x".repeat(65)), ..Search::default() }.check().is_err());
    }
}
