//! RDP, with stock clients and servers.

mod channels;
mod files;
mod live;
mod pairs;
mod refusals;
mod rendering;
mod resize;
mod secrets;
mod sessions;
mod sound;
