//! What is on the demo desktop and how it reacts. Knows no protocol and no clock.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use passerelle_desktop::{InputEvent, Size};
use passerelle_vnc::server::ViewerId;
use xkeysym::Keysym;

use super::layout::{Button, Card, Layout};

/// The most characters that the text box keeps; the oldest go first.
const MOST_TYPED: usize = 4_000;
/// The most points that the pad keeps; the oldest strokes go first.
const MOST_POINTS: usize = 20_000;
/// How long the caret is shown and then hidden.
const CARET_BLINK: Duration = Duration::from_millis(600);

/// A line that somebody drew on the pad.
pub(super) struct Stroke {
    /// Who drew it, for its colour.
    pub(super) by: ViewerId,
    /// Points on the sheet.
    pub(super) points: Vec<(f32, f32)>,
}

/// Where a viewer's pointer is and what it holds.
struct Pointer {
    at: (f32, f32),
    left_down: bool,
    holds: Option<Hold>,
}

enum Hold {
    Button(Button),
    Pen,
}

/// The last key, for the read-out.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Key {
    pub(super) keysym: u32,
    pub(super) scancode: Option<u32>,
    pub(super) pressed: bool,
}

/// What an event asks of the desktop's surroundings.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Put this text on the clipboard of the viewer whose event it was.
    OfferClipboard(String),
    /// Give the desktop this size.
    Resize(Size),
}

/// The state of everything on the desktop.
pub(super) struct Scene {
    pub(super) name: &'static str,
    pub(super) size: Size,
    pub(super) layout: Layout,
    pub(super) elapsed: Duration,
    pub(super) viewers: usize,
    pub(super) strokes: VecDeque<Stroke>,
    pub(super) typed: VecDeque<char>,
    pub(super) colours: usize,
    pub(super) position: (u16, u16),
    pub(super) buttons: u16,
    pub(super) key: Option<Key>,
    pub(super) received: Option<String>,
    pub(super) offered: Option<String>,
    offers: u32,
    pointers: BTreeMap<ViewerId, Pointer>,
    stale: Vec<Card>,
}

impl Scene {
    pub(super) fn new(name: &'static str, size: Size) -> Self {
        Self {
            name,
            size,
            layout: Layout::new(size),
            elapsed: Duration::ZERO,
            viewers: 0,
            strokes: VecDeque::new(),
            typed: VecDeque::new(),
            colours: 0,
            position: (0, 0),
            buttons: 0,
            key: None,
            received: None,
            offered: None,
            offers: 0,
            pointers: BTreeMap::new(),
            stale: Card::ALL.to_vec(),
        }
    }

    /// Lays everything out anew.
    pub(super) fn resize(&mut self, size: Size) {
        self.size = size;
        self.layout = Layout::new(size);
        self.stale = Card::ALL.to_vec();
    }

    /// Tells how many viewers there are and forgets the pointer of one that left.
    pub(super) fn viewers(&mut self, count: usize, left: Option<ViewerId>) {
        self.viewers = count;
        if let Some(pointer) = left.and_then(|viewer| self.pointers.remove(&viewer)) {
            self.touch_button_at(pointer.at);
        }
        self.touch(Card::Title);
        self.touch(Card::Input);
    }

    /// Moves what moves by itself to the time `elapsed` since the start.
    pub(super) fn advance(&mut self, elapsed: Duration) {
        let caret = self.caret_shown();
        if elapsed.as_secs() != self.elapsed.as_secs() {
            self.touch(Card::Title);
        }
        self.elapsed = elapsed;
        if caret != self.caret_shown() {
            self.touch(Card::Text);
        }
        self.touch(Card::Motion);
    }

    /// Whether the blinking caret is to be seen now.
    pub(super) fn caret_shown(&self) -> bool {
        (self.elapsed.as_millis() / CARET_BLINK.as_millis()).is_multiple_of(2)
    }

    /// Reacts to what a viewer did.
    pub(super) fn input(&mut self, viewer: ViewerId, event: InputEvent) -> Option<Effect> {
        match event {
            InputEvent::Key { keysym, scancode, pressed } => {
                self.key = Some(Key { keysym, scancode, pressed });
                self.touch(Card::Input);
                if pressed {
                    self.type_key(Keysym::new(keysym));
                }
                None
            }
            InputEvent::Pointer { x, y, buttons } => self.point(viewer, (x, y), buttons),
            InputEvent::Clipboard(text) => {
                self.received = Some(text);
                self.touch(Card::Clipboard);
                None
            }
            InputEvent::Resize(size) => Some(Effect::Resize(size)),
        }
    }

