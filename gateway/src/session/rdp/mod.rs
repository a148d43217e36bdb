//! An RDP connection, from the first byte to the last.

mod target;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use passerelle_auth::{Entry, LoginRefusal, Refusal, Secret, TicketId};
use passerelle_config::Protocol;
use passerelle_desktop::{Farewell, Relay as _};
use passerelle_rdp::target::TargetLeg;
use passerelle_rdp::viewer::{self, Nla, Pending, Proven, RdpRefusal, ViewerError, ViewerLeg};
use passerelle_rdp::{RdpLog, RdpRelay, RelaySettings, Start};
use passerelle_recorder::Lane;
use passerelle_recorder::audit::{AuditEvent, AuditKind, Outcome};
use passerelle_transport::Transport;
use tokio::net::TcpStream;
use tokio::time::timeout;
use zeroize::Zeroizing;

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

/// How long a session that its own viewer takes over may need to end.
const TAKE_OVER: Duration = Duration::from_secs(5);

/// A viewer that has proven its ticket.
struct Entrant {
    viewer: Proven<TcpStream>,
    entry: Entry,
}

/// Serves one viewer.
pub(crate) async fn connection(gateway: Arc<Gateway>, arrival: Arrival) {
    let policy = gateway.policy();
    let Arrival { stream, peer, place, mut handshake } = arrival;
    let entrant = welcome(&gateway, &policy, stream, peer, place, &mut handshake);
    let Some(entrant) = entrant.await else { return };
    handshake.done(Step::Login);
    let Entrant { mut viewer, entry } = entrant;
    // mstsc and others log in, leave to ask their user about the certificate, and come back.
    match timeout(policy.config.limits.handshake.get(), viewer.hello()).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) if error.is_violation() => {
            tracing::info!(%error, "the viewer broke the protocol after its login");
            let event = AuditEvent::new(AuditKind::ViewerRefused)
                .technician(&entry.identity.technician)
                .target(&entry.target)
                .address(peer)
                .outcome(Outcome::Refused)
                .message(error.to_string());
            return gateway.audit.note(event);
        }
        Ok(Err(error)) => return tracing::info!(%error, "the viewer left after its login"),
        Err(_) => return tracing::info!("the viewer did not go on after its login"),
    }
    let security = viewer.facts().security.name();
    match admission::authorize(&gateway, &policy, &entry, Protocol::Rdp, security, peer) {
        Ok((target, grant)) => {
            if let (true, Some(ticket)) = (entry.resumed, &entry.ticket) {
                take_over(&gateway, ticket.id).await;
            }
            let admitted = Admitted {
                entry,
                target,
                grant,
                protocol: "rdp",
                viewer_security: security,
                peer,
                handshake,
            };
            admit(&gateway, policy, admitted, viewer).await;
        }
        Err(_) => refuse(viewer, RdpRefusal::NotAllowed).await,
    }
}

/// Negotiates with the viewer and redeems what it presents. Nothing when it was turned away.
async fn welcome(
    gateway: &Gateway,
    policy: &Policy,
    stream: TcpStream,
    peer: SocketAddr,
    place: Place,
    handshake: &mut Handshake,
) -> Option<Entrant> {
    let limits = &policy.config.limits;
    let negotiation = authenticate(gateway, policy, stream, peer, handshake);
    let authenticated = tokio::select! {
        authenticated = timeout(limits.handshake.get(), negotiation) => authenticated,
        () = place.evicted() => {
            tracing::debug!("gave way to a newer connection");
            return None;
        }
    };
    match authenticated {
        Ok(Ok(entrant)) => entrant,
        Ok(Err(ViewerError::Closed)) => {
            tracing::debug!("the viewer left before its login");
            None
        }
        Ok(Err(error)) => {
            tracing::info!(%error, "the viewer did not get as far as to log in");
            let event = AuditEvent::new(AuditKind::ViewerRefused).address(peer);
            admission::note_stranger(gateway, event, &error);
            None
        }
        Err(_) => {
            tracing::debug!("the viewer did not log in in time");
            None
        }
    }
}

