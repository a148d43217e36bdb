//! `passerelle demo`: a whole gateway with desktops of its own, to try with any viewer.

mod desktop;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use passerelle_config::{Config, ConfigErrors, SystemResolver};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use zeroize::Zeroizing;

use crate::api::{Principal, TicketAnswer, TicketRequest};
use crate::lifecycle::{Order, Signals};
use crate::logging::Logging;
use crate::serve::{Running, ServeError};
use crate::tickets::TicketError;
use crate::{ambient, files};

/// Who plays the technician.
const TECHNICIAN: &str = "demo";

/// The built-in desktops.
const DESKTOPS: [&str; 2] = ["front-desk", "workshop"];

/// How often it is checked whether a ticket was used, so that a new one can be shown.
const GLANCE: std::time::Duration = std::time::Duration::from_secs(1);

/// What can be chosen.
pub(crate) struct Options {
    /// Where viewers connect.
    pub(crate) listen: SocketAddr,
    /// Where keys, certificate, recordings and audit log are kept.
    pub(crate) data_dir: PathBuf,
}

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    #[error("{} cannot be made: {source}", path.display())]
    DataDir { path: PathBuf, source: io::Error },
    #[error("no built-in desktop can listen: {0}")]
    Desktop(io::Error),
    #[error("the built-in configuration is wrong: {0}")]
    Config(#[from] ConfigErrors),
    #[error("signals cannot be received: {0}")]
    Signals(io::Error),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error(transparent)]
    Ticket(#[from] TicketError),
}

/// Runs the demo until Ctrl-C.
pub(crate) async fn run(options: Options) -> Result<(), DemoError> {
    let data_dir = std::path::absolute(&options.data_dir).unwrap_or_else(|_| options.data_dir.clone());
    files::private_directory(&data_dir)
        .map_err(|source| DemoError::DataDir { path: data_dir.clone(), source })?;
    let mut signals = Signals::take().map_err(DemoError::Signals)?;

    let desktops = TaskTracker::new();
    let stop = CancellationToken::new();
    let password = password();
    let mut addresses = Vec::new();
    for name in DESKTOPS {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(DemoError::Desktop)?;
        addresses.push((name, listener.local_addr().map_err(DemoError::Desktop)?));
        let served = desktop::serve(listener, name, password.clone(), ambient::random, stop.clone());
        desktops.spawn(async move {
            if let Err(error) = served.await {
                tracing::error!(%error, name, "a demo desktop cannot be drawn");
            }
        });
    }
    let path = data_dir.join("passerelle.yaml");
    let text = configuration(&options, &data_dir, &addresses, &password);
    let loaded = Config::parse(&text, "the built-in configuration", &SystemResolver)?;
    // So that `passerelle --config` works on what the demo leaves behind.
    files::write_private(&path, text.as_bytes())
        .map_err(|source| DemoError::DataDir { path: path.clone(), source })?;
    // The built-in configuration sends no traces.
    Logging::start(&loaded.config).map_err(ServeError::from)?;

    let running = Running::start(loaded.config).await?;
    let address = running.vnc.first().copied().unwrap_or(options.listen);
    say(&welcome(address));
    let mut shown = show_ticket(&running, address).await?;
    let mut glance = tokio::time::interval(GLANCE);
    let mut seen = BTreeSet::new();
    loop {
        tokio::select! {
            order = signals.next() => if order == Order::Stop { break },
            _ = glance.tick() => {
                let mut used = false;
                for session in running.gateway.registry.all() {
                    used |= seen.insert(session.facts.id);
                }
                if used || shown <= ambient::now() {
                    shown = show_ticket(&running, address).await?;
                }
            }
        }
    }
    running.stop(&mut signals).await?;
    stop.cancel();
    desktops.close();
    desktops.wait().await;
    say(&farewell(&path, &seen.iter().map(ToString::to_string).collect::<Vec<_>>()));
    Ok(())
}

