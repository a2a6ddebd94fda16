//! Who waits for the replies of a connection: reusable places with the waiter and the frames so far.

use super::Dispatch;
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
    places: Vec<WaiterSlot<W>>,
    /// The first of the free places, which name each other.
    free: Option<Key>,
}

/// Names a place until it is freed.
pub(crate) type Key = usize;

/// Who waits, or what they get.
#[derive(Clone, Debug)]
pub(crate) struct WaiterSlot<W> {
    state: State,
    /// Somebody who waits.
    waiter: Option<W>,
    /// The frames that have come so far.
    frames: Frames,
    /// Why there will be no answer.
    failed: Option<Error>,
    /// The chunks of the request that were sent and not answered yet.
    chunks: usize,
    /// More chunks are to be sent.
    more: bool,
    /// The connection ends with the call, unless the call is answered.
    blocking: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nobody; the next free place follows.
    Free(Option<Key>),
    Waiting,
    /// Everything has come, or the wait has ended otherwise, and that will be fetched.
    Answered,
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
    #[inline]
    pub(crate) fn take_place(&mut self, waiter: W, more: bool, blocking: bool) -> Key {
        let key = self.free.unwrap_or(self.places.len());
        match self.places.get_mut(key) {
            Some(place) => {
                if let State::Free(next) = place.state {
                    self.free = next;
                }
                place.state = State::Waiting;
                place.waiter = Some(waiter);
                place.chunks = 1;
                place.more = more;
                place.blocking = blocking;
            }
            None => self.places.push(WaiterSlot {
                state: State::Waiting,
                waiter: Some(waiter),
                frames: Frames::new(),
                failed: None,
                chunks: 1,
                more,
                blocking,
            }),
        }
        key
    }

    /// Takes note of another chunk; `last` says that no more follow.
    pub(crate) fn add_chunk(&mut self, key: Key, last: bool) {
        if let Some(place) = self.waiting(key) {
            place.chunks += 1;
            place.more = !last;
        }
    }

    /// Frees a place, and returns what was in it.
    pub(crate) fn free(&mut self, key: Key) -> Option<WaiterSlot<W>> {
        let place = self.places.get_mut(key)?;
        let free = WaiterSlot::free(self.free.replace(key));
        Some(std::mem::replace(place, free))
    }

    /// Frees the place of a call that has sent one chunk, which is all, and has got nothing yet; says
    /// whether it is one.
    #[cfg(feature = "blocking")]
    #[inline]
    pub(crate) fn free_unanswered(&mut self, key: Key) -> bool {
        let is_one = self
            .waiting(key)
            .is_some_and(|place| place.chunks == 1 && !place.more && place.frames.is_empty());
        if is_one && let Some(place) = self.places.get_mut(key) {
            place.state = State::Free(self.free.replace(key));
        }
        is_one
    }

