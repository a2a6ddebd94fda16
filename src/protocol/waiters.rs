//! Who waits for the replies of a connection: reusable places with the waiter and the frames so far.

use super::Delivery;
use crate::{
    error::{Error, Outcome},
    mutant::{self, Mutant},
    resp::{Frame, Frames, Run},
};

/// The places of all who wait on one connection; `W` is how to let one of them know.
///
/// A place is taken when a call is sent and freed by the call itself, so that it cannot be given
/// away under its feet. Places are reused; on the ordinary path nothing is allocated.
///
/// Nothing that is not needed any more is dropped here, but handed out: frames may be large, and what
/// the end of a waiter sets off is not known.
#[derive(Clone, Debug)]
pub(crate) struct Waiters<W> {
    places: Vec<Place<W>>,
    /// The first of the free places, which name each other.
    free: Option<Key>,
}

/// Names a place until it is freed.
pub(crate) type Key = usize;

/// Who waits, or what they get.
#[derive(Clone, Debug)]
pub(crate) enum Place<W> {
    /// Nobody; the next free place follows.
    Free(Option<Key>),
    /// Somebody, and the frames that have come so far.
    Waiting(Waiting<W>),
    /// Everything has come, and will be fetched.
    Answered {
        result: Result<Frames, Error>,
        blocking: bool,
    },
}

/// Somebody who waits.
#[derive(Clone, Debug)]
pub(crate) struct Waiting<W> {
    waiter: W,
    frames: Frames,
    /// The chunks of the request that were sent and not answered yet.
    chunks: usize,
    /// More chunks are to be sent.
    more: bool,
    /// The connection ends with the call, unless the call is answered.
    blocking: bool,
}

/// What a call finds at its place.
#[derive(Debug)]
pub(crate) enum Polled {
    /// Nothing yet.
    Pending,
    /// Nothing yet, and somebody else would be told: the waiter must be [renewed](Waiters::renew).
    Stale,
    /// It is time to send another chunk.
    More,
    /// The answer; the place is free now.
    Answered(Result<Frames, Error>),
}

impl<W: Clone> Waiters<W> {
    /// Nobody.
    pub(crate) fn new() -> Self {
        Self {
            places: Vec::new(),
            free: None,
        }
    }

