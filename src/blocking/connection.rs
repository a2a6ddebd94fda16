//! One connection: it writes an exchange, reads what answers it, and knows whether it is worth keeping.

use std::{
    io::{self, IoSlice},
    time::{Duration, Instant},
};

use super::{dial::Dialled, stream::Stream};
use crate::{
    command::{Exchange, Patience},
    error::{Error, ErrorKind, Outcome, Phase, Result},
    link::Seen,
    protocol::{self, Event, Limit},
    resp::{Frame, Frames, Output},
};

/// A connection that one caller uses at a time.
pub(super) struct Connection {
    stream: Stream,
    state: protocol::Connection<()>,
    /// Taken from the state and not written yet.
    output: Output,
    /// How many bytes were written since the handshake.
    written: u64,
    open: bool,
}

/// The answer to an exchange, as it comes.
pub(super) struct Answer<'p> {
    frames: Frames,
    /// How many chunks of the exchange were sent and not answered yet.
    chunks: usize,
    /// How many requests were sent, if that is not all.
    next: Option<usize>,
    limit: Limit,
    /// How long it is until the deadline, as long as nothing was waited for since that was known.
    rest: Option<Duration>,
    /// When the chunk that was sent last must have been written.
    write_by: Option<Instant>,
    /// When all chunks that were sent must have been answered.
    deadline: Option<Instant>,
    /// The server may hold the answer back.
    blocking: bool,
    /// Receives what no command asked for, where anything could be.
    pushes: Option<&'p mut Pushes<'p>>,
}

/// Receives what no command asked for.
pub(super) type Pushes<'p> = dyn FnMut(Frame) + Send + 'p;

impl Connection {
    pub(super) fn new(dialled: Dialled) -> Self {
        Self {
            stream: dialled.stream,
            state: protocol::Connection::new(dialled.receiver).checking(dialled.server),
            output: Output::new(),
            written: 0,
            open: true,
        }
    }

