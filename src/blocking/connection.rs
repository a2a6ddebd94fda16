//! One connection: it writes an exchange, reads what answers it, and knows whether it is worth keeping.

use std::{
    io::IoSlice,
    ops::RangeInclusive,
    time::{Duration, Instant},
};

use super::{dial::Dialled, stream::Stream};
use crate::{
    command::{Exchange, Place, ServerVersion},
    error::{Error, Result},
    link::Seen,
    mutant::{self, Mutant},
    protocol::{
        Chunk, ConnectionSettings, Dispatch, Inbound, Key, Loss, NextFrame, Outbound, Polled,
        Ticket, TimeLimit,
    },
    resp::{Frame, Frames, Output},
};

/// A connection that one caller uses at a time.
///
/// Nobody reads between the calls, and so nobody watches whether the peer lives: that is for the look
/// before a call, and for the time of the call.
pub(super) struct Connection {
    stream: Stream,
    inbound: Inbound,
    machine: Outbound<()>,
    dispatch: Dispatch<()>,
    /// Taken from the machine and not written yet.
    output: Box<Output>,
    /// How many bytes were written since the handshake.
    written: u64,
    /// What to check calls against, if that is wanted.
    server: Option<ServerVersion>,
}

/// The answer to an exchange, as it comes.
pub(super) struct Answer {
    frames: Frames,
    /// Where it is waited for, and what was sent; `None` before that, and when all frames are there.
    call: Option<(Key, RangeInclusive<Ticket>)>,
    /// How many requests were sent, if that is not all.
    next: Option<usize>,
    limit: TimeLimit,
    place: Place,
    /// How long it is until the deadline, as long as nothing was waited for since that was known.
    rest: Option<Duration>,
    /// When the chunk that was sent last was, and when it must have been written.
    since: Option<Instant>,
    write_by: Option<Instant>,
    /// When all chunks that were sent must have been answered.
    deadline: Option<Instant>,
}

impl Connection {
    pub(super) fn new(dialled: Dialled, settings: ConnectionSettings) -> Self {
        Self {
            stream: dialled.stream,
            inbound: Inbound::new(dialled.receiver),
            machine: Outbound::new(settings),
            dispatch: Dispatch::new(),
            output: Box::default(),
            written: 0,
            server: dialled.server,
        }
    }

    /// Sends an exchange and waits for all frames that answer it.
    ///
    /// The time is counted from `now`, which must be the time; the limit is what the server may take
    /// in addition to the patience of the exchange.
    pub(super) fn call<E: Exchange>(
        &mut self,
        exchange: &E,
        now: Instant,
        limit: TimeLimit,
        place: Place,
    ) -> Result<Frames> {
        let mut answer = Answer::new(limit);
        answer.place = place;
        self.begin(exchange, now, &mut answer)?;
        answer.rest = limit.with(exchange.patience()).rest(now);
        self.complete(exchange, &mut answer)?;
        Ok(answer.into_frames())
    }

    /// Sends as much of an exchange as there is room for, without waiting for anything.
    ///
    /// # Errors
    ///
    /// Nothing of it was sent. What goes wrong behind that is told by [`Connection::complete`].
    pub(super) fn begin<E: Exchange>(
        &mut self,
        exchange: &E,
        now: Instant,
        answer: &mut Answer,
    ) -> Result<()> {
        answer.write_by = answer.limit.deadline(|| now);
        answer.since = Some(now);
        let time = answer.limit.with(exchange.patience()).time(now);
        answer.limit = answer.limit.behind_first();
        answer.deadline = time.deadline;
        let mut chunk = Chunk::encode(exchange, 0, self.server.as_ref())?;
        self.machine.admission(&chunk, true)?;
        self.machine.prove(answer.place == Place::Shared);
        let (key, ticket, _) = self.machine.send(&mut chunk, (), time);
        answer.call = Some((key, ticket..=ticket));
        answer.next = chunk.next();
        self.machine.take_output(&mut self.output);
        if let Err(error) = self.write_some() {
            self.end(&error);
        }
        Ok(())
    }

    /// Waits for the rest of the answer; `exchange` is the one that it began with.
    pub(super) fn complete<E: Exchange>(
        &mut self,
        exchange: &E,
        answer: &mut Answer,
    ) -> Result<()> {
        if let Err(error) = self.finish(exchange, answer) {
            self.end(&error);
        }
        self.stream.note_answered(self.written);
        let Some((key, tickets)) = answer.call.take() else {
            return Ok(());
        };
        let polled = self.machine.poll(key, &tickets, |()| true).0;
        // The server must not give an element to a blocking command whose caller has given it up.
        if let Err(error) = self.machine.check() {
            self.end(&error);
        }
        if let Polled::Answered(result) = polled {
            answer.frames = result?;
        }
        Ok(())
    }