/// Shows a new ticket for the first desktop and says until when it can be used.
async fn show_ticket(
    running: &Running,
    address: SocketAddr,
) -> Result<passerelle_auth::Timestamp, DemoError> {
    let request = TicketRequest {
        technician: TECHNICIAN.to_owned(),
        target: DESKTOPS[0].to_owned(),
        life_seconds: None,
        permissions: None,
        reference: false,
        reason: None,
        ticket_id: None,
        approval: None,
    };
    let ticket = running.gateway.issue_ticket(request, &Principal::owner("demo".to_owned())).await?;
    say(&instructions(address, &ticket));
    Ok(ticket.expires_at.parse().unwrap_or(passerelle_auth::Timestamp::MAX))
}

fn configuration(
    options: &Options,
    data_dir: &Path,
    desktops: &[(&str, SocketAddr)],
    password: &str,
) -> String {
    let mut text = format!(
        "# Made anew at each start of `passerelle demo`.\n\
         data_dir: {data_dir:?}\n\
         listen: {{ vnc: \"{listen}\" }}\n\
         tls: {{ self_signed: true }}\n\
         users: [ {{ name: {TECHNICIAN}, groups: [helpdesk] }} ]\n\
         rules:\n  - {{ name: demo, groups: [helpdesk], targets: [\"*\"], permissions: [view, pointer, keyboard, \
         clipboard.to_target, clipboard.from_target, resize], require: [recording] }}\n\
         tickets: {{ life: 10m }}\n\
         recording: {{ disk: {{ refuse: 64MiB }} }}\n\
         limits: {{ drain: 1s }}\n\
         log: {{ level: warn }}\n\
         targets:\n",
        listen = options.listen,
    );
    for (name, address) in desktops {
        let _ = writeln!(
            text,
            "  - {{ name: {name}, protocol: vnc, address: \"{address}\", \
             credentials: {{ password: \"insecure-inline:{password}\" }}, tags: [demo] }}"
        );
    }
    text
}

fn welcome(address: SocketAddr) -> String {
    format!(
        "\nPasserelle serves {} demo desktops behind {address}.\n\
         Your viewer will ask for a password, or for a user name and a password. Both are below; each works \
         once.\nStop with Ctrl-C.\n",
        DESKTOPS.len()
    )
}

fn instructions(address: SocketAddr, ticket: &TicketAnswer) -> String {
    let TicketAnswer { username, ticket, vnc_password, expires_at, .. } = ticket;
    let (host, port) = (reachable(address), address.port());
    format!(
        "\n  Ticket for {username}, until {expires_at}\n\
         \x20   a viewer that asks for a password only   {vnc_password}\n\
         \x20   a viewer that asks for a user name       {username}\n\
         \x20   and a password                           {ticket}\n\n\
         \x20 Try one of these:\n\
         \x20   vncviewer {host}::{port}\n\
         \x20   VNC_PASSWORD={vnc_password} vncviewer -SecurityTypes VncAuth {host}::{port}\n\
         \x20   remmina -c vnc://{host}:{port}\n\
         \x20   open vnc://{host}:{port}                  (Mac: Screen Sharing)\n\
         \x20   vncdo -s {host}::{port} -u {username} -p {ticket} type hello capture demo.png\n"
    )
}

fn farewell(config: &Path, sessions: &[String]) -> String {
    let config = config.display();
    let mut text = String::new();
    match sessions {
        [] => text.push_str("\nNo session was recorded.\n"),
        sessions => {
            text.push_str("\nEach session was recorded and sealed. Verify or read one with\n");
            for id in sessions {
                let _ = writeln!(text, "  passerelle --config {config} recordings verify {id}");
            }
            let _ = writeln!(text, "  passerelle --config {config} recordings cat {}", sessions[0]);
        }
    }
    let _ = writeln!(
        text,
        "What happened is in the audit log:\n  passerelle --config {config} audit tail\n  passerelle --config {config} audit verify"
    );
    text
}

/// The address to give to a viewer on this machine.
fn reachable(address: SocketAddr) -> String {
    if address.ip().is_unspecified() || address.ip().is_loopback() {
        "localhost".to_owned()
    } else {
        address.ip().to_string()
    }
}

/// A password for the desktops that only this process knows.
fn password() -> Zeroizing<String> {
    let mut bytes = [0; 4];
    ambient::random(&mut bytes);
    Zeroizing::new(bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}")))
}

#[expect(clippy::print_stdout, reason = "the demo talks to the person who started it")]
fn say(text: &str) {
    println!("{text}");
}
