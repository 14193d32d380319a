//! The service over real MongoDB and Redis, by HTTP.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking, as tests do")]

mod accounts;
mod addresses;
mod aliases;
mod api_keys;
mod audit;
mod callers;
mod customer_orders;
mod deletions;
mod endings;
mod exports;
mod first_admin;
mod given;
mod input;
mod keys;
mod letters;
mod limits;
mod logs;
mod misses;
mod new_shop;
mod passwords;
mod plans;
mod profile;
mod refresh;
mod repeats;
mod revocations;
mod rows;
mod sessions;
mod staff;
mod users;