    fn finish<E: Exchange>(&mut self, exchange: &E, answer: &mut Answer) -> Result<()> {
        self.write(answer)?;
        while let Some(first) = answer.next
            && !self.is_answered(answer)
        {
            answer.rest = None;
            // The server shall not have to keep many replies.
            self.read_available(answer)?;
            self.send_more(exchange, first, answer)?;
            self.write(answer)?;
        }
        if self.read_until(answer.deadline, answer)? {
            return Ok(());
        }
        // The reply will be swallowed when it comes.
        self.machine.expire(Instant::now(), &mut self.dispatch);
        self.dispatch.clear();
        if self.is_answered(answer) {
            return Ok(());
        }
        Err(self
            .machine
            .lost(Loss::Read(std::io::ErrorKind::TimedOut.into())))
    }

    /// Encodes the next chunk, and writes as much of it as there is room for.
    fn send_more<E: Exchange>(
        &mut self,
        exchange: &E,
        first: usize,
        answer: &mut Answer,
    ) -> Result<()> {
        let Some((key, tickets)) = &mut answer.call else {
            return Ok(());
        };
        let now = Instant::now();
        let time = answer.limit.time(now);
        let mut chunk = Chunk::encode_more(exchange, first, self.server.as_ref())?;
        let (ticket, _) = self.machine.send_more(&mut chunk, *key, time)?;
        *tickets = *tickets.start()..=ticket;
        answer.next = chunk.next();
        answer.since = Some(now);
        answer.deadline = time.deadline;
        answer.write_by = time.deadline;
        self.machine.take_output(&mut self.output);
        self.write_some()
    }

    /// Reads what comes until then, and says whether that is the whole answer.
    ///
    /// An exchange that has not been written whole has no whole answer.
    pub(super) fn is_answered_by(&mut self, end: Instant, answer: &mut Answer) -> Result<bool> {
        if self.is_answered(answer) {
            return Ok(true);
        }
        if !self.output.is_empty() || answer.next.is_some() {
            return Ok(false);
        }
        let end = answer.deadline.map_or(end, |deadline| deadline.min(end));
        match self.read_until(Some(end), answer) {
            Ok(answered) => Ok(answered),
            Err(error) => {
                self.end(&error);
                Ok(true)
            }
        }
    }

    /// Waits for a push until `deadline`; `None` says that none has come.
    pub(super) fn next_push(&mut self, deadline: Option<Instant>) -> Result<Option<Frame>> {
        loop {
            if let Some(next) = self.machine.next_push() {
                return next.map(Some);
            }
            self.machine.check()?;
            // A late reply to a call that gave up is nobody's.
            match self.receive_push(deadline) {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(error) => self.end(&error),
            }
        }
    }

    /// Hands out frames until there is a push; says whether one may have come in time.
    fn receive_push(&mut self, deadline: Option<Instant>) -> Result<bool> {
        if self.deliver_one()? {
            return Ok(true);
        }
        Ok(self.fill(deadline, None)?.is_some())
    }

    /// Whether nothing is owed, left over or known to be wrong.
    pub(super) fn is_clean(&self) -> bool {
        self.is_open()
            && self.output.is_empty()
            && self.machine.is_idle()
            && self.inbound.is_empty()
    }

    /// Whether it has not ended, for all that is known.
    pub(super) fn is_open(&self) -> bool {
        self.machine.check().is_ok()
    }

    /// Whether a connection that nobody has used for a while can be used, as far as can be seen.
    ///
    /// This is asked before every use, however short the while: a server may close a connection at
    /// any time, and what is then written to it is lost without telling. Messages that have come
    /// meanwhile are nobody's, and are dropped.
    pub(super) fn is_usable(&mut self) -> bool {
        if mutant::is(Mutant::PoolLookOmitted) {
            return true;
        }
        for _ in 0..MOST_LOOKS {
            match self.stream.look() {
                Seen::Nothing => return true,
                Seen::End => {
                    let error = self.lost(Loss::Closed);
                    self.end(&error);
                    return false;
                }
                Seen::Bytes => {
                    if let Err(error) = self.drop_pushes() {
                        self.end(&error);
                        return false;
                    }
                }
            }
        }
        self.is_clean()
    }

    /// Reads what has come, and drops what no command asked for.
    fn drop_pushes(&mut self) -> Result<()> {
        self.set_waiting(false)?;
        while self.fill(None, None)?.is_some() {
            while self.deliver_one()? {}
            while let Some(Ok(frame)) = self.machine.next_push() {
                drop(frame);
            }
        }
        self.set_waiting(true)
    }

    /// Writes as much as there is room for.
    ///
    /// What the server has said before it closed the connection is read in front of the error.
    fn write_some(&mut self) -> Result<()> {
        if self.output.is_empty() {
            return Ok(());
        }
        let written = match self.output.piece() {
            Some(piece) => self.stream.write(piece),
            None => {
                let mut slices = [IoSlice::new(&[]); SLICES];
                let used = self.output.slices(&mut slices);
                let slices = slices.get(..used).unwrap_or_default();
                self.stream.write_vectored(slices)
            }
        };
        match written {
            Ok(written) => {
                self.written += written as u64;
                self.stream.note_written(self.written);
                self.output.advance(written);
                let is_left = !self.output.is_empty();
                self.machine.driver_wrote(self.written, is_left);
                Ok(())
            }
            Err(error) => {
                let lost = self.lost(Loss::Write(error));
                // It ends as well, which is known already.
                let _ = self.read_to_end();
                Err(lost)
            }
        }
    }

