//! What people do in a shop, from the first look to the money: all services in one process over a real MongoDB and Redis,
//! with a payment provider that is a stranger to them. People call public routes only.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

mod audit;
mod buy;
mod cancel;
mod collector;
mod dead_letters;
mod decline;
mod documents;
mod given;
mod guide;
mod restart;
mod same_key;
mod sold_out;
mod trace;
