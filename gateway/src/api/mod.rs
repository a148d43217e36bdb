//! The HTTP API.
//!
//! One router answers programs on the network and the command line on the control socket; they differ in how the
//! caller is known. `access` says what each route asks of its caller, and `guard` enforces it before any handler
//! runs. Each resource has a file, which declares its routes together with their description.

#![expect(unused_qualifications, reason = "utoipa's macros write paths in full")]

mod access;
mod approval_events;
mod approvals;
mod audit;
mod contents;
mod forwarded;
mod guard;
mod health;
mod idempotency;
mod keeping;
mod live;
mod local;
mod lockouts;
mod login;
mod openapi;
mod page;
mod principal;
mod problem;
mod proofs;
mod rate;
mod rdp_files;
mod recordings;
mod server;
mod session_events;
mod sessions;
mod targets;
#[cfg(test)]
mod tests;
mod tickets;
mod tokens;
mod users;
mod viewing;
mod views;
mod webhooks;

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;

use crate::gateway::Gateway;
use crate::web;

pub(crate) use approvals::{ApprovalRequest, DecisionRequest};
pub(crate) use keeping::{EraseRequest, Erased, HoldView, ReasonRequest, RewrapAnswer, RewrapRequest};
pub(crate) use local::{Door, local_router};
pub(crate) use page::{MOST, Page};
pub(crate) use principal::Principal;
pub(crate) use problem::Problem;
pub(crate) use rate::Rates;
pub(crate) use rdp_files::{RdpFileAnswer, RdpFileRequest};
pub(crate) use recordings::{Recording, RecordingAccess};
pub(crate) use server::{Peer, Server};
pub(crate) use sessions::{BlackoutRequest, KillRequest, PermissionsRequest, SessionPage};
pub(crate) use targets::TargetView;
pub(crate) use tickets::{TicketAnswer, TicketRequest};
pub(crate) use tokens::{SERVICE, hash, mint};
pub(crate) use views::RenderProgress;
pub(crate) use views::accepts_zstd;
pub(crate) use webhooks::TestAnswer;

/// The API, for connections whose [`Peer`] is known.
pub(crate) fn router(gateway: Arc<Gateway>) -> Router {
    let (router, _) = openapi::routes().split_for_parts();
    router
        .merge(web::routes())
        .route_layer(from_fn_with_state(gateway.clone(), guard::guard))
        .layer(from_fn_with_state(gateway.clone(), guard::frame))
        .with_state(gateway)
}

/// Health, readiness and metrics, in clear text and for anybody who reaches them.
pub(crate) fn metrics_router(gateway: Arc<Gateway>) -> Router {
    let (router, _) = health::routes().split_for_parts();
    let refusals = from_fn(async |request, next: axum::middleware::Next| {
        problem::from_framework(next.run(request).await).await
    });
    router.route("/metrics", get(health::metrics)).layer(refusals).with_state(gateway)
}
