//! One attempt to connect: how long it may take, and what its failures are called.

use std::{
    io,
    time::{Duration, Instant},
};

use super::addresses::reason;
use crate::{
    address::Address,
    error::{Error, ErrorKind, Phase},
    resp::ProtocolError,
};

/// The time for one attempt to resolve, dial and greet, and its errors.
#[derive(Debug)]
pub(crate) struct Attempt<'a> {
    server: &'a Address,
    allowed: Duration,
    /// `None` is for ever.
    end: Option<Instant>,
}

/// What an attempt does when it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The system is asked for the addresses of a name.
    Resolve,
    /// A socket is being connected.
    Reach,
    /// The options of a socket are set.
    SetUp,
    /// The peer greets.
    Greet,
}

impl<'a> Attempt<'a> {
    /// An attempt that begins now.
    pub(crate) fn begin(server: &'a Address, allowed: Duration, now: Instant) -> Self {
        Self {
            server,
            allowed,
            end: now.checked_add(allowed),
        }
    }

    /// The server that is dialled.
    pub(crate) fn server(&self) -> &'a Address {
        self.server
    }

    /// When its time is over.
    pub(crate) fn end(&self) -> Option<Instant> {
        self.end
    }

    /// What is left of its time.
    ///
    /// # Errors
    ///
    /// Nothing is.
    pub(crate) fn rest(&self, now: Instant) -> Result<Duration, Error> {
        let rest = self
            .end
            .map_or(Duration::MAX, |end| end.saturating_duration_since(now));
        if rest.is_zero() {
            return Err(self.timed_out());
        }
        Ok(rest)
    }

    /// The error of an attempt whose time is over.
    pub(crate) fn timed_out(&self) -> Error {
        let (server, allowed) = (self.server, self.allowed);
        Error::new(
            ErrorKind::Timeout(Phase::Connect),
            format!("no connection to {server} after {allowed:?}"),
        )
    }

    /// The error of a step that the system has ended, which may be that of the time.
    pub(crate) fn failed(&self, step: Step, error: io::Error, now: Instant) -> Error {
        if let Err(timed_out) = self.rest(now) {
            return timed_out;
        }
        let (server, reason) = (self.server, reason(&error));
        let message = match step {
            Step::Resolve => format!("cannot resolve the name of {server}: {reason}"),
            Step::Reach => format!("cannot reach {server}: {reason}"),
            Step::SetUp => format!("cannot set up the socket to {server}: {reason}"),
            Step::Greet => format!("the handshake with {server} broke off: {reason}"),
        };
        Error::io(ErrorKind::Connect, message, error)
    }

    /// The error of an attempt whose peer speaks something else.
    pub(crate) fn garbled(&self, error: ProtocolError) -> Error {
        let message = format!("the peer at {} does not speak RESP", self.server);
        Error::new(ErrorKind::Connect, message).with_source(error)
    }

    /// The error of a server that refuses the connection.
    pub(crate) fn refused(&self, error: Error) -> Error {
        error.of_server(self.server)
    }

    /// The error of an address that is not that of one server.
    pub(crate) fn of_several(&self) -> Error {
        Error::new(
            ErrorKind::Connect,
            "expected the address of one server, got that of a cluster",
        )
    }

    /// The error of one who cannot wait while others try to connect.
    pub(crate) fn under_way(server: &Address) -> Error {
        Error::io(
            ErrorKind::Connect,
            format!("another attempt to connect to {server} is under way"),
            io::ErrorKind::WouldBlock.into(),
        )
    }

    /// The error of a place where nothing can connect, and what it lacks.
    #[cfg(feature = "async")]
    pub(crate) fn no_runtime(lacking: &str) -> Error {
        Error::new(ErrorKind::Connect, format!("connecting takes {lacking}"))
    }

    /// The error of an attempt whose task was stopped.
    #[cfg(feature = "async")]
    pub(crate) fn stopped(server: &Address) -> Error {
        Error::new(
            ErrorKind::Connect,
            format!(
                "the attempt to connect to {server} was stopped, as happens when its runtime is shut down"
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c18_errors_say_which_server_what_and_how_long() {
        let server = Address::Tcp {
            host: "h".to_owned(),
            port: 1,
        };
        let now = Instant::now();
        let attempt = Attempt::begin(&server, Duration::from_millis(1500), now);
        let failed = |step, at| {
            let error = io::Error::from(io::ErrorKind::UnexpectedEof);
            attempt.failed(step, error, at).to_string()
        };
        assert_eq!(
            failed(Step::Greet, now),
            "no connection: the handshake with h:1 broke off: closed by the peer"
        );
        assert!(failed(Step::Resolve, now).contains("resolve the name of h:1"));
        let end = attempt.end().unwrap();
        assert_eq!(
            attempt
                .rest(end - Duration::from_millis(1))
                .unwrap()
                .as_millis(),
            1
        );
        assert_eq!(
            failed(Step::Reach, end),
            "timed out connecting: no connection to h:1 after 1.5s"
        );
        assert!(attempt.rest(end).unwrap_err().is_timeout());
    }
}
