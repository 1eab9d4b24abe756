//! What the operator reads while the daemon runs: log lines.

pub mod logs;
pub mod metrics;
