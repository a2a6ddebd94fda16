//! Events as sentences for people.

use std::{error, fmt};

use super::{CallOutcome, DisconnectReason, Event, MovedSlots};
use crate::error::{Error, Phase};

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connecting { server, failures } => {
                write!(f, "connecting to {server}")?;
                match failures {
                    0 => Ok(()),
                    1 => f.write_str(" again, after an attempt that failed"),
                    _ => write!(f, " again, after {failures} attempts that failed"),
                }
            }
            Self::Connected { server, took } => write!(f, "connected to {server} in {took:.1?}"),
            Self::ConnectFailed {
                server,
                error,
                pause,
            } => {
                write!(f, "could not connect to {server}: {}", Cause(error))?;
                match pause.is_zero() {
                    true => f.write_str("; the next attempt may be made at once"),
                    false => write!(f, "; the next attempt may be made in {pause:.1?}"),
                }
            }
            Self::Disconnected {
                server,
                reason,
                error,
            } => {
                let what = if reason.is_loss() { "lost" } else { "closed" };
                write!(f, "{what} a connection to {server}: ")?;
                match error {
                    Some(error) => write!(f, "{}", Cause(error)),
                    None => write!(f, "{reason}"),
                }
            }
            Self::Retried {
                command,
                attempts,
                error,
            } => {
                write!(f, "{command} is sent again, having failed ")?;
                match attempts {
                    0 | 1 => f.write_str("once")?,
                    _ => write!(f, "{attempts} times")?,
                }
                write!(f, ": {}", Cause(error))
            }
            Self::Redirected {
                command,
                from,
                to,
                once,
            } => {
                let why = match once {
                    true => "which has its keys while the slot is on its way",
                    false => "which serves its slot by now",
                };
                write!(f, "{command} was sent on by {from} to {to}, {why}")
            }
            Self::TimedOut {
                command,
                phase,
                after,
            } => {
                let doing = match phase {
                    Phase::Queue => "waiting for its turn",
                    Phase::Connect => "waiting for a connection",
                    Phase::Write => "waiting for the request to be taken",
                    Phase::Reply => "waiting for the reply",
                };
                write!(f, "{command} timed out after {after:.1?}, {doing}")
            }
            Self::TopologyChanged {
                nodes,
                slots,
                moved,
            } => {
                write!(
                    f,
                    "the cluster has {nodes} nodes, with a primary for {slots} slots"
                )?;
                moved.iter().try_for_each(|it| write!(f, "; {it}"))
            }
            Self::PoolWaited {
                server,
                waited,
                served,
            } => {
                let in_vain = if *served { "" } else { ", in vain" };
                write!(
                    f,
                    "a caller has waited {waited:.1?} for a connection to {server}{in_vain}"
                )
            }
            Self::CallEnded {
                operation,
                server,
                took,
                outcome,
                ..
            } => {
                match outcome {
                    CallOutcome::Answered => write!(f, "{operation} answered in {took:.1?}")?,
                    CallOutcome::Cancelled => write!(f, "{operation} cancelled after {took:.1?}")?,
                    CallOutcome::Failed { .. } => {
                        let what = outcome.error_type().unwrap_or_default();
                        write!(f, "{operation} failed after {took:.1?} ({what})")?;
                    }
                }
                match server {
                    Some(server) => write!(f, " by {server}"),
                    None => Ok(()),
                }
            }
            Self::EventsDropped { events } => {
                write!(
                    f,
                    "{events} events were not told, since listeners were too slow"
                )
            }
        }
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ended => "the server or the network has ended it",
            Self::Protocol => "the peer has sent what nobody asked for",
            Self::Mute => "the peer has sent nothing for too long",
            Self::Stalled => "the task that drives it does not run",
            Self::Unread => "too many messages are unread",
            Self::Old => "it has reached its lifetime",
            Self::Idle => "nobody has used it for too long",
            Self::Dirty => "it may not be as it was when it was made",
            Self::Demoted => "the server is no longer the primary",
            Self::Moved => "the name of the server leads elsewhere",
            Self::Forked => "it belongs to the process that this one was forked from",
            Self::Closed => "the client has closed it",
        })
    }
}

impl fmt::Display for MovedSlots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slots = Ranges(self);
        match (&self.from, &self.to) {
            (None, Some(to)) => write!(f, "{to} is the primary of {slots}"),
            (Some(from), Some(to)) => {
                write!(f, "{to} is now the primary of {slots}, in place of {from}")
            }
            (Some(from), None) => {
                write!(f, "{slots} have no primary any more, which was {from}")
            }
            (None, None) => write!(f, "{slots} have no primary"),
        }
    }
}

/// The slots of a move, the first few ranges of them.
struct Ranges<'m>(&'m MovedSlots);

impl fmt::Display for Ranges<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ranges = &self.0.ranges;
        let is_one = ranges.len() == 1 && ranges.iter().all(|it| it.start() == it.end());
        f.write_str(if is_one { "slot " } else { "slots " })?;
        for (at, range) in ranges.iter().take(MOST_RANGES).enumerate() {
            let separator = if at > 0 { ", " } else { "" };
            match range.start() == range.end() {
                true => write!(f, "{separator}{}", range.start())?,
                false => write!(f, "{separator}{}-{}", range.start(), range.end())?,
            }
        }
        match ranges.len().saturating_sub(MOST_RANGES) {
            0 => Ok(()),
            more => write!(f, " and {more} more ranges"),
        }
    }
}

/// An error without the words for its kind, and with what is behind it.
struct Cause<'e>(&'e Error);

impl fmt::Display for Cause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.0.printable_message().to_string();
        f.write_str(&text)?;
        let mut source = error::Error::source(self.0);
        while let Some(error) = source {
            let next = error.to_string();
            // Some say what is behind them, with the system's words and without its number.
            let words = next.split(" (os error").next().unwrap_or_default();
            if !text.to_lowercase().contains(&words.to_lowercase()) {
                write!(f, ": {next}")?;
            }
            text = next;
            source = error.source();
        }
        Ok(())
    }
}

/// The most ranges of slots that are named.
const MOST_RANGES: usize = 8;
