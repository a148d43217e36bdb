//! The demo desktop: something alive to look at, behind a stock VNC log-in.

mod canvas;
mod cursor;
mod layout;
mod paint;
mod scene;

use std::time::Duration;

use passerelle_desktop::{Framebuffer, FramebufferError, Size};
use passerelle_vnc::server::{self, Activity, Screen, ViewerEvent, ViewerId};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};
use zeroize::Zeroizing;

use self::scene::{Effect, Scene};

const FIRST_SIZE: Size = Size { width: 1280, height: 800 };
/// On less there is no room for the cards.
const SMALLEST: Size = Size { width: 640, height: 480 };
/// 8K: nobody has a larger screen, and the picture takes 130 MB.
const LARGEST: Size = Size { width: 7680, height: 4320 };
/// Time between two pictures of what moves by itself, while somebody looks.
const FRAME: Duration = Duration::from_millis(100);
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
const MOST_VIEWERS: usize = 16;
/// Events that wait for the desktop; more make their viewers wait.
const EVENTS: usize = 64;

/// Serves a demo desktop called `name` to whoever connects to `listener` and gives `password`, until `cancel`.
/// All see the same desktop. `fill_random` fills its argument with unpredictable bytes.
///
/// # Errors
/// The desktop's picture can't be made.
pub(crate) async fn serve(
    listener: TcpListener,
    name: &'static str,
    password: Zeroizing<String>,
    fill_random: fn(&mut [u8]),
    cancel: CancellationToken,
) -> Result<(), FramebufferError> {
    let mut desktop = Desktop::new(name)?;
    let (events, mut received) = mpsc::channel(EVENTS);
    let mut connections = JoinSet::new();
    let mut frames = tokio::time::interval(FRAME);
    frames.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick is now.
    let started = frames.tick().await;
    loop {
        tokio::select! {
            () = cancel.cancelled() => break,
            accepted = listener.accept(), if connections.len() < MOST_VIEWERS => match accepted {
                Ok((stream, _)) => {
                    let (screen, events) = (desktop.screen.clone(), events.clone());
                    connections.spawn(attend(stream, screen, events, password.clone(), fill_random));
                }
                Err(error) => {
                    warn!(%error, "the demo desktop could not accept a connection");
                    // Out of descriptors, mostly: it does not pass at once.
                    tokio::time::sleep(FRAME).await;
                }
            },
            Some(_) = connections.join_next() => {}
            Some(event) = received.recv() => {
                desktop.handle(event);
                while let Ok(event) = received.try_recv() {
                    desktop.handle(event);
                }
                desktop.show();
            }
            now = frames.tick(), if desktop.screen.viewers() > 0 => {
                desktop.scene.advance(now.duration_since(started));
                desktop.show();
            }
        }
    }
    connections.shutdown().await;
    Ok(())
}

/// One connection, from its first byte to its last.
async fn attend(
    mut stream: TcpStream,
    screen: Screen,
    events: mpsc::Sender<ViewerEvent>,
    password: Zeroizing<String>,
    mut fill_random: fn(&mut [u8]),
) {
    // Small updates must not wait for acknowledgements. Without it the desktop is slower, no more.
    stream.set_nodelay(true).ok();
    let admission = server::admit(&mut stream, &password, &mut fill_random);
    match tokio::time::timeout(HANDSHAKE_DEADLINE, admission).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return debug!(%error, "the demo desktop did not let a viewer in"),
        Err(_) => return debug!("a viewer of the demo desktop took too long to log in"),
    }
    if let Err(error) = server::serve(stream, &screen, &events).await {
        debug!(%error, "a viewer of the demo desktop was cut off");
    }
}

/// The scene and the screen on which it is shown.
struct Desktop {
    scene: Scene,
    screen: Screen,
}

impl Desktop {
    fn new(name: &'static str) -> Result<Self, FramebufferError> {
        let mut scene = Scene::new(name, FIRST_SIZE);
        let mut framebuffer = Framebuffer::new(FIRST_SIZE)?;
        paint::paint_all(&mut scene, &mut framebuffer);
        let screen = Screen::new(name, framebuffer, cursor::arrow());
        Ok(Self { scene, screen })
    }

    fn handle(&mut self, ViewerEvent { viewer, activity }: ViewerEvent) {
        match activity {
            Activity::Joined => self.scene.viewers(self.screen.viewers(), None),
            Activity::Left => self.scene.viewers(self.screen.viewers(), Some(viewer)),
            Activity::Input(event) => match self.scene.input(viewer, event) {
                None => {}
                Some(Effect::OfferClipboard(text)) => self.screen.offer_clipboard(viewer, text),
                Some(Effect::Resize(size)) => self.resize(size, viewer),
            },
        }
    }

    fn resize(&mut self, size: Size, viewer: ViewerId) {
        let fits = (SMALLEST.width..=LARGEST.width).contains(&size.width)
            && (SMALLEST.height..=LARGEST.height).contains(&size.height);
        let framebuffer = if fits { Framebuffer::new(size).ok() } else { None };
        match framebuffer {
            Some(mut framebuffer) => {
                self.scene.resize(size);
                paint::paint_all(&mut self.scene, &mut framebuffer);
                self.screen.replace(framebuffer, Some(viewer));
            }
            None => self.screen.refuse_resize(viewer),
        }
    }

    fn show(&mut self) {
        self.screen.draw(|framebuffer| paint::paint(&mut self.scene, framebuffer));
    }
}