    /// Sends an exchange and waits for all frames that answer it.
    ///
    /// The time is counted from `now`, which must be the time; the limit is what the server may take
    /// in addition to the patience of the exchange.
    pub(super) fn call<'p, E: Exchange>(
        &mut self,
        exchange: &E,
        now: Instant,
        limit: Limit,
        pushes: Option<&'p mut Pushes<'p>>,
    ) -> Result<Frames> {
        let mut answer = Answer::new(limit, pushes);
        self.begin(exchange, now, &mut answer)?;
        answer.rest = limit.with(exchange.patience()).rest(now);
        self.complete(exchange, &mut answer)?;
        Ok(answer.into_frames())
    }

    /// Sends as much of an exchange as there is room for, without waiting for anything.
    pub(super) fn begin<E: Exchange>(
        &mut self,
        exchange: &E,
        now: Instant,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        if !self.open {
            return Err(lost_before());
        }
        let patience = exchange.patience();
        answer.blocking = patience != Patience::None;
        answer.write_by = answer.limit.deadline(|| now);
        answer.deadline = match patience {
            Patience::None => answer.write_by,
            _ => answer.limit.with(patience).deadline(|| now),
        };
        self.send(exchange, 0, answer)
    }

    /// Waits for the rest of the answer; `exchange` is the one that it began with.
    pub(super) fn complete<E: Exchange>(
        &mut self,
        exchange: &E,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        self.write(answer)?;
        while let Some(first) = answer.next {
            answer.rest = None;
            // The server shall not have to keep many replies.
            self.read_available(answer)?;
            answer.deadline = answer.limit.deadline(Instant::now);
            answer.write_by = answer.deadline;
            self.send(exchange, first, answer)
                .map_err(|error| self.end(error))?;
            self.write(answer)?;
        }
        let read = self.read(answer);
        if read.is_err() && answer.blocking {
            // The server must not find anything to give to a caller who is gone.
            self.open = false;
        }
        read
    }

    /// Reads what comes until then, and says whether that is the whole answer.
    ///
    /// An exchange that has not been written whole has no whole answer.
    pub(super) fn is_answered_by(&mut self, end: Instant, answer: &mut Answer<'_>) -> Result<bool> {
        if !self.output.is_empty() || answer.next.is_some() {
            return Ok(false);
        }
        let end = answer.deadline.map_or(end, |deadline| deadline.min(end));
        self.read_until(Some(end), answer)
    }

    /// Waits for a push until `deadline`; `None` says that none has come.
    pub(super) fn next_push(&mut self, deadline: Option<Instant>) -> Result<Option<Frame>> {
        if !self.open {
            return Err(lost_before());
        }
        // Nothing is asked for here, so that nothing can have been executed.
        self.receive_push(deadline)
            .map_err(|error| error.with_outcome(Outcome::NotSent))
    }

    fn receive_push(&mut self, deadline: Option<Instant>) -> Result<Option<Frame>> {
        loop {
            // A late reply to a call that gave up is nobody's.
            while let Some(event) = self.state.poll_event().map_err(|error| self.end(error))? {
                if let Event::Push(frame) = event {
                    return Ok(Some(frame));
                }
            }
            if self.fill(deadline, None)?.is_none() {
                return Ok(None);
            }
        }
    }

    /// Whether nothing is owed, left over or known to be wrong.
    pub(super) fn is_clean(&self) -> bool {
        self.open && self.output.is_empty() && self.state.is_idle()
    }

    /// Whether it has not ended, for all that is known.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Whether a connection that nobody has used for a while can be used, as far as can be seen.
    ///
    /// This is asked before every use, however short the while: a server may close a connection at
    /// any time, and what is then written to it is lost without telling. Messages that have come
    /// meanwhile are nobody's, and are dropped.
    pub(super) fn is_usable(&mut self) -> bool {
        for _ in 0..MOST_LOOKS {
            match self.stream.look() {
                Seen::Nothing => return true,
                Seen::End => return false,
                Seen::Bytes => {
                    if self.drop_pushes().is_err() {
                        return false;
                    }
                }
            }
        }
        self.is_clean()
    }

    /// Reads what has come, and drops what no command asked for.
    fn drop_pushes(&mut self) -> Result<()> {
        self.stream
            .set_waiting(false)
            .map_err(|error| self.lost(error))?;
        while self.fill(None, None)?.is_some() {
            while self
                .state
                .poll_event()
                .map_err(|error| self.end(error))?
                .is_some()
            {}
        }
        self.stream
            .set_waiting(true)
            .map_err(|error| self.lost(error))
    }

    /// Encodes a chunk, and writes as much of it as there is room for.
    fn send<E: Exchange>(
        &mut self,
        exchange: &E,
        first: usize,
        answer: &mut Answer<'_>,
    ) -> Result<()> {
        let sent = self.state.send(exchange, first, (), answer.deadline)?;
        answer.next = sent.next;
        answer.chunks += 1;
        self.state.take_output(&mut self.output);
        self.write_some()
    }

    /// Writes as much as there is room for.
    fn write_some(&mut self) -> Result<()> {
        if self.output.is_empty() {
            return Ok(());
        }
        let mut slices = [IoSlice::new(&[]); SLICES];
        let used = self.output.slices(&mut slices);
        let written = self
            .stream
            .write(slices.get(..used).unwrap_or_default())
            .map_err(|error| self.lost(error))?;
        self.written += written as u64;
        self.output.advance(written);
        Ok(())
    }

    /// Writes everything, and reads what comes meanwhile whenever not everything fits.
    fn write(&mut self, answer: &mut Answer<'_>) -> Result<()> {
        while !self.output.is_empty() {
            answer.rest = None;
            self.read_available(answer)?;
            if answer.write_by.is_some_and(|end| end <= Instant::now()) {
                return Err(self.end(Error::new(
                    ErrorKind::Timeout(Phase::Write),
                    "the server has not taken the whole request within the time allowed",
                )));
            }
            self.write_some()?;
        }
        Ok(())
    }

    /// Reads until the answer is complete.
    fn read(&mut self, answer: &mut Answer<'_>) -> Result<()> {
        if self.read_until(answer.deadline, answer)? {
            return Ok(());
        }
        Err(self.timed_out())
    }

    /// Reads until the answer is complete, or until then; says whether it is.
    fn read_until(&mut self, end: Option<Instant>, answer: &mut Answer<'_>) -> Result<bool> {
        while answer.chunks > 0 {
            if self.fill(end, answer.rest.take())?.is_some() {
                self.drain(answer)?;
                continue;
            }
            // Time may have passed us by while the reply has long been there.
            self.read_available(answer)?;
            return Ok(answer.chunks == 0);
        }
        Ok(true)
    }

    /// Reads all that has come, without waiting.
    fn read_available(&mut self, answer: &mut Answer<'_>) -> Result<()> {
        self.stream
            .set_waiting(false)
            .map_err(|error| self.lost(error))?;
        while self.fill(None, None)?.is_some() {
            self.drain(answer)?;
        }
        self.stream
            .set_waiting(true)
            .map_err(|error| self.lost(error))
    }

    /// Hands out the frames that are there.
    fn drain(&mut self, answer: &mut Answer<'_>) -> Result<()> {
        answer
            .take(&mut self.state)
            .map_err(|error| self.end(error))
    }

    /// Reads once; `None` says that the deadline has come, or that nothing has if it must not wait.
    fn fill(&mut self, deadline: Option<Instant>, rest: Option<Duration>) -> Result<Option<()>> {
        let Self { stream, state, .. } = self;
        let mut in_time = true;
        let read = state.receiver().fill(|bytes| {
            let length = stream.read(bytes, deadline, rest)?;
            in_time = length.is_some();
            Ok(length.unwrap_or(0))
        });
        match read {
            Ok(_) if !in_time => Ok(None),
            Ok(0) => Err(self.lost(closed())),
            Ok(_) => Ok(Some(())),
            Err(error) => Err(self.lost(error)),
        }
    }

    /// The error of a reply that has not come in time. It will be swallowed when it comes.
    fn timed_out(&mut self) -> Error {
        let mut timed_out = None;
        self.state
            .handle_timeout(Instant::now(), |(), error| timed_out = Some(error));
        timed_out.unwrap_or_else(|| self.lost(io::ErrorKind::TimedOut.into()))
    }

    fn lost(&mut self, error: io::Error) -> Error {
        let ended = self.stream.ended().cloned();
        let failed = || Error::io(ErrorKind::Connection, "reading or writing failed", error);
        self.end(ended.unwrap_or_else(failed))
    }

    /// Closes the connection; the error tells whether anything of the exchange was written.
    fn end(&mut self, error: Error) -> Error {
        self.open = false;
        // Whoever was answered before everything was written is not among those who wait.
        let mut outcome = Outcome::Indeterminate;
        self.state.fail(self.written, |(), what| outcome = what);
        self.output.clear();
        error.with_outcome(outcome)
    }
}

