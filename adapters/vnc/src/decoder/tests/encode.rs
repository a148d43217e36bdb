//! What a server sends: a picture in each encoding, with every kind of tile and filter in turn.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use passerelle_desktop::Rect;
use passerelle_rfb::PixelFormat;

/// A picture of pixels in some format, as numbers.
pub(super) struct Picture {
    pub(super) format: PixelFormat,
    pub(super) width: usize,
    pub(super) pixels: Vec<u32>,
}

/// Colours that a format of at least eight bits has, so that nothing is lost: each is all or nothing of red, green
/// and blue.
pub(super) const COLOURS: [u32; 8] =
    [0, 0x00_00ff, 0x00_ff00, 0x00_ffff, 0xff_0000, 0xff_00ff, 0xff_ff00, 0xff_ffff];

/// One of [`COLOURS`] in `format`. Colour maps have them in their order.
fn number(format: &PixelFormat, colour: u32) -> u32 {
    if !format.true_colour {
        return COLOURS.iter().position(|known| *known == colour).unwrap() as u32;
    }
    let [_, r, g, b] = colour.to_be_bytes();
    let part = |value: u8, max: u16, shift: u8| if value == 0 { 0 } else { u32::from(max) << shift };
    part(r, format.red_max, format.red_shift)
        | part(g, format.green_max, format.green_shift)
        | part(b, format.blue_max, format.blue_shift)
}

impl Picture {
    pub(super) fn new(format: PixelFormat, width: u16, colours: &[u32]) -> Self {
        let pixels = colours.iter().map(|colour| number(&format, *colour)).collect();
        Self { format, width: width.into(), pixels }
    }

    fn pixel(&self, number: u32) -> Vec<u8> {
        let len = self.format.bytes_per_pixel();
        if self.format.big_endian {
            number.to_be_bytes()[4 - len..].to_vec()
        } else {
            number.to_le_bytes()[..len].to_vec()
        }
    }

    fn cpixel(&self, number: u32) -> Vec<u8> {
        let pixel = self.pixel(number);
        if self.format.cpixel_len() == pixel.len() {
            return pixel;
        }
        let colours = number_of_white(&self.format);
        let last_is_empty = self.pixel(colours)[3] == 0;
        if last_is_empty { pixel[..3].to_vec() } else { pixel[1..].to_vec() }
    }

    fn tpixel(&self, number: u32) -> Vec<u8> {
        if self.format.tpixel_len() != 3 {
            return self.pixel(number);
        }
        let byte = |shift: u8| (number >> shift) as u8;
        vec![byte(self.format.red_shift), byte(self.format.green_shift), byte(self.format.blue_shift)]
    }

    fn part(&self, tile: Rect) -> Vec<u32> {
        let rows = self.pixels.chunks(self.width).skip(tile.y.into()).take(tile.height.into());
        rows.flat_map(|row| &row[tile.x.into()..tile.right() as usize]).copied().collect()
    }

    fn height(&self) -> usize {
        self.pixels.len() / self.width
    }

    fn tiles(&self, side: usize) -> Vec<Rect> {
        let mut tiles = Vec::new();
        for y in (0..self.height()).step_by(side) {
            for x in (0..self.width).step_by(side) {
                tiles.push(Rect {
                    x: x as u16,
                    y: y as u16,
                    width: side.min(self.width - x) as u16,
                    height: side.min(self.height() - y) as u16,
                });
            }
        }
        tiles
    }
}

fn number_of_white(format: &PixelFormat) -> u32 {
    if format.true_colour { number(format, 0xff_ffff) } else { u32::MAX }
}

fn palette_of(pixels: &[u32]) -> Vec<u32> {
    let mut palette = pixels.to_vec();
    palette.sort_unstable();
    palette.dedup();
    palette
}

/// The positions of single pixels on a background of the first one's colour.
fn specks(pixels: &[u32]) -> Vec<(usize, u32)> {
    pixels.iter().copied().enumerate().filter(|(_, pixel)| *pixel != pixels[0]).collect()
}

pub(super) fn raw(picture: &Picture) -> Vec<u8> {
    picture.pixels.iter().flat_map(|pixel| picture.pixel(*pixel)).collect()
}

