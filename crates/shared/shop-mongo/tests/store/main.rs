//! Against a real MongoDB: what only a server can decide.

mod database;
