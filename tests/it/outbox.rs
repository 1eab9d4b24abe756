//! The outbox in a real SQLite file, with a clock that the tests set: what projection asks for, what is leased, and
//! what becomes of it.

pub(crate) mod bench;
mod conversations;
mod jobs;
mod people;
mod random;
mod routes;
