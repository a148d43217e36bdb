//! Pictures from a recorded session.
