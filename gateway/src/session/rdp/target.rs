//! The way to an RDP target: its security, its login, its channels.

use passerelle_desktop::Permission;
use passerelle_rdp::target::{self, ConnectOptions, TargetCredentials, TargetLeg, TargetSettings};
use passerelle_rdp::{Channels, ClientHello};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::ambient;
use crate::session::running::Running;
use crate::session::target::{LOGIN, Refused, dial, judge};

/// A target that waits for Client Info.
pub(super) struct Target {
    pub(super) leg: TargetLeg<TcpStream>,
    /// What was negotiated, for the recording.
    pub(super) facts: serde_json::Value,
    /// What the gateway logs in with.
    pub(super) credentials: TargetCredentials,
}

/// Connects with the viewer's own description of itself, and proves the configured credentials. `promised` are
/// the channels that the viewer was promised already, if it was.
pub(super) async fn connect(
    session: &Running,
    viewer: &ClientHello,
    promised: Option<&Channels>,
) -> Result<Target, Refused> {
    let config = session.target();
    let credentials = TargetCredentials {
        username: config.credentials.username.clone(),
        password: config
            .credentials
            .password
            .as_ref()
            .map(|secret| Zeroizing::new(secret.expose().to_owned())),
        domain: config.credentials.domain.clone(),
    };
    let settings = session.policy().rdp_target_settings(config, ambient::wall());
    let stream = dial(session).await?;
    let login = login(session, stream, &settings, &credentials, viewer, promised);
    let (leg, facts) = timeout(LOGIN, login).await.map_err(|_| Refused::Slow)??;
    Ok(Target { leg, facts, credentials })
}

async fn login(
    session: &Running,
    stream: TcpStream,
    settings: &TargetSettings,
    credentials: &TargetCredentials,
    viewer: &ClientHello,
    promised: Option<&Channels>,
) -> Result<(TargetLeg<TcpStream>, serde_json::Value), Refused> {
    let pending = target::negotiate(stream, settings).await?;
    if let Some(certificate) = pending.certificate() {
        judge(session, session.target(), certificate).await?;
    }
    let authenticated = pending.login(credentials).await?;
    let options = ConnectOptions {
        message_channel: promised.is_none_or(|channels| channels.message.is_some()),
        programs: session.permissions().allows(Permission::RemoteApps),
        plain_updates: session.may_black_out(),
    };
    let leg = authenticated.connect(viewer, options).await?;
    let tls = leg.facts.tls.map(|tls| json!({ "version": tls.version, "cipher_suite": tls.cipher_suite }));
    let facts = json!({ "security": leg.facts.security.name(), "tls": tls });
    Ok((leg, facts))
}
