//! A connection that has just come: its place among those that are not logged in, its span, and where it comes
//! from.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use passerelle_config::{Config, Network};
use passerelle_recorder::audit::{AuditEvent, AuditKind};
use passerelle_transport::{ProxyHeader, ProxyHeaderError};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::Instrument as _;
use tracing::field::Empty;

use crate::gateway::Gateway;
use crate::metrics::{Handshake, Step};
use crate::preauth::Place;
use crate::{listener, session};

/// What somebody connects to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    Rdp,
    Vnc,
    Https,
    Metrics,
}

impl Door {
    /// The listener's key in the configuration.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Rdp => "rdp",
            Self::Vnc => "vnc",
            Self::Https => "https",
            Self::Metrics => "metrics",
        }
    }

    /// Who has to say where connections come from.
    fn proxies(self, config: &Config) -> &[Network] {
        let proxies = &config.listen.proxy_protocol;
        match self {
            Self::Rdp => &proxies.rdp,
            Self::Vnc => &proxies.vnc,
            Self::Https => &proxies.https,
            Self::Metrics => &[],
        }
    }
}

/// A connection before its first byte.
pub(crate) struct Arrival {
    pub(crate) stream: TcpStream,
    /// Where it comes from; behind a load balancer that is trusted, as that says.
    pub(crate) peer: SocketAddr,
    /// To be left when somebody has logged in.
    pub(crate) place: Place,
    /// How long everything takes.
    pub(crate) handshake: Handshake,
}

/// Has `serve` serve a connection, in a span of its own.
pub(crate) async fn receive<F>(
    gateway: Arc<Gateway>,
    door: Door,
    stream: TcpStream,
    from: SocketAddr,
    serve: impl FnOnce(Arc<Gateway>, Arrival) -> F,
) where
    F: Future<Output = ()>,
{
    static CONNECTIONS: AtomicU64 = AtomicU64::new(1);
    // Listeners for both protocols give addresses of IPv4 in the form of IPv6.
    let from = if from.ip().to_canonical() == from.ip() {
        from
    } else {
        SocketAddr::new(from.ip().to_canonical(), from.port())
    };
    let proxied =
        door.proxies(&gateway.policy().config).iter().any(|network| network.get().contains(&from.ip()));
    let connection = CONNECTIONS.fetch_add(1, Relaxed);
    let span = tracing::info_span!(
        "connection",
        connection,
        protocol = door.name(),
        peer = Empty,
        proxy = Empty,
        session = Empty
    );
    span.record(if proxied { "proxy" } else { "peer" }, tracing::field::display(from));
    async {
        let (place, handshake) = (gateway.room.enter(), gateway.metrics.connection(door.name()));
        if let Err(error) = listener::tune(&stream) {
            return tracing::debug!(%error, "the connection is gone");
        }
        let arrival = Arrival { stream, peer: from, place, handshake };
        let arrival = if proxied { introduce(&gateway, door, arrival).await } else { Some(arrival) };
        if let Some(arrival) = arrival {
            serve(gateway, arrival).await;
        }
    }
    .instrument(span)
    .await;
}

/// Lets a load balancer say where the connection comes from. Nothing when it does not.
async fn introduce(gateway: &Gateway, door: Door, mut arrival: Arrival) -> Option<Arrival> {
    let limit = gateway.policy().config.limits.handshake.get();
    let header = tokio::select! {
        header = timeout(limit, ProxyHeader::receive(&mut arrival.stream)) => header,
        () = arrival.place.evicted() => {
            tracing::debug!("gave way to a newer connection");
            return None;
        }
    };
    let refused = match header {
        Ok(Ok(source)) => {
            arrival.handshake.done(Step::ProxyHeader);
            arrival.peer = source.unwrap_or(arrival.peer);
            tracing::Span::current().record("peer", tracing::field::display(arrival.peer));
            return Some(arrival);
        }
        // As load balancers do to see whether the gateway lives.
        Ok(Err(ProxyHeaderError::Closed)) => {
            tracing::debug!("a trusted proxy connected and left");
            return None;
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("there was no whole PROXY header within {} s", limit.as_secs()),
    };
    tracing::warn!(error = refused, "a trusted proxy did not say where the connection comes from");
    let event =
        AuditEvent::new(AuditKind::ProxyRefused).address(arrival.peer).detail("listener", door.name());
    session::note_stranger(gateway, event, &refused);
    None
}
