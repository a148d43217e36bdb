//! The way to a VNC target: security types, its login.

use passerelle_rfb::ServerInit;
use passerelle_transport::Transport;
use passerelle_vnc::target::{self, TargetCredentials, TargetSettings};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::ambient;
use crate::session::running::Running;
use crate::session::target::{LOGIN, Refused, dial, judge};

/// A target that is ready to show its desktop.
pub(super) struct Target {
    pub(super) init: ServerInit,
    pub(super) transport: Transport<TcpStream>,
    /// What was negotiated, for the recording.
    pub(super) facts: serde_json::Value,
}

/// Connects and logs in with the configured credentials.
pub(super) async fn connect(session: &Running) -> Result<Target, Refused> {
    let config = session.target();
    let credentials = TargetCredentials {
        username: config.credentials.username.clone(),
        password: config
            .credentials
            .password
            .as_ref()
            .map(|secret| Zeroizing::new(secret.expose().to_owned())),
    };
    let mut settings = session.policy().target_settings(config, &credentials, ambient::wall());
    loop {
        let stream = dial(session).await?;
        let login = login(session, stream, &settings, &credentials);
        match timeout(LOGIN, login).await.map_err(|_| Refused::Slow)? {
            // A target whose VeNCrypt holds nothing for us may still offer something beside it, but only
            // to a new connection.
            Err(Refused::Vnc(error)) if error.instead().is_some() => {
                tracing::debug!(%error, "trying again without VeNCrypt");
                settings = settings.without_vencrypt();
            }
            done => return done,
        }
    }
}

async fn login(
    session: &Running,
    stream: TcpStream,
    settings: &TargetSettings,
    credentials: &TargetCredentials,
) -> Result<Target, Refused> {
    let pending = target::negotiate(stream, settings).await?;
    if let Some(certificate) = pending.certificate() {
        judge(session, session.target(), certificate).await?;
    }
    let leg = pending.login(credentials, true, &mut ambient::random).await?;
    let tls = leg.facts.tls.map(|tls| json!({ "version": tls.version, "cipher_suite": tls.cipher_suite }));
    let facts = json!({
        "rfb_version": leg.facts.version.to_string(),
        "security": leg.facts.security.name(),
        "tls": tls,
    });
    Ok(Target { init: leg.init, transport: leg.transport, facts })
}