    /// Whether some pointer is over `button`, and whether one holds it down.
    pub(super) fn button_state(&self, button: Button) -> (bool, bool) {
        let over = |pointer: &Pointer| self.layout.button_at(pointer.at) == Some(button);
        let hovered = self.pointers.values().any(over);
        let held = self.pointers.values().any(|pointer| {
            over(pointer) && matches!(pointer.holds, Some(Hold::Button(held)) if held == button)
        });
        (hovered, held)
    }

    /// Takes the cards that must be drawn again.
    pub(super) fn take_stale(&mut self) -> Vec<Card> {
        std::mem::take(&mut self.stale)
    }

    fn touch(&mut self, card: Card) {
        if !self.stale.contains(&card) {
            self.stale.push(card);
        }
    }

    fn touch_button_at(&mut self, point: (f32, f32)) {
        if let Some(button) = self.layout.button_at(point) {
            self.touch(button.card());
        }
    }

    fn type_key(&mut self, keysym: Keysym) {
        match keysym {
            Keysym::BackSpace => {
                self.typed.pop_back();
            }
            Keysym::Return | Keysym::KP_Enter => self.typed.push_back('\n'),
            Keysym::Tab => self.typed.extend([' '; 4]),
            _ => match keysym.key_char() {
                Some(character) if !character.is_control() => self.typed.push_back(character),
                _ => return,
            },
        }
        while self.typed.len() > MOST_TYPED {
            self.typed.pop_front();
        }
        self.touch(Card::Text);
    }

    fn point(&mut self, viewer: ViewerId, (x, y): (u16, u16), buttons: u16) -> Option<Effect> {
        let at = (f32::from(x), f32::from(y));
        let left_down = buttons & 1 != 0;
        (self.position, self.buttons) = ((x, y), buttons);
        self.touch(Card::Input);

        let pointer = self.pointers.entry(viewer).or_insert(Pointer { at, left_down: false, holds: None });
        let before = pointer.at;
        let was_down = pointer.left_down;
        pointer.at = at;
        pointer.left_down = left_down;
        let hold = pointer.holds.take();
        let over = self.layout.button_at(at);

        let mut effect = None;
        let hold = match (was_down, left_down, hold) {
            (false, true, _) => match over {
                Some(button) => Some(Hold::Button(button)),
                None => self.layout.on_sheet(at).map(|start| {
                    self.begin_stroke(viewer, start);
                    Hold::Pen
                }),
            },
            (true, true, Some(Hold::Pen)) => {
                self.extend_stroke(viewer, self.layout.relative_to_sheet(at));
                Some(Hold::Pen)
            }
            (true, false, Some(Hold::Pen)) => {
                // A release elsewhere than the last move: the viewer coalesced the moves between.
                if at != before {
                    self.extend_stroke(viewer, self.layout.relative_to_sheet(at));
                }
                None
            }
            (true, false, Some(Hold::Button(held))) => {
                if over == Some(held) {
                    effect = self.press(held);
                }
                None
            }
            (_, true, hold) => hold,
            (_, false, _) => None,
        };
        if let Some(pointer) = self.pointers.get_mut(&viewer) {
            pointer.holds = hold;
        }
        if self.layout.button_at(before) != over || was_down != left_down {
            self.touch_button_at(before);
            self.touch_button_at(at);
        }
        effect
    }

    fn press(&mut self, button: Button) -> Option<Effect> {
        self.touch(button.card());
        match button {
            Button::ClearPad => self.strokes.clear(),
            Button::ClearText => self.typed.clear(),
            Button::NextColours => self.colours = self.colours.wrapping_add(1),
            Button::OfferText => {
                self.offers = self.offers.wrapping_add(1);
                let text = format!("Greetings no. {} from the Passerelle demo desktop", self.offers);
                self.offered = Some(text.clone());
                return Some(Effect::OfferClipboard(text));
            }
        }
        None
    }

    fn begin_stroke(&mut self, by: ViewerId, start: (f32, f32)) {
        self.strokes.push_back(Stroke { by, points: vec![start] });
        self.forget_old_strokes();
        self.touch(Card::Pad);
    }

    fn extend_stroke(&mut self, by: ViewerId, point: (f32, f32)) {
        let Some(stroke) = self.strokes.iter_mut().rev().find(|stroke| stroke.by == by) else {
            // Somebody cleared the pad while this one was drawing.
            self.begin_stroke(by, point);
            return;
        };
        if stroke.points.last() != Some(&point) {
            stroke.points.push(point);
            self.forget_old_strokes();
            self.touch(Card::Pad);
        }
    }

