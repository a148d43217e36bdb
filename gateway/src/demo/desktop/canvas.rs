//! A picture with anti-aliased shapes and text, to be copied into a framebuffer.

use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};
use passerelle_desktop::{Framebuffer, Rect};
use tiny_skia::{
    Color, FillRule, LineCap, LineJoin, Paint, Path, PathBuilder, Pixmap, PixmapPaint, Rect as Area, Stroke,
    Transform,
};

/// An opaque colour, `0xRRGGBB`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Colour(pub(super) u32);

impl Colour {
    fn channels(self) -> [u8; 3] {
        let [_, red, green, blue] = self.0.to_be_bytes();
        [red, green, blue]
    }

    fn paint(self) -> Paint<'static> {
        let [red, green, blue] = self.channels();
        let mut paint = Paint::default();
        paint.set_color_rgba8(red, green, blue, 255);
        paint
    }
}

/// A size and weight of the one font.
#[derive(Clone, Copy)]
pub(super) struct Font {
    weight: FontWeight,
    height: RasterHeight,
}

impl Font {
    pub(super) const BODY: Self = Self { weight: FontWeight::Regular, height: RasterHeight::Size16 };
    pub(super) const STRONG: Self = Self { weight: FontWeight::Bold, height: RasterHeight::Size16 };
    pub(super) const TYPED: Self = Self { weight: FontWeight::Regular, height: RasterHeight::Size20 };
    pub(super) const TITLE: Self = Self { weight: FontWeight::Bold, height: RasterHeight::Size24 };

    /// Width of every character in pixels.
    pub(super) fn advance(self) -> f32 {
        get_raster_width(self.weight, self.height) as f32
    }

    /// Height of a line in pixels, without leading.
    pub(super) fn line(self) -> f32 {
        self.height.val() as f32
    }

    /// Width of `text` in pixels.
    pub(super) fn width(self, text: &str) -> f32 {
        text.chars().count() as f32 * self.advance()
    }
}

/// A place with a size, in pixels.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Place {
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) width: f32,
    pub(super) height: f32,
}

impl Place {
    pub(super) const fn new(x: f32, y: f32, width: f32, height: f32) -> Self {
        Self { x, y, width, height }
    }

    /// The same place, smaller by `margin` on each side.
    pub(super) fn inset(self, margin: f32) -> Self {
        Self::new(
            self.x + margin,
            self.y + margin,
            (self.width - 2.0 * margin).max(0.0),
            (self.height - 2.0 * margin).max(0.0),
        )
    }

    pub(super) fn contains(self, (x, y): (f32, f32)) -> bool {
        x >= self.x && x < self.x + self.width && y >= self.y && y < self.y + self.height
    }
}

/// The picture. Its origin is its own top left corner.
pub(super) struct Canvas {
    pixmap: Pixmap,
}

impl Canvas {
    /// A picture of the given size, at least one pixel large, filled with `background`.
    pub(super) fn new(width: u16, height: u16, background: Colour) -> Option<Self> {
        let mut pixmap = Pixmap::new(width.into(), height.into())?;
        let [red, green, blue] = background.channels();
        pixmap.fill(Color::from_rgba8(red, green, blue, 255));
        Some(Self { pixmap })
    }

    /// Fills a rectangle with round corners.
    pub(super) fn fill(&mut self, place: Place, radius: f32, colour: Colour) {
        if let Some(path) = rounded(place, radius) {
            self.pixmap.fill_path(&path, &colour.paint(), FillRule::Winding, Transform::identity(), None);
        }
    }

    /// Draws the inner edge of a rectangle with round corners, one pixel wide.
    pub(super) fn outline(&mut self, place: Place, radius: f32, colour: Colour) {
        if let Some(path) = rounded(place.inset(0.5), radius) {
            self.stroke(&path, 1.0, colour);
        }
    }

    /// Fills a circle.
    pub(super) fn disc(&mut self, (x, y): (f32, f32), radius: f32, colour: Colour) {
        self.fill(Place::new(x - radius, y - radius, 2.0 * radius, 2.0 * radius), radius, colour);
    }

    /// Draws a line through `points` with round ends. One point makes a dot.
    pub(super) fn line(&mut self, points: &[(f32, f32)], width: f32, colour: Colour) {
        match points {
            [] => {}
            [point] => self.disc(*point, width / 2.0, colour),
            [first, rest @ ..] => {
                let mut path = PathBuilder::new();
                path.move_to(first.0, first.1);
                for point in rest {
                    path.line_to(point.0, point.1);
                }
                if let Some(path) = path.finish() {
                    self.stroke(&path, width, colour);
                }
            }
        }
    }

