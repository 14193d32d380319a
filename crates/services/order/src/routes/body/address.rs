//! Where an order is sent, as clients write and read it.

use serde::{Deserialize, Serialize};
use shop_types::text::Broken;
use utoipa::ToSchema;

use crate::domain::{Address, Error, address};

/// Where an order is sent.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "name": "Ada King", "line1": "12 St James's Square", "city": "London", "postalCode": "SW1Y 4JH", "country": "GB"
}))]
pub(crate) struct OrderAddressBody {
    /// Who gets it.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// Street and house.
    #[schema(min_length = 1, max_length = 100)]
    line1: String,
    /// What does not fit in the first line.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 100)]
    line2: Option<String>,
    #[schema(min_length = 1, max_length = 100)]
    city: String,
    /// State, province or county.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 100)]
    region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 100)]
    postal_code: Option<String>,
    /// Two letters of ISO 3166-1.
    #[schema(pattern = "^[A-Z]{2}$")]
    country: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 100)]
    phone: Option<String>,
}

/// What to change of an order.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct OrderChangeBody {
    /// Where it is sent from now on, all of it.
    address: OrderAddressBody,
}

impl OrderChangeBody {
    /// The address.
    pub(crate) fn read(self) -> Result<Address, Error> {
        self.address.read()
    }
}

impl OrderAddressBody {
    /// The address, if every part keeps its rule.
    pub(crate) fn read(self) -> Result<Address, Error> {
        let Self { name, line1, line2, city, region, postal_code, country, phone } = self;
        let maybe = |part, text: Option<String>| text.map(|text| line(part, &text)).transpose();
        Ok(Address {
            name: line("name", &name)?,
            line1: line("line1", &line1)?,
            line2: maybe("line2", line2)?,
            city: line("city", &city)?,
            region: maybe("region", region)?,
            postal_code: maybe("postalCode", postal_code)?,
            country: address::Country::new(&country).map_err(|broken| invalid("country", broken))?,
            phone: maybe("phone", phone)?,
        })
    }
}

fn line(part: &str, text: &str) -> Result<address::Line, Error> {
    address::Line::new(text).map_err(|broken| invalid(part, broken))
}

fn invalid(part: &str, Broken(rule): Broken) -> Error {
    Error::Invalid { field: format!("address.{part}"), rule }
}

impl From<&Address> for OrderAddressBody {
    fn from(address: &Address) -> Self {
        let Address { name, line1, line2, city, region, postal_code, country, phone } = address;
        let text = |line: &address::Line| line.as_str().to_owned();
        Self {
            name: text(name),
            line1: text(line1),
            line2: line2.as_ref().map(text),
            city: text(city),
            region: region.as_ref().map(text),
            postal_code: postal_code.as_ref().map(text),
            country: country.as_str().to_owned(),
            phone: phone.as_ref().map(text),
        }
    }
}
