//! A database of its own for each test, dropped at the end.
