//! Faults that a test orders beforehand: of requests, whatever their card, and of webhooks. Pure.

use serde::{Deserialize, Serialize};

use crate::cards::{Mishap, Operation};

/// The fault of a request, as a test names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// See [`Mishap::TimeoutBefore`].
    TimeoutBefore,
    /// See [`Mishap::TimeoutAfter`].
    TimeoutAfter,
    /// See [`Mishap::ErrorBefore`].
    ErrorBefore,
    /// See [`Mishap::ErrorAfter`].
    ErrorAfter,
    /// See [`Mishap::Slow`].
    Slow,
}

/// An order for faults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ordered {
    /// Of which requests.
    pub operation: Operation,
    /// What goes wrong with them.
    pub fault: Fault,
    /// How long a slow one takes.
    #[serde(default)]
    pub milliseconds: u64,
    /// How many of them.
    #[serde(default = "once")]
    pub times: u32,
    /// Only those about references that begin so; all without it.
    #[serde(default)]
    pub reference: String,
}

const fn once() -> u32 {
    1
}

impl Ordered {
    const fn mishap(&self) -> Mishap {
        match self.fault {
            Fault::TimeoutBefore => Mishap::TimeoutBefore,
            Fault::TimeoutAfter => Mishap::TimeoutAfter,
            Fault::ErrorBefore => Mishap::ErrorBefore,
            Fault::ErrorAfter => Mishap::ErrorAfter,
            Fault::Slow => Mishap::Slow(self.milliseconds),
        }
    }
}

/// What happens to a webhook on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// It is sent again after it was taken.
    Duplicated,
    /// It is sent after the next one.
    Reordered,
    /// It is never sent.
    Lost,
}

/// An order for faults of webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderedDelivery {
    /// What happens.
    pub delivery: Delivery,
    /// To how many of them.
    #[serde(default = "once")]
    pub times: u32,
}

/// What was ordered and has not happened yet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Faults {
    requests: Vec<Ordered>,
    webhooks: Vec<OrderedDelivery>,
}

impl Faults {
    /// Adds an order; those that came first happen first.
    pub fn order(&mut self, ordered: Ordered) {
        self.requests.push(ordered);
    }

    /// Adds an order for webhooks.
    pub fn order_delivery(&mut self, ordered: OrderedDelivery) {
        self.webhooks.push(ordered);
    }

    /// What goes wrong with a request; it is used up by asking.
    pub fn take(&mut self, operation: Operation, reference: &str) -> Option<Mishap> {
        let fits = |one: &Ordered| one.operation == operation && reference.starts_with(&one.reference);
        let place = self.requests.iter().position(fits)?;
        let ordered = self.requests.get_mut(place)?;
        let mishap = ordered.mishap();
        ordered.times = ordered.times.saturating_sub(1);
        if ordered.times == 0 {
            self.requests.remove(place);
        }
        Some(mishap)
    }

    /// What happens to a webhook; it is used up by asking.
    pub fn take_delivery(&mut self) -> Option<Delivery> {
        let ordered = self.webhooks.first_mut()?;
        let delivery = ordered.delivery;
        ordered.times = ordered.times.saturating_sub(1);
        if ordered.times == 0 {
            self.webhooks.remove(0);
        }
        Some(delivery)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(operation: Operation, fault: Fault, times: u32, reference: &str) -> Ordered {
        Ordered { operation, fault, milliseconds: 7, times, reference: reference.into() }
    }

    #[test]
    fn an_ordered_fault_happens_so_often_to_the_requests_it_names_and_to_no_others() {
        let mut faults = Faults::default();
        faults.order(ordered(Operation::Capture, Fault::TimeoutAfter, 2, "o:1"));
        faults.order(ordered(Operation::Capture, Fault::Slow, 1, ""));

        assert_eq!(faults.take(Operation::Void, "o:1"), None);
        assert_eq!(faults.take(Operation::Capture, "o:1:x"), Some(Mishap::TimeoutAfter));
        assert_eq!(faults.take(Operation::Capture, "o:2"), Some(Mishap::Slow(7)));
        assert_eq!(faults.take(Operation::Capture, "o:2"), None);
        assert_eq!(faults.take(Operation::Capture, "o:1"), Some(Mishap::TimeoutAfter));
        assert_eq!(faults.take(Operation::Capture, "o:1"), None);
        assert_eq!(faults, Faults::default());
    }

    #[test]
    fn webhooks_fare_as_ordered_in_that_order() {
        let mut faults = Faults::default();
        faults.order_delivery(OrderedDelivery { delivery: Delivery::Lost, times: 1 });
        faults.order_delivery(OrderedDelivery { delivery: Delivery::Duplicated, times: 2 });

        let fates: Vec<_> = (0..4).map(|_| faults.take_delivery()).collect();

        let duplicated = Some(Delivery::Duplicated);
        assert_eq!(fates, [Some(Delivery::Lost), duplicated, duplicated, None]);
    }
}
