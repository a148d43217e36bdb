//! Which regions of a picture move so much that they are kept as JPEG for a while.
//!
//! A region goes lossy when for five seconds it changed by more than 2 MB of pixels a second, without a pause, *and* the
//! stream grew by more than 256 KiB a second meanwhile: a terminal that scrolls changes as much, but costs little as it is.
//! What moves beside a region joins it: what a film has in motion is not the same for long.

use std::collections::VecDeque;

use passerelle_desktop::{Rect, Size};

use super::tiles::{Changed, TILE};

/// Changes are added up over this time, in milliseconds.
const SLOT: u32 = 500;
/// What is looked at: 5 seconds.
const WINDOW: usize = 10;
/// A tile moves when it changed in so many slots of the window: what moves over the screen is not everywhere at once.
const BUSY: usize = 4;
/// A region does when it changed in so many of them: a page is scrolled and then read.
const STEADY: usize = 9;
/// Bytes of pixels a second from which on a region is in motion, and below which it is no more.
const MOTION: u64 = 2_000_000;
const REST: u64 = 1_000_000;
/// What the stream grows by a second before anything is done about it, in bytes.
const COSTLY: u64 = 256 << 10;
/// As much, once there are regions: what moves beside them belongs to them.
const COSTLY_BESIDE: u64 = 32 << 10;
/// Bytes a second that the stream may grow by while there are regions in motion: what is left of it by what lies beside
/// them, but at least a part, is for pictures of them.
const BUDGET: u64 = 240_000;
const LEAST: u64 = BUDGET / 4;
/// Over so many slots the rest of the stream is looked at for that.
const LATELY: usize = 4;
/// The shortest time between two pictures of a region, and the longest, in milliseconds.
const SHORTEST: u32 = 200;
const LONGEST: u32 = 2000;
/// A region that does not change for so long is at rest.
const STILL: u32 = 1000;
/// More regions than this become one.
const REGIONS: usize = 4;

/// A region in motion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Region {
    pub(crate) area: Rect,
    /// Something changed since the last picture of it.
    dirty: bool,
    /// When the next picture of it may be written.
    next: u32,
    last_change: u32,
}

#[derive(Default)]
struct Slot {
    number: u32,
    /// Bytes of pixels that changed, for each tile.
    tiles: Vec<u32>,
    /// Bytes of the stream, without JPEG.
    output: u64,
}

pub(crate) struct Motion {
    size: Size,
    columns: usize,
    tiles: usize,
    slots: VecDeque<Slot>,
    regions: Vec<Region>,
}

impl Motion {
    /// For a picture of `size` with so many tiles in a row and in all.
    pub(crate) fn new(size: Size, columns: usize, tiles: usize) -> Self {
        Self { size, columns: columns.max(1), tiles, slots: VecDeque::new(), regions: Vec::new() }
    }

    /// Notes what changed until `t_ms`, and answers with what of it lies outside of all regions.
    pub(crate) fn note(&mut self, t_ms: u32, changed: Vec<Changed>) -> Vec<Changed> {
        self.turn(t_ms);
        if let Some(slot) = self.slots.back_mut() {
            for Changed { tile, area } in &changed {
                if let Some(bytes) = slot.tiles.get_mut(*tile) {
                    *bytes = bytes.saturating_add(u32::try_from(area.pixels() * 4).unwrap_or(u32::MAX));
                }
            }
        }
        let mut outside = changed;
        for region in &mut self.regions {
            let all = outside.len();
            outside.retain(|changed| region.area.intersection(changed.area).is_none());
            if outside.len() < all {
                region.dirty = true;
                region.last_change = t_ms;
            }
        }
        outside
    }

    /// Notes what the stream grew by, JPEG left out.
    pub(crate) fn grew(&mut self, bytes: u64) {
        if let Some(slot) = self.slots.back_mut() {
            slot.output += bytes;
        }
    }

    /// The regions in motion.
    pub(crate) fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// The regions of which a picture is to be written at `t_ms`.
    pub(crate) fn due(&self, t_ms: u32) -> Vec<Rect> {
        let due = self.regions.iter().filter(|region| region.dirty && region.next <= t_ms);
        due.map(|region| region.area).collect()
    }

