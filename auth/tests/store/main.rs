//! Stores do what [`passerelle_auth::Store`] promises.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail a test like tests do")]

mod conformance;
mod embedded;
mod redis;
mod samples;