    fn forget_old_strokes(&mut self) {
        let mut points: usize = self.strokes.iter().map(|stroke| stroke.points.len()).sum();
        while points > MOST_POINTS {
            let Some(oldest) = self.strokes.front_mut() else { break };
            if oldest.points.len() > MOST_POINTS {
                // One endless stroke: shorten it.
                oldest.points.drain(..points - MOST_POINTS);
                break;
            }
            points -= oldest.points.len();
            self.strokes.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { width: 1280, height: 800 };

    fn pointer(x: f32, y: f32, buttons: u16) -> InputEvent {
        InputEvent::Pointer { x: x as u16, y: y as u16, buttons }
    }

    fn type_keysyms(scene: &mut Scene, keysyms: &[u32]) {
        for keysym in keysyms {
            for pressed in [true, false] {
                let event = InputEvent::Key { keysym: *keysym, scancode: None, pressed };
                assert_eq!(scene.input(ViewerId::from(1), event), None);
            }
        }
    }

    fn typed(scene: &Scene) -> String {
        scene.typed.iter().collect()
    }

    fn centre(scene: &Scene, button: Button) -> (f32, f32) {
        let card = scene.layout.card(button.card()).unwrap();
        let place = scene.layout.button(button).unwrap();
        (card.x + place.x + place.width / 2.0, card.y + place.y + place.height / 2.0)
    }

    #[test]
    fn text_is_typed_corrected_and_broken() {
        let mut scene = Scene::new("front-desk", SIZE);
        // g r u x <- ü ß Enter € Ж Shift F1
        type_keysyms(
            &mut scene,
            &[0x67, 0x72, 0x78, 0xff08, 0xfc, 0xdf, 0xff0d, 0x20ac, 0x0100_0416, 0xffe1, 0xffbe],
        );
        assert_eq!(typed(&scene), "grüß\n€Ж");
        type_keysyms(&mut scene, &[0x61; MOST_TYPED + 5]);
        assert_eq!(scene.typed.len(), MOST_TYPED);
    }

    #[test]
    fn a_button_acts_when_released_over_it_only() {
        let mut scene = Scene::new("front-desk", SIZE);
        let viewer = ViewerId::from(1);
        let (x, y) = centre(&scene, Button::OfferText);
        scene.input(viewer, pointer(x, y, 0));
        assert_eq!(scene.button_state(Button::OfferText), (true, false));
        scene.input(viewer, pointer(x, y, 1));
        assert_eq!(scene.button_state(Button::OfferText), (true, true));
        assert_eq!(scene.input(viewer, pointer(5.0, 5.0, 1)), None);
        assert_eq!(scene.button_state(Button::OfferText), (false, false));
        assert_eq!(scene.input(viewer, pointer(5.0, 5.0, 0)), None);

        scene.input(viewer, pointer(x, y, 1));
        let text = "Greetings no. 1 from the Passerelle demo desktop".to_owned();
        assert_eq!(scene.input(viewer, pointer(x, y, 0)), Some(Effect::OfferClipboard(text)));
    }

    #[test]
    fn two_viewers_draw_each_its_own_stroke() {
        let mut scene = Scene::new("front-desk", SIZE);
        let card = scene.layout.card(Card::Pad).unwrap();
        let sheet = scene.layout.sheet();
        let (x, y) = (card.x + sheet.x, card.y + sheet.y);
        let (one, two) = (ViewerId::from(1), ViewerId::from(2));
        scene.input(one, pointer(x + 10.0, y + 10.0, 1));
        scene.input(two, pointer(x + 90.0, y + 90.0, 1));
        scene.input(one, pointer(x + 20.0, y + 10.0, 1));
        scene.input(two, pointer(x + 90.0, y + 80.0, 0));
        scene.input(two, pointer(x + 50.0, y + 50.0, 0));
        let drawn: Vec<_> = scene.strokes.iter().map(|stroke| (stroke.by, &stroke.points[..])).collect();
        assert_eq!(drawn[0], (one, &[(10.0, 10.0), (20.0, 10.0)][..]));
        assert_eq!(drawn[1], (two, &[(90.0, 90.0), (90.0, 80.0)][..]));

        let (clear_x, clear_y) = centre(&scene, Button::ClearPad);
        scene.input(two, pointer(clear_x, clear_y, 1));
        scene.input(two, pointer(clear_x, clear_y, 0));
        assert!(scene.strokes.is_empty());
    }

    #[test]
    fn endless_drawing_is_bounded() {
        let mut scene = Scene::new("front-desk", SIZE);
        let card = scene.layout.card(Card::Pad).unwrap();
        for step in 0..2 * MOST_POINTS {
            let x = card.x + 40.0 + (step % 200) as f32;
            scene.input(ViewerId::from(1), pointer(x, card.y + 100.0, 1));
        }
        let points: usize = scene.strokes.iter().map(|stroke| stroke.points.len()).sum();
        assert_eq!(points, MOST_POINTS);
    }
}