    /// A picture of `area` of so many bytes was written.
    pub(crate) fn pictured(&mut self, area: Rect, t_ms: u32, bytes: usize) {
        let all = self.regions.len().max(1) as u64;
        let beside: u64 = self.slots.iter().rev().take(LATELY).map(|slot| slot.output).sum();
        let budget = BUDGET.saturating_sub(beside / seconds(LATELY)).max(LEAST);
        if let Some(region) = self.regions.iter_mut().find(|region| region.area == area) {
            region.dirty = false;
            let pause = (bytes as u64).saturating_mul(1000).saturating_mul(all) / budget;
            let pause = u32::try_from(pause).unwrap_or(LONGEST).clamp(SHORTEST, LONGEST);
            region.next = t_ms.saturating_add(pause);
        }
    }

    /// When something is due although nothing changes: a picture, or the end of a motion.
    pub(crate) fn next_due(&self) -> Option<u32> {
        let due = |region: &Region| {
            let still = region.last_change.saturating_add(STILL);
            if region.dirty { region.next.min(still) } else { still }
        };
        self.regions.iter().map(due).min()
    }

    /// Takes off the list what is at rest at `t_ms`; it must be written as it is.
    pub(crate) fn settled(&mut self, t_ms: u32) -> Vec<Rect> {
        self.turn(t_ms);
        let rates: Vec<u64> = self.regions.iter().map(|region| self.rate(region.area, 4)).collect();
        let mut settled = Vec::new();
        let mut index = 0;
        self.regions.retain(|region| {
            let still = t_ms.saturating_sub(region.last_change) >= STILL;
            let rest = still || rates.get(index).is_none_or(|rate| *rate < REST);
            index += 1;
            if rest {
                settled.push(region.area);
            }
            !rest
        });
        settled
    }

    /// Takes all regions off the list.
    pub(crate) fn stop(&mut self) -> Vec<Rect> {
        self.regions.drain(..).map(|region| region.area).collect()
    }

    /// Regions that are in motion from now on, or have become larger.
    pub(crate) fn begun(&mut self, t_ms: u32) -> Vec<Rect> {
        let output: u64 = self.slots.iter().map(|slot| slot.output).sum();
        let costly = if self.regions.is_empty() { COSTLY } else { COSTLY_BESIDE };
        if self.slots.len() < WINDOW || output < costly * seconds(WINDOW) {
            return Vec::new();
        }
        let mut areas = self.moving();
        areas.retain(|area| self.rate(*area, WINDOW) >= MOTION && self.is_steady(*area));
        areas.retain(|area| {
            let held = |region: &Region| region.area.intersection(*area).is_some();
            let (inside, others): (Vec<_>, Vec<_>) = self.regions.drain(..).partition(held);
            self.regions = others;
            let place = self.regions.len() < REGIONS;
            if place {
                // The pause after the last picture has to be kept.
                let next = inside.iter().map(|region| region.next).max().unwrap_or(t_ms);
                self.regions.push(Region { area: *area, dirty: true, next, last_change: t_ms });
            }
            place
        });
        if !areas.is_empty() {
            // What it cost as it was, it will not cost any more.
            self.slots.iter_mut().for_each(|slot| slot.output = 0);
        }
        areas
    }

    /// Rectangles, along tiles, of what moves and is in no region. They overlap neither each other nor a region, unless they
    /// hold all of it.
    fn moving(&self) -> Vec<Rect> {
        let mut areas: Vec<Rect> = Vec::new();
        for tile in 0..self.tiles {
            let busy = self.slots.iter().filter(|slot| slot.tiles.get(tile).is_some_and(|bytes| *bytes > 0));
            if busy.count() < BUSY {
                continue;
            }
            let area = self.area(tile);
            if !self.regions.iter().any(|region| region.area.intersection(area).is_some()) {
                join(&mut areas, area);
            }
        }
        if areas.len() > REGIONS {
            let all = areas.iter().copied().fold(Rect { x: 0, y: 0, width: 0, height: 0 }, Rect::hull);
            areas = vec![all];
        }
        if areas.is_empty() {
            return areas;
        }
        // Regions beside which something moves become larger.
        self.regions.iter().for_each(|region| join(&mut areas, region.area));
        areas.retain(|area| self.regions.iter().all(|region| region.area != *area));
        areas
    }

    /// Bytes of pixels a second that changed in `area` over the last so many slots.
    fn rate(&self, area: Rect, slots: usize) -> u64 {
        self.slots.iter().rev().take(slots).map(|slot| self.changed(slot, area)).sum::<u64>() / seconds(slots)
    }

