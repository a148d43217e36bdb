//! `passerelle recordings open`: the player, on the machine of whoever has the key.

use std::fs::OpenOptions;
use std::io::{self, IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use passerelle_auth::Secret;
use passerelle_config::{Config, Views as ViewSettings};
use passerelle_recorder::{Class, Identity, PublicKey, Reader};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{progress, size};
use crate::ambient;
use crate::api::{Door, Peer, Server, local_router};
use crate::cli::access::{self, Named};
use crate::cli::args::OpenArgs;
use crate::cli::output::harmless;
use crate::cli::{CliError, print_line};
use crate::collection::{Checked, Collection as _, Recordings};
use crate::gateway::data;
use crate::lifecycle::Signals;
use crate::listener;
use crate::opened::{Copy, Opened};
use crate::views::{self, Found};

/// Connections at a time; a browser makes a few.
const CONNECTIONS: usize = 256;
/// How often is looked how far the rendering is.
const PERIOD: Duration = Duration::from_millis(200);
/// How long what goes on may take to end.
const GOODBYE: Duration = Duration::from_secs(10);
/// The bar's length for one recording.
const PARTS: u64 = 1000;

pub(super) async fn run(args: OpenArgs, config: &Path) -> Result<ExitCode, CliError> {
    let mut named = Vec::new();
    for name in &args.recordings {
        named.push(access::locate(name, config).await?);
    }
    let identity = identity(&args, &named)?;
    let mut copies = Vec::new();
    for named in &named {
        let copy = copy(named, args.signer, config)?;
        check_key(&copy, &identity)?;
        let checked = verify(&copy)?;
        copies.push((copy, checked));
    }
    // Before anything of them is shown.
    for named in &named {
        if let Some((id, places)) = &named.ours {
            access::audit_reading(id, places, "opened in a player on this machine".to_owned()).await?;
        }
    }
    let listener = listener::bind(args.listen)
        .map_err(|error| CliError::new(format_args!("cannot listen on {}: {error}", args.listen)))?;
    let address = listener.local_addr()?;

    // From here on nothing may stay behind.
    let mut signals = Signals::take()?;
    let settings =
        Config::load(config).map_or_else(|_| ViewSettings::default(), |loaded| loaded.config.recording.views);
    let ids: Vec<String> = copies.iter().map(|(copy, _)| copy.id().to_owned()).collect();
    let opened = Arc::new(Opened::new(copies, identity, settings).map_err(CliError::new)?);
    let recordings = Recordings(opened.clone());
    let token = token();
    let url = url(address, &ids, &token);
    let (tasks, closed) = (TaskTracker::new(), CancellationToken::new());
    let router = local_router(recordings.clone(), Door::new(address, token));
    let server = Server::new(router, closed.clone());
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let handle = move |stream: TcpStream, peer: SocketAddr| {
        let (server, places) = (server.clone(), places.clone());
        async move {
            let Ok(_place) = places.acquire_owned().await else { return };
            server.speak(stream, Peer::network(peer.ip(), None), CancellationToken::new()).await;
        }
    };
    tasks.spawn(listener::serve(listener, tasks.clone(), closed.clone(), handle));
    let learner = opened.clone();
    tasks.spawn_blocking(move || {
        if let Err(error) = learner.learn() {
            tracing::warn!(%error, "the recordings cannot be searched");
        }
    });
    let shown = show(&url, args.browser, opened.room());
    if shown.is_ok() {
        tokio::select! {
            _ = signals.next() => {}
            () = render(&recordings, &ids) => drop(signals.next().await),
        }
    }
    closed.cancel();
    opened.stop();
    end(&opened, &tasks).await;
    shown?;
    Ok(ExitCode::SUCCESS)
}

/// Waits until nobody uses the directory of what was made any more, which goes away after that.
async fn end(opened: &Opened, tasks: &TaskTracker) {
    tasks.close();
    let idle = async {
        tasks.wait().await;
        while !opened.views().is_idle() {
            tokio::time::sleep(PERIOD / 10).await;
        }
    };
    tokio::time::timeout(GOODBYE, idle).await.ok();
    // Also under those who are late: the process ends now.
    std::fs::remove_dir_all(opened.room()).ok();
}

/// What opens all of them.
fn identity(args: &OpenArgs, named: &[Named]) -> Result<Identity, CliError> {
    let own =
        named.iter().map(|named| named.ours.as_ref().map(|(_, places)| places.data_dir.join(data::IDENTITY)));
    let file = match (&args.identity, own.collect::<Option<Vec<_>>>()) {
        (Some(file), _) => file.clone(),
        (None, Some(own)) => own.into_iter().next().unwrap_or_default(),
        (None, None) => return Err(super::outside()),
    };
    Identity::load(&file).map_err(super::unusable)
}

/// The recording with the key that has to have signed it.
fn copy(named: &Named, signer: Option<PublicKey>, config: &Path) -> Result<Copy, CliError> {
    let unreadable = |error: &dyn std::fmt::Display| {
        CliError::new(format_args!("the recording in {} cannot be read: {error}", named.directory.display()))
    };
    let header = passerelle_recorder::summary(&named.directory).map_err(|error| unreadable(&error))?.header;
    let signer = signer.or_else(|| {
        let own = access::signer(None, config).ok()?;
        // A copy may be of another gateway's; what lies in the gateway's own directory has to be its own.
        (named.ours.is_some() || own == header.signer).then_some(own)
    });
    let log = named.ours.as_ref().map(|(_, places)| places.data_dir.join(data::AUDIT));
    Copy::new(&header.id, &named.directory, signer, header.signer, log.filter(|log| log.is_dir()))
        .ok_or_else(|| unreadable(&"its header has a name that no recording has"))
}

/// Says what the key does not open; it has to open something.
fn check_key(copy: &Copy, identity: &Identity) -> Result<(), CliError> {
    let reader = Reader::open(copy.directory(), identity).map_err(CliError::new)?;
    let closed: Vec<String> = reader.missing().iter().map(ToString::to_string).collect();
    if closed.is_empty() {
        return Ok(());
    }
    if closed.len() == Class::ALL.len() {
        let error = CliError::new(format_args!(
            "{} cannot be opened: its keys are for others, or were destroyed",
            copy.id()
        ));
        return Err(error.hint("Name the age identity of one of its recipients with --identity."));
    }
    writeln!(
        io::stderr().lock(),
        "note: no key opens this of {}, or it was erased: {}",
        copy.id(),
        closed.join(", ")
    )?;
    Ok(())
}

/// Verifies a recording and says what was found.
fn verify(copy: &Copy) -> Result<Checked, CliError> {
    let bar = progress(size(copy.directory()));
    bar.set_message(format!("verifying {}", copy.id()));
    let checked = copy.verify();
    bar.finish_and_clear();
    let checked = checked.map_err(CliError::new)?;
    print_line(harmless(&checked.verification.to_string()))?;
    if checked.unproven {
        print_line(format_args!(
            "  Unproven: the signer is the one that the recording itself names, so anybody may have made it.\n  \
             Give the gateway's public key with --signer."
        ))?;
    }
    Ok(checked)
}

/// What the browser has to show with every request.
fn token() -> Secret {
    let mut bytes = [0; 32];
    ambient::random(&mut bytes);
    Secret::new(BASE64URL_NOPAD.encode(&bytes))
}

/// Where to look. The token is behind the `#`, which browsers neither send nor log.
fn url(address: SocketAddr, ids: &[String], token: &Secret) -> Secret {
    let page = match ids {
        [id] => format!("/recordings/{id}"),
        _ => "/recordings".to_owned(),
    };
    Secret::new(format!("http://{address}{page}#token={}", token.expose()))
}

fn show(url: &Secret, browser: bool, room: &Path) -> Result<(), CliError> {
    print_line(format_args!(
        "\nOpen this address in a browser on this machine. It is a secret, and good until this command ends:\n\n  \
         {}\n\nCtrl-C ends it; nothing of the pictures stays behind.",
        url.expose()
    ))?;
    if !browser {
        return Ok(());
    }
    // Other users see a program's arguments, so the browser gets a file that sends it on.
    let page = room.join("open.html");
    let text = format!("<!doctype html><meta http-equiv=\"refresh\" content=\"0; url={}\">\n", url.expose());
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&page)?;
    file.write_all(text.as_bytes())?;
    let started = Command::new("xdg-open").arg(&page).stdin(Stdio::null()).stdout(Stdio::null()).spawn();
    if let Err(error) = started {
        writeln!(io::stderr().lock(), "note: xdg-open cannot be started: {error}")?;
    }
    Ok(())
}

