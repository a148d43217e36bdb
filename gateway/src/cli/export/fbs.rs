//! FBS 001.000, the files of vncrec and rfbproxy: what an RFB server said, in blocks with their time.

use std::io::Write;

use passerelle_recorder::{Entry, Lane, Reader};
use passerelle_rfb::{ServerMessage, update_header};
use passerelle_vnc::{MarkedFormat, Marker};

use super::ExportError;

/// Bytes of ServerInit before the desktop's name (RFC 6143, section 7.3.2).
const SERVER_INIT: usize = 24;
/// Where the pixel format stands in it.
const PIXEL_FORMAT: std::ops::Range<usize> = 4..20;
/// What stands before ServerInit: the version, and the security type `None` as version 3.3 has it.
const BEGINNING: &[u8] = b"RFB 003.003\n\0\0\0\x01";
/// What is held back until the first pixel format is known is hardly longer than this, in bytes.
const MOST_HELD: usize = 64 * 1024;

/// Writes the session. Comes back with what a player will not show rightly.
///
/// The files have no place for a change of the pixel format; the viewer's first one is put in the server's place, for
/// most viewers set it once and before the first picture.
pub(super) fn write(reader: Reader, out: &mut dyn Write) -> Result<Option<String>, ExportError> {
    convert(reader.map(|entry| entry.map_err(ExportError::from)), out)
}

fn convert(
    entries: impl Iterator<Item = Result<Entry, ExportError>>,
    out: &mut dyn Write,
) -> Result<Option<String>, ExportError> {
    out.write_all(b"FBS 001.000\n")?;
    let mut beginning = Some(Vec::new());
    let mut format: Option<MarkedFormat> = None;
    let (mut changes, mut blackouts) = (0_u64, 0_u64);
    let mut last = 0;
    for entry in entries {
        let Entry { lane, t_ms, bytes, .. } = entry?;
        last = t_ms;
        if lane == Lane::State {
            let new = match Marker::parse(&bytes) {
                Ok(Marker::PixelFormat(new)) => new,
                Ok(Marker::BlackoutEnd { width, height, pixel_format, .. }) => {
                    if beginning.is_none() {
                        block(out, &resized(width, height), t_ms)?;
                    }
                    blackouts += 1;
                    pixel_format
                }
                Ok(Marker::Blackout(_)) | Err(_) => continue,
            };
            if beginning.is_none() && format != Some(new) {
                changes += 1;
            }
            format = Some(new);
            continue;
        }
        let Some(held) = &mut beginning else {
            block(out, &bytes, t_ms)?;
            continue;
        };
        if !whole(held) && held.len() <= MOST_HELD {
            held.extend_from_slice(&bytes);
            continue;
        }
        // Something behind ServerInit: the first picture, whose format is in force.
        let first = std::mem::take(held);
        beginning = None;
        block(out, &start(first, format)?, t_ms)?;
        block(out, &bytes, t_ms)?;
    }
    if let Some(held) = beginning {
        block(out, &start(held, format)?, last)?;
    }
    let mut warnings = Vec::new();
    if changes > 0 {
        warnings.push(format!("the viewer changed the pixel format {changes} times, for which this format has no place; players show what follows wrongly"));
    }
    if blackouts > 0 {
        warnings.push(format!(
            "{blackouts} blackouts ended, of which nothing of the screen was kept; players show the last picture before them meanwhile"
        ));
    }
    Ok((!warnings.is_empty()).then(|| warnings.join("; ")))
}

/// Whether all of ServerInit is there.
fn whole(init: &[u8]) -> bool {
    let name = init.get(SERVER_INIT - 4..SERVER_INIT).and_then(|len| len.try_into().ok());
    name.is_some_and(|len| init.len() - SERVER_INIT >= u32::from_be_bytes(len) as usize)
}

/// The handshake and ServerInit with another pixel format.
fn start(mut init: Vec<u8>, format: Option<MarkedFormat>) -> Result<Vec<u8>, ExportError> {
    if !whole(&init) {
        return Err(ExportError::NoServerInit);
    }
    if let Some(format) = format {
        init[PIXEL_FORMAT].copy_from_slice(&encode(format));
    }
    Ok([BEGINNING, &init].concat())
}

