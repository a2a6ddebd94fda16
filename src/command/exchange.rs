//! What one call sends at once, and how the frames that answer it become one result.

use super::{Command, Erased, Flags, Info, Patience, Replies, ServerVersion, Untyped, finish};
use crate::{
    error::{Error, ErrorKind, Result},
    resp::{Frame, Frames, Output, Writer},
};

/// A command, a pipeline or a transaction, as a client sees it: bytes to send in one piece, and a
/// number of frames to wait for.
pub trait Exchange: Send {
    /// What the frames are read into.
    type Output;

    /// The name that errors carry.
    fn name(&self) -> &'static str;

    /// An error with that name, or one that tells more.
    fn named(&self, error: Error) -> Error {
        error.with_command(self.name())
    }

    /// Whether there is nothing to send.
    fn is_empty(&self) -> bool {
        false
    }

    /// Whether the exchange may run there.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`](crate::ErrorKind::Refused) with what to do instead.
    fn check(&self, place: Place) -> Result<()>;

    /// Whether a server has all that the exchange needs, as [`Needs::check`](super::Needs::check)
    /// tells; asked only where versions are checked.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported), which names what is missing.
    fn check_server(&self, server: &ServerVersion) -> Result<()>;

    /// How long the server may hold the replies back.
    fn patience(&self) -> Patience;

    /// Whether it must overtake what others wait for, since it may be what ends their wait: it goes
    /// over a connection of its own then.
    fn is_urgent(&self) -> bool {
        false
    }

    /// Whether the connection is afterwards as it was before, for all that is known.
    fn leaves_no_trace(&self) -> bool;

    /// Whether no other reply may be owed when it is sent.
    ///
    /// Some versions of Redis 7.4 and 8 answer a failing authentication with nothing when replies are
    /// pending, and every later reply would then be taken for another's.
    fn is_alone(&self) -> bool {
        false
    }

    /// Appends the requests behind the `first` ones to `out`, and says what will answer them.
    ///
    /// A long pipeline appends as many as are good to send at once, and says where to go on.
    ///
    /// # Errors
    ///
    /// An argument that cannot be sent, which is found before anything is sent; the bytes appended
    /// so far are then taken back.
    fn write(&self, first: usize, out: &mut Output) -> Result<Written>;

    /// Reads the frames that answered: as many as were awaited, or the last confirmation.
    ///
    /// # Errors
    ///
    /// Error replies, and replies of an unexpected form.
    fn finish(&self, frames: &Frames) -> Result<Self::Output>;

    /// What to send in its place after an error reply that says that nothing was executed.
    ///
    /// Several commands have nothing: those behind the one that was refused may have run, and what
    /// took its place would run after them.
    fn instead(&self, error: &[u8]) -> Option<Erased<'_>> {
        let _ = error;
        None
    }

    /// Whether all commands have to reach one server in one piece.
    fn is_atomic(&self) -> bool {
        false
    }

    /// Whether it is made of several commands, so that an error has to say which one it is about.
    fn is_batch(&self) -> bool {
        false
    }

    /// Shows each command in order: its facts, and how it is written.
    ///
    /// Several servers may have a part in an exchange; what the caller needs to know of its
    /// commands to find these is here.
    ///
    /// # Errors
    ///
    /// Those of `view`.
    fn each_command(&self, view: &mut View<'_>) -> Result<()>;

    /// Reads what came of each command, where several servers had a part in it.
    ///
    /// # Errors
    ///
    /// As [`finish`](Self::finish), and the first of the answers that is an error, unless the
    /// result keeps them apart.
    fn finish_each(&self, answers: Vec<Result<Frame>>) -> Result<Self::Output> {
        let frames: Frames = answers.into_iter().collect::<Result<_>>()?;
        self.finish(&frames)
    }
}

/// What [`Exchange::each_command`] shows a command to.
pub(crate) type View<'v> = dyn FnMut(&'static Info, &dyn Fn(&mut Writer<'_>)) -> Result<()> + 'v;

/// The kind of connection that an exchange runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// One that many callers share.
    Shared,
    /// One that belongs to the caller.
    Dedicated,
}

/// What was appended of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// What will answer it.
    pub awaited: Awaited,
    /// How many requests were appended by now, if there are more.
    pub next: Option<usize>,
}

