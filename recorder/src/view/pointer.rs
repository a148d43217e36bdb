//! Shapes of the pointer.

use passerelle_desktop::{Pointer, Size};

use super::message::Message;

/// The arrow that stands for a viewer's own pointer: `X` is black, `.` is white, the rest is not drawn.
const ARROW: [&str; 17] = [
    "X           ",
    "XX          ",
    "X.X         ",
    "X..X        ",
    "X...X       ",
    "X....X      ",
    "X.....X     ",
    "X......X    ",
    "X.......X   ",
    "X........X  ",
    "X.....XXXXX ",
    "X..X..X     ",
    "X.X X..X    ",
    "XX  X..X    ",
    "X    X..X   ",
    "     X..X   ",
    "      XX    ",
];

/// Appends the message that shows `pointer` from `t_ms` on.
pub(crate) fn put(pointer: &Pointer, t_ms: u32, out: &mut Vec<u8>) {
    let hidden = Size { width: 0, height: 0 };
    match pointer {
        Pointer::Hidden => Message::Shape { hotspot: (0, 0), size: hidden, pixels: &[] }.put(t_ms, out),
        Pointer::Default => {
            let pixel = |sign| match sign {
                b'X' => [0, 0, 0, 255],
                b'.' => [255; 4],
                _ => [0; 4],
            };
            let pixels: Vec<u8> = ARROW.iter().flat_map(|row| row.bytes().flat_map(pixel)).collect();
            // Twelve columns.
            let size = Size { width: 12, height: ARROW.len() as u16 };
            Message::Shape { hotspot: (0, 0), size, pixels: &pixels }.put(t_ms, out);
        }
        Pointer::Shape(cursor) => {
            let rgba = |pixel: &u32| pixel.rotate_left(8).to_be_bytes();
            let pixels: Vec<u8> = cursor.pixels().iter().flat_map(rgba).collect();
            let (hotspot, size) = (cursor.hotspot(), cursor.size());
            Message::Shape { hotspot, size, pixels: &pixels }.put(t_ms, out);
        }
    }
}