    /// Takes a place; `more` says that this was not the whole request, and `blocking` that the
    /// connection ends with the call.
    pub(crate) fn take_place(&mut self, waiter: W, more: bool, blocking: bool) -> Key {
        let key = self.free.unwrap_or(self.places.len());
        let place = Place::Waiting(Waiting {
            waiter,
            frames: Frames::new(),
            chunks: 1,
            more,
            blocking,
        });
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
    pub(crate) fn add_chunk(&mut self, key: Key, last: bool) {
        if let Some(Place::Waiting(waiting)) = self.places.get_mut(key) {
            waiting.chunks += 1;
            waiting.more = !last;
        }
    }

    /// Frees a place, and returns what was in it.
    pub(crate) fn free(&mut self, key: Key) -> Option<Place<W>> {
        let place = self.places.get_mut(key)?;
        let free = Place::Free(self.free.replace(key));
        Some(std::mem::replace(place, free))
    }

    /// Adds a frame, and says whether everything has come.
    ///
    /// Only the `last` frame of a chunk can be that, or make it time for the next chunk, of which the
    /// waiter is told.
    #[inline]
    pub(crate) fn reply(
        &mut self,
        key: Key,
        frame: Frame,
        last: bool,
        delivery: &mut Delivery<W>,
    ) -> bool {
        match self.places.get_mut(key) {
            Some(Place::Waiting(waiting)) => {
                waiting.frames.push(frame);
                last && waiting.end_chunk(delivery)
            }
            _ => {
                delivery.unwanted.push(frame);
                false
            }
        }
    }

    /// Adds several frames, and says whether everything has come.
    pub(crate) fn replies(
        &mut self,
        key: Key,
        run: Run,
        last: bool,
        delivery: &mut Delivery<W>,
    ) -> bool {
        match self.places.get_mut(key) {
            Some(Place::Waiting(waiting)) => {
                waiting.frames.push_run(run);
                last && waiting.end_chunk(delivery)
            }
            _ => {
                delivery.unwanted.extend(run.frames());
                false
            }
        }
    }

    /// Lets the caller have what has come, which is everything.
    #[inline]
    pub(crate) fn complete(&mut self, key: Key, delivery: &mut Delivery<W>) {
        let Some(place) = self.places.get_mut(key) else {
            return;
        };
        if let Place::Waiting(waiting) = place {
            let result = Ok(std::mem::take(&mut waiting.frames));
            let blocking = waiting.blocking;
            if let Place::Waiting(waiting) =
                std::mem::replace(place, Place::Answered { result, blocking })
            {
                delivery.waiters.push(waiting.waiter);
            }
        }
    }

    /// Lets one go on who waits for no frames, and returns whom to tell.
    pub(crate) fn admit(&mut self, key: Key) -> Option<W> {
        let place = self.places.get_mut(key)?;
        let admitted = Place::Answered {
            result: Ok(Frames::new()),
            blocking: false,
        };
        match std::mem::replace(place, admitted) {
            Place::Waiting(waiting) => Some(waiting.waiter),
            Place::Answered { .. } | Place::Free(_) => None,
        }
    }

    /// Ends the wait with an error.
    pub(crate) fn fail(&mut self, key: Key, error: Error, delivery: &mut Delivery<W>) {
        let Some(place) = self.places.get_mut(key) else {
            return;
        };
        let Place::Waiting(waiting) = place else {
            return;
        };
        // Some of it was executed already.
        let error = if waiting.frames.is_empty() {
            error
        } else {
            error.with_outcome(Outcome::Indeterminate)
        };
        let failed = Place::Answered {
            result: Err(error),
            blocking: waiting.blocking,
        };
        if let Place::Waiting(waiting) = std::mem::replace(place, failed) {
            delivery.waiters.push(waiting.waiter);
            if !waiting.frames.is_empty() {
                delivery.parts.push(waiting.frames);
            }
        }
    }

    /// Frees the place if it was answered; `is_same` says whether the waiter is the one to tell.
    ///
    /// Whether the connection ends with it stands beside.
    pub(crate) fn poll(&mut self, key: Key, is_same: impl FnOnce(&W) -> bool) -> (Polled, bool) {
        let Some(place) = self.places.get_mut(key) else {
            return (Polled::Pending, false);
        };
        if let Place::Waiting(waiting) = place {
            let polled = if !is_same(&waiting.waiter) {
                Polled::Stale
            } else if waiting.more && waiting.chunks < MOST_CHUNKS {
                Polled::More
            } else {
                Polled::Pending
            };
            return (polled, false);
        }
        let free = Place::Free(self.free.replace(key));
        match std::mem::replace(place, free) {
            Place::Answered { result, blocking } => {
                let ends = blocking && result.is_err();
                (Polled::Answered(result), ends)
            }
            Place::Waiting(_) | Place::Free(_) => (Polled::Pending, false),
        }
    }

    /// Whether everything has come, or the wait has ended otherwise.
    #[cfg(feature = "blocking")]
    #[inline]
    pub(crate) fn is_answered(&self, key: Key) -> bool {
        !matches!(self.places.get(key), Some(Place::Waiting(_)))
    }

    /// Has another waiter told, and returns the one that there was, or `waiter` if it is too late.
    pub(crate) fn renew(&mut self, key: Key, waiter: W) -> W {
        match self.places.get_mut(key) {
            Some(Place::Waiting(waiting)) => std::mem::replace(&mut waiting.waiter, waiter),
            _ => waiter,
        }
    }
}

impl<W: Clone> Waiting<W> {
    /// Takes note that a chunk was answered, and says whether everything was.
    fn end_chunk(&mut self, delivery: &mut Delivery<W>) -> bool {
        self.chunks = self.chunks.saturating_sub(1);
        if self.more {
            delivery.waiters.push(self.waiter.clone());
        }
        !self.more && self.chunks == 0
    }
}

impl<W> Place<W> {
    /// Whether the connection ends with a call that leaves this behind.
    pub(crate) fn ends_connection(&self) -> bool {
        if mutant::is(Mutant::PopKept) {
            return false;
        }
        match self {
            Self::Free(_) => false,
            Self::Waiting(waiting) => waiting.blocking,
            Self::Answered { result, blocking } => *blocking && result.is_err(),
        }
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

    /// Adds a frame, and says whether the caller is told.
    fn reply(waiters: &mut Waiters<char>, key: Key, text: &'static str, last: bool) -> bool {
        let mut delivery = Delivery::new();
        if waiters.reply(key, frame(text), last, &mut delivery) {
            waiters.complete(key, &mut delivery);
        }
        !delivery.waiters.is_empty()
    }

    fn poll(waiters: &mut Waiters<char>, key: Key) -> Polled {
        waiters.poll(key, |_| true).0
    }

    fn answered(polled: Polled) -> Result<Frames, Error> {
        match polled {
            Polled::Answered(result) => result,
            other => panic!("not answered: {other:?}"),
        }
    }

    #[test]
    fn places_are_used_again() {
        let mut waiters = Waiters::new();
        let one = waiters.take_place('a', false, false);
        let two = waiters.take_place('b', false, false);
        assert_eq!((one, two), (0, 1));
        assert!(matches!(poll(&mut waiters, one), Polled::Pending));
        assert!(reply(&mut waiters, one, "+a\r\n", true));
        let frames = answered(poll(&mut waiters, one)).unwrap();
        assert_eq!(frames.last().unwrap().raw(), b"+a\r\n");
        waiters.free(two);
        assert_eq!(waiters.take_place('c', false, false), two);
        assert_eq!(waiters.take_place('d', false, false), one);
        assert_eq!(waiters.take_place('e', false, false), 2);
    }

    #[test]
    fn frames_of_a_batch_are_gathered() {
        let mut waiters = Waiters::new();
        let key = waiters.take_place('a', false, false);
        assert!(!reply(&mut waiters, key, ":1\r\n", false));
        assert!(matches!(poll(&mut waiters, key), Polled::Pending));
        assert!(reply(&mut waiters, key, ":2\r\n", true));
        let frames = answered(poll(&mut waiters, key)).unwrap();
        assert_eq!(frames.len(), 2);
    }

    #[test]
    fn chunks_are_asked_for_while_few_are_on_their_way() {
        let mut waiters = Waiters::new();
        let key = waiters.take_place('a', true, false);
        for _ in 1..MOST_CHUNKS {
            assert!(matches!(poll(&mut waiters, key), Polled::More));
            waiters.add_chunk(key, false);
        }
        assert!(matches!(poll(&mut waiters, key), Polled::Pending));
        assert!(!reply(&mut waiters, key, ":1\r\n", false));
        assert!(reply(&mut waiters, key, ":2\r\n", true));
        assert!(matches!(poll(&mut waiters, key), Polled::More));
        waiters.add_chunk(key, true);
        for _ in 1..MOST_CHUNKS {
            assert!(!reply(&mut waiters, key, ":3\r\n", true));
        }
        assert!(reply(&mut waiters, key, ":4\r\n", true));
        let frames = answered(poll(&mut waiters, key)).unwrap();
        assert_eq!(frames.len(), 2 + MOST_CHUNKS);
    }

    #[test]
    fn an_error_ends_a_batch_of_which_something_was_executed() {
        let mut waiters = Waiters::new();
        let key = waiters.take_place('a', false, false);
        reply(&mut waiters, key, ":1\r\n", false);
        let lost = Error::new(ErrorKind::Connection, "lost").with_outcome(Outcome::NotSent);
        let mut delivery = Delivery::new();
        waiters.fail(key, lost, &mut delivery);
        assert_eq!(delivery.waiters, ['a']);
        assert_eq!(delivery.parts.len(), 1, "dropped by whoever holds no lock");
        let error = answered(poll(&mut waiters, key)).err().unwrap();
        assert!(error.may_have_executed());
    }

    #[test]
    fn another_waiter_can_be_told_as_long_as_there_is_no_answer() {
        let mut waiters = Waiters::new();
        let key = waiters.take_place('a', false, false);
        let (polled, _) = waiters.poll(key, |known| *known == 'b');
        assert!(matches!(polled, Polled::Stale));
        assert_eq!(waiters.renew(key, 'b'), 'a');
        let mut delivery = Delivery::new();
        waiters.complete(key, &mut delivery);
        assert_eq!(delivery.waiters, ['b']);
        assert_eq!(waiters.renew(key, 'c'), 'c', "it is too late");
    }

    #[test]
    fn a_blocking_call_that_fails_or_leaves_ends_the_connection() {
        let mut waiters = Waiters::new();
        let key = waiters.take_place('a', false, true);
        assert!(waiters.free(key).unwrap().ends_connection());
        let key = waiters.take_place('a', false, true);
        assert!(reply(&mut waiters, key, "+a\r\n", true));
        assert!(!waiters.free(key).unwrap().ends_connection());
        let key = waiters.take_place('a', false, true);
        let lost = Error::new(ErrorKind::Connection, "lost");
        waiters.fail(key, lost, &mut Delivery::new());
        assert!(waiters.poll(key, |_| true).1);
    }
}
