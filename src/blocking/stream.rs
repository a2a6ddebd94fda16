//! The byte stream of a connection, whatever it runs on, and how long to wait for it.

use std::{
    io::{self, IoSlice},
    net::TcpStream,
    ops::RangeInclusive,
    time::{Duration, Instant},
};

use socket2::SockRef;

use crate::socket;

/// What a [`Stream`] can run on: std's sockets have all of it.
pub(super) trait Transport: io::Read + io::Write + Send {
    /// How long a read waits.
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;

    /// How long a write waits for room.
    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;

    /// Whether neither waits at all.
    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()>;

    /// Whether the peer has neither sent anything that was not read nor closed.
    fn is_quiet(&self) -> bool;
}

/// A connected socket.
pub(super) struct Stream {
    transport: Box<dyn Transport>,
    /// For which times left the read time-out of the socket is right; `None` while it has none.
    read_timeout: Option<RangeInclusive<Duration>>,
    waiting: bool,
}

impl Stream {
    /// Takes a socket that blocks.
    pub(super) fn new(transport: impl Transport + 'static) -> io::Result<Self> {
        transport.set_read_timeout(None)?;
        transport.set_write_timeout(Some(WRITE_WAIT))?;
        Ok(Self {
            transport: Box::new(transport),
            read_timeout: None,
            waiting: true,
        })
    }

    /// Reads what has come, and waits for it until `deadline`.
    ///
    /// `None` says that the deadline has come, or that nothing is there if it must not wait.
    pub(super) fn read(
        &mut self,
        bytes: &mut [u8],
        deadline: Option<Instant>,
    ) -> io::Result<Option<usize>> {
        loop {
            if self.waiting {
                let rest = deadline.map(|end| end.saturating_duration_since(Instant::now()));
                if rest.is_some_and(|rest| rest.is_zero()) {
                    return Ok(None);
                }
                self.wait_for(rest)?;
            }
            match self.transport.read(bytes) {
                Err(error) if waits(&error) && !self.waiting => return Ok(None),
                Err(error) if waits(&error) || error.kind() == io::ErrorKind::Interrupted => {}
                result => return result.map(Some),
            }
        }
    }

    /// Writes as much as there is room for.
    ///
    /// It waits a moment for room, not until there is: the peer may be waiting for us to read.
    pub(super) fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        loop {
            let written = match slices {
                [bytes] => self.transport.write(bytes),
                slices => self.transport.write_vectored(slices),
            };
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if waits(&error) => return Ok(0),
                result => return result,
            }
        }
    }

    /// Says whether a read waits.
    pub(super) fn set_waiting(&mut self, waiting: bool) -> io::Result<()> {
        self.transport.set_nonblocking(!waiting)?;
        self.waiting = waiting;
        Ok(())
    }

    /// Whether the peer has neither sent anything that was not read nor closed.
    pub(super) fn is_quiet(&self) -> bool {
        self.transport.is_quiet()
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
            self.transport.set_read_timeout(timeout)?;
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
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.set_read_timeout(timeout)
    }

    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.set_write_timeout(timeout)
    }

    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.set_nonblocking(nonblocking)
    }

    fn is_quiet(&self) -> bool {
        socket::is_quiet(&SockRef::from(self))
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
    fn a_wait_that_ends_an_eighth_late_is_not_late() {
        for rest in [1, 9, 100, 2000, 60_000].map(Duration::from_millis) {
            let right = right_for(rest);
            assert!(
                *right.start() * 9 / 8 <= rest.max(SHORTEST_WAIT * 9 / 8),
                "{right:?}"
            );
            // The calls behind this one have as much time, and a little less when they look.
            assert!(right.contains(&rest) && right.contains(&(rest - rest / 16)));
        }
        assert!(!right_for(Duration::from_secs(2)).contains(&Duration::from_secs(1)));
        assert!(!right_for(Duration::from_secs(1)).contains(&Duration::from_secs(2)));
    }
}
