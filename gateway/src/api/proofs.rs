//! Proofs out of the audit log, for those who keep checkpoints of it. They show no more than what they prove.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use passerelle_recorder::PublicKey;
use passerelle_recorder::audit::{
    self as log, AuditEvent, AuditKind, Consistency, Outcome, Proof, ProofError,
};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::principal::Principal;
use super::problem::Problem;
use super::recordings::blocking;
use crate::gateway::{Gateway, data};

pub(super) fn routes() -> OpenApiRouter<Arc<Gateway>> {
    OpenApiRouter::new().routes(routes!(checkpoint)).routes(routes!(proof)).routes(routes!(consistency))
}

/// Which event is to be proved; one of the two.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Proved {
    /// The event's number in the log, its `seq`.
    seq: Option<u64>,
    /// The event with the root of this recording.
    recording: Option<String>,
}

/// What the caller knows of the log.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Known {
    /// How many lines the checkpoint covers that the caller has.
    old: u64,
}

/// The last checkpoint of the audit log: a signed note (C2SP tlog-checkpoint).
#[utoipa::path(get, path = "/audit/checkpoint", tag = "audit",
    responses((status = 200, description = "The checkpoint", content_type = "text/plain", body = String)))]
async fn checkpoint(State(gateway): State<Arc<Gateway>>) -> Result<Response, Problem> {
    made(&gateway, |directory, signer| {
        log::read_checkpoint(&log::checkpoint_file(directory), signer).map(|(note, _)| note)
    })
    .await
}

/// Prove that an event is in the audit log (C2SP tlog-proof).
///
/// The event is the proof's extra data. `passerelle verify-proof` checks it, without the log and without this gateway.
#[utoipa::path(get, path = "/audit/proof", tag = "audit", params(Proved),
    responses((status = 200, description = "The proof", content_type = "text/plain", body = String)))]
async fn proof(
    State(gateway): State<Arc<Gateway>>,
    principal: Principal,
    Query(wanted): Query<Proved>,
) -> Result<Response, Problem> {
    let directory = gateway.policy().config.data_dir.join(data::AUDIT);
    let seq = match (wanted.seq, wanted.recording) {
        (Some(seq), None) => seq,
        (None, Some(recording)) => {
            let found = blocking(move || log::sealing(&directory, &recording).map_err(Problem::internal));
            found.await?.map(|line| line.seq).ok_or_else(|| {
                Problem::not_found("the audit log does not say that this recording was sealed")
            })?
        }
        _ => return Err(Problem::unprocessable("seq", "give either `seq` or `recording`")),
    };
    // It shows the event.
    let event = AuditEvent::new(AuditKind::AuditRead).outcome(Outcome::Success).message("proved an event");
    gateway.audit.append(event.detail("by", principal.by())).await?;
    made(&gateway, move |directory, signer| Ok(Proof::make(directory, seq, signer)?.to_string())).await
}

/// Prove that the audit log only grew since an old checkpoint of it.
///
/// The proof is in the form in which C2SP tlog-witness sends it to witnesses: the old size, the hashes of RFC 9162,
/// and the last checkpoint. `passerelle verify-proof` checks it against the old one.
#[utoipa::path(get, path = "/audit/consistency", tag = "audit", params(Known),
    responses((status = 200, description = "The proof", content_type = "text/plain", body = String)))]
async fn consistency(
    State(gateway): State<Arc<Gateway>>,
    Query(known): Query<Known>,
) -> Result<Response, Problem> {
    made(&gateway, move |directory, signer| Ok(Consistency::make(directory, known.old, signer)?.to_string()))
        .await
}

/// Reads the log, away from the tasks that wait for the network.
async fn made(
    gateway: &Gateway,
    make: impl FnOnce(&Path, &PublicKey) -> Result<String, ProofError> + Send + 'static,
) -> Result<Response, Problem> {
    let directory = gateway.policy().config.data_dir.join(data::AUDIT);
    let signer = gateway.signer;
    let text = blocking(move || {
        make(&directory, &signer).map_err(|error| match error {
            ProofError::NotCovered { .. } => Problem::not_found(error),
            ProofError::Read { ref error, .. } if error.kind() == ErrorKind::NotFound => {
                Problem::not_found("there is no checkpoint yet; one is signed within a second of an event")
            }
            ProofError::NotOlder { .. } => Problem::unprocessable("old", error),
            error => Problem::internal(error),
        })
    })
    .await?;
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}