pub(super) fn rre(picture: &Picture, short: bool) -> Vec<u8> {
    let specks = specks(&picture.pixels);
    let mut payload = (specks.len() as u32).to_be_bytes().to_vec();
    payload.extend(picture.pixel(picture.pixels[0]));
    for (at, pixel) in specks {
        payload.extend(picture.pixel(pixel));
        for number in [at % picture.width, at / picture.width, 1, 1] {
            if short {
                payload.push(number as u8);
            } else {
                payload.extend((number as u16).to_be_bytes());
            }
        }
    }
    payload
}

pub(super) fn hextile(picture: &Picture) -> Vec<u8> {
    let mut payload = Vec::new();
    let mut background = None;
    for (index, tile) in picture.tiles(16).into_iter().enumerate() {
        let pixels = picture.part(tile);
        let palette = palette_of(&pixels);
        let specks = specks(&pixels);
        if specks.len() > 255 || index % 5 == 4 {
            payload.push(1);
            pixels.iter().for_each(|pixel| payload.extend(picture.pixel(*pixel)));
            background = None;
            continue;
        }
        let tells = background != Some(pixels[0]);
        background = Some(pixels[0]);
        let two = palette.len() == 2;
        let mut kind = if tells { 2 } else { 0 };
        kind |= match palette.len() {
            1 => 0,
            2 => 4 | 8,
            _ => 8 | 16,
        };
        payload.push(kind);
        if tells {
            payload.extend(picture.pixel(pixels[0]));
        }
        if two {
            payload.extend(picture.pixel(specks[0].1));
        }
        if palette.len() > 1 {
            payload.push(specks.len() as u8);
            for (at, pixel) in specks {
                if !two {
                    payload.extend(picture.pixel(pixel));
                }
                let width = usize::from(tile.width);
                payload.extend([(((at % width) << 4) | (at / width)) as u8, 0]);
            }
        }
    }
    payload
}

/// The tiles of TRLE or, with the larger `side`, ZRLE.
pub(super) fn tiles(picture: &Picture, side: usize) -> Vec<u8> {
    let mut payload = Vec::new();
    let mut before: Vec<u32> = Vec::new();
    for (index, tile) in picture.tiles(side).into_iter().enumerate() {
        let pixels = picture.part(tile);
        let palette = palette_of(&pixels);
        let colours = |payload: &mut Vec<u8>, palette: &[u32]| {
            palette.iter().for_each(|pixel| payload.extend(picture.cpixel(*pixel)));
        };
        let reusable = side == 16 && before == palette;
        match index % 4 {
            _ if palette.len() == 1 => {
                payload.push(1);
                colours(&mut payload, &palette);
            }
            0 => {
                payload.push(0);
                colours(&mut payload, &pixels);
            }
            1 => {
                payload.push(if reusable { 127 } else { palette.len() as u8 });
                if !reusable {
                    colours(&mut payload, &palette);
                }
                packed(&mut payload, &pixels, tile.width.into(), &palette);
                before = palette;
            }
            2 => {
                payload.push(128);
                for run in pixels.chunk_by(|a, b| a == b) {
                    payload.extend(picture.cpixel(run[0]));
                    length(&mut payload, run.len());
                }
            }
            _ => {
                payload.push(if reusable { 129 } else { 128 + palette.len() as u8 });
                if !reusable {
                    colours(&mut payload, &palette);
                }
                for run in pixels.chunk_by(|a, b| a == b) {
                    let index = palette.binary_search(&run[0]).unwrap() as u8;
                    if run.len() == 1 {
                        payload.push(index);
                    } else {
                        payload.push(index | 0x80);
                        length(&mut payload, run.len());
                    }
                }
                before = palette;
            }
        }
    }
    payload
}

fn packed(payload: &mut Vec<u8>, pixels: &[u32], width: usize, palette: &[u32]) {
    let bits = match palette.len() {
        ..=2 => 1,
        3..=4 => 2,
        _ => 4,
    };
    for row in pixels.chunks(width) {
        for group in row.chunks(8 / bits) {
            let mut byte = 0;
            for (place, pixel) in group.iter().enumerate() {
                let index = palette.binary_search(pixel).unwrap() as u8;
                byte |= index << (8 - bits * (place + 1));
            }
            payload.push(byte);
        }
    }
}

fn length(payload: &mut Vec<u8>, run: usize) {
    let more = run - 1;
    payload.extend(vec![255; more / 255]);
    payload.push((more % 255) as u8);
}

