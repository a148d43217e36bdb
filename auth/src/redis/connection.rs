//! The way to Redis, which is made again when it breaks.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr};
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, IntoConnectionInfo, ProtocolVersion, PushInfo,
    PushKind, RedisConnectionInfo, RedisError, RedisResult, ScriptInvocation, ServerErrorKind,
    TlsCertificates, TlsMode, Value,
};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::events;
use super::scripts::PREFIX;
use super::settings::{RedisHost, RedisServers, RedisSettings};
use crate::store::EventSender;
use crate::{StoreError, StoreEvent};

/// How long one command may take.
const ANSWER: Duration = Duration::from_secs(2);

/// How long making a connection may take, all of its steps together.
const CONNECT: Duration = Duration::from_secs(5);

/// How long a call waits for a connection that is being made.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long replicas may take to confirm a change.
const CONFIRMED: Duration = Duration::from_secs(1);

/// The first and the longest pause between attempts to connect.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// What a change must survive once the call has returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Durability {
    /// The loss of the server, as far as the settings ask for replicas.
    Full,
    /// Nothing.
    Relaxed,
}

/// Redis does not work with these settings.
#[derive(Debug, thiserror::Error)]
#[error("the settings for {servers} cannot be used: {detail}")]
pub struct RedisSettingsError {
    servers: RedisServers,
    detail: String,
}

/// A way to Redis. A task makes it and makes it again; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Connection {
    state: watch::Receiver<State>,
    signals: Arc<Signals>,
    servers: RedisServers,
    replicas: u32,
    task: JoinHandle<()>,
}

/// What is heard of a connection.
#[derive(Debug, Default)]
struct Signals {
    /// It is of no more use.
    broken: Notify,
    /// It may be, or an earlier one was.
    suspect: Notify,
}

#[derive(Clone)]
enum State {
    Connecting,
    /// Later connections have higher numbers.
    Up(Link, u64),
    /// Why, and it is being tried again.
    Down(String),
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Connecting => f.write_str("Connecting"),
            Self::Up(_, number) => f.debug_tuple("Up").field(number).finish(),
            Self::Down(why) => f.debug_tuple("Down").field(why).finish(),
        }
    }
}

impl Connection {
    pub(super) fn start(settings: &RedisSettings, events: EventSender) -> Result<Self, RedisSettingsError> {
        let signals = Arc::new(Signals::default());
        let failed = |error: RedisError| RedisSettingsError {
            servers: settings.servers.clone(),
            detail: error.to_string(),
        };
        let dialler = Dialler::new(settings, &events, &signals).map_err(failed)?;
        let (sender, state) = watch::channel(State::Connecting);
        let task = tokio::spawn(keep(dialler, sender, signals.clone(), events));
        let (servers, replicas) = (settings.servers.clone(), settings.replicas);
        Ok(Self { state, signals, servers, replicas, task })
    }

    /// Runs a script. The answer may be lost with the connection, after the script has run.
    pub(super) async fn run(
        &self,
        durability: Durability,
        invocation: &ScriptInvocation<'_>,
    ) -> Result<Value, StoreError> {
        let (mut link, number) = self.link().await?;
        let answer = async {
            let answer = link.invoke(invocation).await?;
            let missing = match durability {
                Durability::Full if self.replicas > 0 => {
                    self.replicas.checked_sub(link.wait(self.replicas).await?)
                }
                Durability::Full | Durability::Relaxed => None,
            };
            Ok((answer, missing.unwrap_or(0)))
        };
        let outcome: RedisResult<_> = answer.await;
        match outcome {
            Ok((answer, 0)) => Ok(answer),
            Ok((_, missing)) => Err(self.unavailable(&format!(
                "{missing} of {} replicas did not confirm a change in time; it may be lost if the server fails",
                self.replicas
            ))),
            Err(error) => {
                if is_broken(&error) && matches!(&*self.state.borrow(), State::Up(_, now) if *now == number) {
                    self.signals.broken.notify_one();
                }
                Err(self.unavailable(&explain(&error)))
            }
        }
    }