/// What a viewer presents, and what becomes of it. Nothing when it was refused, which is written down here.
async fn authenticate(
    gateway: &Gateway,
    policy: &Policy,
    stream: TcpStream,
    peer: SocketAddr,
    handshake: &mut Handshake,
) -> Result<Option<Entrant>, ViewerError> {
    let Some(settings) = &policy.rdp_viewer else { return Err(ViewerError::Closed) };
    let pending = viewer::negotiate(stream, settings, ambient::wall(), &mut ambient::random).await?;
    handshake.done(Step::Negotiation);
    let logins = policy.logins();
    let tickets = logins.tickets();
    let entry_of = |redeemed: Result<_, Refusal>| {
        redeemed.map_err(LoginRefusal::from).and_then(|redeemed| logins.entry(redeemed))
    };
    let address = peer.ip();
    let (viewer, entry, login) = match pending {
        Pending::Nla(nla) => {
            let login = nla.login().resolve();
            let candidates = match tickets.candidates_for(&login, address, ambient::now()).await {
                Ok(candidates) => candidates,
                Err(refusal) => return turn_away(gateway, nla, refusal, &login, peer).await,
            };
            let secrets: Vec<_> = candidates
                .secrets()
                .iter()
                .map(|secret| Zeroizing::new(secret.expose().to_owned()))
                .collect();
            let Some(matched) = nla.matching(&secrets) else {
                let refusal = tickets.candidate_refused(&candidates, address, ambient::now()).await;
                return turn_away(gateway, nla, refusal, &login, peer).await;
            };
            let index = matched.index();
            let claim = || tickets.redeem_candidate(&candidates, index, address, ambient::now());
            if candidates.is_open(index) {
                let viewer = nla.accept(matched).await?;
                (viewer, entry_of(claim().await), Some(login))
            } else {
                // Known before as used: said while it can still be said as clients expect it.
                match claim().await {
                    Ok(redeemed) => (nla.accept(matched).await?, entry_of(Ok(redeemed)), Some(login)),
                    Err(refusal) => return turn_away(gateway, nla, refusal, &login, peer).await,
                }
            }
        }
        Pending::Reference { reference, proven } => {
            let redeemed = tickets.redeem_reference(&reference, address, ambient::now()).await;
            (proven, entry_of(redeemed), None)
        }
        Pending::Password { login, password, proven } => {
            let login = login.resolve();
            let password = Secret::new(password.to_string());
            let entry = logins.redeem(&login, &password, address, true, ambient::now()).await;
            (proven, entry, Some(login))
        }
    };
    match entry {
        Ok(entry) => Ok(Some(Entrant { viewer, entry })),
        Err(refusal) => {
            let security = viewer.facts().security.name();
            admission::secret_refused(gateway, &refusal, login.as_deref(), security, peer).await;
            refuse(viewer, answer_to(&refusal)).await;
            Ok(None)
        }
    }
}

/// Refuses a secret within Network Level Authentication, so that clients ask for another.
async fn turn_away(
    gateway: &Gateway,
    nla: Nla<TcpStream>,
    refusal: Refusal,
    login: &str,
    peer: SocketAddr,
) -> Result<Option<Entrant>, ViewerError> {
    admission::secret_refused(gateway, &refusal.into(), Some(login), "nla", peer).await;
    nla.refuse().await?;
    Ok(None)
}

/// What the viewer is told when its secret is refused.
fn answer_to(refusal: &LoginRefusal) -> RdpRefusal {
    if refusal.is_failure() { RdpRefusal::Busy } else { RdpRefusal::FreshCredentials }
}