impl Written {
    /// All of it was appended.
    #[must_use]
    pub fn all(awaited: Awaited) -> Self {
        Self {
            awaited,
            next: None,
        }
    }
}

/// What answers an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// So many frames, none of which is a push.
    Frames(usize),
    /// So many pushes that confirm the command of this name, or one frame that is no push.
    Confirmations(usize, &'static str),
    /// One frame, and then simple strings without an end, as `MONITOR` answers.
    Stream,
    /// An error, or else the end of the connection, which is the success of `SHUTDOWN`.
    End,
}

/// One command as an exchange.
#[derive(Debug)]
pub struct Single<C>(pub C);

impl<C: Command> Exchange for Single<C> {
    type Output = C::Reply;

    fn name(&self) -> &'static str {
        self.0.info().name
    }

    fn named(&self, error: Error) -> Error {
        super::named(&self.0, error)
    }

    fn check(&self, place: Place) -> Result<()> {
        check(&self.0, place)
    }

    fn check_server(&self, server: &ServerVersion) -> Result<()> {
        check_server(&self.0, server)
    }

    fn patience(&self) -> Patience {
        self.0.patience()
    }

    fn is_urgent(&self) -> bool {
        self.0.info().urgent
    }

    fn leaves_no_trace(&self) -> bool {
        leaves_no_trace(&self.0)
    }

    fn is_alone(&self) -> bool {
        self.0.info().flags.contains(Flags::NO_AUTH)
    }

    fn write(&self, _: usize, out: &mut Output) -> Result<Written> {
        let info = self.0.info();
        let mut words = 0;
        out.command(|to| {
            self.0.write(to);
            words = to.words();
        })
        .map_err(|error| error.with_command(info.name))?;
        Ok(Written::all(match info.replies {
            Replies::One | Replies::None => Awaited::Frames(1),
            Replies::End => Awaited::End,
            Replies::PerArgument => {
                Awaited::Confirmations(words.saturating_sub(info.words).max(1), info.name)
            }
            Replies::Stream => Awaited::Stream,
        }))
    }

    fn finish(&self, frames: &Frames) -> Result<C::Reply> {
        let reply = frames.last().ok_or_else(|| missing(1, 0))?;
        finish(&self.0, reply)
    }

    fn instead(&self, error: &[u8]) -> Option<Erased<'_>> {
        let info = self.0.info();
        // Of several nodes that have answered, some may have executed it.
        if info.routing.is_of_several_nodes() {
            return None;
        }
        let error = Error::server(error).with_command(info.name);
        match error.may_have_executed() {
            true => None,
            false => self.0.instead(&error),
        }
    }

    fn each_command(&self, view: &mut View<'_>) -> Result<()> {
        view(self.0.info(), &|to| self.0.write(to))
    }
}

/// Whether one command may run there by itself.
#[inline]
pub(super) fn check(command: &(impl Untyped + ?Sized), place: Place) -> Result<()> {
    let info = command.info();
    if info.replies == Replies::None {
        return Err(refused(
            "every call waits for its reply, so that replies cannot be switched off",
        )
        .with_command(info.name));
    }
    if place == Place::Shared && info.needs_dedicated_connection() {
        return Err(refused(
            "it changes the connection, which other callers share: take a connection of your own with dedicated()",
        )
        .with_command(info.name));
    }
    Ok(())
}

/// Whether a server has what one command needs.
pub(super) fn check_server(
    command: &(impl Untyped + ?Sized),
    server: &ServerVersion,
) -> Result<()> {
    let checked = command.needs().check(server);
    checked.map_err(|error| error.with_command(command.info().name))
}

/// Whether a command is known, and known not to change the connection that carries it.
pub(super) fn leaves_no_trace(command: &(impl Untyped + ?Sized)) -> bool {
    let info = command.info();
    !info.needs_dedicated_connection() && !info.encoded.is_empty()
}

pub(super) fn refused(message: &'static str) -> Error {
    Error::new(ErrorKind::Refused, message)
}

pub(super) fn missing(expected: usize, found: usize) -> Error {
    Error::new(
        ErrorKind::Decode,
        format!("expected {expected} replies, got {found}"),
    )
}
