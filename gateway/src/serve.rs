//! `passerelle serve`: from the configuration to the last sealed session.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use passerelle_config::{Config, ConfigErrors, ListenAddresses};
use passerelle_recorder::audit::{AuditError, AuditEvent, AuditKind, Outcome};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::Server;
use crate::arrival::{self, Arrival, Door};
use crate::fragments::Watch;
use crate::gateway::{Gateway, OpenError};
use crate::lifecycle::{Order, Signals};
use crate::logging::{Logging, TelemetryError};
use crate::session::{self, CloseReason};
use crate::{
    anchor, api, control, index, keeping, listener, store, syslog, targets, viewings, views, webhooks,
};

/// How long sealing may take after the last session was told to end.
const SEALING: Duration = Duration::from_secs(10);

/// Why `serve` does not serve.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    #[error("{0}")]
    Config(#[from] ConfigErrors),
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("listen.{key}: {address} cannot be listened on: {source}")]
    Listen { key: &'static str, address: SocketAddr, source: io::Error },
    #[error("control: {} cannot be opened: {source}", path.display())]
    Control { path: PathBuf, source: io::Error },
    #[error("signals cannot be received: {0}")]
    Signals(io::Error),
    #[error(transparent)]
    Audit(#[from] AuditError),
}

/// Serves with the configuration at `path` until a signal says stop.
pub(crate) async fn serve(path: &Path) -> Result<(), ServeError> {
    let loaded = Config::load(path)?;
    let logging = Logging::start(&loaded.config)?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let mut signals = Signals::take().map_err(ServeError::Signals)?;
    let mut fragments = Watch::new(&loaded.config, loaded.fragments);
    let running = Running::start(loaded.config).await?;
    loop {
        let cause = tokio::select! {
            order = signals.next() => match order {
                Order::Reload => "signal",
                Order::Stop => break,
            },
            () = fragments.changed() => "targets_dir",
        };
        if let Some(files) = running.gateway.reload(path, cause).await {
            fragments.follow(&running.gateway.policy().config, files);
        }
    }
    let stopped = running.stop(&mut signals).await;
    logging.finish().await;
    stopped
}

/// A gateway that serves.
pub(crate) struct Running {
    pub(crate) gateway: Arc<Gateway>,
    /// Where VNC viewers are accepted.
    pub(crate) vnc: Vec<SocketAddr>,
    socket: PathBuf,
    connections: TaskTracker,
    helpers: TaskTracker,
    /// No more connections are accepted.
    closing: CancellationToken,
    /// No more orders are taken.
    closed: CancellationToken,
}

impl Running {
    /// Opens the gateway and its listeners.
    pub(crate) async fn start(config: Config) -> Result<Self, ServeError> {
        let listen = config.listen.clone();
        let socket = config.control_socket();
        let gateway = Gateway::open(config).await?;
        let control = control::bind(&socket)
            .await
            .map_err(|source| ServeError::Control { path: socket.clone(), source })?;
        // Last, so that a port that answers means a gateway that takes orders.
        let vnc = bind("vnc", listen.vnc.as_ref())?;
        let rdp = bind("rdp", listen.rdp.as_ref())?;
        let https = bind("https", listen.https.as_ref())?;
        let metrics = bind("metrics", listen.metrics.as_ref())?;
        let started = AuditEvent::new(AuditKind::GatewayStarted)
            .outcome(Outcome::Success)
            .detail("version", env!("CARGO_PKG_VERSION"));
        gateway.audit.append(started).await?;

        let running = Self {
            vnc: addresses(&vnc),
            gateway,
            socket,
            connections: TaskTracker::new(),
            helpers: TaskTracker::new(),
            closing: CancellationToken::new(),
            closed: CancellationToken::new(),
        };
        for listener in vnc {
            running.accept(listener, Door::Vnc, session::vnc::connection);
        }
        for listener in rdp {
            running.accept(listener, Door::Rdp, session::rdp::connection);
        }
        let api = Server::new(api::router(running.gateway.clone()), running.closed.clone());
        running.helpers.spawn(control::serve(api.clone(), control, running.closed.clone()));
        for listener in https {
            let server = api.clone();
            running.accept(listener, Door::Https, move |gateway, arrival| {
                server.clone().https(gateway, arrival)
            });
        }
        let server = Server::new(api::metrics_router(running.gateway.clone()), running.closed.clone());
        for listener in metrics {
            let server = server.clone();
            running.accept(listener, Door::Metrics, move |_, arrival| server.clone().http(arrival));
        }
        let targets = targets::follow(running.gateway.clone());
        running.helpers.spawn(running.closed.clone().run_until_cancelled_owned(targets));
        let health = store::watch(running.gateway.clone());
        running.helpers.spawn(running.closed.clone().run_until_cancelled_owned(health));
        running.helpers.spawn(webhooks::follow(running.gateway.clone(), running.closed.clone()));
        let indexed = index::follow(running.gateway.clone());
        running.helpers.spawn(running.closed.clone().run_until_cancelled_owned(indexed));
        let viewed = viewings::follow(running.gateway.clone());
        running.helpers.spawn(running.closed.clone().run_until_cancelled_owned(viewed));
        running.helpers.spawn(keeping::keep(running.gateway.clone(), running.closed.clone()));
        let evicting = views::follow(running.gateway.clone());
        running.helpers.spawn(running.closed.clone().run_until_cancelled_owned(evicting));
        running.helpers.spawn(syslog::follow(running.gateway.clone(), running.closed.clone()));
        running.helpers.spawn(anchor::follow(running.gateway.clone(), running.closed.clone()));
        running.helpers.spawn(keeping::upload(running.gateway.clone(), running.closed.clone()));
        let leases = session::keep_leases(running.gateway.clone());
        running.helpers.spawn(running.closed.clone().run_until_cancelled_owned(leases));
        Ok(running)
    }

    /// Hands what connects to `listener` to `connection`: viewers until no more sessions may begin, others also
    /// while sessions end, for then is when people look.
    fn accept<F>(
        &self,
        listener: TcpListener,
        door: Door,
        connection: impl Fn(Arc<Gateway>, Arrival) -> F + Clone + Send + Sync + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let (tasks, stop, what) = match door {
            Door::Vnc => (&self.connections, &self.closing, "VNC viewers"),
            Door::Rdp => (&self.connections, &self.closing, "RDP viewers"),
            Door::Https => (&self.helpers, &self.closed, "the API"),
            Door::Metrics => (&self.helpers, &self.closed, "metrics"),
        };
        if let Ok(address) = listener.local_addr() {
            tracing::info!(%address, "listening for {what}");
        }
        let gateway = self.gateway.clone();
        let handle =
            move |stream, peer| arrival::receive(gateway.clone(), door, stream, peer, connection.clone());
        self.helpers.spawn(listener::serve(listener, tasks.clone(), stop.clone(), handle));
    }

    /// Says at once that the gateway is not ready. After `limits.drain_delay` it accepts no more and lets
    /// sessions go on until `limits.drain`, then ends and seals them. A second signal takes the place of any wait.
    ///
    /// # Errors
    /// The end could not be written to the audit log.
    pub(crate) async fn stop(self, signals: &mut Signals) -> Result<(), ServeError> {
        self.gateway.stopping.cancel();
        let limits = self.gateway.policy().config.limits.clone();
        let (delay, drain) = (limits.drain_delay.get(), limits.drain.get());
        let mut at_once = false;
        if !delay.is_zero() {
            tracing::info!(
                delay_seconds = delay.as_secs(),
                "stopping: not ready any more, connections are still accepted"
            );
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = stop_ordered(signals) => at_once = true,
            }
        }
        self.closing.cancel();
        self.connections.close();
        let sessions = self.gateway.registry.all().len();
        tracing::info!(
            sessions,
            drain_seconds = drain.as_secs(),
            "stopping: no more connections are accepted"
        );
        self.gateway.room.evict_all();
        tokio::select! {
            () = self.connections.wait() => {}
            () = tokio::time::sleep(drain), if !at_once => tracing::info!("the time to drain is over"),
            () = async { if !at_once { stop_ordered(signals).await } } => tracing::info!("told to stop at once"),
        }
        self.gateway.stop_all(&CloseReason::Shutdown);
        if tokio::time::timeout(SEALING, self.connections.wait()).await.is_err() {
            tracing::error!("some sessions could not be sealed in time; the next start closes them");
        }
        self.gateway.views.stop();
        self.closed.cancel();
        self.helpers.close();
        self.helpers.wait().await;
        std::fs::remove_file(&self.socket).ok();
        self.gateway.tell_viewed();
        self.gateway
            .audit
            .append(AuditEvent::new(AuditKind::GatewayStopped).outcome(Outcome::Success))
            .await?;
        self.gateway.audit.close().await?;
        tracing::info!("stopped");
        Ok(())
    }
}

/// Resolves when a signal says stop.
async fn stop_ordered(signals: &mut Signals) {
    while signals.next().await != Order::Stop {}
}

/// Listens on each of the addresses, if there are any.
fn bind(key: &'static str, addresses: Option<&ListenAddresses>) -> Result<Vec<TcpListener>, ServeError> {
    let addresses = addresses.into_iter().flat_map(|addresses| &addresses.0).copied();
    addresses
        .map(|address| listener::bind(address).map_err(|source| ServeError::Listen { key, address, source }))
        .collect()
}

fn addresses(listeners: &[TcpListener]) -> Vec<SocketAddr> {
    listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
}
