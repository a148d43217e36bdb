//! Those who watch a session while it runs.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use axum::body::Bytes;
use tokio::sync::Notify;

/// Bytes of messages that may wait for a watcher. One that is slower goes on with the next whole picture.
const WAITING: usize = 64 << 20;

/// The watchers of one session.
#[derive(Default)]
pub(super) struct Watchers(Mutex<List>);

#[derive(Default)]
struct List {
    watchers: Vec<Weak<Shared>>,
    over: bool,
}

/// Somebody who watches.
pub(crate) struct Watcher(Arc<Shared>);

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Notify,
}

#[derive(Default)]
struct Queue {
    messages: VecDeque<Bytes>,
    bytes: usize,
    /// A whole picture came, so what changes can be understood.
    begun: bool,
    over: bool,
}

impl Watchers {
    /// Somebody comes; the next whole picture is their first.
    pub(super) fn join(&self) -> Watcher {
        let mut list = self.lock();
        let shared = Arc::new(Shared::default());
        if list.over {
            shared.lock().over = true;
        }
        list.watchers.retain(|watcher| watcher.strong_count() > 0);
        list.watchers.push(Arc::downgrade(&shared));
        Watcher(shared)
    }

    /// How many there are, and whether one of them waits for a whole picture.
    pub(super) fn waiting(&self) -> (usize, bool) {
        let watchers: Vec<_> = self.lock().watchers.iter().filter_map(Weak::upgrade).collect();
        (watchers.len(), watchers.iter().any(|watcher| !watcher.lock().begun))
    }

    /// Gives all of them a frame's messages; `whole` if they are a whole picture.
    pub(super) fn show(&self, whole: bool, messages: &Bytes) {
        for watcher in self.lock().watchers.iter().filter_map(Weak::upgrade) {
            watcher.lock().push(whole, messages);
            watcher.changed.notify_one();
        }
    }

    /// There is nothing more to see.
    pub(super) fn end(&self) {
        let mut list = self.lock();
        list.over = true;
        for watcher in list.watchers.drain(..).filter_map(|watcher| watcher.upgrade()) {
            watcher.lock().over = true;
            watcher.changed.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, List> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn push(&mut self, whole: bool, messages: &Bytes) {
        if whole {
            // It stands for everything that was not sent yet.
            self.messages.clear();
            self.bytes = 0;
            self.begun = true;
        }
        if !self.begun {
            return;
        }
        if !whole && self.bytes + messages.len() > WAITING {
            self.messages.clear();
            self.bytes = 0;
            self.begun = false;
            return;
        }
        self.bytes += messages.len();
        self.messages.push_back(messages.clone());
    }
}

impl Watcher {
    /// The next messages; nothing at the end.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        loop {
            {
                let mut queue = self.0.lock();
                if let Some(messages) = queue.messages.pop_front() {
                    queue.bytes -= messages.len();
                    return Some(messages);
                }
                if queue.over {
                    return None;
                }
            }
            self.0.changed.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn watchers_begin_with_a_whole_picture_and_slow_ones_go_on_with_another() {
        let watchers = Watchers::default();
        let mut watcher = watchers.join();
        assert_eq!(watchers.waiting(), (1, true));
        let change = Bytes::from_static(b"change");
        watchers.show(false, &change);
        watchers.show(true, &Bytes::from_static(b"whole"));
        watchers.show(false, &change);
        assert_eq!(watchers.waiting(), (1, false));
        assert_eq!(watcher.next().await.unwrap(), "whole");
        assert_eq!(watcher.next().await.unwrap(), "change");

        let large = Bytes::from(vec![0; WAITING / 2 + 1]);
        watchers.show(false, &large);
        watchers.show(false, &large);
        assert_eq!(watchers.waiting(), (1, true), "it is too slow");
        watchers.show(false, &change);
        watchers.show(true, &Bytes::from_static(b"again"));
        assert_eq!(watcher.next().await.unwrap(), "again");
        watchers.end();
        assert!(watcher.next().await.is_none());
        assert!(watchers.join().next().await.is_none());
        drop(watcher);
        assert_eq!(watchers.waiting(), (0, false));
    }
}
