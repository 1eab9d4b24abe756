//! What the operator reads while the daemon runs: log lines and metrics.

pub mod logs;
pub mod metrics;
mod quota;
