//! What the server says about a document that a validator refused, without the document.

use std::collections::BTreeSet;
use std::fmt;

use bson::{Bson, Document};

/// The validator of a collection refused a document: a defect of ours, since every rule of a validator is one that the
/// service keeps by itself.
#[derive(Debug)]
pub(super) struct Refusal {
    collection: Option<String>,
    fields: BTreeSet<String>,
}

impl Refusal {
    /// Reads `errInfo`. The collection is named by its caller, or else by the title that [`crate::Mongo::ensure`] has given
    /// its schema.
    pub(super) fn new(collection: Option<&str>, details: Option<&Document>) -> Self {
        let details = details.and_then(|info| info.get_document("details").ok());
        let title = details.and_then(|details| details.get_str("title").ok());
        let mut fields = BTreeSet::new();
        if let Some(details) = details {
            collect_fields(details, &mut fields);
        }
        Self { collection: collection.or(title).map(str::to_owned), fields }
    }
}

/// The names of the fields that broke a rule. Everything else may hold values of the document.
fn collect_fields(details: &Document, fields: &mut BTreeSet<String>) {
    for (key, value) in details {
        match (key.as_str(), value) {
            ("propertyName", Bson::String(name)) => {
                fields.insert(name.clone());
            }
            ("missingProperties", Bson::Array(names)) => {
                fields.extend(names.iter().filter_map(Bson::as_str).map(str::to_owned));
            }
            (
                "schemaRulesNotSatisfied" | "propertiesNotSatisfied" | "clausesNotSatisfied" | "details",
                Bson::Array(parts),
            ) => {
                parts.iter().filter_map(Bson::as_document).for_each(|part| collect_fields(part, fields));
            }
            ("details", Bson::Document(part)) => collect_fields(part, fields),
            _ => {}
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.collection {
            Some(name) => write!(f, "the validator of collection '{name}' refused a document")?,
            None => f.write_str("a validator refused a document")?,
        }
        for (n, field) in self.fields.iter().enumerate() {
            write!(f, "{}{field}", if n == 0 { ": see " } else { ", " })?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    #[test]
    fn a_refusal_names_collection_and_fields_and_no_value() {
        let info = doc! { "failingDocumentId": "ada@example.org", "details": {
            "operatorName": "$jsonSchema", "title": "stock", "schemaRulesNotSatisfied": [
                { "operatorName": "properties", "propertiesNotSatisfied": [
                    { "propertyName": "available", "details": [{ "operatorName": "minimum", "consideredValue": -7 }] },
                ] },
                { "operatorName": "required", "missingProperties": ["sku"] },
            ],
        } };
        let text = Refusal::new(None, Some(&info)).to_string();
        assert_eq!(text, "the validator of collection 'stock' refused a document: see available, sku");
    }

    #[test]
    fn without_a_schema_the_caller_names_the_collection() {
        let info = doc! { "details": { "operatorName": "$expr", "consideredValue": false } };
        let named = Refusal::new(Some("stock"), Some(&info)).to_string();
        assert_eq!(named, "the validator of collection 'stock' refused a document");
        assert_eq!(Refusal::new(None, None).to_string(), "a validator refused a document");
    }
}
