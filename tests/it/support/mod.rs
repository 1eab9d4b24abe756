//! What the harnesses share.

pub(crate) mod socket;
