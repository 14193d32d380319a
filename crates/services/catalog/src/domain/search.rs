//! What a list of products may be narrowed to, and how it may be sorted. Field names come from here, never from a client.

use shop_types::CategoryId;

use super::attributes::{self, is_name};
use super::{Cursor, Error};

const MOST_CHARACTERS: usize = 64;
const MOST_SKIPPED: u64 = 10_000;
const MOST_ATTRIBUTES: usize = 5;

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
            _ => Err(Error::parameter("sort", "must be createdAt, price or name, with - before it for descending")),
        }
    }

    /// What [`Self::parse`] reads.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Newest => "-createdAt",
            Self::Oldest => "createdAt",
            Self::Cheapest => "price",
            Self::Dearest => "-price",
            Self::Name => "name",
            Self::NameDescending => "-name",
        }
    }
}

/// Which products a list shows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Search {
    /// Words to find in name and description.
    pub(crate) words: Option<String>,
    /// Only products of one of these categories, unless there is none.
    pub(crate) categories: Vec<CategoryId>,
    /// Least price of the default variant, minor units.
    pub(crate) min_price: Option<i64>,
    /// Highest price of the default variant, minor units.
    pub(crate) max_price: Option<i64>,
    /// Only products of which at least one piece can be sold.
    pub(crate) in_stock: bool,
    /// Names of attributes or options and the values that a product must have, all of them.
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) sort: Sort,
}

/// Where in a list a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// At a page of this number, from 1.
    Page(u32),
    /// After so many products, for older clients that count them.
    Beyond(u32),
    /// After a product.
    After(Cursor),
}

impl Place {
    /// The place that a page number and a cursor name together, in a list that is sorted as asked, if it was asked.
    pub(crate) fn new(page: u32, cursor: Option<Cursor>, sort: Option<Sort>) -> Result<Self, Error> {
        match cursor {
            None => Ok(Self::Page(page)),
            Some(_) if page != 1 => Err(Error::parameter("page", "must not be sent beside cursor")),
            Some(cursor) if sort.is_some_and(|sort| sort != cursor.sort) => {
                Err(Error::parameter("cursor", "must be the nextCursor of a list with the same sort"))
            }
            Some(cursor) => Ok(Self::After(cursor)),
        }
    }

    /// The number of the page, of so many products each, or of the one in which it begins.
    pub(crate) const fn number(&self, size: u32) -> u32 {
        match self {
            Self::Page(number) => *number,
            Self::Beyond(count) => match count.checked_div(size) {
                Some(before) => before.saturating_add(1),
                None => 1,
            },
            Self::After(cursor) => cursor.page,
        }
    }
}

impl Search {
    /// Checks the bounds of each part.
    pub(crate) fn check(self) -> Result<Self, Error> {
        if let Some(words) = &self.words {
            if words.chars().count() > MOST_CHARACTERS {
                return Err(Error::parameter("search", "must be at most 64 characters"));
            }
            if terms(words).next().is_none() {
                return Err(Error::parameter("search", "must hold a letter or a digit"));
            }
        }
        for (name, price) in [("minPrice", self.min_price), ("maxPrice", self.max_price)] {
            if price.is_some_and(|price| price < 0) {
                return Err(Error::parameter(name, "must not be negative"));
            }
        }
        if let (Some(least), Some(most)) = (self.min_price, self.max_price)
            && least > most
        {
            return Err(Error::parameter("minPrice", "must not be above maxPrice"));
        }
        if self.attributes.len() > MOST_ATTRIBUTES {
            return Err(Error::parameter("attr", "must be at most 5"));
        }
        if self.attributes.iter().any(|(name, _)| !is_name(name)) {
            return Err(Error::parameter("attr", attributes::NAME));
        }
        Ok(self)
    }
}

/// The words that a product must hold, all of them: split at white space, quotes and backslashes, and bare of what else
/// surrounds letters and digits. So no word means "without" or "exactly", and none can end a quotation.
pub(crate) fn terms(words: &str) -> impl Iterator<Item = &str> {
    words
        .split(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '\\'))
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()))
        .filter(|word| !word.is_empty())
}

