//! An order before it is written down: what the buyer wants, priced by the catalog. After W1 its lines never change.

use shop_types::event::CartFact;
use shop_types::{Currency, Money, ProductId, Quantity, Sku};

use super::{Address, Error, Owner};

/// Most lines of an order.
const MOST_LINES: usize = 100;

/// One line as the buyer wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// What.
    pub sku: Sku,
    /// How many.
    pub quantity: Quantity,
    /// The unit price that the buyer was last shown, when it comes from a cart.
    pub shown: Option<Money>,
}

/// What the catalog sells under a SKU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Priced {
    /// The SKU.
    pub sku: Sku,
    /// The product that it is a variant of.
    pub product: ProductId,
    /// Its name.
    pub name: String,
    /// What one piece costs.
    pub price: Money,
    /// Whether it is off sale.
    pub archived: bool,
}

/// One line of an order: frozen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What.
    pub sku: Sku,
    /// The product that it is a variant of.
    pub product: ProductId,
    /// Its name when it was ordered.
    pub name: String,
    /// How many.
    pub quantity: Quantity,
    /// What one piece cost when it was ordered.
    pub unit_price: Money,
    /// What all pieces cost.
    pub total: Money,
}

/// An order about to be written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Who buys.
    pub owner: Owner,
    /// The cart that it comes from, at its version.
    pub cart: Option<CartFact>,
    /// What is bought.
    pub lines: Vec<Line>,
    /// What it costs: the sum of the lines.
    pub total: Money,
    /// The provider's token for the buyer's card.
    pub payment_method: String,
    /// Where it is sent, when something is.
    pub address: Option<Address>,
}

/// Prices what is wanted; every line must be for sale, and cost what the buyer was shown.
///
/// # Errors
/// [`Error::Empty`], [`Error::Invalid`] for more than 100 lines or the same SKU twice, [`Error::NotSold`],
/// [`Error::PriceChanged`] with both totals, [`Error::Free`], [`Error::TooMuch`].
pub fn price(wanted: Vec<Wanted>, offers: &[Priced], currency: Currency) -> Result<(Vec<Line>, Money), Error> {
    if wanted.is_empty() {
        return Err(Error::Empty);
    }
    if wanted.len() > MOST_LINES {
        return Err(Error::Invalid { field: "items".into(), rule: "must be at most 100" });
    }
    let (mut lines, mut shown): (Vec<Line>, Vec<Money>) = (Vec::with_capacity(wanted.len()), Vec::new());
    for (n, Wanted { sku, quantity, shown: shown_price }) in wanted.into_iter().enumerate() {
        if lines.iter().any(|line| line.sku == sku) {
            return Err(Error::Invalid { field: format!("items[{n}].sku"), rule: "must not be named twice" });
        }
        let offer = offers.iter().find(|offer| offer.sku == sku && !offer.archived);
        let Some(offer) = offer else { return Err(Error::NotSold { sku }) };
        let total = offer.price.checked_mul(quantity.get()).map_err(|_| Error::TooMuch)?;
        shown.push(match shown_price {
            Some(price) => price.checked_mul(quantity.get()).map_err(|_| Error::TooMuch)?,
            None => total,
        });
        let (product, name, unit_price) = (offer.product, offer.name.clone(), offer.price);
        lines.push(Line { sku, product, name, quantity, unit_price, total });
    }
    let sum = |amounts: Vec<Money>| Money::sum(currency, amounts).map_err(|_| Error::TooMuch);
    let (present, shown) = (sum(lines.iter().map(|line| line.total).collect())?, sum(shown)?);
    if present != shown {
        return Err(Error::PriceChanged { shown, present });
    }
    if present.amount == 0 {
        return Err(Error::Free);
    }
    Ok((lines, present))
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn eur(amount: i64) -> Money {
        Money::new(amount, "EUR".parse().unwrap())
    }

    fn wanted(sku: &str, quantity: u32, shown: Option<i64>) -> Wanted {
        let quantity = Quantity::new(quantity).unwrap();
        Wanted { sku: sku.parse().unwrap(), quantity, shown: shown.map(eur) }
    }

    fn offer(sku: &str, price: i64) -> Priced {
        let product = ProductId::from_uuid(Uuid::from_u128(1));
        Priced { sku: sku.parse().unwrap(), product, name: sku.into(), price: eur(price), archived: false }
    }

    fn priced(wanted: Vec<Wanted>, offers: &[Priced]) -> Result<(Vec<Line>, Money), Error> {
        price(wanted, offers, "EUR".parse().unwrap())
    }

    #[test]
    fn the_total_is_the_sum_of_the_lines() {
        let (lines, total) =
            priced(vec![wanted("a", 3, None), wanted("b", 1, Some(50))], &[offer("a", 10), offer("b", 50)]).unwrap();
        assert_eq!(total, eur(80));
        assert_eq!(Money::sum(total.currency, lines.iter().map(|line| line.total)), Ok(total));
    }

    #[test]
    fn a_changed_price_is_told_with_both_totals() {
        let result = priced(vec![wanted("a", 2, Some(10))], &[offer("a", 12)]);
        assert_eq!(result, Err(Error::PriceChanged { shown: eur(20), present: eur(24) }));
    }

    #[test]
    fn what_is_archived_or_unknown_is_not_sold() {
        let archived = Priced { archived: true, ..offer("a", 1) };
        let not_sold = |result| matches!(result, Err(Error::NotSold { .. }));
        assert!(not_sold(priced(vec![wanted("a", 1, None)], &[archived])));
        assert!(not_sold(priced(vec![wanted("b", 1, None)], &[offer("a", 1)])));
    }

    #[test]
    fn empty_doubled_and_overlong_orders_are_refused() {
        assert_eq!(priced(Vec::new(), &[]), Err(Error::Empty));
        let doubled = priced(vec![wanted("a", 1, None), wanted("a", 1, None)], &[offer("a", 1)]);
        assert!(matches!(doubled, Err(Error::Invalid { .. })));
        let many = (0..101).map(|n| wanted(&format!("s{n}"), 1, None)).collect();
        assert!(matches!(priced(many, &[]), Err(Error::Invalid { .. })));
    }

    #[test]
    fn what_costs_nothing_cannot_be_ordered() {
        assert_eq!(priced(vec![wanted("a", 3, None)], &[offer("a", 0)]), Err(Error::Free));
    }

    #[test]
    fn amounts_beyond_money_are_refused() {
        let result = priced(vec![wanted("a", 1_000_000, None)], &[offer("a", i64::MAX / 2)]);
        assert_eq!(result, Err(Error::TooMuch));
    }
}
