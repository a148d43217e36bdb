//! Traces to a collector, over the OpenTelemetry protocol: protobuf over HTTP.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::HOST;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{Bytes, HttpClient, HttpError};
use opentelemetry_otlp::{
    ExporterBuildError, Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use passerelle_config::Telemetry;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;

use crate::tls;

/// How long the collector may take for a batch, and the gateway for the last one when it stops.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest answer that is read, in bytes. It says little.
const LONGEST: usize = 64 * 1024;

/// Why there are no traces.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TelemetryError {
    #[error("telemetry: no TLS with the collector: {0}")]
    Tls(#[from] rustls::Error),
    #[error("telemetry: {0}")]
    Exporter(#[from] ExporterBuildError),
}

/// Traces that are on their way.
pub(crate) struct Traces(SdkTracerProvider);

impl Traces {
    /// What turns spans into traces for the collector of the configuration.
    ///
    /// # Errors
    /// The collector cannot be used. Whether it answers is not tried.
    pub(crate) fn to<S>(telemetry: &Telemetry) -> Result<(impl Layer<S>, Self), TelemetryError>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let roots = match &telemetry.ca_file {
            Some(file) => tls::roots_from_pem(file.pem.as_bytes()),
            None => tls::system_roots(),
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let collector = Collector {
            tls: TlsConnector::from(Arc::new(tls)),
            runtime: Handle::current(),
            failing: AtomicBool::new(false),
        };
        let field = |header: &passerelle_config::TelemetryHeader| {
            (header.name.clone(), header.value.expose().to_owned())
        };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(collector)
            .with_endpoint(format!("{}/v1/traces", telemetry.otlp.trim_end_matches('/')))
            .with_protocol(Protocol::HttpBinary)
            .with_headers(telemetry.headers.iter().map(field).collect())
            .build()?;
        let resource = Resource::builder_empty()
            .with_service_name("passerelle")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider =
            SdkTracerProvider::builder().with_resource(resource).with_batch_exporter(exporter).build();
        let layer = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("passerelle"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false);
        Ok((layer, Self(provider)))
    }

    /// Sends what waits.
    pub(crate) async fn finish(self) {
        // It blocks, and its own thread needs the runtime to send.
        let done = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(PATIENCE)).await;
        if let Ok(Err(error)) = done {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// A collector of traces. Called from a thread that has no runtime.
struct Collector {
    tls: TlsConnector,
    runtime: Handle,
    /// Whether the last batch was not taken.
    failing: AtomicBool,
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").finish_non_exhaustive()
    }
}

#[async_trait::async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let tls = self.tls.clone();
        // The clock of the time limit is the runtime's, too.
        let sending = self.runtime.spawn(async move { timeout(PATIENCE, send(tls, request)).await });
        let answer = match sending.await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err("the collector does not answer in time".into()),
            Err(error) => Err(error.into()),
        };
        let why = match &answer {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(format!("it answers {}", answer.status())),
            Err(error) => Some(error.to_string()),
        };
        // Once, not for each batch.
        let failed = self.failing.swap(why.is_some(), Relaxed);
        if let Some(why) = why.filter(|_| !failed) {
            tracing::warn!(why, "the collector of traces does not take them; they are lost meanwhile");
        }
        answer
    }
}

/// Sends a request on a connection of its own.
async fn send(tls: TlsConnector, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let (mut parts, body) = request.into_parts();
    let uri = std::mem::take(&mut parts.uri);
    let authority = uri.authority().ok_or("the collector's URL has no host")?;
    let encrypted = uri.scheme_str() == Some("https");
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let port = authority.port_u16().unwrap_or(if encrypted { 443 } else { 80 });
    parts.uri = uri.path_and_query().map_or("/", |path| path.as_str()).parse()?;
    parts.headers.insert(HOST, authority.as_str().parse()?);
    let request = Request::from_parts(parts, Full::new(body));
    let stream = TcpStream::connect((host, port)).await?;
    if encrypted {
        let name = ServerName::try_from(host.to_owned())?;
        exchange(tls.connect(name, stream).await?, request).await
    } else {
        exchange(stream, request).await
    }
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<Response<Bytes>, HttpError> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let (parts, body) = sender.send_request(request).await?.into_parts();
    let body = Limited::new(body, LONGEST).collect().await;
    driver.abort();
    Ok(Response::from_parts(parts, body?.to_bytes()))
}
