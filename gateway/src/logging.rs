//! The gateway's own log, on standard error, and traces to a collector.

use std::io::{self, IsTerminal as _};

use passerelle_config::{Config, LogFormat};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

#[cfg(feature = "otel")]
pub(crate) use crate::telemetry::TelemetryError;
#[cfg(feature = "otel")]
use crate::telemetry::Traces;

/// Why nothing can be logged. Without the feature `otel` there is no reason.
#[cfg(not(feature = "otel"))]
pub(crate) type TelemetryError = std::convert::Infallible;

/// The log that was started.
#[derive(Default)]
pub(crate) struct Logging {
    #[cfg(feature = "otel")]
    traces: Option<Traces>,
}

impl Logging {
    /// Starts the log. `PASSERELLE_LOG` overrules the configured level, in the form of `tracing`'s filters.
    ///
    /// # Errors
    /// The collector of traces cannot be used.
    pub(crate) fn start(config: &Config) -> Result<Self, TelemetryError> {
        let filter = EnvFilter::try_from_env("PASSERELLE_LOG").unwrap_or_else(|_| {
            EnvFilter::new(format!("warn,passerelle={level}", level = config.log.level.name()))
        });
        let lines = tracing_subscriber::fmt::layer()
            .with_writer(io::stderr)
            .with_target(false)
            .with_ansi(io::stderr().is_terminal());
        let lines = match config.log.format {
            LogFormat::Human => lines.boxed(),
            LogFormat::Json => lines.json().flatten_event(true).boxed(),
        };
        let subscriber = tracing_subscriber::registry().with(lines.with_filter(filter));
        #[cfg(feature = "otel")]
        let (subscriber, traces) = {
            let made = config.telemetry.as_ref().map(Traces::to).transpose()?;
            let (layer, traces) = made.unzip();
            // Spans are on this level, whatever the log is to say.
            let spans = EnvFilter::new("warn,passerelle=info");
            (subscriber.with(layer.map(|layer| layer.with_filter(spans))), traces)
        };
        // An error means that a log was started before, as tests do.
        subscriber.try_init().ok();
        Ok(Self {
            #[cfg(feature = "otel")]
            traces,
        })
    }

    /// Sends the traces that wait.
    pub(crate) async fn finish(self) {
        #[cfg(feature = "otel")]
        if let Some(traces) = self.traces {
            traces.finish().await;
        }
    }
}