/// Has all of them rendered, and says how far that is.
async fn render(recordings: &Recordings, ids: &[String]) {
    for id in ids {
        let directory = recordings.recordings().join(id);
        if let Err(error) = views::render(recordings, directory).await {
            say(&format!("{id} cannot be shown: {error}"));
        }
    }
    let bar = bar(ids.len() as u64 * PARTS);
    let mut waiting = ids.to_vec();
    while !waiting.is_empty() {
        tokio::time::sleep(PERIOD).await;
        let (looking, asked) = (recordings.clone(), waiting.clone());
        let looked = tokio::task::spawn_blocking(move || {
            asked.into_iter().map(|id| (looking.views().find(&id), id)).collect::<Vec<_>>()
        });
        let mut done = (ids.len() - waiting.len()) as u64 * PARTS;
        waiting.clear();
        for (found, id) in looked.await.unwrap_or_default() {
            match found {
                Found::Ready { .. } => {
                    done += PARTS;
                    bar.suspend(|| say(&format!("{id} is rendered.")));
                }
                Found::Failed(error) => {
                    done += PARTS;
                    bar.suspend(|| say(&format!("{id} cannot be shown: {error}")));
                }
                Found::Rendering { progress, .. } => {
                    done += (progress * PARTS as f64) as u64;
                    waiting.push(id);
                }
                Found::None | Found::Queued | Found::Live { .. } => waiting.push(id),
            }
        }
        bar.set_position(done);
    }
    bar.finish_and_clear();
}

/// Nothing depends on it being read.
fn say(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", harmless(line));
}

fn bar(parts: u64) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(parts), ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{spinner} rendering {bar:30} {percent} %") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}