    /// Draws a curve that starts and ends in a point and bends towards a third one.
    pub(super) fn curve(
        &mut self,
        from: (f32, f32),
        bend: (f32, f32),
        to: (f32, f32),
        width: f32,
        colour: Colour,
    ) {
        let mut path = PathBuilder::new();
        path.move_to(from.0, from.1);
        path.quad_to(bend.0, bend.1, to.0, to.1);
        if let Some(path) = path.finish() {
            self.stroke(&path, width, colour);
        }
    }

    /// Writes one line of text whose top left corner is at `x`, `y`. A character that the font lacks
    /// becomes the replacement character.
    pub(super) fn text(&mut self, (x, y): (f32, f32), text: &str, font: Font, colour: Colour) {
        let mut left = x.round() as i32;
        for character in text.chars() {
            let glyph = get_raster(character, font.weight, font.height)
                .or_else(|| get_raster('\u{fffd}', font.weight, font.height))
                .or_else(|| get_raster('?', font.weight, font.height));
            if let Some(glyph) = glyph {
                for (row, intensities) in (y.round() as i32..).zip(glyph.rows()) {
                    for (column, intensity) in (left..).zip(intensities) {
                        self.blend(column, row, *intensity, colour);
                    }
                }
            }
            left += font.advance() as i32;
        }
    }

    /// Lays `other` on top, with its corner at `x`, `y`.
    pub(super) fn insert(&mut self, other: &Self, x: i32, y: i32) {
        let paint = PixmapPaint::default();
        self.pixmap.draw_pixmap(x, y, other.pixmap.as_ref(), &paint, Transform::identity(), None);
    }

    /// Copies the picture into `framebuffer` with its corner at `x`, `y`.
    pub(super) fn show(&self, framebuffer: &mut Framebuffer, x: u16, y: u16) {
        let extent = |side: u32| u16::try_from(side).unwrap_or(u16::MAX);
        let area = Rect { x, y, width: extent(self.pixmap.width()), height: extent(self.pixmap.height()) };
        let pixels = self.pixmap.pixels().iter();
        framebuffer.write(area, pixels.map(|p| u32::from_be_bytes([0, p.red(), p.green(), p.blue()])));
    }

    fn stroke(&mut self, path: &Path, width: f32, colour: Colour) {
        let stroke =
            Stroke { width, line_cap: LineCap::Round, line_join: LineJoin::Round, ..Stroke::default() };
        self.pixmap.stroke_path(path, &colour.paint(), &stroke, Transform::identity(), None);
    }

    fn blend(&mut self, x: i32, y: i32, intensity: u8, colour: Colour) {
        let (Ok(column), Ok(row)) = (usize::try_from(x), usize::try_from(y)) else { return };
        let width = self.pixmap.width() as usize;
        if intensity == 0 || column >= width {
            return;
        }
        let start = (row * width + column) * 4;
        if let Some(pixel) = self.pixmap.data_mut().get_mut(start..start + 3) {
            let share = u32::from(intensity);
            for (below, above) in pixel.iter_mut().zip(colour.channels()) {
                let mixed = u32::from(above) * share + u32::from(*below) * (255 - share);
                *below = u8::try_from(mixed.div_ceil(255)).unwrap_or(u8::MAX);
            }
        }
    }
}

/// A rectangle with quarter circles (nearly) for corners.
fn rounded(place: Place, radius: f32) -> Option<Path> {
    let Place { x, y, width, height } = place;
    let radius = radius.min(width / 2.0).min(height / 2.0);
    if radius <= 0.0 {
        return Some(PathBuilder::from_rect(Area::from_xywh(x, y, width, height)?));
    }
    // Distance of a cubic curve's control points from the corner that makes it closest to a circle.
    let near = radius * (1.0 - 0.552_285);
    let (right, bottom) = (x + width, y + height);
    let mut path = PathBuilder::new();
    path.move_to(x + radius, y);
    path.line_to(right - radius, y);
    path.cubic_to(right - near, y, right, y + near, right, y + radius);
    path.line_to(right, bottom - radius);
    path.cubic_to(right, bottom - near, right - near, bottom, right - radius, bottom);
    path.line_to(x + radius, bottom);
    path.cubic_to(x + near, bottom, x, bottom - near, x, bottom - radius);
    path.line_to(x, y + radius);
    path.cubic_to(x, y + near, x + near, y, x + radius, y);
    path.close();
    path.finish()
}
