//! A viewer's connection to a screen.

use std::io;

use passerelle_desktop::InputEvent;
use passerelle_rfb::Parsed;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use super::screen::{Screen, Seated, ViewerId};
use super::session::{Session, ViewerViolation};

/// Something that a viewer of a screen did.
#[derive(Debug)]
pub struct ViewerEvent {
    /// Who.
    pub viewer: ViewerId,
    /// What.
    pub activity: Activity,
}

/// What a viewer did.
#[derive(Debug, PartialEq, Eq)]
pub enum Activity {
    /// It came.
    Joined,
    /// It used the desktop. [`InputEvent::Resize`] is to be answered with [`Screen::replace`] or
    /// [`Screen::refuse_resize`].
    Input(InputEvent),
    /// It left.
    Left,
}

/// The end of a viewer's connection, other than by its leaving.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The connection broke.
    #[error("the connection to the viewer broke: {0}")]
    Io(#[from] io::Error),
    /// The viewer sent what cannot be understood.
    #[error(transparent)]
    Violation(#[from] ViewerViolation),
    /// Nobody takes the events any more.
    #[error("the desktop has ended")]
    DesktopEnded,
}

/// Serves `screen` to a viewer that has been let in, from ClientInit until it leaves. What it does goes
/// to `events`, first [`Activity::Joined`] and last [`Activity::Left`].
///
/// A viewer is sent an update when it asked for one, something changed, and the one before has been
/// written: at most one is in flight and at most that one is held.
///
/// # Errors
/// The connection broke, the viewer broke the protocol, or the receiver of `events` is gone.
pub async fn serve<S>(
    stream: S,
    screen: &Screen,
    events: &mpsc::Sender<ViewerEvent>,
) -> Result<(), ServeError>
where
    S: AsyncRead + AsyncWrite,
{
    let (mut reader, writer) = tokio::io::split(stream);
    // ClientInit: whether others may stay. They may; this desktop is a shared one.
    reader.read_u8().await?;
    let seat = screen.join();
    let events = Events { viewer: seat.viewer, events };
    events.tell(Activity::Joined).await?;
    let end = converse(reader, writer, screen, &seat, &events).await;
    drop(seat);
    events.tell(Activity::Left).await?;
    end
}

/// Where a viewer's activities go.
struct Events<'a> {
    viewer: ViewerId,
    events: &'a mpsc::Sender<ViewerEvent>,
}

impl Events<'_> {
    async fn tell(&self, activity: Activity) -> Result<(), ServeError> {
        let event = ViewerEvent { viewer: self.viewer, activity };
        self.events.send(event).await.map_err(|_| ServeError::DesktopEnded)
    }
}

async fn converse(
    mut reader: impl AsyncRead + Unpin,
    mut writer: impl AsyncWrite + Unpin,
    screen: &Screen,
    seat: &Seated,
    events: &Events<'_>,
) -> Result<(), ServeError> {
    let (mut session, mut output) = Session::start(screen.name(), screen.size());
    let mut written = 0;
    let mut input = Vec::new();
    loop {
        if written == output.len() && written > 0 {
            writer.flush().await?;
            (output, written) = (Vec::new(), 0);
        }
        if output.is_empty() {
            output = seat.look(|screen| session.owed(screen)).unwrap_or_default();
        }
        let rest = output.get(written..).unwrap_or_default();
        tokio::select! {
            received = reader.read_buf(&mut input) => {
                if received? == 0 {
                    return Ok(());
                }
                take_input(&mut session, &mut input, seat, events).await?;
            }
            sent = writer.write(rest), if !rest.is_empty() => match sent? {
                0 => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                sent => written += sent,
            },
            () = seat.news(), if rest.is_empty() => {}
        }
    }
}

/// Handles the whole messages at the front of `input` and removes them.
async fn take_input(
    session: &mut Session,
    input: &mut Vec<u8>,
    seat: &Seated,
    events: &Events<'_>,
) -> Result<(), ServeError> {
    let mut done = 0;
    while let Some(rest) = input.get(done..) {
        let parsed = seat.look(|screen| session.receive(rest, screen.seat)).transpose()?;
        let Some(Parsed::Done { value, len }) = parsed else { break };
        done += len;
        if let Some(event) = value {
            events.tell(Activity::Input(event)).await?;
        }
    }
    input.drain(..done);
    Ok(())
}
