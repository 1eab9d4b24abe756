//! The one integration binary: linking the daemon again for every file would cost more than running them.
//!
//! Test names that begin with `crash_`, `durable_` or `load_` run one at a time; `client_` ones may download
//! (`.config/nextest.toml`).

#![expect(clippy::unwrap_used, reason = "a test says what went wrong by failing there")]

mod alerts;
mod api;
mod attribution;
mod backup;
mod bad_input;
mod campaign;
mod check;
mod check_online;
mod check_zoho;
mod clients;
mod command;
mod config;
mod control;
mod crash;
mod cutover;
mod delivery;
mod delivery_crash;
mod demo;
mod durable;
mod export;
mod golden;
mod init;
mod jobs_api;
mod jobs_command;
mod limits;
mod load;
mod logins;
mod logs;
mod metrics;
mod migrate;
mod on_postgres;
mod outbox;
mod poison;
mod projection;
mod queue;
mod read_commands;
mod release;
mod reload;
mod replay;
mod replicas;
mod replicas_crash;
mod restart;
mod resync_command;
mod search;
mod serve;
mod sign;
mod slices;
mod supply;
mod support;
mod target_commands;
mod targets;
mod units;
mod upgrade;
mod watching;
