//! What both benchmarks share: signed traffic, the process that sends it, and what the machine says meanwhile.
//!
//! In: orders. Out: what was answered, and how fast. `ingest` measures the daemon's own rungs with it, `peers`
//! what people would otherwise put there; one generator, so that their figures can stand side by side.

pub(crate) mod bodies;
pub(crate) mod connection;
pub(crate) mod daemon;
pub(crate) mod generator;
pub(crate) mod lag;
pub(crate) mod machine;
