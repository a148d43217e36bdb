//! Where everything stands on a desktop of a given size.

use passerelle_desktop::Size;

use super::canvas::Place;

const TITLE_HEIGHT: f32 = 56.0;
const MARGIN: f32 = 20.0;
const GAP: f32 = 16.0;
/// Height of a card's header, in which its title and its button stand.
pub(super) const HEADER: f32 = 48.0;
const BUTTON_HEIGHT: f32 = 28.0;
/// Below this height nobody could tell what moves.
const LEAST_MOTION: f32 = 110.0;

/// A part of the picture that is drawn as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Card {
    Title,
    Pad,
    Text,
    Motion,
    Input,
    Clipboard,
}

impl Card {
    pub(super) const ALL: [Self; 6] =
        [Self::Title, Self::Pad, Self::Text, Self::Motion, Self::Input, Self::Clipboard];
}

/// Something that can be pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Button {
    ClearPad,
    ClearText,
    NextColours,
    OfferText,
}

impl Button {
    pub(super) const ALL: [Self; 4] = [Self::ClearPad, Self::ClearText, Self::NextColours, Self::OfferText];

    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::ClearPad | Self::ClearText => "Clear",
            Self::NextColours => "Colours",
            Self::OfferText => "Copy a greeting",
        }
    }

    /// The card in whose header it stands.
    pub(super) const fn card(self) -> Card {
        match self {
            Self::ClearPad => Card::Pad,
            Self::ClearText => Card::Text,
            Self::NextColours => Card::Motion,
            Self::OfferText => Card::Clipboard,
        }
    }

    const fn width(self) -> f32 {
        match self {
            Self::ClearPad | Self::ClearText => 72.0,
            Self::NextColours => 88.0,
            Self::OfferText => 152.0,
        }
    }
}

/// The places of the cards, in whole pixels.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    title: Place,
    pad: Place,
    text: Place,
    motion: Option<Place>,
    input: Place,
    clipboard: Place,
}

impl Layout {
    /// The layout for a desktop of `size`. Meant for 640x480 and more; on a smaller one parts of it lie
    /// outside.
    pub(super) fn new(size: Size) -> Self {
        let (width, height) = (f32::from(size.width), f32::from(size.height));
        let top = TITLE_HEIGHT + MARGIN;
        let tall = (height - top - MARGIN).max(300.0);
        let right_width = (width * 0.34).clamp(280.0, 460.0).round();
        let left_width = (width - 2.0 * MARGIN - GAP - right_width).max(200.0);
        let right = MARGIN + left_width + GAP;

        let text_height = (tall * 0.36).clamp(130.0, 340.0).round();
        let pad_height = tall - text_height - GAP;

        let input_height = 206.0_f32.min(tall / 2.0).round();
        let clipboard_height = (tall * 0.3).clamp(176.0, 320.0).round();
        let motion_height = tall - input_height - clipboard_height - 2.0 * GAP;
        let motion =
            (motion_height >= LEAST_MOTION).then(|| Place::new(right, top, right_width, motion_height));
        let below_motion = top + motion.map_or(0.0, |motion| motion.height + GAP);
        let clipboard_top = below_motion + input_height + GAP;

        Self {
            title: Place::new(0.0, 0.0, width, TITLE_HEIGHT),
            pad: Place::new(MARGIN, top, left_width, pad_height),
            text: Place::new(MARGIN, top + pad_height + GAP, left_width, text_height),
            motion,
            input: Place::new(right, below_motion, right_width, input_height),
            clipboard: Place::new(right, clipboard_top, right_width, (top + tall - clipboard_top).max(1.0)),
        }
    }

    /// Where `card` stands on the desktop, if there is room for it.
    pub(super) fn card(&self, card: Card) -> Option<Place> {
        match card {
            Card::Title => Some(self.title),
            Card::Pad => Some(self.pad),
            Card::Text => Some(self.text),
            Card::Motion => self.motion,
            Card::Input => Some(self.input),
            Card::Clipboard => Some(self.clipboard),
        }
    }

    /// Where `button` stands within its card.
    pub(super) fn button(&self, button: Button) -> Option<Place> {
        let card = self.card(button.card())?;
        let inset = (HEADER - BUTTON_HEIGHT) / 2.0;
        Some(Place::new(card.width - inset - button.width(), inset, button.width(), BUTTON_HEIGHT))
    }

    /// The button at a point of the desktop.
    pub(super) fn button_at(&self, point: (f32, f32)) -> Option<Button> {
        Button::ALL.into_iter().find(|button| {
            let (Some(card), Some(place)) = (self.card(button.card()), self.button(*button)) else {
                return false;
            };
            place.contains((point.0 - card.x, point.1 - card.y))
        })
    }

    /// The sheet on which one draws, within the pad's card.
    pub(super) fn sheet(&self) -> Place {
        Place::new(12.0, HEADER, (self.pad.width - 24.0).max(0.0), (self.pad.height - HEADER - 12.0).max(0.0))
    }

    /// The place of a point of the desktop on the sheet, if it lies there.
    pub(super) fn on_sheet(&self, point: (f32, f32)) -> Option<(f32, f32)> {
        let on_card = (point.0 - self.pad.x, point.1 - self.pad.y);
        self.sheet().contains(on_card).then(|| self.relative_to_sheet(point))
    }

    /// A point of the desktop, relative to the sheet's corner.
    pub(super) fn relative_to_sheet(&self, point: (f32, f32)) -> (f32, f32) {
        let sheet = self.sheet();
        (point.0 - self.pad.x - sheet.x, point.1 - self.pad.y - sheet.y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_stay_on_the_desktop_and_apart() {
        for (width, height) in [(640, 480), (800, 600), (1280, 800), (1920, 1080), (1080, 1920), (5120, 2880)]
        {
            let layout = Layout::new(Size { width, height });
            let places: Vec<_> = Card::ALL.into_iter().filter_map(|card| layout.card(card)).collect();
            for (index, place) in places.iter().enumerate() {
                assert!(place.x + place.width <= f32::from(width), "{width}x{height} card {index}");
                assert!(place.y + place.height <= f32::from(height), "{width}x{height} card {index}");
                for other in &places[index + 1..] {
                    let apart = place.x + place.width <= other.x
                        || other.x + other.width <= place.x
                        || place.y + place.height <= other.y
                        || other.y + other.height <= place.y;
                    assert!(apart, "{width}x{height}: card {index} overlaps another");
                }
            }
        }
    }

    #[test]
    fn a_button_is_found_where_it_is_drawn() {
        let layout = Layout::new(Size { width: 1280, height: 800 });
        for button in Button::ALL {
            let (card, place) = (layout.card(button.card()).unwrap(), layout.button(button).unwrap());
            let corner = (card.x + place.x, card.y + place.y);
            assert_eq!(layout.button_at((corner.0 + 1.0, corner.1 + 1.0)), Some(button));
            assert_eq!(layout.button_at((corner.0 - 1.0, corner.1 + 1.0)), None);
        }
    }
}
