//! Channels between stages, bounded in bytes and number. A full channel makes the sender wait, and
//! so the stage before it, until whoever hands records in is told to come back: back-pressure needs
//! nothing else.
//!
//! Dropping the sender ends the channel: the receiver gets what is in it, then nothing.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How much may wait in a channel.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Items. The sender waits above it.
    pub items_max: usize,
    /// Bytes, as the sender states them. The sender waits above it; a single larger item passes
    /// when nothing else waits.
    pub bytes_max: usize,
}

struct State<T> {
    waiting: VecDeque<(T, usize)>,
    bytes: usize,
    sender_gone: bool,
    receiver_gone: bool,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    bounds: Bounds,
    room: Condvar,
    news: Condvar,
}

/// The sending end.
pub struct Sender<T>(Arc<Shared<T>>);

/// The receiving end.
pub struct Receiver<T>(Arc<Shared<T>>);

/// The other end is gone: the stage behind it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

/// What waiting for an item came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Received<T> {
    /// The next item.
    Item(T),
    /// Nothing came in time.
    Nothing,
    /// Nothing will come any more.
    Ended,
}

/// A channel.
#[must_use]
pub fn channel<T>(bounds: Bounds) -> (Sender<T>, Receiver<T>) {
    let state = State { waiting: VecDeque::new(), bytes: 0, sender_gone: false, receiver_gone: false };
    let shared =
        Arc::new(Shared { state: Mutex::new(state), bounds, room: Condvar::new(), news: Condvar::new() });
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

impl<T> Shared<T> {
    /// Both ends only move whole items, so a panic elsewhere leaves nothing half done.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Sender<T> {
    /// Hands on an item, waiting for room.
    ///
    /// # Errors
    /// [`Closed`] when the receiver is gone.
    pub fn send(&self, item: T, bytes: usize) -> Result<(), Closed> {
        let Bounds { items_max, bytes_max } = self.0.bounds;
        let full = |state: &mut State<T>| {
            let over = state.waiting.len() >= items_max || state.bytes + bytes > bytes_max;
            over && !state.waiting.is_empty() && !state.receiver_gone
        };
        let guard = self.0.lock();
        let mut state = self.0.room.wait_while(guard, full).unwrap_or_else(PoisonError::into_inner);
        if state.receiver_gone {
            return Err(Closed);
        }
        state.bytes += bytes;
        state.waiting.push_back((item, bytes));
        drop(state);
        self.0.news.notify_one();
        Ok(())
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.lock().sender_gone = true;
        self.0.news.notify_one();
    }
}

impl<T> Receiver<T> {
    /// The next item, waiting no longer than `patience`; without it, as long as it takes.
    pub fn receive(&self, patience: Option<Duration>) -> Received<T> {
        let until = patience.map(|patience| Instant::now() + patience);
        let mut state = self.0.lock();
        loop {
            if let Some((item, bytes)) = state.waiting.pop_front() {
                state.bytes -= bytes;
                drop(state);
                self.0.room.notify_one();
                return Received::Item(item);
            }
            if state.sender_gone {
                return Received::Ended;
            }
            state = match until {
                None => self.0.news.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Received::Nothing;
                    }
                    self.0.news.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// The next item if there is one now.
    pub fn take(&self) -> Option<T> {
        let mut state = self.0.lock();
        let (item, bytes) = state.waiting.pop_front()?;
        state.bytes -= bytes;
        drop(state);
        self.0.room.notify_one();
        Some(item)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.receiver_gone = true;
        state.waiting.clear();
        drop(state);
        self.0.room.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Bounds {
        Bounds { items_max: 4, bytes_max: 10 }
    }

    #[test]
    fn what_is_in_it_comes_out_after_the_sender_is_gone() {
        let (sender, receiver) = channel(small());
        sender.send(1, 5).unwrap();
        sender.send(2, 5).unwrap();
        drop(sender);
        assert_eq!(receiver.receive(None), Received::Item(1));
        assert_eq!(receiver.take(), Some(2));
        assert_eq!(receiver.receive(None), Received::Ended);
    }

    #[test]
    fn a_sender_waits_for_bytes_and_for_items() {
        for (sizes, fits) in [(vec![6, 6], 1), (vec![1; 6], 4), (vec![50, 1], 1), (vec![5, 5, 0], 3)] {
            let (sender, receiver) = channel(small());
            std::thread::scope(|scope| {
                let all = sizes.len();
                let sending = scope
                    .spawn(move || sizes.iter().map(|bytes| sender.send(*bytes, *bytes)).collect::<Vec<_>>());
                while receiver.0.lock().waiting.len() < fits {
                    std::thread::yield_now();
                }
                assert_eq!(receiver.0.lock().waiting.len(), fits);
                assert!(all == fits || !sending.is_finished());
                let got = std::iter::from_fn(|| match receiver.receive(None) {
                    Received::Item(item) => Some(item),
                    _ => None,
                });
                assert_eq!(got.count(), all);
            });
        }
    }

    #[test]
    fn nobody_waits_for_a_receiver_that_is_gone() {
        let (sender, receiver) = channel(small());
        sender.send(0, 10).unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| sender.send(1, 10));
            drop(receiver);
            assert_eq!(waiting.join().unwrap(), Err(Closed));
        });
    }

    #[test]
    fn patience_ends() {
        let (_sender, receiver) = channel::<u8>(small());
        assert_eq!(receiver.receive(Some(Duration::from_millis(1))), Received::Nothing);
    }
}
