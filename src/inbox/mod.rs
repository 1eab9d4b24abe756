//! Requests, and what they mean.
