//! What the simulators do, told from the facts and apart from any adapter.

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by failing there")]

mod control;
mod limits;
mod notices;
mod objects;
mod schema;
mod search;
mod sockets;
mod support;
mod zoho;
