//! What `ironrdp-graphics` needs of the crate `yuv`: RemoteFX's colour conversion (MS-RDPRFX 3.1.8.1.3 and
//! 3.1.8.2.5), one pixel after the other.
//!
//! `yuv` itself has these and hundreds of others for each instruction set. To compile it with the fuzzer's
//! coverage takes minutes, and its counters would be looked at after every input of every target. The seeds are
//! replayed with `yuv` itself.

use std::fmt;

/// Buffers that do not hold what their dimensions say.
#[derive(Clone, Copy, Debug)]
pub struct YuvError;

impl fmt::Display for YuvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the buffers do not fit the dimensions")
    }
}

impl std::error::Error for YuvError {}

/// Planes to read. Strides count components.
pub struct YuvPlanarImage<'a, T> {
    pub y_plane: &'a [T],
    pub y_stride: u32,
    pub u_plane: &'a [T],
    pub u_stride: u32,
    pub v_plane: &'a [T],
    pub v_stride: u32,
    pub width: u32,
    pub height: u32,
}

/// A plane to write.
pub enum BufferStoreMut<'a, T> {
    Borrowed(&'a mut [T]),
}

/// Planes to write. Strides count components.
pub struct YuvPlanarImageMut<'a, T> {
    pub y_plane: BufferStoreMut<'a, T>,
    pub y_stride: u32,
    pub u_plane: BufferStoreMut<'a, T>,
    pub u_stride: u32,
    pub v_plane: BufferStoreMut<'a, T>,
    pub v_stride: u32,
    pub width: u32,
    pub height: u32,
}

/// Where in four bytes red, green, blue and alpha are.
type Order = [usize; 4];

const RGBA: Order = [0, 1, 2, 3];
const ARGB: Order = [1, 2, 3, 0];
const BGRA: Order = [2, 1, 0, 3];
const ABGR: Order = [3, 2, 1, 0];

/// Pixels from planes of which zero is the middle grey and a step of brightness is 32.
fn decode(image: &YuvPlanarImage<'_, i16>, pixels: &mut [u8], stride: u32, order: Order) -> Option<()> {
    for row in 0..rows(image.width, image.height)? {
        let len = image.width as usize;
        let y = line(image.y_plane, row, image.y_stride, len)?;
        let u = line(image.u_plane, row, image.u_stride, len)?;
        let v = line(image.v_plane, row, image.v_stride, len)?;
        let start = row.checked_mul(stride as usize)?;
        let pixels = pixels.get_mut(start..start.checked_add(len.checked_mul(4)?)?)?;
        for (((y, u), v), pixel) in y.iter().zip(u).zip(v).zip(pixels.as_chunks_mut::<4>().0) {
            let [y, cb, cr] = [f32::from(*y) + 4096.0, f32::from(*u), f32::from(*v)];
            let colour = [y + 1.402525 * cr, y - 0.343730 * cb - 0.714401 * cr, y + 1.769905 * cb];
            for (value, place) in colour.into_iter().zip(order) {
                pixel[place] = (value / 32.0) as u8;
            }
            pixel[order[3]] = u8::MAX;
        }
    }
    Some(())
}

/// The reverse of [`decode`].
fn encode(image: &mut YuvPlanarImageMut<'_, i16>, pixels: &[u8], stride: u32, order: Order) -> Option<()> {
    for row in 0..rows(image.width, image.height)? {
        let len = image.width as usize;
        let pixels = line(pixels, row, stride, len.checked_mul(4)?)?;
        let planes = [
            (&mut image.y_plane, image.y_stride, [0.299, 0.587, 0.114], -128.0),
            (&mut image.u_plane, image.u_stride, [-0.168935, -0.331665, 0.50059], 0.0),
            (&mut image.v_plane, image.v_stride, [0.499813, -0.418531, -0.081282], 0.0),
        ];
        for (BufferStoreMut::Borrowed(plane), stride, [r, g, b], offset) in planes {
            let start = row.checked_mul(stride as usize)?;
            let plane = plane.get_mut(start..start.checked_add(len)?)?;
            for (component, pixel) in plane.iter_mut().zip(pixels.as_chunks::<4>().0) {
                let [red, green, blue] = [0, 1, 2].map(|colour| f32::from(pixel[order[colour]]));
                *component = ((r * red + g * green + b * blue + offset) * 32.0) as i16;
            }
        }
    }
    Some(())
}

/// How many rows an image has that is not empty.
fn rows(width: u32, height: u32) -> Option<usize> {
    if width == 0 || height == 0 { None } else { usize::try_from(height).ok() }
}

fn line<T>(plane: &[T], row: usize, stride: u32, len: usize) -> Option<&[T]> {
    let start = row.checked_mul(stride as usize)?;
    plane.get(start..start.checked_add(len)?)
}

macro_rules! decoders {
    ($($name:ident $order:ident)*) => {$(
        /// Pixels in the order of the name from planes.
        pub fn $name(image: &YuvPlanarImage<'_, i16>, pixels: &mut [u8], stride: u32) -> Result<(), YuvError> {
            decode(image, pixels, stride, $order).ok_or(YuvError)
        }
    )*};
}

macro_rules! encoders {
    ($($name:ident $order:ident)*) => {$(
        /// Planes from pixels in the order of the name.
        pub fn $name(image: &mut YuvPlanarImageMut<'_, i16>, pixels: &[u8], stride: u32) -> Result<(), YuvError> {
            encode(image, pixels, stride, $order).ok_or(YuvError)
        }
    )*};
}

decoders!(rdp_yuv444_to_rgba RGBA rdp_yuv444_to_argb ARGB);
encoders!(rdp_rgba_to_yuv444 RGBA rdp_argb_to_yuv444 ARGB rdp_bgra_to_yuv444 BGRA rdp_abgr_to_yuv444 ABGR);
