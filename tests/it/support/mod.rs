//! What several tests need.

pub(crate) mod account;
pub(crate) mod client;
pub(crate) mod desk;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod random;
pub(crate) mod socket;
pub(crate) mod store;
pub(crate) mod trace;
pub(crate) mod traffic;
