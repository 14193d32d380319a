//! The query of a list of products: fixed parameters, and one for each attribute, named `attr.` and its name.

use std::fmt;

use serde::de::value::{MapAccessDeserializer, StringDeserializer};
use serde::de::{DeserializeSeed, IntoDeserializer as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use shop_types::CategoryId;
use utoipa::IntoParams;

use crate::domain::{Cursor, Error, Place, Search, Sort};

/// What the parameters of attributes begin with.
const ATTRIBUTE: &str = "attr.";

/// What a list of products is narrowed to.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ProductFilter {
    /// Words that name or description must hold, all of them; 1 to 64 characters. Of several, one at least must stand there
    /// as a word of its own; the others may be part of longer ones.
    search: Option<String>,
    /// Products of this category and of all below it.
    category: Option<CategoryId>,
    /// Least price of the default variant, minor units.
    min_price: Option<i64>,
    /// Highest price of the default variant, minor units.
    max_price: Option<i64>,
    /// Only products of which at least one piece can be sold.
    #[serde(default)]
    in_stock: bool,
    /// `nextCursor` of the page before, instead of `page`; the other parameters stay as they were.
    cursor: Option<String>,
}

/// The fixed parameters and those of attributes.
#[derive(Debug)]
pub(super) struct ListQuery {
    fixed: ProductFilter,
    attributes: Vec<(String, String)>,
}

impl ListQuery {
    /// What to look for and where the page begins.
    pub(super) fn understand(self, page: u32, sort: Option<&str>) -> Result<(Search, Place), Error> {
        let ProductFilter { search, category, min_price, max_price, in_stock, cursor } = self.fixed;
        let sort = sort.map(Sort::parse).transpose()?;
        let cursor: Option<Cursor> = cursor.as_deref().map(str::parse).transpose()?;
        let place = Place::new(page, cursor, sort)?;
        let sort = match &place {
            Place::Page(_) | Place::Beyond(_) => sort.unwrap_or_default(),
            Place::After(cursor) => cursor.sort,
        };
        let (attributes, categories) = (self.attributes, category.into_iter().collect());
        Ok((Search { words: search, categories, min_price, max_price, in_stock, attributes, sort }, place))
    }
}

impl<'de> Deserialize<'de> for ListQuery {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Parameters)
    }
}

struct Parameters;

impl<'de> Visitor<'de> for Parameters {
    type Value = ListQuery;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the parameters of a list of products")
    }

    fn visit_map<A: MapAccess<'de>>(self, parameters: A) -> Result<ListQuery, A::Error> {
        let mut attributes = Vec::new();
        let rest = WithoutAttributes { parameters, attributes: &mut attributes };
        let fixed = ProductFilter::deserialize(MapAccessDeserializer::new(rest))?;
        Ok(ListQuery { fixed, attributes })
    }
}

/// All parameters but those of attributes, which are put aside.
struct WithoutAttributes<'a, A> {
    parameters: A,
    attributes: &'a mut Vec<(String, String)>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for WithoutAttributes<'_, A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        while let Some(name) = self.parameters.next_key::<String>()? {
            let Some(attribute) = name.strip_prefix(ATTRIBUTE) else {
                let name: StringDeserializer<A::Error> = name.into_deserializer();
                return seed.deserialize(name).map(Some);
            };
            self.attributes.push((attribute.to_owned(), self.parameters.next_value()?));
        }
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.parameters.next_value_seed(seed)
    }
}