    async fn link(&self) -> Result<(Link, u64), StoreError> {
        let mut state = self.state.clone();
        let settled = state.wait_for(|state| !matches!(state, State::Connecting));
        match tokio::time::timeout(PATIENCE, settled).await {
            Ok(Ok(state)) => match &*state {
                State::Up(link, number) => Ok((link.clone(), *number)),
                State::Down(why) => Err(self.unavailable(why)),
                State::Connecting => Err(self.unavailable("it is being connected to")),
            },
            Ok(Err(_)) => Err(self.unavailable("it is being closed")),
            Err(_) => Err(self.unavailable("it does not answer")),
        }
    }

    pub(super) fn unavailable(&self, why: &str) -> StoreError {
        StoreError::Unavailable { detail: format!("{}: {why}", self.servers) }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Keeps a connection until aborted.
async fn keep(mut dialler: Dialler, state: watch::Sender<State>, signals: Arc<Signals>, events: EventSender) {
    let (first, longest) = PAUSES;
    let mut pause = first;
    for number in 0.. {
        let dialled = tokio::time::timeout(CONNECT, dialler.dial()).await;
        match dialled.unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into())) {
            Ok(link) => {
                // What was heard of an earlier connection says nothing about this one.
                tokio::time::timeout(Duration::ZERO, signals.broken.notified()).await.ok();
                state.send_replace(State::Up(link.clone(), number));
                if number > 0 {
                    events.send(StoreEvent::Missed);
                }
                pause = first;
                until_broken(link, &signals).await;
                state.send_replace(State::Connecting);
            }
            Err(error) => {
                state.send_replace(State::Down(explain(&error)));
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(longest);
            }
        }
    }
}

/// Waits until a connection is of no more use.
async fn until_broken(mut link: Link, signals: &Signals) {
    loop {
        tokio::select! {
            () = signals.broken.notified() => return,
            () = signals.suspect.notified() => if link.probe().await.is_err() {
                return;
            }
        }
    }
}

/// Whether a connection is of no more use after this.
fn is_broken(error: &RedisError) -> bool {
    error.is_unrecoverable_error()
        || error.is_connection_dropped()
        || error.is_io_error()
        || error.is_timeout()
        // The server has become a replica: Sentinel knows of another.
        || error.kind() == ServerErrorKind::ReadOnly.into()
}

fn explain(error: &RedisError) -> String {
    if error.is_timeout() {
        return "it did not answer in time".to_owned();
    }
    match error.code() {
        Some("OOM") => "it has reached its `maxmemory`: give it more".to_owned(),
        Some("WRONGPASS" | "NOAUTH") => "it refuses the user name or the password".to_owned(),
        _ => error.to_string(),
    }
}

