//! One desktop that any number of viewers share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use passerelle_desktop::{Cursor, Damage, Framebuffer, Rect, Size};
use passerelle_rfb::{ResizeReason, ResizeStatus};
use tokio::sync::Notify;

/// Who looks at a [`Screen`]: a number that is not used again during the screen's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ViewerId(u64);

impl ViewerId {
    /// The number; the first viewer has 1.
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl From<u64> for ViewerId {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

/// A picture with a cursor that any number of viewers look at. Clones are the same screen.
///
/// Whoever owns the desktop draws with [`draw`](Self::draw); each viewer is sent what changed when it
/// asks for it, so that a slow one misses intermediate pictures and slows nobody.
#[derive(Clone)]
pub struct Screen(Arc<Mutex<State>>);

struct State {
    name: String,
    framebuffer: Framebuffer,
    cursor: Cursor,
    last_viewer: u64,
    seats: BTreeMap<ViewerId, Seat>,
}

/// What one viewer has not been sent yet.
#[derive(Default)]
pub(super) struct Seat {
    pub(super) damage: Damage,
    pub(super) size_news: Option<SizeNews>,
    /// The newest text for its clipboard.
    pub(super) clipboard: Option<String>,
    wake: Arc<Notify>,
}

/// Why a viewer is told the desktop's size.
#[derive(Clone, Copy, Debug)]
pub(super) struct SizeNews {
    pub(super) reason: ResizeReason,
    pub(super) status: ResizeStatus,
}

impl SizeNews {
    pub(super) const FROM_SERVER: Self = Self { reason: ResizeReason::SERVER, status: ResizeStatus::DONE };
    const FROM_OTHER_VIEWER: Self = Self { reason: ResizeReason::OTHER_VIEWER, status: ResizeStatus::DONE };

    /// The answer to the viewer's own request.
    pub(super) const fn to_this_viewer(status: ResizeStatus) -> Self {
        Self { reason: ResizeReason::THIS_VIEWER, status }
    }
}

/// What one viewer sees of a screen.
pub(super) struct View<'a> {
    pub(super) framebuffer: &'a Framebuffer,
    pub(super) cursor: &'a Cursor,
    pub(super) seat: &'a mut Seat,
}

impl Screen {
    /// A screen that shows `framebuffer`. Viewers show `name` as their window's title.
    pub fn new(name: impl Into<String>, mut framebuffer: Framebuffer, cursor: Cursor) -> Self {
        // Nobody has seen anything yet.
        framebuffer.take_damage();
        let state = State { name: name.into(), framebuffer, cursor, last_viewer: 0, seats: BTreeMap::new() };
        Self(Arc::new(Mutex::new(state)))
    }

    /// How many viewers there are.
    pub fn viewers(&self) -> usize {
        self.lock().seats.len()
    }

    /// Width and height.
    pub fn size(&self) -> Size {
        self.lock().framebuffer.size()
    }

    /// Lets `draw` change the picture, and the viewers know what it changed.
    pub fn draw<R>(&self, draw: impl FnOnce(&mut Framebuffer) -> R) -> R {
        let mut state = self.lock();
        let result = draw(&mut state.framebuffer);
        let damage = state.framebuffer.take_damage();
        if !damage.is_empty() {
            for seat in state.seats.values_mut() {
                seat.damage.add_all(&damage);
                seat.wake.notify_one();
            }
        }
        result
    }

    /// Shows another framebuffer, of the same or another size. Viewers who can't follow a new size go on
    /// with theirs and see the part that fits. `requested_by` is the viewer whose wish is granted.
    pub fn replace(&self, mut framebuffer: Framebuffer, requested_by: Option<ViewerId>) {
        framebuffer.take_damage();
        let mut state = self.lock();
        let (size, old_size) = (framebuffer.size(), state.framebuffer.size());
        state.framebuffer = framebuffer;
        for (viewer, seat) in &mut state.seats {
            seat.damage = Damage::new();
            seat.damage.add(Rect::of(size));
            if requested_by == Some(*viewer) {
                seat.size_news = Some(SizeNews::to_this_viewer(ResizeStatus::DONE));
            } else if size != old_size {
                let reason =
                    if requested_by.is_some() { SizeNews::FROM_OTHER_VIEWER } else { SizeNews::FROM_SERVER };
                seat.size_news = Some(reason);
            }
            seat.wake.notify_one();
        }
    }

    /// Tells a viewer that the desktop does not take the size that it asked for.
    pub fn refuse_resize(&self, viewer: ViewerId) {
        self.at_seat(viewer, |seat| {
            seat.size_news = Some(SizeNews::to_this_viewer(ResizeStatus::PROHIBITED));
        });
    }

    /// Puts `text` on a viewer's clipboard, in place of one that was not sent yet.
    pub fn offer_clipboard(&self, viewer: ViewerId, text: impl Into<String>) {
        self.at_seat(viewer, |seat| seat.clipboard = Some(text.into()));
    }

    /// Gives a new viewer its seat, for which everything is new.
    pub(super) fn join(&self) -> Seated {
        let mut state = self.lock();
        state.last_viewer += 1;
        let viewer = ViewerId(state.last_viewer);
        let seat = Seat::default();
        let wake = Arc::clone(&seat.wake);
        state.seats.insert(viewer, seat);
        Seated { screen: self.clone(), viewer, wake }
    }

    pub(super) fn name(&self) -> String {
        self.lock().name.clone()
    }

    fn at_seat(&self, viewer: ViewerId, change: impl FnOnce(&mut Seat)) {
        if let Some(seat) = self.lock().seats.get_mut(&viewer) {
            change(seat);
            seat.wake.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic in somebody's drawing leaves a picture that is odd, not unsound.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A viewer's presence at a screen, which ends when this is dropped.
pub(super) struct Seated {
    screen: Screen,
    pub(super) viewer: ViewerId,
    wake: Arc<Notify>,
}

impl Seated {
    /// Resolves when there may be something new at the seat.
    pub(super) async fn news(&self) {
        self.wake.notified().await;
    }

    /// Looks at the screen and at what this viewer has not been sent yet.
    pub(super) fn look<R>(&self, look: impl FnOnce(View<'_>) -> R) -> Option<R> {
        let mut state = self.screen.lock();
        let State { framebuffer, cursor, seats, .. } = &mut *state;
        seats.get_mut(&self.viewer).map(|seat| look(View { framebuffer, cursor, seat }))
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        self.screen.lock().seats.remove(&self.viewer);
    }
}
