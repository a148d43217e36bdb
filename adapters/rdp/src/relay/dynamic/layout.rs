//! The monitors that a viewer asks for (MS-RDPEDISP 2.2.2.2).

/// `DISPLAYCONTROL_PDU_TYPE_MONITOR_LAYOUT`.
const MONITOR_LAYOUT: u32 = 2;

/// `MonitorLayoutSize`, which is always this.
const MONITOR: usize = 40;

/// Monitors in a layout that are looked at; servers have far fewer.
const MOST_MONITORS: usize = 64;

/// The size of a desktop on the monitors of `message`, in pixels.
pub(super) fn size(message: &[u8]) -> Option<(u16, u16)> {
    let (header, monitors) = message.split_first_chunk::<16>()?;
    let [kind, _len, size, count] = u32s(header);
    if kind != MONITOR_LAYOUT || usize::try_from(size) != Ok(MONITOR) {
        return None;
    }
    let (monitors, _) = monitors.as_chunks::<MONITOR>();
    let monitors = monitors.get(..usize::try_from(count).ok()?).filter(|all| all.len() <= MOST_MONITORS)?;
    let mut corners = monitors.iter().map(|monitor| {
        let [_flags, left, top, width, height] = u32s(monitor);
        // Positions are signed.
        let (left, top) = (i64::from(left.cast_signed()), i64::from(top.cast_signed()));
        (left, top, left + i64::from(width), top + i64::from(height))
    });
    let first = corners.next()?;
    let (left, top, right, bottom) =
        corners.fold(first, |a, b| (a.0.min(b.0), a.1.min(b.1), a.2.max(b.2), a.3.max(b.3)));
    u16::try_from(right - left).ok().zip(u16::try_from(bottom - top).ok())
}

/// The first numbers of `bytes`; zeros after its end.
fn u32s<const N: usize>(bytes: &[u8]) -> [u32; N] {
    let (numbers, _) = bytes.as_chunks();
    std::array::from_fn(|index| numbers.get(index).map_or(0, |number| u32::from_le_bytes(*number)))
}