    /// Adds a frame, and says whether everything has come.
    ///
    /// Only the `last` frame of a chunk can be that, or make it time for the next chunk, of which the
    /// waiter is told.
    #[inline(always)]
    pub(crate) fn reply(
        &mut self,
        key: Key,
        frame: Frame,
        last: bool,
        dispatch: &mut Dispatch<W>,
    ) -> bool {
        match self.waiting(key) {
            Some(place) => {
                place.frames.push(frame);
                last && place.end_chunk(dispatch)
            }
            None => {
                dispatch.unwanted.push(frame);
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
        dispatch: &mut Dispatch<W>,
    ) -> bool {
        match self.waiting(key) {
            Some(place) => {
                place.frames.push_run(run);
                last && place.end_chunk(dispatch)
            }
            None => {
                dispatch.unwanted.extend(run.frames());
                false
            }
        }
    }

    /// Lets the caller have what has come, which is everything.
    #[inline]
    pub(crate) fn complete(&mut self, key: Key, dispatch: &mut Dispatch<W>) {
        if let Some(place) = self.waiting(key)
            && let Some(waiter) = place.answered()
        {
            dispatch.waiters.push(waiter);
        }
    }

    /// Lets one go on who waits for no frames, and returns whom to tell.
    pub(crate) fn admit(&mut self, key: Key) -> Option<W> {
        self.waiting(key)?.answered()
    }

    /// Ends the wait with an error.
    pub(crate) fn fail(&mut self, key: Key, error: Error, dispatch: &mut Dispatch<W>) {
        let Some(place) = self.waiting(key) else {
            return;
        };
        // Some of it was executed already.
        let error = if place.frames.is_empty() {
            error
        } else {
            dispatch.parts.push(std::mem::take(&mut place.frames));
            error.with_outcome(Outcome::Indeterminate)
        };
        place.failed = Some(error);
        dispatch.waiters.extend(place.answered());
    }

    /// Frees the place if it was answered; `is_same` says whether the waiter is the one to tell.
    ///
    /// Whether the connection ends with it stands beside.
    #[inline]
    pub(crate) fn poll(&mut self, key: Key, is_same: impl FnOnce(&W) -> bool) -> (Polled, bool) {
        let Some(place) = self.places.get_mut(key) else {
            return (Polled::Pending, false);
        };
        match place.state {
            State::Waiting => {
                let polled = if !place.waiter.as_ref().is_some_and(is_same) {
                    Polled::Stale
                } else if place.more && place.chunks < MOST_CHUNKS {
                    Polled::More
                } else {
                    Polled::Pending
                };
                (polled, false)
            }
            State::Answered => {
                place.state = State::Free(self.free.replace(key));
                let frames = std::mem::take(&mut place.frames);
                match place.failed.take() {
                    None => (Polled::Answered(Ok(frames)), false),
                    Some(error) => (Polled::Answered(Err(error)), place.blocking),
                }
            }
            State::Free(_) => (Polled::Pending, false),
        }
    }

    /// Whether everything has come, or the wait has ended otherwise.
    #[cfg(feature = "blocking")]
    #[inline]
    pub(crate) fn is_answered(&self, key: Key) -> bool {
        let place = self.places.get(key);
        place.is_none_or(|place| place.state != State::Waiting)
    }

    /// Has another waiter told, and returns the one that there was, or `waiter` if it is too late.
    pub(crate) fn renew(&mut self, key: Key, waiter: W) -> W {
        match self.waiting(key).and_then(|place| place.waiter.as_mut()) {
            Some(known) => std::mem::replace(known, waiter),
            None => waiter,
        }
    }

    #[inline]
    fn waiting(&mut self, key: Key) -> Option<&mut WaiterSlot<W>> {
        let place = self.places.get_mut(key)?;
        (place.state == State::Waiting).then_some(place)
    }
}

impl<W> WaiterSlot<W> {
    fn free(next: Option<Key>) -> Self {
        Self {
            state: State::Free(next),
            waiter: None,
            frames: Frames::new(),
            failed: None,
            chunks: 0,
            more: false,
            blocking: false,
        }
    }

    /// The wait is over; returns whom to tell.
    #[inline]
    fn answered(&mut self) -> Option<W> {
        self.state = State::Answered;
        self.waiter.take()
    }

    /// Whether the connection ends with a call that leaves this behind.
    pub(crate) fn ends_connection(&self) -> bool {
        if mutant::is(Mutant::PopKept) {
            return false;
        }
        match self.state {
            State::Free(_) => false,
            State::Waiting => self.blocking,
            State::Answered => self.blocking && self.failed.is_some(),
        }
    }
}

impl<W: Clone> WaiterSlot<W> {
    /// Takes note that a chunk was answered, and says whether everything was.
    #[inline]
    fn end_chunk(&mut self, dispatch: &mut Dispatch<W>) -> bool {
        self.chunks = self.chunks.saturating_sub(1);
        if self.more {
            dispatch.waiters.extend(self.waiter.clone());
        }
        !self.more && self.chunks == 0
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
        let mut dispatch = Dispatch::new();
        if waiters.reply(key, frame(text), last, &mut dispatch) {
            waiters.complete(key, &mut dispatch);
        }
        !dispatch.waiters.is_empty()
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
        let mut dispatch = Dispatch::new();
        waiters.fail(key, lost, &mut dispatch);
        assert_eq!(dispatch.waiters, ['a']);
        assert_eq!(dispatch.parts.len(), 1, "dropped by whoever holds no lock");
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
        let mut dispatch = Dispatch::new();
        waiters.complete(key, &mut dispatch);
        assert_eq!(dispatch.waiters, ['b']);
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
        waiters.fail(key, lost, &mut Dispatch::new());
        assert!(waiters.poll(key, |_| true).1);
    }
}
