//! The server's role towards a viewer.
