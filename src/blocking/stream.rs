//! The byte stream of a connection, whatever it runs on, and how long to wait for it.

use std::{
    io::{self, IoSlice, Read, Write},
    net::{Shutdown, TcpStream},
    ops::RangeInclusive,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use socket2::SockRef;

use crate::{error::Error, link::Seen, socket};

/// What a [`Stream`] can run on: std's sockets have all of it.
pub(super) trait Transport: Send + Sync {
    fn read(&self, bytes: &mut [u8]) -> io::Result<usize>;

    fn write(&self, bytes: &[u8]) -> io::Result<usize>;

    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// How long a read waits.
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;

    /// How long a write waits for room.
    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;

    /// Whether neither waits at all.
    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()>;

    /// What there is to be read.
    fn look(&self) -> Seen;

    /// Ends both directions, also for who reads or writes at the moment.
    fn shut_down(&self) -> io::Result<()>;
}

/// A connected socket.
pub(super) struct Stream {
    handle: Arc<SocketHandle>,
    /// For which times left the read time-out of the socket is right; `None` while it has none.
    read_timeout: Option<RangeInclusive<Duration>>,
    waiting: bool,
}

/// What a [`Stream`] runs on, which others may end while it is used.
pub(super) struct SocketHandle {
    transport: Box<dyn Transport>,
    ended: OnceLock<Error>,
    /// How many bytes of requests were written, and of these are answered, as far as the one who uses
    /// it has noted that.
    written: AtomicU64,
    answered: AtomicU64,
}

impl SocketHandle {
    /// Ends the stream, so that whoever uses it learns at once why.
    pub(super) fn end(&self, why: Error) {
        if self.ended.set(why).is_ok() {
            // It can only fail where there is nothing to end any more.
            let _ = self.transport.shut_down();
        }
    }

    /// How many bytes of requests are not answered.
    pub(super) fn unanswered(&self) -> u64 {
        let answered = self.answered.load(Ordering::Relaxed);
        let written = self.written.load(Ordering::Relaxed);
        written.saturating_sub(answered)
    }
}

impl Stream {
    /// Takes a socket that blocks.
    pub(super) fn new(transport: impl Transport + 'static) -> io::Result<Self> {
        transport.set_read_timeout(None)?;
        transport.set_write_timeout(Some(WRITE_WAIT))?;
        Ok(Self {
            handle: Arc::new(SocketHandle {
                transport: Box::new(transport),
                ended: OnceLock::new(),
                written: AtomicU64::new(0),
                answered: AtomicU64::new(0),
            }),
            read_timeout: None,
            waiting: true,
        })
    }

    /// For whoever may have to end it.
    pub(super) fn handle(&self) -> Weak<SocketHandle> {
        Arc::downgrade(&self.handle)
    }

    /// Notes how many bytes of requests were written.
    #[inline]
    pub(super) fn note_written(&self, bytes: u64) {
        self.handle.written.store(bytes, Ordering::Relaxed);
    }

    /// Notes how many of them are answered.
    #[inline]
    pub(super) fn note_answered(&self, bytes: u64) {
        self.handle.answered.store(bytes, Ordering::Relaxed);
    }

    /// Why it was ended, if somebody else has done that.
    pub(super) fn ended(&self) -> Option<&Error> {
        self.handle.ended.get()
    }

    /// Reads what has come, and waits for it until `deadline`.
    ///
    /// `rest` is how long that is, if it is known, which spares a look at the clock. `None` says that
    /// the deadline has come, or that nothing is there if it must not wait.
    pub(super) fn read(
        &mut self,
        bytes: &mut [u8],
        deadline: Option<Instant>,
        mut rest: Option<Duration>,
    ) -> io::Result<Option<usize>> {
        loop {
            if self.waiting {
                let left = |end: Instant| end.saturating_duration_since(Instant::now());
                let rest = rest.take().or_else(|| deadline.map(left));
                if rest.is_some_and(|rest| rest.is_zero()) {
                    return Ok(None);
                }
                self.wait_for(rest)?;
            }
            match self.handle.transport.read(bytes) {
                Ok(length) => return Ok(Some(length)),
                Err(error) if waits(&error) && !self.waiting => return Ok(None),
                Err(error) if waits(&error) || error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes as much as there is room for.
    ///
    /// It waits a moment for room, not until there is: the peer may be waiting for us to read.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let transport = &self.handle.transport;
        written(|| transport.write(bytes))
    }

    /// The same for what lies in several pieces.
    pub(super) fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let transport = &self.handle.transport;
        written(|| transport.write_vectored(slices))
    }

    /// Says whether a read waits.
    pub(super) fn set_waiting(&mut self, waiting: bool) -> io::Result<()> {
        self.handle.transport.set_nonblocking(!waiting)?;
        self.waiting = waiting;
        Ok(())
    }

    /// Ends both directions, so that the server learns of it although the caller still has the
    /// connection.
    pub(super) fn shut_down(&self) {
        // It can only fail where there is nothing to end any more.
        let _ = self.handle.transport.shut_down();
    }

    /// What there is to be read.
    pub(super) fn look(&self) -> Seen {
        self.handle.transport.look()
    }

    /// Sets how long a read waits, unless that is about right already.
    ///
    /// It is less than what is left, since systems wake up an eighth too late; the caller then looks
    /// at the clock and waits for the rest.
    fn wait_for(&mut self, rest: Option<Duration>) -> io::Result<()> {
        let is_right = match (&self.read_timeout, rest) {
            (None, None) => true,
            // Which spares a call to the system for each command.
            (Some(right), Some(rest)) => right.contains(&rest),
            _ => false,
        };
        if !is_right {
            let right = rest.map(right_for);
            let timeout = right.as_ref().map(|right| *right.start());
            self.handle.transport.set_read_timeout(timeout)?;
            self.read_timeout = right;
        }
        Ok(())
    }
}

/// A read time-out for when so much time is left, and up to how much it is of use as well.
fn right_for(rest: Duration) -> RangeInclusive<Duration> {
    let timeout = (rest - rest / 8).max(SHORTEST_WAIT);
    timeout..=rest.saturating_add(rest / 8)
}

impl Transport for TcpStream {
    fn read(&self, bytes: &mut [u8]) -> io::Result<usize> {
        (&mut &*self).read(bytes)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        (&mut &*self).write(bytes)
    }

    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        (&mut &*self).write_vectored(slices)
    }

    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(timeout)
    }

    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.set_write_timeout(timeout)
    }

    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.set_nonblocking(nonblocking)
    }

    fn look(&self) -> Seen {
        socket::look(&SockRef::from(self))
    }

    fn shut_down(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Both)
    }
}

