//! The sections of the file, one module each.

mod api;
mod audit;
mod config;
mod issuer;
mod limits;
mod log;
mod object_store;
mod people;
mod rdp;
mod recording;
mod rule;
mod store;
mod target;
mod telemetry;
mod tls;
mod views;
mod vnc;
mod wake;
mod webhook;

pub use api::{Api, ForwardedHeader, Roles, Scope, ServiceAccount, UnknownScope};
pub use audit::{Anchor, Audit, Syslog, SyslogFacility, SyslogTransport};
pub use config::{Config, Listen, ProxyProtocol};
pub use issuer::{Claims, Issuer, KeySetFile, SecondFactorClaim, SigningAlgorithm};
pub use limits::{
    AddressBackoff, Approvals, Backoff, ClipboardSizes, GlobalBackoff, Limits, Lockout, TechnicianBackoff,
    Tickets,
};
pub use log::{Log, LogFormat, LogLevel};
pub use object_store::ObjectStore;
pub use people::User;
pub use rdp::{Rdp, RdpSecurity};
pub use recording::{DiskSpace, Keystrokes, Recording, RecordingPolicy};
pub use rule::{Day, Effect, Hours, Requirement, Rule, TargetSelector};
pub use store::{RedisStore, Store};
pub use target::{CertificatePolicy, Credentials, Protocol, Target, TargetSecurity, TargetTls};
pub use telemetry::{Telemetry, TelemetryHeader};
pub use tls::Tls;
pub use views::{Confinement, RenderMode, Views};
pub use vnc::{ViewerSecurity, Vnc};
pub use wake::WakeOnLan;
pub use webhook::Webhook;

pub(crate) use config::{CONTROL, RECORDINGS, default_data_dir};
pub(crate) use target::check_target_tls;
pub(crate) use tls::check_tls;
