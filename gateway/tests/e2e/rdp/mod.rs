//! RDP, with stock clients and servers.

mod channels;
mod pairs;
mod refusals;
mod rendering;
mod secrets;
mod sessions;