    /// Whether `area` changed all the time.
    fn is_steady(&self, area: Rect) -> bool {
        self.slots.iter().filter(|slot| self.changed(slot, area) > 0).count() >= STEADY
    }

    /// Bytes of pixels that changed in `area` in a slot.
    fn changed(&self, slot: &Slot, area: Rect) -> u64 {
        let inside = (0..self.tiles).filter(|tile| area.intersection(self.area(*tile)).is_some());
        inside.filter_map(|tile| slot.tiles.get(tile)).map(|bytes| u64::from(*bytes)).sum()
    }

    /// Where a tile is.
    fn area(&self, tile: usize) -> Rect {
        let at = |index: usize| u16::try_from(index * usize::from(TILE)).unwrap_or(u16::MAX);
        let (x, y) = (at(tile % self.columns), at(tile / self.columns));
        let width = TILE.min(self.size.width.saturating_sub(x));
        let height = TILE.min(self.size.height.saturating_sub(y));
        Rect { x, y, width, height }
    }

    /// Goes on to the slot of `t_ms`.
    fn turn(&mut self, t_ms: u32) {
        let number = t_ms / SLOT;
        let mut next = self.slots.back().map_or(number, |slot| slot.number.saturating_add(1));
        // After a pause of more than a window nothing is left of what was.
        next = next.max(number.saturating_sub(WINDOW as u32));
        while next <= number {
            if self.slots.len() >= WINDOW {
                self.slots.pop_front();
            }
            self.slots.push_back(Slot { number: next, tiles: vec![0; self.tiles], output: 0 });
            next += 1;
        }
    }
}

/// How many seconds so many slots are, at least one.
fn seconds(slots: usize) -> u64 {
    (slots as u64 * u64::from(SLOT) / 1000).max(1)
}

/// Adds `area` to areas that are apart, joined to those that are near.
fn join(areas: &mut Vec<Rect>, mut area: Rect) {
    while let Some(index) = areas.iter().position(|other| near(*other, area)) {
        area = area.hull(areas.swap_remove(index));
    }
    areas.push(area);
}

