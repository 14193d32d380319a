//! The variants of a product: adding, changing and removing them. The default one stays as long as the product does.

use jiff::Timestamp;
use shop_types::{Currency, Sku};

use super::{MOST_VARIANTS, NAME, NewVariant, Product, Status, Variant, VariantChange, price};
use crate::domain::{Attributes, Error, Lines, text};

impl Variant {
    /// Makes a variant; `at` is where it stands in the request, empty for the request itself.
    pub(super) fn create(at: &str, new: NewVariant, currency: Currency) -> Result<Self, Error> {
        let field = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
        Ok(Self {
            name: new.name.map(|name| text(&field("name"), &name, 1..=200, Lines::One, NAME)).transpose()?,
            options: Attributes::new(&field("options"), new.options)?,
            price: price(&field("price"), new.price, currency)?,
            sku: new.sku,
        })
    }

    fn change(&mut self, change: VariantChange, currency: Currency) -> Result<(), Error> {
        let VariantChange { name, options, price: new_price } = change;
        if let Some(name) = name {
            self.name = name.map(|name| text("name", &name, 1..=200, Lines::One, NAME)).transpose()?;
        }
        if let Some(options) = options {
            self.options = Attributes::new("options", options)?;
        }
        if let Some(new_price) = new_price {
            self.price = price("price", new_price, currency)?;
        }
        Ok(())
    }
}

impl Product {
    /// The variant that is sold under this SKU.
    pub(crate) fn variant(&self, sku: &Sku) -> Option<&Variant> {
        self.variants.iter().find(|variant| variant.sku == *sku)
    }

    /// Adds a variant behind the others and counts the version up.
    pub(crate) fn add_variant(mut self, new: NewVariant, currency: Currency, now: Timestamp) -> Result<Self, Error> {
        self.check_active()?;
        if self.variant(&new.sku).is_some() {
            return Err(Error::SkuTaken);
        }
        if self.variants.len() >= MOST_VARIANTS {
            return Err(Error::TooManyVariants);
        }
        self.variants.push(Variant::create("", new, currency)?);
        Ok(self.next(now))
    }

    /// Changes the variant with this SKU and counts the version up.
    pub(crate) fn change_variant(
        mut self,
        sku: &Sku,
        change: VariantChange,
        currency: Currency,
        now: Timestamp,
    ) -> Result<Self, Error> {
        self.check_active()?;
        let variant = self.variants.iter_mut().find(|variant| variant.sku == *sku).ok_or(Error::NoSuchVariant)?;
        variant.change(change, currency)?;
        Ok(self.next(now))
    }

    /// Takes a variant off sale for good and counts the version up. Never the default one: the product's id stands for it.
    pub(crate) fn remove_variant(mut self, sku: &Sku, now: Timestamp) -> Result<Self, Error> {
        self.check_active()?;
        match self.variants.iter().position(|variant| variant.sku == *sku) {
            None => Err(Error::NoSuchVariant),
            Some(0) => Err(Error::DefaultVariant),
            Some(n) => {
                self.variants.remove(n);
                Ok(self.next(now))
            }
        }
    }

    pub(crate) fn check_active(&self) -> Result<(), Error> {
        if self.status == Status::Archived { Err(Error::Archived) } else { Ok(()) }
    }
}
