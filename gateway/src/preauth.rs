//! Room for connections that have not proven anything yet.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

/// Admits at most so many unauthenticated connections at once.
///
/// When the room is full the oldest connection gives way: somebody who opens ten thousand idle
/// connections pushes out their own, while a technician, who answers at once, gets through.
#[derive(Clone, Debug)]
pub(crate) struct WaitingRoom(Arc<Mutex<Room>>);

#[derive(Debug)]
struct Room {
    capacity: usize,
    next: u64,
    waiting: BTreeMap<u64, CancellationToken>,
}

/// A place in the room; dropping it frees the place.
#[derive(Debug)]
pub(crate) struct Place {
    room: WaitingRoom,
    number: u64,
    evicted: CancellationToken,
}

impl WaitingRoom {
    /// Room for `capacity` connections, at least one.
    pub(crate) fn new(capacity: usize) -> Self {
        Self(Arc::new(Mutex::new(Room { capacity: capacity.max(1), next: 0, waiting: BTreeMap::new() })))
    }

    /// Takes a place, from the oldest if need be.
    pub(crate) fn enter(&self) -> Place {
        let mut room = self.lock();
        if room.waiting.len() >= room.capacity
            && let Some((_, oldest)) = room.waiting.pop_first()
        {
            oldest.cancel();
        }
        let evicted = CancellationToken::new();
        let number = room.next;
        room.next += 1;
        room.waiting.insert(number, evicted.clone());
        Place { room: self.clone(), number, evicted }
    }

    /// How many connections wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Changes the capacity for those who come from now on.
    pub(crate) fn set_capacity(&self, capacity: usize) {
        self.lock().capacity = capacity.max(1);
    }

    /// Sends everybody away.
    pub(crate) fn evict_all(&self) {
        for place in self.lock().waiting.values() {
            place.cancel();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Room> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Is cancelled when the place is given to a newer connection, and never once it was left.
    pub(crate) fn eviction(&self) -> CancellationToken {
        self.evicted.clone()
    }

    /// Resolves when the place was given to a newer connection.
    pub(crate) async fn evicted(&self) {
        self.evicted.cancelled().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.lock().waiting.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_gives_way_and_leaving_frees_a_place() {
        let room = WaitingRoom::new(2);
        let first = room.enter();
        let second = room.enter();
        let third = room.enter();
        assert!(first.evicted.is_cancelled());
        assert!(!second.evicted.is_cancelled() && !third.evicted.is_cancelled());
        drop(second);
        let fourth = room.enter();
        assert!(!third.evicted.is_cancelled() && !fourth.evicted.is_cancelled());
        assert_eq!(room.len(), 2);
    }
}
