//! Commands that are sent in one piece, or in chunks, without `MULTI`.

use std::{fmt, marker::PhantomData};

use bytes::BytesMut;

use super::{
    Batch, Sequence,
    form::{EachError, FirstError, Form},
    sequence::{all, each, from, patience, show},
};
use crate::{
    command::{
        AsyncClient, Awaited, BlockingClient, Exchange, Flags, Patience, Place, Replies,
        ServerVersion, Untyped, View, Written,
        exchange::{check, check_server, leaves_no_trace, missing, refused},
        named,
    },
    error::{Error, Result},
    resp::{Frame, Frames, Output, Writer},
};

/// Commands that are sent in one piece; made by the method `pipeline` of every client.
///
/// It is awaited on the clients of [`aio`](crate::aio) and [sent](Self::send) on those of
/// [`blocking`](crate::blocking). The result is the replies, or the first error that one of the
/// commands met; the other commands ran nevertheless. [`results`](Self::results) keeps all of them.
///
/// Like a command it is no future but becomes one: `pipeline.into_future()` is what
/// `tokio::spawn` and `join!` take.
#[must_use = "a pipeline does nothing until it is awaited or sent"]
pub struct Pipeline<X, S, F = FirstError> {
    via: X,
    pub(super) pipelined: Pipelined<S, F>,
}

impl<X, S: Sequence> Pipeline<X, S> {
    /// The commands of `batch`, to be sent by `via`.
    pub(crate) fn new<M>(via: X, batch: impl Batch<M, Sequence = S>) -> Self {
        Self {
            via,
            pipelined: Pipelined::new(batch.into_sequence()),
        }
    }

    /// The same commands, each of which keeps its own error.
    ///
    /// What fails all of them, such as a lost connection, still is the error of the pipeline.
    pub fn results(self) -> Pipeline<X, S, EachError> {
        Pipeline {
            via: self.via,
            pipelined: Pipelined::new(self.pipelined.commands),
        }
    }
}

impl<T: BlockingClient, S: Sequence, F: Form> Pipeline<&T, S, F> {
    /// Sends the commands and waits for all replies.
    ///
    /// # Errors
    ///
    /// Every [`ErrorKind`](crate::ErrorKind) but those of configuration.
    pub fn send(self) -> Result<F::Output<S>> {
        self.via.exchange(self.pipelined)
    }
}

impl<'a, T: AsyncClient, S: Sequence, F: Form> IntoFuture for Pipeline<&'a T, S, F> {
    type Output = Result<F::Output<S>>;
    type IntoFuture = T::Pending<'a, Pipelined<S, F>>;

    fn into_future(self) -> Self::IntoFuture {
        self.via.exchange(self.pipelined)
    }
}

impl<X, S: Sequence, F> fmt::Debug for Pipeline<X, S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a pipeline of {} commands", self.pipelined.count())
    }
}

/// The commands of a [`Pipeline`], without the client.
pub struct Pipelined<S, F> {
    commands: S,
    /// That of all commands together.
    patience: Patience,
    form: PhantomData<fn() -> F>,
}

impl<S: Sequence, F> Pipelined<S, F> {
    pub(crate) fn new(commands: S) -> Self {
        Self {
            patience: patience(&commands),
            commands,
            form: PhantomData,
        }
    }

    fn count(&self) -> usize {
        self.commands.count()
    }
}

impl<S: Sequence, F: Form> Exchange for Pipelined<S, F> {
    type Output = F::Output<S>;

    fn name(&self) -> &'static str {
        "pipeline"
    }

    fn is_empty(&self) -> bool {
        self.count() == 0
    }

    fn check(&self, place: Place) -> Result<()> {
        each(&self.commands, |command| check_one(command, place))
    }

    fn check_server(&self, server: &ServerVersion) -> Result<()> {
        each(&self.commands, |command| check_server(command, server))
    }

    fn patience(&self) -> Patience {
        self.patience
    }

    /// Only what is nothing else may leave the order in which its caller has said it.
    fn is_urgent(&self) -> bool {
        self.count() > 0 && all(&self.commands).all(|command| command.info().urgent)
    }

    fn leaves_no_trace(&self) -> bool {
        all(&self.commands).all(leaves_no_trace)
    }

    fn write(&self, first: usize, out: &mut Output) -> Result<Written> {
        let room = out.len().saturating_add(CHUNK);
        let mut next = first;
        for command in from(&self.commands, first) {
            out.command(|to| command.write(to))
                .map_err(|error| named(command, error).with_place(next))?;
            next += 1;
            if out.len() >= room {
                break;
            }
        }
        let awaited = Awaited::Frames(next - first);
        if next == self.count() {
            return Ok(Written::all(awaited));
        }
        if first == 0 {
            // Nothing is sent if one of the commands that come later cannot be sent.
            let mut scratch = BytesMut::new();
            for (at, command) in from(&self.commands, next).enumerate() {
                scratch.clear();
                Writer::command(&mut scratch, |to| command.write(to))
                    .map_err(|error| named(command, error).with_place(next + at))?;
            }
        }
        Ok(Written {
            awaited,
            next: Some(next),
        })
    }

    fn finish(&self, frames: &Frames) -> Result<F::Output<S>> {
        if frames.len() != self.count() {
            return Err(missing(self.count(), frames.len()));
        }
        F::read(&self.commands, &mut frames.iter().map(Ok))
    }

    fn is_batch(&self) -> bool {
        true
    }

    fn each_command(&self, view: &mut View<'_>) -> Result<()> {
        show(&self.commands, view)
    }

    fn finish_each(&self, answers: Vec<Result<Frame>>) -> Result<F::Output<S>> {
        if answers.len() != self.count() {
            return Err(missing(self.count(), answers.len()));
        }
        let replies = answers
            .iter()
            .map(|answer| answer.as_ref().map(Frame::reply).map_err(Error::clone));
        F::read(&self.commands, &mut { replies })
    }
}

/// Whether a command may be part of a pipeline there.
#[inline]
fn check_one(command: &dyn Untyped, place: Place) -> Result<()> {
    let info = command.info();
    let fault = if info.replies != Replies::One {
        "it is not answered by one reply and so cannot be part of a pipeline: send it by itself"
    } else if info.flags.contains(Flags::NO_AUTH) {
        "some servers swallow its error when other replies are pending: send it by itself"
    } else if place == Place::Shared && command.patience() != Patience::None {
        "in a pipeline it would hold back the replies of other callers: send it by itself, or take a connection of your own with dedicated()"
    } else {
        return check(command, place);
    };
    Err(refused(fault).with_command(info.name))
}

/// How many bytes of a pipeline are appended at once, about.
///
/// Other callers get in between, and the server is at work while the next ones are encoded.
pub(crate) const CHUNK: usize = 64 << 10;
