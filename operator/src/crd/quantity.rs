//! Amounts of CPU and memory as Kubernetes writes them: `500m`, `64Mi`. Arithmetic on them, and their schema.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity as KubernetesQuantity;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};

/// An amount such as `500m`, `2`, `64Mi` or `1G`. Kept as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Quantity(String);

/// What the schema demands; `canonical` and `milli` understand all of it.
pub(super) const PATTERN: &str = "^[0-9]{1,12}(\\.[0-9]{1,3})?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$";

impl Quantity {
    /// Takes a text as it stands; whether it is an amount, [`Self::milli`] tells.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A number of bytes.
    #[must_use]
    pub fn bytes(bytes: u128) -> Self {
        Self(canonical(bytes.saturating_mul(1000), true))
    }

    /// A thousand times the amount: CPU in millicores, memory in thousandths of a byte. `None` if it is no amount.
    #[must_use]
    pub fn milli(&self) -> Option<u128> {
        let digits = self.0.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() || whole.len() > 12 || fraction.len() > 3 || (digits.contains('.') && fraction.is_empty()) {
            return None;
        }
        let thousandths: u128 = format!("{whole}{fraction:0<3}").parse().ok()?;
        let factor: u128 = match &self.0[digits.len()..] {
            "" => 1,
            // Less than a thousandth does not exist here: rounded up, as Kubernetes does.
            "m" => return Some(thousandths.div_ceil(1000)),
            "k" => 1000,
            "M" => 1000_u128.pow(2),
            "G" => 1000_u128.pow(3),
            "T" => 1000_u128.pow(4),
            "Ki" => 1024,
            "Mi" => 1024_u128.pow(2),
            "Gi" => 1024_u128.pow(3),
            "Ti" => 1024_u128.pow(4),
            _ => return None,
        };
        Some(thousandths * factor)
    }

    /// Whole bytes, rounded up. `None` if it is no amount.
    #[must_use]
    pub fn whole(&self) -> Option<u128> {
        self.milli().map(|milli| milli.div_ceil(1000))
    }

    /// The same amount written as the API server stores it, so that what is desired equals what is there.
    #[must_use]
    pub fn to_kubernetes(&self) -> KubernetesQuantity {
        KubernetesQuantity(match self.milli() {
            None => self.0.clone(),
            Some(milli) => canonical(milli, self.0.ends_with('i')),
        })
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Kubernetes' form: no fraction, the largest suffix of its family that leaves a whole number.
fn canonical(milli: u128, binary: bool) -> String {
    if !milli.is_multiple_of(1000) {
        return format!("{milli}m");
    }
    let (base, suffixes) = if binary { (1024, ["", "Ki", "Mi", "Gi", "Ti"]) } else { (1000, ["", "k", "M", "G", "T"]) };
    let (mut number, mut step) = (milli / 1000, 0);
    while number != 0 && number.is_multiple_of(base) && step + 1 < suffixes.len() {
        number /= base;
        step += 1;
    }
    format!("{number}{}", suffixes[step])
}

impl<'de> Deserialize<'de> for Quantity {
    /// Takes `cpu: 1` as well as `cpu: "1"`, as Kubernetes does.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => Ok(Self(text)),
            serde_json::Value::Number(number) => Ok(Self(number.to_string())),
            serde_json::Value::Null
            | serde_json::Value::Bool(_)
            | serde_json::Value::Array(_)
            | serde_json::Value::Object(_) => Err(de::Error::custom("must be an amount such as 500m or 64Mi")),
        }
    }
}

impl JsonSchema for Quantity {
    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "x-kubernetes-int-or-string": true, "pattern": PATTERN, "maxLength": 20 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_as_the_api_server_stores_them() {
        for (written, stored) in [
            ("1000m", "1"),
            ("1500m", "1500m"),
            ("0.5", "500m"),
            ("2", "2"),
            ("1024Mi", "1Gi"),
            ("0.5Gi", "512Mi"),
            ("64Mi", "64Mi"),
            ("1000k", "1M"),
            ("2000", "2k"),
            ("0", "0"),
        ] {
            assert_eq!(Quantity::new(written).to_kubernetes().0, stored, "{written}");
        }
    }

    #[test]
    fn amounts_are_counted_in_thousandths() {
        assert_eq!(Quantity::new("50m").milli(), Some(50));
        assert_eq!(Quantity::new("0.25").milli(), Some(250));
        assert_eq!(Quantity::new("1Ki").whole(), Some(1024));
        assert_eq!(Quantity::bytes(384 * 1024 * 1024).as_str(), "384Mi");
        for text in ["", "Mi", "-1", "1.", "1.2345", "1Xi", "1e3", "9999999999999"] {
            assert_eq!(Quantity::new(text).milli(), None, "{text}");
        }
    }
}
