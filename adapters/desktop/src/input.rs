//! What a viewer does on a desktop, and the shape its pointer has there.

use std::fmt;

use crate::Size;

/// Something that a viewer does.
#[derive(Clone, PartialEq, Eq)]
pub enum InputEvent {
    /// A key goes down or up.
    Key {
        /// X11 keysym: the symbol that the key means in the viewer's layout.
        keysym: u32,
        /// XT scan code of the key, where the viewer tells: `0xe0` codes have bit 7 set.
        scancode: Option<u32>,
        /// Whether it goes down.
        pressed: bool,
    },
    /// The pointer moves or a button changes.
    Pointer {
        /// Column.
        x: u16,
        /// Row.
        y: u16,
        /// Which buttons are down; bit 0 is the left one, 1 the middle one, 2 the right one,
        /// 3 and 4 a step of the wheel up and down, 5 and 6 left and right, 7 and 8 back and forward.
        buttons: u16,
    },
    /// The viewer's clipboard holds a new text.
    Clipboard(String),
    /// The viewer asks for another desktop size.
    Resize(Size),
}

// What is typed and copied may be a secret and this ends up in traces: name the kind, not the content.
impl fmt::Debug for InputEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InputEvent::Key { pressed, .. } => {
                f.debug_struct("Key").field("pressed", pressed).finish_non_exhaustive()
            }
            InputEvent::Pointer { x, y, buttons } => {
                f.debug_struct("Pointer").field("x", x).field("y", y).field("buttons", buttons).finish()
            }
            InputEvent::Clipboard(_) => f.debug_tuple("Clipboard").finish_non_exhaustive(),
            InputEvent::Resize(size) => f.debug_tuple("Resize").field(size).finish(),
        }
    }
}

/// The shape of the pointer.
#[derive(Clone, PartialEq, Eq)]
pub struct Cursor {
    size: Size,
    hotspot: (u16, u16),
    pixels: Vec<u32>,
}

/// A cursor that can't be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    /// Larger than [`Cursor::MAX_SIDE`] in one direction.
    #[error("a cursor of {width}x{height} pixels is too large", width = .0.width, height = .0.height)]
    TooLarge(Size),
    /// Not one pixel per place.
    #[error("a cursor of {expected} pixels was given {given}")]
    Pixels {
        /// Width times height.
        expected: usize,
        /// How many there are.
        given: usize,
    },
    /// The hot spot is not within the picture.
    #[error("the cursor's hot spot {0},{1} lies outside of it")]
    Hotspot(u16, u16),
}

impl Cursor {
    /// The longest side of a cursor in pixels.
    pub const MAX_SIDE: u16 = 256;

    /// A cursor of `pixels`, `0xAARRGGBB` not premultiplied, row by row, that points with `hotspot`.
    ///
    /// # Errors
    /// It is too large, the number of pixels is not width times height, or the hot spot lies outside.
    pub fn new(size: Size, hotspot: (u16, u16), pixels: Vec<u32>) -> Result<Self, CursorError> {
        if size.width > Self::MAX_SIDE || size.height > Self::MAX_SIDE {
            return Err(CursorError::TooLarge(size));
        }
        if pixels.len() != size.pixels() {
            return Err(CursorError::Pixels { expected: size.pixels(), given: pixels.len() });
        }
        if hotspot.0 >= size.width || hotspot.1 >= size.height {
            return Err(CursorError::Hotspot(hotspot.0, hotspot.1));
        }
        Ok(Self { size, hotspot, pixels })
    }

    /// Width and height.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Column and row of the pixel that points.
    pub fn hotspot(&self) -> (u16, u16) {
        self.hotspot
    }

    /// The pixels, `0xAARRGGBB`, row by row.
    pub fn pixels(&self) -> &[u32] {
        &self.pixels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_do_not_tell_what_was_typed_or_copied() {
        let key = InputEvent::Key { keysym: 0x7a7a, scancode: Some(0x2c2c), pressed: true };
        let text = format!("{key:?} {:?}", InputEvent::Clipboard("hunter2".into()));
        assert_eq!(text, "Key { pressed: true, .. } Clipboard(..)");
    }

    #[test]
    fn cursors_are_checked() {
        let size = |width, height| Size { width, height };
        assert!(Cursor::new(size(2, 2), (1, 1), vec![0; 4]).is_ok());
        for (dimensions, hotspot, pixels, error) in [
            (size(257, 1), (0, 0), 257, CursorError::TooLarge(size(257, 1))),
            (size(2, 2), (0, 0), 3, CursorError::Pixels { expected: 4, given: 3 }),
            (size(2, 2), (2, 0), 4, CursorError::Hotspot(2, 0)),
        ] {
            assert_eq!(Cursor::new(dimensions, hotspot, vec![0; pixels]).err(), Some(error));
        }
    }
}