impl<'p> Answer<'p> {
    /// The answer to an exchange that was not sent yet.
    pub(super) fn new(limit: Limit, pushes: Option<&'p mut Pushes<'p>>) -> Self {
        Self {
            frames: Frames::new(),
            chunks: 0,
            next: None,
            limit,
            rest: None,
            write_by: None,
            deadline: None,
            blocking: false,
            pushes,
        }
    }

    pub(super) fn into_frames(self) -> Frames {
        self.frames
    }

    /// Takes the frames that have come, as long as some are missing.
    fn take(&mut self, state: &mut protocol::Connection<()>) -> Result<()> {
        // What has come behind the answer is not looked at: it is for the next call, or shows that
        // the connection is not clean.
        while self.chunks > 0
            && let Some(event) = state.poll_event()?
        {
            match event {
                Event::Reply {
                    waiter: (),
                    frame,
                    last,
                } => {
                    self.frames.push(frame);
                    self.chunks -= usize::from(last);
                }
                Event::Replies {
                    waiter: (),
                    run,
                    last,
                } => {
                    self.frames.push_run(run);
                    self.chunks -= usize::from(last);
                }
                Event::Push(frame) => {
                    if let Some(pushes) = &mut self.pushes {
                        pushes(frame);
                    }
                }
                Event::Swallowed => {}
            }
        }
        Ok(())
    }
}

fn closed() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "the server closed the connection",
    )
}

fn lost_before() -> Error {
    Error::new(ErrorKind::Connection, "the connection was lost before")
}

/// How often a connection is looked at whose server does not stop sending.
const MOST_LOOKS: usize = 64;

/// How many pieces are written by one call at most.
const SLICES: usize = 8;
