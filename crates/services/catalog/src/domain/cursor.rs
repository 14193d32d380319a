//! The place in a sorted list after one product: what `nextCursor` says. It holds what the list is sorted by, so that the
//! next page begins there however deep it is and whatever came before it meanwhile.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use shop_types::ProductId;

use super::{Error, Product, Sort};

const RULE: &str = "must be the nextCursor of a list with the same sort";

/// After which product a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) sort: Sort,
    /// The number of the page that begins here.
    pub(crate) page: u32,
    pub(crate) mark: Mark,
    pub(crate) id: ProductId,
}

/// What the last product of the page before has in the field that the list is sorted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mark {
    Created(Timestamp),
    /// Minor units.
    Price(i64),
    Name(String),
}

impl Cursor {
    /// The place after `product`, where page `page` of a list begins.
    pub(crate) fn after(product: &Product, sort: Sort, page: u32) -> Self {
        let mark = match sort {
            Sort::Newest | Sort::Oldest => Mark::Created(product.created_at),
            Sort::Cheapest | Sort::Dearest => {
                Mark::Price(product.default_variant().map_or(0, |variant| variant.price.amount))
            }
            Sort::Name | Sort::NameDescending => Mark::Name(product.name.clone()),
        };
        Self { sort, page, mark, id: product.id }
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, '.');
        let sort = Sort::parse(parts.next()?).ok()?;
        let page = parts.next()?.parse().ok()?;
        let id = parts.next()?.parse().ok()?;
        let mark = parts.next()?;
        let mark = match sort {
            Sort::Newest | Sort::Oldest => Mark::Created(Timestamp::from_millisecond(mark.parse().ok()?).ok()?),
            Sort::Cheapest | Sort::Dearest => Mark::Price(mark.parse().ok()?),
            Sort::Name | Sort::NameDescending => Mark::Name(from_hex(mark)?),
        };
        Some(Self { sort, page, mark, id })
    }
}

impl fmt::Display for Cursor {
    /// Letters, digits, hyphens and dots, so that it stands in a query as it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sort, page, mark, id } = self;
        write!(f, "{}.{page}.{id}.", sort.word())?;
        match mark {
            Mark::Created(time) => write!(f, "{}", time.as_millisecond()),
            Mark::Price(price) => write!(f, "{price}"),
            Mark::Name(name) => f.write_str(&shop_types::idempotency::hex(name.as_bytes())),
        }
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::read(text).ok_or(Error::Parameter { name: "cursor", rule: RULE })
    }
}

/// The text that two hexadecimal digits a byte stand for.
fn from_hex(digits: &str) -> Option<String> {
    let pairs = digits.as_bytes().chunks(2);
    // Not every pair that is a number: a sign is no digit.
    let byte = |pair: &[u8]| match pair {
        [high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()
        }
        _ => None,
    };
    String::from_utf8(pairs.map(byte).collect::<Option<_>>()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let id = ProductId::from_uuid(Uuid::from_u128(7));
        for (sort, mark) in [
            (Sort::Newest, Mark::Created(Timestamp::from_millisecond(1_700_000_000_123).unwrap())),
            (Sort::Dearest, Mark::Price(999)),
            (Sort::Name, Mark::Name("Tasse \u{fc}. 0,3 l".into())),
        ] {
            let cursor = Cursor { sort, page: 3, mark, id };
            let text = cursor.to_string();
            assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-')), "{text}");
            assert_eq!(text.parse(), Ok(cursor));
        }
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        let id = "00000000-0000-0000-0000-000000000007";
        for text in [
            "",
            "x",
            &format!("stock.1.{id}.1"),
            &format!("price.-1.{id}.1"),
            "price.1.7.1",
            &format!("price.1.{id}"),
            &format!("price.1.{id}.1.5"),
            &format!("price.1.{id}.99999999999999999999"),
            &format!("createdAt.1.{id}.9223372036854775807"),
            &format!("name.1.{id}.4"),
            &format!("name.1.{id}.+4"),
            &format!("name.1.{id}.ff"),
        ] {
            assert!(text.parse::<Cursor>().is_err(), "{text}");
        }
    }
}
