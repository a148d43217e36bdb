//! Real servers, real clients and the gateway between them, each owned by the test that started it.

pub(crate) mod clients;
pub(crate) mod clipboard;
pub(crate) mod disk;
pub(crate) mod gateway;
pub(crate) mod lab;
pub(crate) mod net;
pub(crate) mod picture;
pub(crate) mod process;
pub(crate) mod screen;
pub(crate) mod servers;
pub(crate) mod wait;

/// What the functions of the harness return: an error is a sentence for whoever reads the test's output.
pub(crate) type Outcome<T = ()> = Result<T, String>;
