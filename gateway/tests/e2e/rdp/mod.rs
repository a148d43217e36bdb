//! RDP, with stock clients and servers.

mod channels;
mod files;
mod hostile;
mod live;
mod pairs;
mod refusals;
mod resize;
mod secrets;
mod sessions;
mod sound;
