//! Stored events to lead state, and lead state to what people ask.

pub mod attribution;
pub mod export;
pub mod find;
pub mod import;
pub mod page;
pub mod project;
pub mod rollup;
pub mod search;
pub mod timeline;
pub mod touch;
pub mod verdict;
pub mod view;
