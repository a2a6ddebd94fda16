//! How a connection has ended, and what is told of it.

use std::{io, time::Duration};

use crate::{
    address::Address,
    error::{Error, ErrorKind, Phase},
    events::DisconnectReason,
};

/// How a connection has ended.
#[derive(Debug)]
pub(crate) enum Loss {
    /// The server has closed it.
    Closed,
    Read(io::Error),
    Write(io::Error),
    /// The server has not taken a whole request within this time.
    NotTaken(Duration),
    /// The task that drives it was stopped.
    Stopped,
    /// No caller uses it any more.
    Dropped,
    /// The socket was ended by another part of the client, which says why.
    Ended(Error),
}

impl Loss {
    /// Why the connection is used no longer; nothing where the caller that has dropped it tells that.
    pub(super) fn reason(&self) -> Option<DisconnectReason> {
        Some(match self {
            Self::Read(error) | Self::Write(error) if error.kind() == io::ErrorKind::TimedOut => {
                DisconnectReason::Mute
            }
            Self::Closed | Self::Read(_) | Self::Write(_) => DisconnectReason::Ended,
            Self::NotTaken(_) => DisconnectReason::Dirty,
            Self::Stopped => DisconnectReason::Stalled,
            Self::Ended(_) => DisconnectReason::Closed,
            Self::Dropped => return None,
        })
    }

    /// The error of a connection to `server` that has ended like this.
    pub(super) fn into_error(self, server: &Address) -> Error {
        let connection = |text: String| Error::new(ErrorKind::Connection, text);
        match self {
            Self::Closed => connection(format!("{server} has closed it")),
            Self::Read(error) => unreachable_peer("reading from", server, error),
            Self::Write(error) => unreachable_peer("writing to", server, error),
            Self::NotTaken(allowed) => Error::new(
                ErrorKind::Timeout(Phase::Write),
                format!("{server} has not taken the whole request within {allowed:.0?}"),
            ),
            Self::Stopped => connection(format!(
                "the task of the connection to {server} was stopped, as happens when its runtime is shut down"
            )),
            Self::Dropped => Error::new(ErrorKind::Closed, "the client was dropped"),
            Self::Ended(error) => error,
        }
    }
}

fn unreachable_peer(doing: &str, server: &Address, error: io::Error) -> Error {
    let what = if error.kind() == io::ErrorKind::TimedOut {
        format!("{server} does not acknowledge what is sent to it, as the system has found")
    } else {
        format!("{doing} {server} failed")
    };
    Error::new(ErrorKind::Connection, what).with_source(error)
}
