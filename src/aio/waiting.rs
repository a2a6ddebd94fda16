//! Who waits for the replies of a connection: reusable places with a waker and the frames so far.

use std::task::Waker;

use crate::{
    error::{Error, Outcome},
    resp::{Frame, Frames, Run},
};

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
    Waiting {
        waker: Waker,
        frames: Frames,
        /// The chunks of the request that were sent and not answered yet.
        chunks: usize,
        /// More chunks are to be sent.
        more: bool,
    },
    /// Everything has come, and will be fetched.
    Answered(Result<Frames, Error>),
}

/// What a call finds at its place.
pub(super) enum Polled {
    /// Nothing yet.
    Pending,
    /// It is time to send another chunk.
    More,
    /// The answer; the place is free now.
    Answered(Result<Frames, Error>),
}

impl Waiting {
    /// The key that [`Waiting::take_place`] will return next.
    pub(super) fn next_key(&self) -> Key {
        self.free.unwrap_or(self.places.len())
    }

    /// Takes a place, to be woken by `waker`; `more` says that this was not the whole request.
    pub(super) fn take_place(&mut self, waker: Waker, more: bool) -> Key {
        let key = self.next_key();
        let place = Place::Waiting {
            waker,
            frames: Frames::new(),
            chunks: 1,
            more,
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

    /// Takes note of another chunk; `last` says that no more follow.
    pub(super) fn add_chunk(&mut self, key: Key, last: bool) {
        if let Some(Place::Waiting { chunks, more, .. }) = self.places.get_mut(key) {
            *chunks += 1;
            *more = !last;
        }
    }

    /// Frees a place, and returns what was in it.
    pub(super) fn free(&mut self, key: Key) -> Option<Place> {
        let place = self.places.get_mut(key)?;
        let free = Place::Free(self.free.replace(key));
        Some(std::mem::replace(place, free))
    }

    /// Adds a frame, and returns whom to wake if it is the `last` one of a chunk.
    pub(super) fn reply(&mut self, key: Key, frame: Frame, last: bool) -> Option<Waker> {
        self.add(key, last, |frames| frames.push(frame))
    }

    /// Adds several frames, and returns whom to wake if the `last` one of a chunk is among them.
    pub(super) fn replies(&mut self, key: Key, run: Run, last: bool) -> Option<Waker> {
        self.add(key, last, |frames| frames.push_run(run))
    }

    fn add(&mut self, key: Key, last: bool, add: impl FnOnce(&mut Frames)) -> Option<Waker> {
        let place = self.places.get_mut(key)?;
        let Place::Waiting {
            waker,
            frames,
            chunks,
            more,
        } = place
        else {
            return None;
        };
        add(frames);
        if !last {
            return None;
        }
        *chunks -= 1;
        if *more {
            return Some(waker.clone());
        }
        if *chunks > 0 {
            return None;
        }
        let frames = std::mem::take(frames);
        answer(place, Ok(frames))
    }

    /// Lets one go on who waits for no frames, and returns whom to wake.
    pub(super) fn admit(&mut self, key: Key) -> Option<Waker> {
        answer(self.places.get_mut(key)?, Ok(Frames::new()))
    }

    /// Ends the wait with an error, and returns whom to wake.
    pub(super) fn fail(&mut self, key: Key, error: Error) -> Option<Waker> {
        let place = self.places.get_mut(key)?;
        let error = match place {
            // Some of it was executed already.
            Place::Waiting { frames, .. } if !frames.is_empty() => {
                error.with_outcome(Outcome::Indeterminate)
            }
            _ => error,
        };
        answer(place, Err(error))
    }

    /// Frees the place if it was answered; otherwise remembers whom to wake.
    pub(super) fn poll(&mut self, key: Key, waker: &Waker) -> Polled {
        let Some(place) = self.places.get_mut(key) else {
            return Polled::Pending;
        };
        if let Place::Waiting {
            waker: known,
            chunks,
            more,
            ..
        } = place
        {
            known.clone_from(waker);
            return if *more && *chunks < MOST_CHUNKS {
                Polled::More
            } else {
                Polled::Pending
            };
        }
        let free = Place::Free(self.free.replace(key));
        match std::mem::replace(place, free) {
            Place::Answered(result) => Polled::Answered(result),
            Place::Waiting { .. } | Place::Free(_) => Polled::Pending,
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

/// How many chunks of one call are on their way at most.
const MOST_CHUNKS: usize = 4;

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

    fn answered(polled: Polled) -> Result<Frames, Error> {
        match polled {
            Polled::Answered(result) => result,
            Polled::Pending | Polled::More => panic!("not answered"),
        }
    }

    #[test]
    fn places_are_used_again() {
        let mut waiting = Waiting::default();
        assert_eq!(waiting.next_key(), 0);
        let one = waiting.take_place(waker(), false);
        let two = waiting.take_place(waker(), false);
        assert_eq!((one, two), (0, 1));
        assert!(matches!(waiting.poll(one, Waker::noop()), Polled::Pending));
        assert!(waiting.reply(one, frame("+a\r\n"), true).is_some());
        let frames = answered(waiting.poll(one, Waker::noop())).unwrap();
        assert_eq!(frames.last().unwrap().raw(), b"+a\r\n");
        assert_eq!(waiting.next_key(), one);
        waiting.free(two);
        assert_eq!(waiting.take_place(waker(), false), two);
        assert_eq!(waiting.take_place(waker(), false), one);
        assert_eq!(waiting.take_place(waker(), false), 2);
    }

    #[test]
    fn frames_of_a_batch_are_gathered() {
        let mut waiting = Waiting::default();
        let key = waiting.take_place(waker(), false);
        assert!(waiting.reply(key, frame(":1\r\n"), false).is_none());
        assert!(matches!(waiting.poll(key, Waker::noop()), Polled::Pending));
        assert!(waiting.reply(key, frame(":2\r\n"), true).is_some());
        let frames = answered(waiting.poll(key, Waker::noop())).unwrap();
        assert_eq!(frames.len(), 2);
    }

    #[test]
    fn chunks_are_asked_for_while_few_are_on_their_way() {
        let mut waiting = Waiting::default();
        let key = waiting.take_place(waker(), true);
        for _ in 1..MOST_CHUNKS {
            assert!(matches!(waiting.poll(key, Waker::noop()), Polled::More));
            waiting.add_chunk(key, false);
        }
        assert!(matches!(waiting.poll(key, Waker::noop()), Polled::Pending));
        assert!(waiting.reply(key, frame(":1\r\n"), false).is_none());
        assert!(waiting.reply(key, frame(":2\r\n"), true).is_some());
        assert!(matches!(waiting.poll(key, Waker::noop()), Polled::More));
        waiting.add_chunk(key, true);
        for _ in 1..MOST_CHUNKS {
            assert!(waiting.reply(key, frame(":3\r\n"), true).is_none());
        }
        assert!(waiting.reply(key, frame(":4\r\n"), true).is_some());
        let frames = answered(waiting.poll(key, Waker::noop())).unwrap();
        assert_eq!(frames.len(), 2 + MOST_CHUNKS);
    }

    #[test]
    fn an_error_ends_a_batch_of_which_something_was_executed() {
        let mut waiting = Waiting::default();
        let key = waiting.take_place(waker(), false);
        waiting.reply(key, frame(":1\r\n"), false);
        let lost = Error::new(ErrorKind::Connection, "lost").with_outcome(Outcome::NotSent);
        assert!(waiting.fail(key, lost).is_some());
        let error = answered(waiting.poll(key, Waker::noop())).err().unwrap();
        assert!(error.may_have_executed());
    }
}
