//! Reading what a script answers: a flat list of texts and numbers. What belongs here: taking it apart. What does not: what
//! it means.

use fred::types::Value;

use super::{Delivery, Mark, StreamId};
use crate::Error;

/// What is left of an answer.
pub(super) struct Reply {
    what: &'static str,
    values: std::vec::IntoIter<Value>,
}

impl Reply {
    pub(super) fn new(what: &'static str, value: Value) -> Result<Self, Error> {
        match value {
            Value::Array(values) => Ok(Self { what, values: values.into_iter() }),
            Value::Boolean(_)
            | Value::Integer(_)
            | Value::Double(_)
            | Value::String(_)
            | Value::Bytes(_)
            | Value::Null
            | Value::Queued
            | Value::Map(_) => Err(Error::malformed(what)),
        }
    }

    /// The first word of an answer says whether the script did its work.
    pub(super) fn status(&mut self) -> Result<(), Error> {
        match self.text()?.as_str() {
            "ok" => Ok(()),
            "changed" => Err(Error::EpochChanged { what: self.what }),
            "full" => Err(Error::Full { what: self.what }),
            _ => Err(Error::malformed(self.what)),
        }
    }

    pub(super) fn group_status(&mut self, group: &str) -> Result<(), Error> {
        match self.text()?.as_str() {
            "ok" => Ok(()),
            "nogroup" => Err(Error::NoGroup { group: group.to_owned() }),
            _ => Err(Error::malformed(self.what)),
        }
    }

    pub(super) fn mark(&mut self) -> Result<Mark, Error> {
        Ok(Mark { run_id: self.text()?, epoch: self.text()? })
    }

    pub(super) fn deliveries(&mut self) -> Result<Vec<Delivery>, Error> {
        let mut deliveries = Vec::new();
        while let Some(stream_id) = self.next_id()? {
            deliveries.push(Delivery {
                stream_id,
                event_id: self.text()?,
                topic: self.text()?,
                json: self.text()?,
                deliveries: u32::try_from(self.integer()?).map_err(|_| Error::malformed(self.what))?,
            });
        }
        Ok(deliveries)
    }

    pub(super) fn next_id(&mut self) -> Result<Option<StreamId>, Error> {
        self.next_text().map(|text| text.parse().map_err(|_| Error::malformed(self.what))).transpose()
    }

    pub(super) fn id(&mut self) -> Result<StreamId, Error> {
        self.next_id()?.ok_or_else(|| Error::malformed(self.what))
    }

    pub(super) fn text(&mut self) -> Result<String, Error> {
        self.next_text().ok_or_else(|| Error::malformed(self.what))
    }

    /// Bytes that are not text become text that is not JSON: the reader then treats the entry as what it is, poison.
    pub(super) fn next_text(&mut self) -> Option<String> {
        self.values.next()?.as_bytes().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    pub(super) fn integer(&mut self) -> Result<i64, Error> {
        self.values.next().and_then(|value| value.as_i64()).ok_or_else(|| Error::malformed(self.what))
    }
}