    /// Writes everything, and reads what comes meanwhile whenever not everything fits.
    fn write(&mut self, answer: &mut Answer) -> Result<()> {
        while !self.output.is_empty() && !self.is_answered(answer) {
            answer.rest = None;
            self.read_available(answer)?;
            let now = Instant::now();
            if answer.write_by.is_some_and(|end| end <= now) {
                let since = answer.since.unwrap_or(now);
                let allowed = now.saturating_duration_since(since);
                return Err(self.machine.lost(Loss::NotTaken(allowed)));
            }
            self.write_some()?;
        }
        Ok(())
    }

    /// Reads until the answer is complete, or until then; says whether it is.
    fn read_until(&mut self, end: Option<Instant>, answer: &mut Answer) -> Result<bool> {
        while !self.is_answered(answer) {
            if self.fill(end, answer.rest.take())?.is_some() {
                self.drain(answer)?;
                continue;
            }
            // Time may have passed us by while the reply has long been there.
            self.read_available(answer)?;
            return Ok(self.is_answered(answer));
        }
        Ok(true)
    }

    /// Reads all that has come, without waiting.
    fn read_available(&mut self, answer: &mut Answer) -> Result<()> {
        self.set_waiting(false)?;
        while self.fill(None, None)?.is_some() {
            self.drain(answer)?;
        }
        self.set_waiting(true)
    }

    /// Reads all that has come on a connection that has ended.
    fn read_to_end(&mut self) -> Result<()> {
        self.set_waiting(false)?;
        while self.fill(None, None)?.is_some() {
            while self.deliver_one()? {}
        }
        Ok(())
    }

    fn set_waiting(&mut self, waiting: bool) -> Result<()> {
        self.stream
            .set_waiting(waiting)
            .map_err(|error| self.lost(Loss::Read(error)))
    }

    /// Hands out the frames that are there, up to the answer.
    ///
    /// What has come behind it is not looked at: it is for the next call, or shows that the connection
    /// is not clean.
    fn drain(&mut self, answer: &mut Answer) -> Result<()> {
        while let Some(&(key, _)) = answer.call.as_ref()
            && !self.machine.is_answered(key)
        {
            let Self {
                machine,
                inbound,
                dispatch,
                ..
            } = self;
            match machine.deliver_next(key, inbound, &mut answer.frames, dispatch)? {
                NextFrame::Nothing => break,
                NextFrame::Answer => answer.call = None,
                NextFrame::Other => dispatch.clear(),
            }
        }
        Ok(())
    }

    /// Hands out a frame, or several of one answer; says whether there was one.
    fn deliver_one(&mut self) -> Result<bool> {
        let mut view = self.machine.view();
        if !self.inbound.gather(1, view.run)? {
            return Ok(false);
        }
        let delivered = self
            .machine
            .deliver(&mut self.inbound, &mut view, &mut self.dispatch);
        self.dispatch.clear();
        delivered.map(|_| true)
    }

    /// Reads once; `None` says that the deadline has come, or that nothing has if it must not wait.
    fn fill(&mut self, deadline: Option<Instant>, rest: Option<Duration>) -> Result<Option<()>> {
        let Self {
            stream, inbound, ..
        } = self;
        let mut in_time = true;
        let read = inbound.fill(|bytes| {
            let length = stream.read(bytes, deadline, rest)?;
            in_time = length.is_some();
            Ok(length.unwrap_or(0))
        });
        match read {
            Ok(_) if !in_time => Ok(None),
            Ok(0) => Err(self.lost(Loss::Closed)),
            Ok(_) => Ok(Some(())),
            Err(error) => Err(self.lost(Loss::Read(error))),
        }
    }

    #[inline]
    fn is_answered(&self, answer: &Answer) -> bool {
        match &answer.call {
            Some((key, _)) => self.machine.is_answered(*key),
            None => true,
        }
    }

    fn lost(&mut self, loss: Loss) -> Error {
        let ended = self.stream.ended().cloned();
        self.machine.lost(ended.map_or(loss, Loss::Ended))
    }

    /// Closes the connection; whoever waits learns whether anything of the exchange was written.
    fn end(&mut self, error: &Error) {
        let written = Some(self.written);
        self.machine
            .end(error, written, Instant::now(), &mut self.dispatch);
        self.dispatch.clear();
        self.output.clear();
        self.stream.shut_down();
    }
}

impl Answer {
    /// The answer to an exchange that was not sent yet.
    pub(super) fn new(limit: TimeLimit) -> Self {
        Self {
            frames: Frames::new(),
            call: None,
            next: None,
            limit,
            place: Place::Shared,
            rest: None,
            since: None,
            write_by: None,
            deadline: None,
        }
    }

    pub(super) fn into_frames(self) -> Frames {
        self.frames
    }
}

/// How often a connection is looked at whose server does not stop sending.
const MOST_LOOKS: usize = 64;

/// How many pieces are written by one call at most.
const SLICES: usize = 8;