/// `PIXEL_FORMAT` (RFC 6143, section 7.4).
fn encode(format: MarkedFormat) -> [u8; 16] {
    let [red, green, blue] = [format.red_max, format.green_max, format.blue_max].map(u16::to_be_bytes);
    let (big_endian, true_colour) = (u8::from(format.big_endian), u8::from(format.true_colour));
    [
        format.bits_per_pixel,
        format.depth,
        big_endian,
        true_colour,
        red[0],
        red[1],
        green[0],
        green[1],
        blue[0],
        blue[1],
        format.red_shift,
        format.green_shift,
        format.blue_shift,
        0,
        0,
        0,
    ]
}

/// An update that says how large the desktop is, for what the log lacks may have changed that.
fn resized(width: u16, height: u16) -> Vec<u8> {
    let message = ServerMessage::DesktopSize { width, height };
    [&update_header(1)[..], &message.encode()].concat()
}

/// A block: its length, its bytes up to a multiple of four, and the time at which they came, in milliseconds.
fn block(out: &mut dyn Write, bytes: &[u8], t_ms: u32) -> Result<(), ExportError> {
    // No entry is longer than 64 MiB.
    let len = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.write_all(&len.to_be_bytes())?;
    out.write_all(bytes)?;
    out.write_all(&[0; 3][..bytes.len().wrapping_neg() % 4])?;
    out.write_all(&t_ms.to_be_bytes())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAT: &str = r#"{"pixel_format":{"bits_per_pixel":16,"depth":16,"big_endian":true,"true_colour":true,"red_max":31,"green_max":63,"blue_max":31,"red_shift":11,"green_shift":5,"blue_shift":0}}"#;

    fn entry(lane: Lane, t_ms: u32, bytes: &[u8]) -> Result<Entry, ExportError> {
        Ok(Entry { seq: 0, t_ms, lane, bytes: bytes.to_vec() })
    }

    fn init() -> Vec<u8> {
        [&[0, 2, 0, 1][..], &[9; 16], &[0, 0, 0, 3], b"abc"].concat()
    }

    #[test]
    fn a_session_begins_with_the_format_that_its_viewer_set() {
        let init = init();
        let entries = [
            entry(Lane::Target, 5, &init[..10]),
            entry(Lane::Target, 6, &init[10..]),
            entry(Lane::State, 7, FORMAT.as_bytes()),
            entry(Lane::Target, 8, b"picture"),
        ];
        let mut out = Vec::new();
        assert_eq!(convert(entries.into_iter(), &mut out).unwrap(), None);
        let mut wanted = b"FBS 001.000\n".to_vec();
        wanted.extend(43_u32.to_be_bytes());
        wanted.extend(b"RFB 003.003\n\0\0\0\x01\0\x02\0\x01");
        wanted.extend([16, 16, 1, 1, 0, 31, 0, 63, 0, 31, 11, 5, 0, 0, 0, 0]);
        wanted.extend(b"\0\0\0\x03abc\0");
        wanted.extend(8_u32.to_be_bytes());
        wanted.extend(b"\0\0\0\x07picture\0\0\0\0\x08");
        assert_eq!(out, wanted);
    }

    #[test]
    fn what_a_player_cannot_know_is_told() {
        let changed = FORMAT.replace("\"depth\":16", "\"depth\":15");
        let entries = [
            entry(Lane::State, 0, FORMAT.as_bytes()),
            entry(Lane::Target, 0, &init()),
            entry(Lane::Target, 1, b"picture"),
            entry(Lane::State, 2, FORMAT.as_bytes()),
            entry(Lane::State, 2, changed.as_bytes()),
            entry(Lane::Target, 3, b"picture"),
        ];
        let note = convert(entries.into_iter(), &mut Vec::new()).unwrap().unwrap();
        assert!(note.contains("1 times"), "{note}");
        let short = [entry(Lane::Target, 0, &init()[..20])];
        assert!(matches!(convert(short.into_iter(), &mut Vec::new()), Err(ExportError::NoServerInit)));
    }
}