/// Whether two rectangles are no more than a tile apart.
fn near(a: Rect, b: Rect) -> bool {
    let margin = u32::from(TILE);
    u32::from(a.x) <= b.right() + margin
        && u32::from(b.x) <= a.right() + margin
        && u32::from(a.y) <= b.bottom() + margin
        && u32::from(b.y) <= a.bottom() + margin
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { width: 640, height: 384 };
    const VIDEO: Rect = Rect { x: 128, y: 64, width: 256, height: 192 };

    fn motion() -> Motion {
        Motion::new(SIZE, 10, 60)
    }

    /// All of the video changes.
    fn changes(motion: &Motion) -> Vec<Changed> {
        let tiles = (0..60).map(|tile| Changed { tile, area: motion.area(tile) });
        tiles.filter(|changed| VIDEO.intersection(changed.area).is_some()).collect()
    }

    /// Lets the video run, and answers when it went lossy.
    fn run(motion: &mut Motion, until: u32, per_frame: u64) -> Option<u32> {
        for t_ms in (0..until).step_by(50) {
            let changed = changes(motion);
            motion.note(t_ms, changed);
            motion.grew(per_frame);
            if motion.begun(t_ms) == [VIDEO] {
                return Some(t_ms);
            }
        }
        None
    }

    #[test]
    fn what_moves_for_five_seconds_and_costs_much_becomes_a_region_until_it_rests() {
        let mut motion = motion();
        let began = run(&mut motion, 20_000, 20_000).unwrap();
        assert!((3500..6000).contains(&began), "{began}");
        assert_eq!(motion.due(began), [VIDEO]);
        motion.pictured(VIDEO, began, 60_000);
        // The pause pays for what the picture cost.
        let changed = changes(&motion);
        assert!(motion.note(began + 50, changed).is_empty());
        assert!(motion.due(began + 50).is_empty());
        assert_eq!(motion.next_due(), Some(began + 250));
        assert_eq!(motion.due(began + 250), [VIDEO]);
        assert!(motion.settled(began + 250).is_empty());
        motion.pictured(VIDEO, began + 250, 60_000);
        assert_eq!(motion.next_due(), Some(began + 1050));
        assert_eq!(motion.settled(began + 1050), [VIDEO]);
        assert!(motion.regions().is_empty());
        assert_eq!(motion.next_due(), None);
    }

    #[test]
    fn what_costs_little_stays_as_it_is() {
        assert_eq!(run(&mut motion(), 20_000, 2_000), None);
    }

    #[test]
    fn what_is_scrolled_and_read_stays_as_it_is() {
        let mut motion = motion();
        for t_ms in (0..60_000).step_by(50) {
            // For two and a half seconds of each four, and more than 2 MB a second in all.
            let changed = if t_ms % 4000 < 2500 { changes(&motion) } else { Vec::new() };
            motion.note(t_ms, changed);
            motion.grew(60_000);
            assert!(motion.begun(t_ms).is_empty(), "{t_ms}");
        }
    }

    #[test]
    fn what_changes_outside_of_a_region_is_told() {
        let mut motion = motion();
        run(&mut motion, 20_000, 20_000).unwrap();
        let outside = Changed { tile: 59, area: motion.area(59) };
        let mut changed = changes(&motion);
        changed.push(outside);
        assert_eq!(motion.note(7000, changed), [outside]);
    }

    #[test]
    fn what_moves_over_the_screen_is_one_region() {
        // A bar of two columns of tiles goes from left to right and begins again, in a second.
        let mut motion = motion();
        let mut began = Vec::new();
        for t_ms in (0..8000).step_by(50) {
            let column = t_ms as usize / 100 % 9;
            let tiles = (0..6).flat_map(|row| [row * 10 + column, row * 10 + column + 1]);
            let changed = tiles.map(|tile| Changed { tile, area: motion.area(tile) }).collect();
            motion.note(t_ms, changed);
            motion.grew(20_000);
            began.extend(motion.begun(t_ms));
        }
        assert_eq!(began, [Rect::of(SIZE)]);
    }

    #[test]
    fn what_moves_beside_a_region_joins_it() {
        let mut motion = motion();
        let began = run(&mut motion, 20_000, 20_000).unwrap();
        motion.pictured(VIDEO, began, 60_000);
        let next = motion.regions()[0].next;
        // It has become as wide as the screen, which need not cost much to be noticed, and need not be lost.
        let wide = Rect { x: 0, width: SIZE.width, ..VIDEO };
        let mut grown = Vec::new();
        for t_ms in (began + 50..began + 5000).step_by(50) {
            let tiles = (0..60).map(|tile| Changed { tile, area: motion.area(tile) });
            let changed: Vec<_> = tiles.filter(|changed| wide.intersection(changed.area).is_some()).collect();
            let outside = motion.note(t_ms, changed);
            motion.grew(outside.len() as u64 * 200);
            assert!(motion.settled(t_ms).is_empty());
            grown.extend(motion.begun(t_ms));
            assert_eq!(motion.regions().len(), 1);
            assert!(motion.regions()[0].next >= next, "the pause is kept");
        }
        assert_eq!(grown, [wide]);
        assert_eq!(motion.regions()[0].area, wide);
    }

    #[test]
    fn pictures_get_what_the_rest_of_the_stream_leaves() {
        let mut motion = motion();
        let began = run(&mut motion, 20_000, 20_000).unwrap();
        let pause = |motion: &mut Motion, t_ms: u32| {
            motion.pictured(VIDEO, t_ms, 60_000);
            motion.regions()[0].next - t_ms
        };
        // What the motion cost before does not count.
        let mut t_ms = began;
        for (beside, expected) in [(0, 250..=250), (6_000, 400..=500), (100_000, 1000..=1000)] {
            for _ in 0..80 {
                t_ms += 50;
                motion.note(t_ms, Vec::new());
                motion.grew(beside);
            }
            let pause = pause(&mut motion, t_ms);
            assert!(expected.contains(&pause), "{beside}: {pause}");
        }
    }

    #[test]
    fn a_pause_forgets_what_was_before() {
        let mut motion = motion();
        for t_ms in (0..4000).chain(3_000_000..3_001_000).step_by(50) {
            let changed = changes(&motion);
            motion.note(t_ms, changed);
            motion.grew(20_000);
            assert!(motion.begun(t_ms).is_empty());
        }
        assert!(motion.slots.len() <= WINDOW);
    }
}
