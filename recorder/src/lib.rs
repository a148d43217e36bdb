//! Sealed session recordings and the audit log: writing, verifying, reading.
