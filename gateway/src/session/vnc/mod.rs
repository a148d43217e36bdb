//! A VNC connection, from the first byte to the last.

mod target;

use std::net::SocketAddr;
use std::sync::Arc;

use passerelle_auth::{Entry, LoginRefusal, Refusal, Secret};
use passerelle_config::Protocol;
use passerelle_recorder::Lane;
use passerelle_recorder::audit::{AuditEvent, AuditKind};
use passerelle_rfb::Limits;
use passerelle_transport::Transport;
use passerelle_vnc::viewer::{self, Pending, Presented, ViewerError, ViewerLeg, ViewerSecurity};
use passerelle_vnc::{RelaySettings, VncRelay};
use tokio::net::TcpStream;
use tokio::time::timeout;

use self::target::Target;
use super::admission::{self, VIEWER_PATIENCE};
use super::running::{Admitted, Running};
use super::{CloseReason, Phase};
use crate::ambient;
use crate::arrival::Arrival;
use crate::gateway::Gateway;
use crate::metrics::{Handshake, Step};
use crate::policy::Policy;
use crate::preauth::Place;

/// Serves one viewer.
pub(crate) async fn connection(gateway: Arc<Gateway>, arrival: Arrival) {
    let policy = gateway.policy();
    let Arrival { stream, peer, place, mut handshake } = arrival;
    let login = authenticate(&gateway, &policy, stream, peer, place, &mut handshake);
    let Some((pending, entry)) = login.await else { return };
    handshake.done(Step::Login);
    let security = pending.security().name();
    match admission::authorize(&gateway, &policy, &entry, Protocol::Vnc, security, peer) {
        Ok((target, grant)) => {
            let admitted = Admitted {
                entry,
                target,
                grant,
                protocol: "vnc",
                viewer_security: security,
                peer,
                handshake,
            };
            admit(&gateway, policy, admitted, pending).await;
        }
        Err(why) => refuse(pending, &why).await,
    }
}

/// Negotiates with the viewer and redeems what it presents. Nothing when it was turned away.
async fn authenticate(
    gateway: &Gateway,
    policy: &Policy,
    stream: TcpStream,
    peer: SocketAddr,
    place: Place,
    handshake: &mut Handshake,
) -> Option<(Pending<TcpStream>, Entry)> {
    let limits = &policy.config.limits;
    let mut random = ambient::random;
    let negotiation = viewer::negotiate(stream, &policy.viewer, &mut random);
    let negotiated = tokio::select! {
        negotiated = timeout(limits.handshake.get(), negotiation) => negotiated,
        () = place.evicted() => {
            tracing::debug!("gave way to a newer connection");
            return None;
        }
    };
    let pending = match negotiated {
        Ok(Ok(pending)) => pending,
        Ok(Err(error)) => {
            if matches!(error, ViewerError::Closed) {
                tracing::debug!("the viewer left before its login");
            } else {
                tracing::info!(%error, "the viewer did not get as far as to log in");
                admission::note_stranger(
                    gateway,
                    AuditEvent::new(AuditKind::ViewerRefused).address(peer),
                    &error,
                );
            }
            return None;
        }
        Err(_) => {
            tracing::debug!("the viewer did not log in in time");
            return None;
        }
    };
    handshake.done(Step::Negotiation);

    let logins = policy.logins();
    let (address, now) = (peer.ip(), ambient::now());
    let entry_of = |redeemed: Result<_, Refusal>| {
        redeemed.map_err(LoginRefusal::from).and_then(|redeemed| logins.entry(redeemed))
    };
    let entry = match pending.presented() {
        Presented::VncAuth(proof) => {
            let mut matches = |password: &str| proof.matches(password);
            entry_of(logins.tickets().redeem_vnc(&mut matches, address, now).await)
        }
        // Its encryption is too weak for what is good for longer than a ticket.
        Presented::Password { username, password } if pending.security() == ViewerSecurity::Ard => {
            entry_of(logins.tickets().redeem_password(username, password, address, now).await)
        }
        Presented::Password { username, password } => {
            let password = Secret::new(password.to_string());
            logins.redeem(username, &password, address, false, now).await
        }
    };
    match entry {
        Ok(entry) => Some((pending, entry)),
        Err(refusal) => {
            let login = match pending.presented() {
                Presented::Password { username, .. } => Some(username.as_str()),
                Presented::VncAuth(_) => None,
            };
            let security = pending.security().name();
            admission::secret_refused(gateway, &refusal, login, security, peer).await;
            refuse(pending, refusal.for_technician()).await;
            None
        }
    }
}

/// Runs the session of a technician who may have one.
async fn admit(gateway: &Arc<Gateway>, policy: Arc<Policy>, admitted: Admitted, pending: Pending<TcpStream>) {
    let mut running = match Running::begin(gateway, policy, admitted).await {
        Ok(running) => running,
        Err(refused) => {
            tracing::warn!(why = refused, "the session was refused");
            return refuse(pending, &refused).await;
        }
    };
    let reason = running.contain(|session| run(session, pending)).await;
    running.end(reason).await;
}

/// Connects to the target, then lets the viewer in, then relays.
async fn run(session: &mut Running, pending: Pending<TcpStream>) -> CloseReason {
    let target = match session.unless_stopped(target::connect(session)).await {
        Ok(Ok(target)) => target,
        Ok(Err(refused)) => {
            session.target_refused(&refused);
            let error = refused.to_string();
            refuse(pending, &format!("{}: {error}", session.target().name)).await;
            return if refused.is_violation() {
                CloseReason::TargetViolation { error }
            } else {
                CloseReason::TargetRefused { error }
            };
        }
        Err(reason) => {
            refuse(pending, &format!("The session was ended: {reason}.")).await;
            return reason;
        }
    };
    session.done(Step::Target);
    let welcome = timeout(VIEWER_PATIENCE, welcome(pending, &target));
    match session.unless_stopped(welcome).await {
        Err(reason) => reason,
        Ok(Err(_)) => {
            CloseReason::ViewerFailed { error: "it did not finish the handshake in time".to_owned() }
        }
        Ok(Ok(Err(error))) => CloseReason::ViewerFailed { error: error.to_string() },
        Ok(Ok(Ok(viewer))) => {
            session.done(Step::Viewer);
            session.set_phase(Phase::Active);
            relay(session, viewer, target).await
        }
    }
}

/// Relays until the session is over.
async fn relay(session: &mut Running, viewer: Transport<TcpStream>, target: Target) -> CloseReason {
    let Target { init, transport, facts } = target;
    session.record_event("target.connected", facts);
    session.record(Lane::Target, &init.encode());
    let config = &session.policy().config;
    let mut relay = VncRelay::new(RelaySettings {
        init,
        permissions: session.permissions(),
        clipboard: session.policy().clipboard_limits(),
        keystrokes: session.policy().keystrokes(),
        store_clipboard: config.recording.clipboard,
        recorded: session.is_recorded(),
        limits: Limits::default(),
    });
    session.relay(viewer, transport, &mut relay).await
}

/// Tells the viewer that it is in, and shows it the target's desktop.
async fn welcome(pending: Pending<TcpStream>, target: &Target) -> Result<Transport<TcpStream>, ViewerError> {
    let leg: ViewerLeg<TcpStream> = pending.accept().await?;
    leg.start(&target.init).await
}

/// Turns the viewer away with a sentence, where its protocol version has room for one.
async fn refuse(pending: Pending<TcpStream>, why: &str) {
    if let Ok(Err(error)) = timeout(VIEWER_PATIENCE, pending.refuse(why)).await {
        tracing::debug!(%error, "the viewer left before it was refused");
    }
}