/// So many items before a page, if they are not too many.
pub(crate) fn offset(count: u32) -> Result<u64, Error> {
    match u64::from(count) {
        count @ 0..=MOST_SKIPPED => Ok(count),
        _ => Err(Error::parameter("offset", "must be at most 10000; narrow the list")),
    }
}

/// Items before a page. Only so many can be skipped, since each costs the database a step.
pub(crate) fn items_before(page: u32, size: u32) -> Result<u64, Error> {
    let before = u64::from(page.saturating_sub(1)) * u64::from(size);
    if before > MOST_SKIPPED {
        return Err(Error::parameter("page", "must not have more than 10000 items before it; narrow the list"));
    }
    Ok(before)
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
    fn every_sort_has_a_word() {
        for sort in [Sort::Newest, Sort::Oldest, Sort::Cheapest, Sort::Dearest, Sort::Name, Sort::NameDescending] {
            assert_eq!(Sort::parse(sort.word()), Ok(sort));
        }
    }

    #[test]
    fn a_cursor_goes_with_neither_a_page_nor_another_sort() {
        let cursor: Cursor = "price.3.00000000-0000-0000-0000-000000000007.1".parse().unwrap();
        assert_eq!(Place::new(1, Some(cursor.clone()), None).map(|place| place.number(20)), Ok(3));
        assert!(Place::new(1, Some(cursor.clone()), Some(Sort::Cheapest)).is_ok());
        assert!(Place::new(1, Some(cursor.clone()), Some(Sort::Dearest)).is_err());
        assert!(Place::new(2, Some(cursor), None).is_err());
    }

    #[test]
    fn bounds_of_a_search_are_checked() {
        let search = |min_price, max_price| Search { min_price, max_price, ..Search::default() }.check();
        assert!(search(Some(1), Some(1)).is_ok());
        assert!(search(Some(2), Some(1)).is_err());
        assert!(search(Some(-1), None).is_err());
        assert!(Search { words: Some("x".repeat(65)), ..Search::default() }.check().is_err());
        let with = |names: &[&str]| Search {
            attributes: names.iter().map(|name| ((*name).to_owned(), "x".to_owned())).collect(),
            ..Search::default()
        };
        assert!(with(&["a", "b", "c", "d", "e"]).check().is_ok());
        assert!(with(&["a", "b", "c", "d", "e", "f"]).check().is_err());
        assert!(with(&["$where"]).check().is_err());
    }

    #[test]
    fn a_word_never_becomes_an_operator_of_the_search() {
        let words = |text| terms(text).collect::<Vec<_>>();
        assert_eq!(words("  blue -mug, \"0.3 l\" "), ["blue", "mug", "0.3", "l"]);
        assert_eq!(words(r#"tea\"-pot foo_bar well-made"#), ["tea", "pot", "foo_bar", "well-made"]);
        for nothing in ["", "  ", "-", "\"\"", "-- \\"] {
            let search = Search { words: Some(nothing.to_owned()), ..Search::default() };
            assert!(matches!(search.check(), Err(Error::Parameter { name: "search", .. })), "{nothing}");
        }
    }

    #[test]
    fn a_place_beyond_so_many_products_is_in_a_page() {
        let numbers = [0, 19, 20, 39, 40].map(|count| Place::Beyond(count).number(20));
        assert_eq!(numbers, [1, 1, 2, 2, 3]);
        assert_eq!((offset(10_000), offset(10_001).is_err()), (Ok(10_000), true));
    }

    #[test]
    fn deep_pages_are_refused() {
        assert_eq!(items_before(1, 100), Ok(0));
        assert_eq!(items_before(101, 100), Ok(10_000));
        assert!(items_before(102, 100).is_err());
        assert!(items_before(u32::MAX, 100).is_err());
    }
}
