//! Who waits for the replies of a connection: reusable places with a waker and the frames so far.

use std::task::Waker;

use crate::{error::Error, resp::Frame};

/// The places of all who wait on one connection.
///
/// A place is taken when a call is sent and freed by the call itself, so that it cannot be given
/// away under its feet. Places are reused; on the ordinary path nothing is allocated.
#[derive(Default)]
pub(super) struct Waiting {
    places: Vec<Place>,
    /// The first of the free places, which name each other.
    free: Option<Key>,
}

/// Names a place until it is freed.
pub(super) type Key = usize;

/// Who waits, or what they get.
pub(super) enum Place {
    /// Nobody; the next free place follows.
    Free(Option<Key>),
    /// Somebody, and the frames that have come so far.
    Waiting { waker: Waker, frames: Vec<Frame> },
    /// Everything has come, and will be fetched.
    Answered(Result<Frames, Error>),
}

/// The frames that answer one call.
pub(super) enum Frames {
    /// One, in place.
    One(Frame),
    /// Those of a batch.
    Many(Vec<Frame>),
}

impl Frames {
    pub(super) fn as_slice(&self) -> &[Frame] {
        match self {
            Self::One(frame) => std::slice::from_ref(frame),
            Self::Many(frames) => frames,
        }
    }
}

impl Waiting {
    /// The key that [`Waiting::take_place`] will return next.
    pub(super) fn next_key(&self) -> Key {
        self.free.unwrap_or(self.places.len())
    }

    /// Takes a place, to be woken by `waker`.
    pub(super) fn take_place(&mut self, waker: Waker) -> Key {
        let key = self.next_key();
        let place = Place::Waiting {
            waker,
            frames: Vec::new(),
        };
        match self.places.get_mut(key) {
            Some(reused) => {
                if let Place::Free(next) = reused {
                    self.free = *next;
                }
                *reused = place;
            }
            None => self.places.push(place),
        }
        key
    }

    /// Frees a place, and returns what was in it.
    pub(super) fn free(&mut self, key: Key) -> Option<Place> {
        let place = self.places.get_mut(key)?;
        let free = Place::Free(self.free.replace(key));
        Some(std::mem::replace(place, free))
    }

    /// Adds a frame, and returns whom to wake if it is the last one.
    pub(super) fn reply(&mut self, key: Key, frame: Frame, last: bool) -> Option<Waker> {
        let place = self.places.get_mut(key)?;
        let Place::Waiting { frames, .. } = place else {
            return None;
        };
        if !last {
            frames.push(frame);
            return None;
        }
        let frames = if frames.is_empty() {
            Frames::One(frame)
        } else {
            frames.push(frame);
            Frames::Many(std::mem::take(frames))
        };
        answer(place, Ok(frames))
    }

    /// Ends the wait with an error, and returns whom to wake.
    pub(super) fn fail(&mut self, key: Key, error: Error) -> Option<Waker> {
        answer(self.places.get_mut(key)?, Err(error))
    }

    /// Frees the place if it was answered; otherwise remembers whom to wake.
    pub(super) fn poll(&mut self, key: Key, waker: &Waker) -> Option<Result<Frames, Error>> {
        let place = self.places.get_mut(key)?;
        if let Place::Waiting { waker: known, .. } = place {
            known.clone_from(waker);
            return None;
        }
        let free = Place::Free(self.free.replace(key));
        match std::mem::replace(place, free) {
            Place::Answered(result) => Some(result),
            Place::Waiting { .. } | Place::Free(_) => None,
        }
    }
}

/// Keeps an answer for whoever waits, and returns whom to wake.
fn answer(place: &mut Place, result: Result<Frames, Error>) -> Option<Waker> {
    match std::mem::replace(place, Place::Answered(result)) {
        Place::Waiting { waker, .. } => Some(waker),
        Place::Answered(_) | Place::Free(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::error::ErrorKind;

    fn frame(text: &'static str) -> Frame {
        Frame::parse(Bytes::from_static(text.as_bytes())).unwrap()
    }

    fn waker() -> Waker {
        Waker::noop().clone()
    }

    #[test]
    fn places_are_used_again() {
        let mut waiting = Waiting::default();
        assert_eq!(waiting.next_key(), 0);
        let one = waiting.take_place(waker());
        let two = waiting.take_place(waker());
        assert_eq!((one, two), (0, 1));
        assert!(waiting.poll(one, Waker::noop()).is_none());
        assert!(waiting.reply(one, frame("+a\r\n"), true).is_some());
        let frames = waiting.poll(one, Waker::noop()).unwrap().unwrap();
        assert_eq!(frames.as_slice()[0].as_bytes(), b"+a\r\n");
        assert_eq!(waiting.next_key(), one);
        waiting.free(two);
        assert_eq!(waiting.take_place(waker()), two);
        assert_eq!(waiting.take_place(waker()), one);
        assert_eq!(waiting.take_place(waker()), 2);
    }

    #[test]
    fn frames_of_a_batch_are_gathered() {
        let mut waiting = Waiting::default();
        let key = waiting.take_place(waker());
        assert!(waiting.reply(key, frame(":1\r\n"), false).is_none());
        assert!(waiting.poll(key, Waker::noop()).is_none());
        assert!(waiting.reply(key, frame(":2\r\n"), true).is_some());
        let frames = waiting.poll(key, Waker::noop()).unwrap().unwrap();
        assert_eq!(frames.as_slice().len(), 2);
    }

    #[test]
    fn an_error_ends_a_batch() {
        let mut waiting = Waiting::default();
        let key = waiting.take_place(waker());
        waiting.reply(key, frame(":1\r\n"), false);
        let lost = Error::new(ErrorKind::Connection, "lost");
        assert!(waiting.fail(key, lost).is_some());
        assert!(waiting.poll(key, Waker::noop()).unwrap().is_err());
    }
}
