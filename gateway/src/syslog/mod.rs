//! Events of the audit log as messages to a syslog server.
//!
//! The log itself is the queue, as it is for webhooks. The protocol has no acknowledgements: what was written is
//! taken for received when the connection has held for a while since, and after a connection that broke everything
//! later is sent again. So nothing is missing at the receiver, and what it has twice has the same `seq`.

mod connection;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use passerelle_config::{Config, Syslog as Settings};
use passerelle_recorder::audit::export::{Facility, Syslog, framed};
use passerelle_recorder::audit::{AuditEvent, AuditKind, Cursor, Outcome, checkpoint_file, read_checkpoint};
use rustls::RootCertStore;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::CancellationToken;

use self::connection::Connection;
use crate::ambient;
use crate::gateway::{Gateway, data};
use crate::positions::Positions;
use crate::webhooks::pause;

/// So many events are in memory at most.
const TOGETHER: usize = 64;
/// What was written before the last but one such moment has been received: a machine that does not acknowledge bytes
/// is given up sooner.
const SETTLED: Duration = Duration::from_secs(15);
/// How long the gateway waits for the server when it stops.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Why a connection is over.
enum Over {
    /// The gateway stops.
    Stopped,
    /// The server is gone, or its connection.
    Broken(String),
}

impl From<io::Error> for Over {
    fn from(error: io::Error) -> Self {
        Self::Broken(error.to_string())
    }
}

/// Sends events to the syslog server of the configuration until `stop`, if there is one.
pub(crate) async fn follow(gateway: Arc<Gateway>, stop: CancellationToken) {
    let policy = gateway.policy();
    let Some(settings) = policy.config.audit.syslog.clone() else { return };
    let roots = policy.syslog_roots(&settings);
    Export::new(gateway, settings, roots, &policy.config).run(&stop).await;
}

struct Export {
    gateway: Arc<Gateway>,
    settings: Settings,
    roots: Arc<RootCertStore>,
    format: Syslog,
    directory: PathBuf,
    positions: Positions,
    written: watch::Receiver<u64>,
    /// The last line that the server has.
    settled: u64,
    /// Moments at which checkpoints are sent.
    anchors: Option<Interval>,
    /// The last checkpoint that was sent.
    anchored: String,
}

impl Export {
    fn new(gateway: Arc<Gateway>, settings: Settings, roots: Arc<RootCertStore>, config: &Config) -> Self {
        let facility = settings.facility.name().parse().unwrap_or(Facility::AUTHPRIV);
        let positions = Positions::load(&config.data_dir.join(data::SYSLOG));
        let written = gateway.audit.written();
        let now = *written.borrow();
        let settled = match positions.of(&settings.address.to_string()) {
            None => now,
            // The log was begun anew.
            Some(kept) if kept > now => 0,
            Some(kept) => kept,
        };
        let anchor = config.audit.anchor.as_ref().filter(|anchor| anchor.syslog);
        Self {
            format: Syslog::new(facility, &gateway.node),
            directory: config.data_dir.join(data::AUDIT),
            anchors: anchor.map(|anchor| every(anchor.every.get())),
            anchored: String::new(),
            gateway,
            settings,
            roots,
            positions,
            written,
            settled,
        }
    }

    async fn run(mut self, stop: &CancellationToken) {
        let server = self.settings.address.to_string();
        self.positions.retain(|name| name == server);
        self.keep();
        let mut failures = 0_u32;
        loop {
            let connected = stop.run_until_cancelled(Connection::open(&self.settings, &self.roots)).await;
            let why = match connected {
                None => return,
                Some(Err(why)) => why,
                Some(Ok(connection)) => {
                    if failures > 0 {
                        tracing::info!(server, "events are sent to the syslog server again");
                        self.note(AuditKind::SyslogRecovered, Outcome::Success, &server);
                    }
                    failures = 0;
                    match self.serve(connection, stop).await {
                        Over::Stopped => return self.keep(),
                        Over::Broken(why) => why,
                    }
                }
            };
            self.keep();
            self.gateway.metrics.syslog("failed", 1);
            failures = failures.saturating_add(1);
            // A server that is restarted is back before the second attempt.
            if failures == 2 {
                tracing::warn!(server, why, "events are not sent to the syslog server");
                self.note(AuditKind::SyslogUnavailable, Outcome::Failed, &why);
            }
            let mut chance = [0; 2];
            ambient::random(&mut chance);
            let wait = sleep(pause(failures, None, u16::from_ne_bytes(chance)));
            if stop.run_until_cancelled(wait).await.is_none() {
                return;
            }
        }
    }

