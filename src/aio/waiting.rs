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

enum Place {
    Free(Option<Key>),
    Waiting { waker: Waker, frames: Vec<Frame> },
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

    /// Frees a place.
    pub(super) fn free(&mut self, key: Key) {
        if let Some(place) = self.places.get_mut(key) {
            *place = Place::Free(self.free.replace(key));
        }
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

fn answer(place: &mut Place, result: Result<Frames, Error>) -> Option<Waker> {
    match std::mem::replace(place, Place::Answered(result)) {
        Place::Waiting { waker, .. } => Some(waker),
        Place::Answered(_) | Place::Free(_) => None,
    }
}