/// A zlib stream of a server.
pub(super) struct Deflate(ZlibEncoder<Vec<u8>>);

impl Deflate {
    pub(super) fn new() -> Self {
        Self(ZlibEncoder::new(Vec::new(), Compression::default()))
    }

    pub(super) fn part(&mut self, plain: &[u8]) -> Vec<u8> {
        self.0.write_all(plain).unwrap();
        self.0.flush().unwrap();
        std::mem::take(self.0.get_mut())
    }

    /// Behind its length, as in Zlib and ZRLE.
    pub(super) fn prefixed(&mut self, plain: &[u8]) -> Vec<u8> {
        let part = self.part(plain);
        [&(part.len() as u32).to_be_bytes()[..], &part].concat()
    }
}

/// The filters of Tight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Filter {
    None,
    Copy,
    Palette,
    Gradient,
}

/// A rectangle of Tight whose pixels are filtered, in the stream `number`, which is reset if it is new.
pub(super) fn tight(picture: &Picture, filter: Filter, number: u8, stream: &mut Option<Deflate>) -> Vec<u8> {
    let palette = palette_of(&picture.pixels);
    let reset = if stream.is_none() { 1 << number } else { 0 };
    let explicit = if filter == Filter::None { 0 } else { 0x40 };
    let mut payload = vec![explicit | number << 4 | reset];
    let mut data = Vec::new();
    match filter {
        Filter::None | Filter::Copy => {
            payload.extend((filter == Filter::Copy).then_some(0));
            picture.pixels.iter().for_each(|pixel| data.extend(picture.tpixel(*pixel)));
        }
        Filter::Palette => {
            payload.extend([1, palette.len() as u8 - 1]);
            palette.iter().for_each(|pixel| payload.extend(picture.tpixel(*pixel)));
            if palette.len() == 2 {
                packed(&mut data, &picture.pixels, picture.width, &palette);
            } else {
                data.extend(picture.pixels.iter().map(|pixel| palette.binary_search(pixel).unwrap() as u8));
            }
        }
        Filter::Gradient => {
            payload.push(2);
            data = gradient(picture);
        }
    }
    if data.len() < 12 {
        payload.extend(data);
        return payload;
    }
    let part = stream.get_or_insert_with(Deflate::new).part(&data);
    payload.extend(compact(part.len()));
    payload.extend(part);
    payload
}

fn gradient(picture: &Picture) -> Vec<u8> {
    let format = &picture.format;
    let channels = [
        (format.red_max, format.red_shift),
        (format.green_max, format.green_shift),
        (format.blue_max, format.blue_shift),
    ];
    let value = |x: Option<usize>, y: Option<usize>, (max, shift): (u16, u8)| {
        let pixel = x.zip(y).map_or(0, |(x, y)| picture.pixels[y * picture.width + x]);
        i64::from(pixel >> shift & u32::from(max))
    };
    let mut data = Vec::new();
    for at in 0..picture.pixels.len() {
        let (x, y) = (at % picture.width, at / picture.width);
        let mut pixel = 0;
        for channel in channels {
            let (left, above) = (x.checked_sub(1), y.checked_sub(1));
            let guess =
                value(left, Some(y), channel) + value(Some(x), above, channel) - value(left, above, channel);
            let (max, shift) = channel;
            let wrong = value(Some(x), Some(y), channel) - guess.clamp(0, max.into());
            pixel |= (wrong as u32 & u32::from(max)) << shift;
        }
        data.extend(picture.tpixel(pixel));
    }
    data
}

pub(super) fn tight_fill(picture: &Picture) -> Vec<u8> {
    [vec![0x80], picture.tpixel(picture.pixels[0])].concat()
}

/// JPEG or PNG behind its length.
pub(super) fn tight_file(kind: u8, file: &[u8]) -> Vec<u8> {
    [vec![kind << 4], compact(file.len()), file.to_vec()].concat()
}

fn compact(len: usize) -> Vec<u8> {
    match len {
        0..0x80 => vec![len as u8],
        0x80..0x4000 => vec![len as u8 | 0x80, (len >> 7) as u8],
        _ => vec![len as u8 | 0x80, (len >> 7) as u8 | 0x80, (len >> 14) as u8],
    }
}