    /// Sends over one connection until it is over.
    async fn serve(&mut self, mut connection: Connection, stop: &CancellationToken) -> Over {
        let mut cursor = Some(Cursor::behind(&self.directory, self.settled));
        // What was written at the last moment, to be settled at the next.
        let mut waiting = self.settled;
        let mut moments = every(SETTLED);
        moments.tick().await;
        self.written.mark_changed();
        loop {
            tokio::select! {
                () = stop.cancelled() => return self.finish(connection, cursor).await,
                error = connection.ended() => return error.into(),
                _ = moments.tick() => {
                    self.settled = waiting;
                    waiting = cursor.as_ref().map_or(waiting, Cursor::at);
                    self.keep();
                }
                () = tick(&mut self.anchors) => {
                    if let Err(error) = self.anchor(&mut connection).await {
                        return error.into();
                    }
                }
                changed = self.written.changed() => {
                    if changed.is_err() {
                        return self.finish(connection, cursor).await;
                    }
                    if let Err(over) = self.send_all(&mut connection, &mut cursor, stop).await {
                        return over;
                    }
                }
            }
        }
    }

    /// Sends what is in the log, or as much as there is time for until `stop`.
    async fn send_all(
        &mut self,
        connection: &mut Connection,
        cursor: &mut Option<Cursor>,
        stop: &CancellationToken,
    ) -> Result<(), Over> {
        while !stop.is_cancelled() {
            let until = *self.written.borrow_and_update();
            let mut reading = cursor.take().unwrap_or_else(|| Cursor::behind(&self.directory, self.settled));
            let read = tokio::task::spawn_blocking(move || {
                let lines = reading.read(until, TOGETHER);
                (reading, lines)
            });
            let (reading, lines) = read.await.map_err(|error| Over::Broken(error.to_string()))?;
            let lines =
                lines.map_err(|error| Over::Broken(format!("the audit log cannot be read: {error}")))?;
            let wanted: Vec<_> =
                lines.iter().filter(|line| self.settings.wants(line.event.kind.name())).collect();
            let frames: Vec<u8> = wanted.iter().flat_map(|line| framed(&self.format.event(line))).collect();
            if !frames.is_empty() {
                connection.send(&frames).await?;
                self.gateway.metrics.syslog("sent", wanted.len() as u64);
            }
            *cursor = Some(reading);
            if lines.len() < TOGETHER {
                break;
            }
        }
        Ok(())
    }

    /// Sends the last checkpoint, if it is a new one.
    async fn anchor(&mut self, connection: &mut Connection) -> io::Result<()> {
        let (file, signer) = (checkpoint_file(&self.directory), self.gateway.signer);
        let read = tokio::task::spawn_blocking(move || read_checkpoint(&file, &signer)).await;
        // There is none at first.
        let Ok(Ok((note, head))) = read else { return Ok(()) };
        if note != self.anchored {
            let message = self.format.checkpoint(&ambient::now().to_string(), head.size, &note);
            connection.send(&framed(&message)).await?;
            self.anchored = note;
        }
        Ok(())
    }

    /// Sends what sessions said at their end, and settles all of it if the server confirms that it read it.
    async fn finish(&mut self, mut connection: Connection, mut cursor: Option<Cursor>) -> Over {
        let never = CancellationToken::new();
        let sent = timeout(LAST_WORDS, self.send_all(&mut connection, &mut cursor, &never)).await;
        if matches!(sent, Ok(Ok(())))
            && connection.close(LAST_WORDS).await
            && let Some(cursor) = cursor
        {
            self.settled = cursor.at();
        }
        Over::Stopped
    }

    /// Keeps how far the server has come.
    fn keep(&self) {
        self.positions.set(&self.settings.address.to_string(), self.settled);
    }

    fn note(&self, kind: AuditKind, outcome: Outcome, message: &str) {
        let event = AuditEvent::new(kind).outcome(outcome).message(message);
        self.gateway.audit.note(event.detail("server", self.settings.address.to_string()));
    }
}

fn every(period: Duration) -> Interval {
    let mut interval = interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// The next moment, if there is one.
async fn tick(interval: &mut Option<Interval>) {
    match interval {
        Some(interval) => {
            interval.tick().await;
        }
        None => std::future::pending().await,
    }
}
