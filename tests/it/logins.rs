//! Logins whose tokens expire, at a simulated Zoho on a real socket: one renewal for each expiry, no token shown that
//! is not on the disk, and a way out of whatever goes wrong.

mod bench;
mod callback;
mod config;
mod daemon;
mod expiries;
mod kills;
mod trouble;
