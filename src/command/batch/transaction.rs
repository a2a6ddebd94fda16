//! Commands between `MULTI` and `EXEC`.

use std::{fmt, marker::PhantomData};

use super::{
    Batch, Sequence,
    form::{EachError, FirstError, Form},
    sequence::{all, each, show},
};
use crate::{
    command::{
        AsyncClient, Awaited, BlockingClient, Exchange, Flags, Patience, Place, Replies,
        ServerVersion, Untyped, View, Written,
        exchange::{check_server, leaves_no_trace, missing, refused},
        named,
    },
    error::{Error, ErrorKind, Outcome, Result},
    resp::{Frames, Output},
};

/// Commands between `MULTI` and `EXEC`; made by the method `transaction` of every client.
///
/// It is awaited on the clients of [`aio`](crate::aio) and [sent](Self::send) on those of
/// [`blocking`](crate::blocking). The result is the replies of the commands, or the first error
/// that one of them met. A command that the server refuses to queue is such an error, and then
/// none of them ran; one that fails later does not undo the others. When a watched key has changed
/// nothing ran, and the error is [`ErrorKind::Aborted`].
///
/// Like a command it is no future but becomes one: `transaction.into_future()` is what
/// `tokio::spawn` and `join!` take.
#[must_use = "a transaction does nothing until it is awaited or sent"]
pub struct Transaction<X, S, F = FirstError> {
    via: X,
    pub(super) atomic: Atomic<S, F>,
}

impl<X, S: Sequence> Transaction<X, S> {
    /// The commands of `batch`, to be sent by `via`.
    pub(crate) fn new<M>(via: X, batch: impl Batch<M, Sequence = S>) -> Self {
        Self {
            via,
            atomic: Atomic::new(batch.into_sequence()),
        }
    }

    /// The same commands, each of which keeps its own error.
    ///
    /// What fails all of them, such as a command that the server refuses to queue, still is the
    /// error of the transaction.
    pub fn results(self) -> Transaction<X, S, EachError> {
        Transaction {
            via: self.via,
            atomic: Atomic::new(self.atomic.commands),
        }
    }
}

impl<T: BlockingClient, S: Sequence, F: Form> Transaction<&T, S, F> {
    /// Runs the transaction and waits for its outcome.
    ///
    /// # Errors
    ///
    /// Every [`ErrorKind`] but those of configuration.
    pub fn send(self) -> Result<F::Output<S>> {
        self.via.exchange(self.atomic)
    }
}

impl<'a, T: AsyncClient, S: Sequence, F: Form> IntoFuture for Transaction<&'a T, S, F> {
    type Output = Result<F::Output<S>>;
    type IntoFuture = T::Pending<'a, Atomic<S, F>>;

    fn into_future(self) -> Self::IntoFuture {
        self.via.exchange(self.atomic)
    }
}

impl<X, S: Sequence, F> fmt::Debug for Transaction<X, S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a transaction of {} commands", self.atomic.count())
    }
}

/// The commands of a [`Transaction`], without the client.
pub struct Atomic<S, F> {
    commands: S,
    form: PhantomData<fn() -> F>,
}

impl<S: Sequence, F> Atomic<S, F> {
    pub(crate) fn new(commands: S) -> Self {
        Self {
            commands,
            form: PhantomData,
        }
    }

    fn count(&self) -> usize {
        self.commands.count()
    }
}

impl<S: Sequence, F: Form> Exchange for Atomic<S, F> {
    type Output = F::Output<S>;

    fn name(&self) -> &'static str {
        "transaction"
    }

    fn is_empty(&self) -> bool {
        self.count() == 0
    }

    fn check(&self, _: Place) -> Result<()> {
        each(&self.commands, check_one)
    }

    fn check_server(&self, server: &ServerVersion) -> Result<()> {
        each(&self.commands, |command| check_server(command, server))
    }

    fn patience(&self) -> Patience {
        Patience::None
    }

    fn leaves_no_trace(&self) -> bool {
        all(&self.commands).all(leaves_no_trace)
    }

    fn write(&self, _: usize, out: &mut Output) -> Result<Written> {
        out.command(|to| to.word(b"MULTI"))?;
        for (at, command) in all(&self.commands).enumerate() {
            out.command(|to| command.write(to))
                .map_err(|error| named(command, error).with_place(at))?;
        }
        out.command(|to| to.word(b"EXEC"))?;
        Ok(Written::all(Awaited::Frames(self.count() + 2)))
    }

    fn finish(&self, frames: &Frames) -> Result<F::Output<S>> {
        let (count, found) = (self.count(), frames.len());
        if count == 0 && found == 0 {
            return F::read(&self.commands, &mut std::iter::empty());
        }
        let wrong = || missing(count + 2, found);
        if found != count + 2 {
            return Err(wrong());
        }
        let mut replies = frames.iter();
        let multi = replies.next().ok_or_else(wrong)?;
        if let Some(text) = multi.as_error() {
            return Err(Error::server(text).with_command("MULTI"));
        }
        for (at, (command, queued)) in all(&self.commands).zip(&mut replies).enumerate() {
            if let Some(text) = queued.as_error() {
                // What cannot be queued lets `EXEC` do nothing at all.
                let error = Error::server(text).with_outcome(Outcome::NotSent);
                return Err(named(command, error).with_place(at));
            }
        }
        let exec = replies.next().ok_or_else(wrong)?;
        if let Some(text) = exec.as_error() {
            return Err(Error::server(text).with_command("EXEC"));
        }
        if exec.is_nil() {
            return Err(
                Error::new(ErrorKind::Aborted, "a watched key has changed").with_command("EXEC")
            );
        }
        match exec.elements() {
            Some(elements) if elements.len() == count => {
                F::read(&self.commands, &mut elements.map(Ok))
            }
            Some(elements) => Err(missing(count, elements.len()).with_command("EXEC")),
            None => Err(Error::new(
                ErrorKind::Decode,
                format!("expected an array, got {}", exec.kind().noun()),
            )
            .with_command("EXEC")),
        }
    }

    fn is_atomic(&self) -> bool {
        true
    }

    fn is_batch(&self) -> bool {
        true
    }

    fn each_command(&self, view: &mut View<'_>) -> Result<()> {
        show(&self.commands, view)
    }
}

/// Whether a command may be part of a transaction.
fn check_one(command: &dyn Untyped) -> Result<()> {
    let info = command.info();
    let fault = if info.needs_dedicated_connection() || info.replies != Replies::One {
        "it changes the connection and so cannot be part of a transaction"
    } else if info.flags.contains(Flags::NO_MULTI) {
        "servers do not run it in a transaction"
    } else if command.patience() != Patience::None {
        "it cannot wait in a transaction: use the form of the command that does not block"
    } else {
        return Ok(());
    };
    Err(refused(fault).with_command(info.name))
}
