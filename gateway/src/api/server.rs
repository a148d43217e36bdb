//! Speaking HTTP on a connection, whichever way it came.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;
use tracing::{Instrument as _, Span};

use crate::arrival::Arrival;
use crate::gateway::Gateway;
use crate::preauth::Place;

/// How long a client may take for the head of a request, and how long a connection may be idle.
const HEAD: Duration = Duration::from_secs(30);

/// The largest head of a request, in bytes.
const HEAD_SIZE: usize = 16 * 1024;

/// The most header fields of a request.
const FIELDS: usize = 64;

/// Requests at a time on one HTTP/2 connection.
const STREAMS: u32 = 64;

/// How long the requests of a connection may take to end when the gateway stops.
const GOODBYE: Duration = Duration::from_secs(5);

/// Who is at the other end, before any credentials.
#[derive(Clone, Debug)]
pub(crate) enum Peer {
    /// A process of the gateway's user or of root, on the control socket.
    Owner(String),
    /// Anybody.
    Network {
        /// Where from.
        address: IpAddr,
        /// The place in the waiting room, until somebody has logged in on the connection.
        place: Arc<Mutex<Option<Place>>>,
    },
}

impl Peer {
    /// Anybody, with a place in the waiting room.
    pub(crate) fn network(address: IpAddr, place: Option<Place>) -> Self {
        Self::Network { address, place: Arc::new(Mutex::new(place)) }
    }

    /// Somebody has logged in: the connection need not give way to others any more.
    pub(super) fn is_known(&self) {
        if let Self::Network { place, .. } = self {
            place.lock().unwrap_or_else(PoisonError::into_inner).take();
        }
    }

    /// The same connection, on which somebody calls from this address.
    pub(super) fn calling_from(&self, address: IpAddr) -> Self {
        match self {
            Self::Owner(name) => Self::Owner(name.clone()),
            Self::Network { place, .. } => Self::Network { address, place: place.clone() },
        }
    }

    /// Where the connection comes from, if it comes over a network.
    pub(super) fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Owner(_) => None,
            Self::Network { address, .. } => Some(*address),
        }
    }
}

/// Serves one router on any number of connections.
#[derive(Clone)]
pub(crate) struct Server {
    router: Router,
    closed: CancellationToken,
}

impl Server {
    /// A server that ends its connections when `closed`.
    pub(crate) fn new(router: Router, closed: CancellationToken) -> Self {
        Self { router, closed }
    }

    /// Serves a connection over TLS with the gateway's certificate.
    pub(crate) async fn https(self, gateway: Arc<Gateway>, arrival: Arrival) {
        let Arrival { stream, peer, place, .. } = arrival;
        let evicted = place.eviction();
        let policy = gateway.policy();
        let Some(tls) = policy.https.clone() else { return };
        let handshake = timeout(policy.config.limits.handshake.get(), TlsAcceptor::from(tls).accept(stream));
        // A connection may outlive many reloads; its policy must not.
        drop(policy);
        match evicted.run_until_cancelled(handshake).await {
            Some(Ok(Ok(stream))) => self.speak(stream, Peer::network(peer.ip(), Some(place)), evicted).await,
            Some(Ok(Err(error))) => tracing::debug!(%error, "no TLS with an API client"),
            Some(Err(_)) | None => tracing::debug!("an API client did not finish TLS in time"),
        }
    }

    /// Serves a connection in clear text.
    pub(crate) async fn http(self, arrival: Arrival) {
        let Arrival { stream, peer, place, .. } = arrival;
        let evicted = place.eviction();
        self.speak(stream, Peer::network(peer.ip(), Some(place)), evicted).await;
    }

    /// Serves what travels on `stream` until it ends, is `evicted`, or the server is closed.
    pub(crate) async fn speak(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        peer: Peer,
        evicted: CancellationToken,
    ) {
        let (router, span) = (self.router, Span::current());
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer.clone()));
            // Streams of HTTP/2 are tasks of their own, which begin without a span.
            router.clone().oneshot(request.map(Body::new)).instrument(span.clone())
        });
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_buf_size(HEAD_SIZE)
            .max_headers(FIELDS);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(HEAD)
            .keep_alive_timeout(HEAD)
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(HEAD_SIZE as u32);
        let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = evicted.cancelled() => return tracing::debug!("an API connection gave way to a newer one"),
            () = self.closed.cancelled() => {
                connection.as_mut().graceful_shutdown();
                timeout(GOODBYE, connection).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "an API connection broke");
        }
    }
}
