//! RDP, with stock clients and servers.

mod pairs;
mod refusals;
mod rendering;
mod secrets;
mod sessions;