/// How much was written, which is nothing where there was no room in time.
#[inline]
fn written(write: impl Fn() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match write() {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => return Ok(written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if waits(&error) => return Ok(0),
            Err(error) => return Err(error),
        }
    }
}

/// Whether a time-out of the socket, or that it must not wait, ended the call.
fn waits(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

/// How long a write waits for room before it is time to read.
const WRITE_WAIT: Duration = Duration::from_millis(2);

/// The shortest read time-out; what is left of a time may be less than a system can wait for.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_that_ends_an_eighth_late_is_in_time() {
        for rest in [9, 100, 2000, 60_000].map(Duration::from_millis) {
            let right = right_for(rest);
            assert!(*right.start() * 9 / 8 <= rest, "{right:?}");
            // The calls behind this one have as much time, less what they have used of it.
            assert!(right.contains(&rest) && right.contains(&(rest - rest / 16)));
            assert!(!right.contains(&(rest / 2)) && !right.contains(&(rest * 2)));
        }
        let shortest = right_for(Duration::from_nanos(1));
        assert_eq!(
            *shortest.start(),
            SHORTEST_WAIT,
            "none at all would be for ever"
        );
    }

    #[test]
    fn who_reads_learns_that_somebody_else_has_ended_the_stream() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut stream = Stream::new(socket).unwrap();
        let handle = stream.handle();
        let reader = std::thread::spawn(move || {
            let read = stream.read(&mut [0; 8], None, None).unwrap();
            (read, stream.ended().map(Error::to_string))
        });
        let why = Error::argument("for a test");
        handle.upgrade().unwrap().end(why.clone());
        assert_eq!(reader.join().unwrap(), (Some(0), Some(why.to_string())));
        assert!(handle.upgrade().is_none());
    }
}