/// A connection to whatever the settings name.
#[derive(Clone)]
enum Link {
    Direct(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Link {
    async fn invoke(&mut self, invocation: &ScriptInvocation<'_>) -> RedisResult<Value> {
        match self {
            Self::Direct(connection) => invocation.invoke_async(connection).await,
            Self::Cluster(connection) => invocation.invoke_async(connection).await,
        }
    }

    /// Waits until this many replicas have what was changed, and tells how many have.
    async fn wait(&mut self, replicas: u32) -> RedisResult<u32> {
        let mut wait = Cmd::new();
        wait.arg("WAIT").arg(replicas).arg(u64::try_from(CONFIRMED.as_millis()).unwrap_or(u64::MAX));
        match self {
            Self::Direct(connection) => wait.query_async(connection).await,
            Self::Cluster(connection) => {
                let route = Route::with_key(PREFIX, SlotAddr::Master);
                let routing = RoutingInfo::SingleNode(SingleNodeRoutingInfo::SpecificNode(route));
                Ok(redis::from_redis_value(connection.route_command(wait, routing).await?)?)
            }
        }
    }

    /// Whether the server answers.
    async fn probe(&mut self) -> RedisResult<()> {
        let mut probe = Cmd::new();
        probe.arg("EXISTS").arg(PREFIX);
        match self {
            Self::Direct(connection) => probe.exec_async(connection).await,
            Self::Cluster(connection) => probe.exec_async(connection).await,
        }
    }

    async fn subscribe(&mut self) -> RedisResult<()> {
        let channel = events::channel();
        match self {
            Self::Direct(connection) => connection.subscribe(channel).await,
            Self::Cluster(connection) => connection.subscribe(channel).await,
        }
    }
}

/// What makes connections.
enum Dialler {
    Single(Client, AsyncConnectionConfig),
    Sentinel(SentinelClient, AsyncConnectionConfig),
    Cluster(ClusterClient),
}

impl Dialler {
    fn new(settings: &RedisSettings, events: &EventSender, signals: &Arc<Signals>) -> RedisResult<Self> {
        let certificates = settings
            .tls
            .as_ref()
            .map(|tls| TlsCertificates { client_tls: None, root_cert: tls.authorities.clone() });
        let secure = settings.tls.is_some();
        let address = |RedisHost { host, port }: &RedisHost| {
            let (host, port) = (host.clone(), *port);
            if secure {
                ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
            } else {
                ConnectionAddr::Tcp(host, port)
            }
        };
        let password = settings.password.as_ref().map(|password| password.expose());
        let push = push(events.clone(), signals.clone());
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(ANSWER))
            .set_response_timeout(Some(ANSWER))
            .set_push_sender(push.clone());
        match &settings.servers {
            RedisServers::Single(host) => {
                let mut login = RedisConnectionInfo::default()
                    .set_protocol(ProtocolVersion::RESP3)
                    .set_db(settings.database.into());
                if let Some(username) = &settings.username {
                    login = login.set_username(username);
                }
                if let Some(password) = password {
                    login = login.set_password(password);
                }
                let info = address(host).into_connection_info()?.set_redis_settings(login);
                let client = match certificates {
                    Some(certificates) => Client::build_with_tls(info, certificates)?,
                    None => Client::open(info)?,
                };
                Ok(Self::Single(client, config))
            }
            RedisServers::Sentinel { sentinels, service } => {
                let addresses = sentinels.iter().map(address);
                let mut builder = SentinelClientBuilder::new(addresses, service, SentinelServerType::Master)?
                    .set_client_to_redis_protocol(ProtocolVersion::RESP3)
                    .set_client_to_redis_db(settings.database.into());
                if let Some(username) = &settings.username {
                    builder = builder.set_client_to_redis_username(username);
                }
                if let Some(password) = password {
                    builder = builder.set_client_to_redis_password(password);
                }
                if let Some(certificates) = certificates {
                    builder = builder
                        .set_client_to_redis_tls_mode(TlsMode::Secure)
                        .set_client_to_redis_certificates(certificates.clone())
                        .set_client_to_sentinel_tls_mode(TlsMode::Secure)
                        .set_client_to_sentinel_certificates(certificates);
                }
                Ok(Self::Sentinel(builder.build()?, config))
            }
            RedisServers::Cluster(nodes) => {
                let addresses: Vec<_> = nodes
                    .iter()
                    .map(|node| address(node).into_connection_info())
                    .collect::<Result<_, _>>()?;
                let mut builder = ClusterClientBuilder::new(addresses)
                    .use_protocol(ProtocolVersion::RESP3)
                    .connection_timeout(ANSWER)
                    .response_timeout(ANSWER)
                    .overall_response_timeout(Some(CONNECT))
                    .retries(3)
                    .push_sender(push);
                if let Some(username) = &settings.username {
                    builder = builder.username(username);
                }
                if let Some(password) = password {
                    builder = builder.password(password);
                }
                if let Some(certificates) = certificates {
                    builder = builder.tls(TlsMode::Secure).certs(certificates);
                }
                Ok(Self::Cluster(builder.build()?))
            }
        }
    }

    async fn dial(&mut self) -> RedisResult<Link> {
        let mut link = match self {
            Self::Single(client, config) => {
                Link::Direct(client.get_multiplexed_async_connection_with_config(config).await?)
            }
            Self::Sentinel(client, config) => {
                Link::Direct(client.get_async_connection_with_config(config).await?)
            }
            Self::Cluster(client) => Link::Cluster(client.get_async_connection().await?),
        };
        match link.subscribe().await {
            // Who may not subscribe learns of everything a little later.
            Err(error) if error.kind() != ServerErrorKind::NoPerm.into() => Err(error),
            _ => Ok(link),
        }
    }
}

/// What takes the messages that Redis sends by itself.
fn push(
    events: EventSender,
    signals: Arc<Signals>,
) -> impl Fn(PushInfo) -> Result<(), std::convert::Infallible> + Clone + Send + Sync + 'static {
    move |info| {
        match info.kind {
            PushKind::Message => {
                if let Some(event) = info.data.get(1).and_then(events::read) {
                    events.send(event);
                }
            }
            PushKind::Disconnection => signals.suspect.notify_one(),
            _ => {}
        }
        Ok(())
    }
}
