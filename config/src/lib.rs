//! Passerelle's configuration: one YAML file to validated types.
//!
//! [`Config::load`] reads the file, resolves the secrets that it refers to and checks everything that can
//! be checked without a network. It answers with all errors at once, each with its line and the path of
//! its key. Unknown keys are errors. [`schema()`] is the JSON schema of the file; the same schema drives the
//! checks, so what editors show and what is accepted are one thing.
//!
//! Nothing but reading files and environment variables happens here, and that through [`Resolver`].

mod errors;
mod fragments;
mod load;
mod meaning;
mod named;
mod places;
mod report;
mod resolver;
mod schema;
mod sections;
mod shape;
mod text;
mod tree;
mod values;

pub use errors::{ConfigErrors, Problem};
pub use load::Loaded;
pub use named::{HasName, Named};
pub use passerelle_desktop::{Permission, Permissions};
pub use places::Places;
pub use resolver::{FileError, FragmentFile, Resolver, SystemResolver};
pub use schema::schema;
pub use sections::{
    AddressBackoff, Anchor, Api, Approvals, Audit, Backoff, CertificatePolicy, Claims, ClipboardSizes,
    Config, Confinement, Credentials, Day, DiskSpace, Effect, ForwardedHeader, GlobalBackoff, Hours, Issuer,
    KeySetFile, Keystrokes, Limits, Listen, Lockout, Log, LogFormat, LogLevel, ObjectStore, Protocol,
    ProxyProtocol, Rdp, RdpSecurity, Recording, RecordingPolicy, RedisStore, RenderMode, Requirement, Roles,
    Rule, Scope, SecondFactorClaim, ServiceAccount, SigningAlgorithm, Store, Syslog, SyslogFacility,
    SyslogTransport, Target, TargetSecurity, TargetSelector, TargetTls, TechnicianBackoff, Telemetry,
    TelemetryHeader, Tickets, Tls, UnknownScope, User, ViewerSecurity, Views, Vnc, WakeOnLan, Webhook,
};
pub use values::{
    AddressError, BucketUrl, BucketUrlError, ByteSize, CertificateFile, DurationError, EventPattern,
    EventPatternError, Fingerprint, FingerprintError, FreeSpace, FreeSpaceError, HostPort, HumanDuration,
    ListenAddresses, MacAddress, MacAddressError, Network, NetworkError, Pattern, PatternError, Recipient,
    RecipientError, Secret, SizeError, StoreServers, StoreUrl, StoreUrlError, Time, TimeError, TimeOfDay,
    TimeOfDayError, TokenHash, TokenHashError, WebhookUrl, WebhookUrlError, ZoneError, ZoneName,
};