/// Ends the session that was begun with the same ticket moments ago: its viewer has connected anew and goes
/// on here.
async fn take_over(gateway: &Gateway, ticket: TicketId) {
    let sessions = gateway.registry.all();
    let Some(entry) = sessions.iter().find(|entry| entry.facts.ticket == Some(ticket)) else { return };
    tracing::info!(session = %entry.facts.id, "the viewer has connected anew");
    entry.stop(CloseReason::Reconnected);
    let id = entry.facts.id;
    let ended = async {
        while gateway.registry.find(id).is_some() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if timeout(TAKE_OVER, ended).await.is_err() {
        tracing::warn!(session = %id, "the session that is taken over does not end");
    }
}

/// Runs the session of a technician who may have one.
async fn admit(gateway: &Arc<Gateway>, policy: Arc<Policy>, admitted: Admitted, viewer: Proven<TcpStream>) {
    let mut running = match Running::begin(gateway, policy, admitted).await {
        Ok(running) => running,
        Err(refused) => {
            tracing::warn!(why = refused, "the session was refused");
            return refuse(viewer, RdpRefusal::Busy).await;
        }
    };
    let reason = running.contain(|session| run(session, viewer)).await;
    running.end(reason).await;
}

/// Connects to the target, then lets the viewer in, then relays.
async fn run(session: &mut Running, mut viewer: Proven<TcpStream>) -> CloseReason {
    let hello = match viewer.hello().await {
        Ok(hello) => hello.clone(),
        Err(error) => return CloseReason::ViewerFailed { error: error.to_string() },
    };
    let promised = viewer.promised().cloned();
    let connecting = target::connect(session, &hello, promised.as_ref());
    let target = match session.unless_stopped(connecting).await {
        Ok(Ok(target)) => target,
        Ok(Err(refused)) => {
            session.target_refused(&refused);
            refuse(viewer, RdpRefusal::TargetUnavailable).await;
            let error = refused.to_string();
            return if refused.is_violation() {
                CloseReason::TargetViolation { error }
            } else {
                CloseReason::TargetRefused { error }
            };
        }
        Err(reason) => {
            let why = match reason {
                CloseReason::Shutdown => RdpRefusal::ShuttingDown,
                _ => RdpRefusal::Denied,
            };
            refuse(viewer, why).await;
            return reason;
        }
    };
    session.done(Step::Target);
    let answer = promised.is_none().then_some(&target.leg.hello);
    drop(hello);
    let patience = session.policy().config.limits.handshake.get();
    match session.unless_stopped(timeout(patience, viewer.enter(answer))).await {
        Err(reason) => reason,
        Ok(Err(_)) => {
            CloseReason::ViewerFailed { error: "it did not finish the handshake in time".to_owned() }
        }
        Ok(Ok(Err(ViewerError::Closed))) => CloseReason::ViewerClosed,
        Ok(Ok(Err(error))) if error.is_violation() => {
            CloseReason::ViewerViolation { error: error.to_string() }
        }
        Ok(Ok(Err(error))) => CloseReason::ViewerFailed { error: error.to_string() },
        Ok(Ok(Ok(viewer))) => relay(session, viewer, target).await,
    }
}

/// Introduces the two peers to each other and relays until the session is over.
async fn relay(session: &mut Running, viewer: ViewerLeg<TcpStream>, target: Target) -> CloseReason {
    let Target { mut leg, facts, credentials } = target;
    let told = leg.send_client_info(&viewer.client_info, &credentials).await;
    drop(credentials);
    let redacted = match told {
        Ok(redacted) => redacted,
        Err(error) => {
            let (mut viewer, _, mut relay) = introduce(session, viewer, leg, Vec::new());
            if let Some(words) = relay.farewell(Farewell::TargetLost) {
                timeout(VIEWER_PATIENCE, viewer.send(&words)).await.ok();
            }
            return CloseReason::TargetFailed { error: error.to_string() };
        }
    };
    session.record_event("target.connected", facts);
    let (viewer, target, mut relay) = introduce(session, viewer, leg, redacted);
    session.done(Step::Viewer);
    session.set_phase(Phase::Active);
    session.relay(viewer, target, &mut relay).await
}

/// Begins the recording's wire log and the relay. Of what the peers and their secrets needed up to here nothing stays
/// for the length of the session.
fn introduce(
    session: &mut Running,
    viewer: ViewerLeg<TcpStream>,
    target: TargetLeg<TcpStream>,
    redacted: Vec<u8>,
) -> (Transport<TcpStream>, Transport<TcpStream>, RdpRelay) {
    let start = Start::new(&viewer.hello, &viewer.channels, &viewer.client_info);
    session.record(Lane::State, &start.encode());
    session.record_through(Box::new(RdpLog::new(&start)));
    session.record(Lane::Viewer, &redacted);
    let config = &session.policy().config;
    let relay = RdpRelay::new(RelaySettings {
        viewer: viewer.channels,
        target: target.hello.channels,
        permissions: session.permissions(),
        granted: session.granted(),
        clipboard: session.policy().clipboard_limits(),
        keystrokes: session.policy().keystrokes(),
        store_clipboard: config.recording.clipboard,
        recorded: session.is_recorded(),
        blackout: session.may_black_out(),
        auto_reconnect: config.rdp.auto_reconnect,
    });
    (viewer.transport, target.transport, relay)
}

/// Turns the viewer away in its own protocol.
async fn refuse(viewer: Proven<TcpStream>, why: RdpRefusal) {
    if let Ok(Err(error)) = timeout(VIEWER_PATIENCE, viewer.refuse(why)).await {
        tracing::debug!(%error, "the viewer left before it was refused");
    }
}
