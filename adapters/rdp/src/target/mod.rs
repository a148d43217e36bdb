//! The client's role towards a target.
