//! The control socket: how commands talk to the running gateway.

mod client;
mod messages;
mod server;

pub(crate) use client::{ClientError, call};
pub(crate) use messages::{
    KillRequest, PermissionsRequest, RdpFileAnswer, RdpFileRequest, RecordingAccess, SessionList,
    TicketAnswer, TicketRequest,
};
pub(crate) use server::{bind, serve};
