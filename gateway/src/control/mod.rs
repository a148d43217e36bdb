//! The control socket: how commands talk to the running gateway. It serves the [API](crate::api) to the gateway's
//! own user, who needs no login.

mod client;
mod server;

pub(crate) use client::{ClientError, call, segment, send};
pub(crate) use server::{bind, serve};
