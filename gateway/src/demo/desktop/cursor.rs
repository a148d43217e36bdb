//! The shape of the pointer.

use passerelle_desktop::{Cursor, Size};

/// `#` is the edge, `.` the face, a space is transparent. The tip of the arrow points.
const ARROW: [&str; 19] = [
    "#            ",
    "##           ",
    "#.#          ",
    "#..#         ",
    "#...#        ",
    "#....#       ",
    "#.....#      ",
    "#......#     ",
    "#.......#    ",
    "#........#   ",
    "#.........#  ",
    "#..........# ",
    "#......######",
    "#...##..#    ",
    "#..# #..#    ",
    "#.#   #..#   ",
    "##    #..#   ",
    "#      #..#  ",
    "        ##   ",
];

/// A teal arrow with a light edge, to be seen on light and dark and to be told from the system's own.
pub(super) fn arrow() -> Cursor {
    let pixels: Vec<u32> = ARROW
        .iter()
        .flat_map(|row| row.chars())
        .map(|place| match place {
            '#' => 0xfff8_fafc,
            '.' => 0xff0d_9488,
            _ => 0,
        })
        .collect();
    let size = Size { width: 13, height: 19 };
    Cursor::new(size, (0, 0), pixels).unwrap_or_else(|_| unreachable!("the arrow's rows are of one length"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arrow_is_a_cursor() {
        assert_eq!(arrow().size(), Size { width: 13, height: 19 });
    }
}
