//! Several commands as one value: pipelines and transactions.
//!
//! ```text
//!  (cmd::incr("n"), cmd::get("k"))     a tuple: a tuple of replies     (i64, Option<Bytes>)
//!  ids.iter().map(|id| cmd::get(id))   anything else: a list           Vec<Option<Bytes>>
//! ```
//!
//! All commands are sent without waiting for replies between them. A [`Pipeline`] answers when every
//! reply has come; a long one goes out in chunks, while replies are read. A [`Transaction`] puts
//! `MULTI` and `EXEC` around its commands and goes out in one piece, which is safe on a connection
//! that others share, since nobody's commands can get in between.

use std::{fmt, marker::PhantomData, ops::ControlFlow};

use bytes::BytesMut;

use super::{
    AsynchronousExchange, Awaited, Command, Exchange, Flags, Info, Patience, Place, Replies,
    ServerVersion, SynchronousExchange, Via,
    exchange::{View, Written, check, check_server, leaves_no_trace, missing, refused},
    finish,
};
use crate::{
    error::{Error, ErrorKind, Result},
    resp::{Frame, Frames, Output, Reply, Writer},
};

/// Commands to be sent together: a tuple of up to 16, or anything that can be iterated.
///
/// `M` is [`Tuple`] or [`Iterated`] and is always inferred.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no batch of commands",
    label = "expected a tuple of up to 16 commands, or an array, `Vec` or iterator of commands"
)]
pub trait Batch<M> {
    /// The commands, ready to be sent more than once.
    type Sequence: Sequence;

    /// The commands in order.
    fn into_sequence(self) -> Self::Sequence;
}

/// Marks a tuple of commands.
#[derive(Debug)]
pub enum Tuple {}

/// Marks something that can be iterated.
#[derive(Debug)]
pub enum Iterated {}

/// The commands of a batch: a tuple, or a `Vec`.
pub trait Sequence {
    /// The replies of all commands.
    type Replies;
    /// The replies, or errors, of each command.
    type Results;

    /// Shows each command to `visitor`, as long as it wants to see more.
    ///
    /// # Errors
    ///
    /// Those of the visitor.
    fn visit(&self, visitor: &mut impl Visitor) -> Result<()> {
        self.visit_from(0, visitor)
    }

    /// Shows each command but the `first` ones to `visitor`, as long as it wants to see more.
    ///
    /// # Errors
    ///
    /// Those of the visitor.
    fn visit_from(&self, first: usize, visitor: &mut impl Visitor) -> Result<()>;

    /// Reads one answer for each command: a reply, or why there is none.
    ///
    /// # Errors
    ///
    /// The first of the commands' errors.
    fn replies<'f>(
        &self,
        from: &mut impl Iterator<Item = Result<Reply<'f>>>,
    ) -> Result<Self::Replies>;

    /// Reads one answer for each command, and keeps the errors of each.
    fn results<'f>(&self, from: &mut impl Iterator<Item = Result<Reply<'f>>>) -> Self::Results;
}

/// What looks at every command of a [`Sequence`].
pub trait Visitor {
    /// Looks at one, and says whether to show the next.
    ///
    /// # Errors
    ///
    /// What it finds wrong.
    fn visit<C: Command>(&mut self, command: &C) -> Result<ControlFlow<()>>;
}

impl<I> Batch<Iterated> for I
where
    I: IntoIterator,
    I::Item: Command,
{
    type Sequence = Vec<I::Item>;

    fn into_sequence(self) -> Vec<I::Item> {
        self.into_iter().collect()
    }
}

impl<C: Command> Sequence for Vec<C> {
    type Replies = Vec<C::Reply>;
    type Results = Vec<Result<C::Reply>>;

    fn visit_from(&self, first: usize, visitor: &mut impl Visitor) -> Result<()> {
        for command in self.iter().skip(first) {
            if visitor.visit(command)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn replies<'f>(
        &self,
        from: &mut impl Iterator<Item = Result<Reply<'f>>>,
    ) -> Result<Self::Replies> {
        self.iter().map(|command| read(command, from)).collect()
    }

    fn results<'f>(&self, from: &mut impl Iterator<Item = Result<Reply<'f>>>) -> Self::Results {
        self.iter().map(|command| read(command, from)).collect()
    }
}

macro_rules! tuples {
    ($($($name:ident $at:tt)+;)+) => {$(
        impl<$($name: Command),+> Batch<Tuple> for ($($name,)+) {
            type Sequence = Self;

            fn into_sequence(self) -> Self {
                self
            }
        }

        impl<$($name: Command),+> Sequence for ($($name,)+) {
            type Replies = ($($name::Reply,)+);
            type Results = ($(Result<$name::Reply>,)+);

            fn visit_from(&self, first: usize, visitor: &mut impl Visitor) -> Result<()> {
                $(if first <= $at && visitor.visit(&self.$at)?.is_break() {
                    return Ok(());
                })+
                Ok(())
            }

            fn replies<'f>(
                &self,
                from: &mut impl Iterator<Item = Result<Reply<'f>>>,
            ) -> Result<Self::Replies> {
                Ok(($(read(&self.$at, from)?,)+))
            }

            fn results<'f>(
                &self,
                from: &mut impl Iterator<Item = Result<Reply<'f>>>,
            ) -> Self::Results {
                ($(read(&self.$at, from),)+)
            }
        }
    )+};
}

tuples! {
    A 0;
    A 0 B 1;
    A 0 B 1 C 2;
    A 0 B 1 C 2 D 3;
    A 0 B 1 C 2 D 3 E 4;
    A 0 B 1 C 2 D 3 E 4 F 5;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12 N 13;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12 N 13 O 14;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12 N 13 O 14 P 15;
}

/// Commands that are sent in one piece; made by the method `pipeline` of every client.
///
/// It is awaited on the clients of [`aio`](crate::aio) and [sent](Self::send) on those of
/// [`blocking`](crate::blocking). The result is the replies, or the first error that one of the
/// commands met; the other commands ran nevertheless. [`results`](Self::results) keeps all of them.
#[must_use = "a pipeline does nothing until it is awaited or sent"]
pub struct Pipeline<X, S, F = FirstError> {
    via: X,
    pipelined: Pipelined<S, F>,
}

/// Commands between `MULTI` and `EXEC`; made by the method `transaction` of every client.
///
/// It is awaited on the clients of [`aio`](crate::aio) and [sent](Self::send) on those of
/// [`blocking`](crate::blocking). The result is the replies of the commands, or the first error
/// that one of them met. A command that the server refuses to queue is such an error, and then
/// none of them ran; one that fails later does not undo the others. When a watched key has changed
/// nothing ran, and the error is [`ErrorKind::Aborted`].
#[must_use = "a transaction does nothing until it is awaited or sent"]
pub struct Transaction<X, S, F = FirstError> {
    via: X,
    atomic: Atomic<S, F>,
}

/// How the errors of single commands are told.
pub trait Form {
    /// What a batch answers.
    type Output<S: Sequence>;

    /// Reads one answer for each command.
    ///
    /// # Errors
    ///
    /// Those that this form does not keep apart.
    fn read<'f, S: Sequence>(
        commands: &S,
        from: &mut impl Iterator<Item = Result<Reply<'f>>>,
    ) -> Result<Self::Output<S>>;
}

/// The first error is the error of the batch.
#[derive(Clone, Copy, Debug)]
pub enum FirstError {}

/// Each command keeps its own error.
#[derive(Clone, Copy, Debug)]
pub enum EachError {}

impl Form for FirstError {
    type Output<S: Sequence> = S::Replies;

    fn read<'f, S: Sequence>(
        commands: &S,
        from: &mut impl Iterator<Item = Result<Reply<'f>>>,
    ) -> Result<S::Replies> {
        commands.replies(from)
    }
}

impl Form for EachError {
    type Output<S: Sequence> = S::Results;

    fn read<'f, S: Sequence>(
        commands: &S,
        from: &mut impl Iterator<Item = Result<Reply<'f>>>,
    ) -> Result<S::Results> {
        Ok(commands.results(from))
    }
}

impl<X: Via, S: Sequence> Pipeline<X, S> {
    /// The commands of `batch`, to be sent by `via`.
    pub fn new<M>(via: X, batch: impl Batch<M, Sequence = S>) -> Self {
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

impl<X: SynchronousExchange, S: Sequence, F: Form> Pipeline<X, S, F> {
    /// Sends the commands and waits for all replies.
    ///
    /// # Errors
    ///
    /// Every [`ErrorKind`] but those of configuration.
    pub fn send(self) -> Result<F::Output<S>> {
        self.via.exchange(self.pipelined)
    }
}

impl<X: AsynchronousExchange, S: Sequence, F: Form> IntoFuture for Pipeline<X, S, F> {
    type Output = Result<F::Output<S>>;
    type IntoFuture = X::PendingExchange<Pipelined<S, F>>;

    fn into_future(self) -> Self::IntoFuture {
        self.via.exchange(self.pipelined)
    }
}

impl<X: Via, S: Sequence> Transaction<X, S> {
    /// The commands of `batch`, to be sent by `via`.
    pub fn new<M>(via: X, batch: impl Batch<M, Sequence = S>) -> Self {
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

impl<X: SynchronousExchange, S: Sequence, F: Form> Transaction<X, S, F> {
    /// Runs the transaction and waits for its outcome.
    ///
    /// # Errors
    ///
    /// Every [`ErrorKind`] but those of configuration.
    pub fn send(self) -> Result<F::Output<S>> {
        self.via.exchange(self.atomic)
    }
}

impl<X: AsynchronousExchange, S: Sequence, F: Form> IntoFuture for Transaction<X, S, F> {
    type Output = Result<F::Output<S>>;
    type IntoFuture = X::PendingExchange<Atomic<S, F>>;

    fn into_future(self) -> Self::IntoFuture {
        self.via.exchange(self.atomic)
    }
}

impl<X, S: Sequence, F> fmt::Debug for Pipeline<X, S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a pipeline of {} commands",
            Count::of(&self.pipelined.commands)
        )
    }
}

impl<X, S: Sequence, F> fmt::Debug for Transaction<X, S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a transaction of {} commands",
            Count::of(&self.atomic.commands)
        )
    }
}

/// The commands of a [`Pipeline`], without the client.
pub struct Pipelined<S, F> {
    commands: S,
    count: usize,
    /// That of all commands together.
    patience: Patience,
    form: PhantomData<fn() -> F>,
}

impl<S: Sequence, F> Pipelined<S, F> {
    #[cfg(test)]
    pub(crate) fn of(commands: S) -> Self {
        Self::new(commands)
    }

    fn new(commands: S) -> Self {
        let mut sums = Sums {
            count: 0,
            patience: Patience::None,
        };
        // Adding up never fails.
        let _ = commands.visit(&mut sums);
        Self {
            count: sums.count,
            patience: sums.patience,
            commands,
            form: PhantomData,
        }
    }
}

impl<S: Sequence, F: Form> Exchange for Pipelined<S, F> {
    type Output = F::Output<S>;

    fn name(&self) -> &'static str {
        "pipeline"
    }

    fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn check(&self, place: Place) -> Result<()> {
        self.commands.visit(&mut Checks(place))
    }

    fn check_server(&self, server: &ServerVersion) -> Result<()> {
        self.commands.visit(&mut ChecksServer(server))
    }

    fn patience(&self) -> Patience {
        self.patience
    }

    fn leaves_no_trace(&self) -> bool {
        self.commands.visit(&mut Traces).is_ok()
    }

    fn write(&self, first: usize, out: &mut Output) -> Result<Written> {
        let mut writes = Writes {
            room: out.len().saturating_add(CHUNK),
            out,
            count: 0,
        };
        self.commands.visit_from(first, &mut writes)?;
        let count = writes.count;
        let next = Some(first + count).filter(|next| *next < self.count);
        if let (0, Some(next)) = (first, next) {
            // Nothing is sent if one of the commands that come later cannot be sent.
            self.commands
                .visit_from(next, &mut Tries(BytesMut::new()))?;
        }
        Ok(Written {
            awaited: Awaited::Frames(count),
            next,
        })
    }

    fn finish(&self, frames: &Frames) -> Result<F::Output<S>> {
        if frames.len() != self.count {
            return Err(missing(self.count, frames.len()));
        }
        F::read(&self.commands, &mut frames.iter().map(Ok))
    }

    fn each_command(&self, view: &mut View<'_>) -> Result<()> {
        self.commands.visit(&mut Shows(view))
    }

    fn finish_each(&self, answers: Vec<Result<Frame>>) -> Result<F::Output<S>> {
        if answers.len() != self.count {
            return Err(missing(self.count, answers.len()));
        }
        let replies = answers
            .iter()
            .map(|answer| answer.as_ref().map(Frame::reply).map_err(Error::clone));
        F::read(&self.commands, &mut { replies })
    }
}

/// The commands of a [`Transaction`], without the client.
pub struct Atomic<S, F> {
    commands: S,
    count: usize,
    form: PhantomData<fn() -> F>,
}

impl<S: Sequence, F> Atomic<S, F> {
    #[cfg(test)]
    pub(crate) fn of(commands: S) -> Self {
        Self::new(commands)
    }

    fn new(commands: S) -> Self {
        Self {
            count: Count::of(&commands),
            commands,
            form: PhantomData,
        }
    }
}

impl<S: Sequence, F: Form> Exchange for Atomic<S, F> {
    type Output = F::Output<S>;

    fn name(&self) -> &'static str {
        "transaction"
    }

    fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn check(&self, _: Place) -> Result<()> {
        each(&self.commands, |info, patience| {
            if info.needs_dedicated_connection() || info.replies != Replies::One {
                return Err(refused(
                    "it changes the connection and so cannot be part of a transaction",
                ));
            }
            if info.flags.contains(Flags::NO_MULTI) {
                return Err(refused("servers do not run it in a transaction"));
            }
            if patience != Patience::None {
                return Err(refused(
                    "it cannot wait in a transaction: use the form of the command that does not block",
                ));
            }
            Ok(())
        })
    }

    fn check_server(&self, server: &ServerVersion) -> Result<()> {
        self.commands.visit(&mut ChecksServer(server))
    }

    fn patience(&self) -> Patience {
        Patience::None
    }

    fn leaves_no_trace(&self) -> bool {
        self.commands.visit(&mut Traces).is_ok()
    }

    fn write(&self, _: usize, out: &mut Output) -> Result<Written> {
        out.command(|to| to.word(b"MULTI"))?;
        let mut writes = Writes {
            room: usize::MAX,
            out,
            count: 0,
        };
        self.commands.visit(&mut writes)?;
        out.command(|to| to.word(b"EXEC"))?;
        Ok(Written::all(Awaited::Frames(self.count + 2)))
    }

    fn finish(&self, frames: &Frames) -> Result<F::Output<S>> {
        let found = frames.len();
        if self.count == 0 && found == 0 {
            return F::read(&self.commands, &mut std::iter::empty());
        }
        let wrong = || missing(self.count + 2, found);
        if found != self.count + 2 {
            return Err(wrong());
        }
        let mut replies = frames.iter();
        let multi = replies.next().ok_or_else(wrong)?;
        if let Some(text) = multi.as_error() {
            return Err(Error::server(text).with_command("MULTI"));
        }
        each(&self.commands, |_, _| {
            match replies.next().and_then(|queued| queued.as_error()) {
                Some(text) => Err(Error::server(text)),
                None => Ok(()),
            }
        })?;
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
            Some(elements) if elements.len() == self.count => {
                F::read(&self.commands, &mut elements.map(Ok))
            }
            Some(elements) => Err(missing(self.count, elements.len()).with_command("EXEC")),
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

    fn each_command(&self, view: &mut View<'_>) -> Result<()> {
        self.commands.visit(&mut Shows(view))
    }
}

struct Count(usize);

impl Count {
    fn of(commands: &impl Sequence) -> usize {
        let mut count = Self(0);
        // Counting never fails.
        let _ = commands.visit(&mut count);
        count.0
    }
}

impl Visitor for Count {
    fn visit<C: Command>(&mut self, _: &C) -> Result<ControlFlow<()>> {
        self.0 += 1;
        Ok(ControlFlow::Continue(()))
    }
}

/// How many commands there are, and how long all of them together may be held back.
struct Sums {
    count: usize,
    patience: Patience,
}

impl Visitor for Sums {
    fn visit<C: Command>(&mut self, command: &C) -> Result<ControlFlow<()>> {
        self.count += 1;
        self.patience = match (self.patience, command.patience()) {
            (Patience::Forever, _) | (_, Patience::Forever) => Patience::Forever,
            (Patience::Up(one), Patience::Up(other)) => Patience::Up(one.saturating_add(other)),
            (Patience::None, other) | (other, Patience::None) => other,
        };
        Ok(ControlFlow::Continue(()))
    }
}

/// Whether each command may be part of a pipeline there.
struct Checks(Place);

impl Visitor for Checks {
    fn visit<C: Command>(&mut self, command: &C) -> Result<ControlFlow<()>> {
        let info = command.info();
        let fault = if info.replies != Replies::One {
            "it is not answered by one reply and so cannot be part of a pipeline: send it by itself"
        } else if info.flags.contains(Flags::NO_AUTH) {
            "some servers swallow its error when other replies are pending: send it by itself"
        } else if self.0 == Place::Shared && command.patience() != Patience::None {
            "in a pipeline it would hold back the replies of other callers: send it by itself, or take a connection of your own with dedicated()"
        } else {
            return check(command, self.0).map(ControlFlow::Continue);
        };
        Err(refused(fault).with_command(info.name))
    }
}

struct ChecksServer<'s>(&'s ServerVersion);

impl Visitor for ChecksServer<'_> {
    fn visit<C: Command>(&mut self, command: &C) -> Result<ControlFlow<()>> {
        check_server(command, self.0).map(ControlFlow::Continue)
    }
}

struct Traces;

impl Visitor for Traces {
    fn visit<C: Command>(&mut self, command: &C) -> Result<ControlFlow<()>> {
        if leaves_no_trace(command) {
            Ok(ControlFlow::Continue(()))
        } else {
            Err(refused("it leaves a trace"))
        }
    }
}

/// Appends commands as long as there is room.
struct Writes<'o> {
    out: &'o mut Output,
    /// How long the output may be before another command.
    room: usize,
    count: usize,
}

impl Visitor for Writes<'_> {
    fn visit<C: Command>(&mut self, command: &C) -> Result<ControlFlow<()>> {
        self.out
            .command(|to| command.write(to))
            .map_err(|error| error.with_command(command.info().name))?;
        self.count += 1;
        Ok(if self.out.len() < self.room {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        })
    }
}

/// Shows each command to whoever cannot know its type.
struct Shows<'s, 'v>(&'s mut View<'v>);

impl Visitor for Shows<'_, '_> {
    fn visit<C: Command>(&mut self, command: &C) -> Result<ControlFlow<()>> {
        (self.0)(command.info(), &|to| command.write(to)).map(ControlFlow::Continue)
    }
}

/// Finds the commands that cannot be sent.
struct Tries(BytesMut);

impl Visitor for Tries {
    fn visit<C: Command>(&mut self, command: &C) -> Result<ControlFlow<()>> {
        self.0.clear();
        Writer::command(&mut self.0, |to| command.write(to))
            .map_err(|error| error.with_command(command.info().name))
            .map(ControlFlow::Continue)
    }
}

struct Each<V>(V);

impl<V: FnMut(&'static Info, Patience) -> Result<()>> Visitor for Each<V> {
    fn visit<C: Command>(&mut self, command: &C) -> Result<ControlFlow<()>> {
        let info = command.info();
        (self.0)(info, command.patience())
            .map_err(|error| error.with_command(info.name))
            .map(ControlFlow::Continue)
    }
}

/// Shows the facts of each command to `view`, and names the command in its errors.
fn each(
    commands: &impl Sequence,
    view: impl FnMut(&'static Info, Patience) -> Result<()>,
) -> Result<()> {
    commands.visit(&mut Each(view))
}

fn read<'f, C: Command>(
    command: &C,
    from: &mut impl Iterator<Item = Result<Reply<'f>>>,
) -> Result<C::Reply> {
    match from.next() {
        Some(Ok(reply)) => finish(command, reply),
        Some(Err(error)) => Err(error.with_command(command.info().name)),
        None => Err(missing(1, 0).with_command(command.info().name)),
    }
}

/// How many bytes of a pipeline are appended at once, about.
///
/// Other callers get in between, and the server is at work while the next ones are encoded.
pub(crate) const CHUNK: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;
    use crate::{
        command::{Arg, ConnectionUse, Detached},
        reply::DecodeError,
    };

    /// A command of one word whose reply is its bytes.
    struct Test(Info, Patience);

    impl Command for &'static Test {
        type Via = Detached;
        type Reply = String;

        fn via(&self) -> Detached {
            Detached
        }

        fn info(&self) -> &'static Info {
            &self.0
        }

        fn write(&self, to: &mut Writer<'_>) {
            to.encoded(self.0.encoded, 1);
        }

        fn read(&self, reply: Reply<'_>) -> Result<String, DecodeError> {
            Ok(String::from_utf8_lossy(reply.raw()).replace("\r\n", " "))
        }

        fn patience(&self) -> Patience {
            self.1
        }
    }

    const fn info(name: &'static str, encoded: &'static [u8]) -> Info {
        Info {
            name,
            encoded,
            words: 1,
            ..*Info::UNKNOWN
        }
    }

    static GET: Test = Test(info("GET", b"$3\r\nGET\r\n"), Patience::None);
    static INCR: Test = Test(info("INCR", b"$4\r\nINCR\r\n"), Patience::None);
    static BLPOP: Test = Test(
        info("BLPOP", b"$5\r\nBLPOP\r\n"),
        Patience::Up(Duration::from_secs(2)),
    );
    static SELECT: Test = Test(
        Info {
            connection: Some(ConnectionUse::State),
            ..info("SELECT", b"$6\r\nSELECT\r\n")
        },
        Patience::None,
    );
    static SAVE: Test = Test(
        Info {
            flags: Flags::NO_MULTI,
            ..info("SAVE", b"$4\r\nSAVE\r\n")
        },
        Patience::None,
    );
    static AUTH: Test = Test(
        Info {
            flags: Flags::NO_AUTH,
            connection: Some(ConnectionUse::State),
            ..info("AUTH", b"$4\r\nAUTH\r\n")
        },
        Patience::None,
    );
    static SUBSCRIBE: Test = Test(
        Info {
            replies: Replies::PerArgument,
            connection: Some(ConnectionUse::Subscription),
            ..info("SUBSCRIBE", b"$9\r\nSUBSCRIBE\r\n")
        },
        Patience::None,
    );

    fn pipelined<M, S: Sequence>(batch: impl Batch<M, Sequence = S>) -> Pipelined<S, FirstError> {
        Pipeline::new(Detached, batch).pipelined
    }

    fn atomic<M, S: Sequence>(batch: impl Batch<M, Sequence = S>) -> Atomic<S, FirstError> {
        Transaction::new(Detached, batch).atomic
    }

    fn frames(texts: &[&'static str]) -> Frames {
        texts
            .iter()
            .map(|text| Frame::parse(Bytes::from_static(text.as_bytes())).unwrap())
            .collect()
    }

    fn text(out: &Output) -> String {
        let mut slices = [std::io::IoSlice::new(&[])];
        assert_eq!(out.slices(&mut slices), 1);
        String::from_utf8(slices[0].to_vec()).unwrap()
    }

    fn written(exchange: &impl Exchange) -> (String, Awaited) {
        let mut out = Output::new();
        let Written { awaited, next } = exchange.write(0, &mut out).unwrap();
        assert_eq!(next, None);
        (text(&out), awaited)
    }

    #[test]
    fn a_pipeline_is_its_commands_one_behind_the_other() {
        let (bytes, awaited) = written(&pipelined((&INCR, &GET)));
        assert_eq!(bytes, "*1\r\n$4\r\nINCR\r\n*1\r\n$3\r\nGET\r\n");
        assert_eq!(awaited, Awaited::Frames(2));
        let (same, _) = written(&pipelined([&INCR, &GET]));
        assert_eq!(same, bytes);
    }

    #[test]
    fn a_transaction_is_wrapped() {
        let (bytes, awaited) = written(&atomic([&GET].iter().copied()));
        assert_eq!(
            bytes,
            "*1\r\n$5\r\nMULTI\r\n*1\r\n$3\r\nGET\r\n*1\r\n$4\r\nEXEC\r\n"
        );
        assert_eq!(awaited, Awaited::Frames(3));
    }

    #[test]
    fn an_argument_that_cannot_be_sent_names_its_command() {
        let bad = crate::command::raw("SET").arg(Arg::invalid("no such value"));
        let error = pipelined((&GET, bad)).write(0, &mut Output::new());
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Argument);
    }

    #[test]
    fn a_long_pipeline_is_written_in_chunks() {
        let one = "*1\r\n$3\r\nGET\r\n".len();
        let each = CHUNK.div_ceil(one);
        let pipeline = pipelined(vec![&GET; 2 * each + 5]);
        let mut seen = Vec::new();
        let mut first = Some(0);
        while let Some(from) = first {
            let mut out = Output::new();
            let Written { awaited, next } = pipeline.write(from, &mut out).unwrap();
            seen.push((awaited, out.len()));
            first = next;
        }
        let whole = (Awaited::Frames(each), each * one);
        assert_eq!(seen, [whole, whole, (Awaited::Frames(5), 5 * one)]);
    }

    #[test]
    fn a_command_that_cannot_be_sent_is_found_before_its_chunk() {
        let good = crate::command::raw("SET").arg(vec![b'x'; CHUNK]);
        let bad = crate::command::raw("SET").arg(Arg::invalid("no such value"));
        let mut out = Output::new();
        let error = pipelined((good, bad)).write(0, &mut out).unwrap_err();
        assert_eq!(
            (error.kind(), error.command()),
            (ErrorKind::Argument, Some("SET"))
        );
    }

    #[test]
    fn replies_follow_the_batch() {
        let ok = frames(&[":1\r\n", "_\r\n"]);
        let tuple: (String, String) = pipelined((&INCR, &GET)).finish(&ok).unwrap();
        assert_eq!(tuple, (":1 ".into(), "_ ".into()));
        let list: Vec<String> = pipelined(vec![&INCR, &GET]).finish(&ok).unwrap();
        assert_eq!(list, [":1 ", "_ "]);
        let short = pipelined((&INCR, &GET))
            .finish(&frames(&["+1\r\n"]))
            .unwrap_err();
        assert_eq!(short.kind(), ErrorKind::Decode);
    }

    #[test]
    fn errors_are_the_first_or_each_ones_own() {
        let mixed = frames(&[":1\r\n", "-WRONGTYPE x\r\n", "-ERR y\r\n"]);
        let first = pipelined((&INCR, &GET, &INCR)).finish(&mixed).unwrap_err();
        assert_eq!(
            (first.code(), first.command()),
            (Some("WRONGTYPE"), Some("GET"))
        );

        let pipeline = Pipeline::new(Detached, (&INCR, &GET, &INCR)).results();
        let (one, two, three) = pipeline.pipelined.finish(&mixed).unwrap();
        assert_eq!(one.unwrap(), ":1 ");
        assert_eq!(two.unwrap_err().code(), Some("WRONGTYPE"));
        assert_eq!(three.unwrap_err().command(), Some("INCR"));
        let pipeline = Pipeline::new(Detached, [&INCR, &GET, &INCR]).results();
        let list = pipeline.pipelined.finish(&mixed).unwrap();
        assert_eq!(list.iter().filter(|result| result.is_err()).count(), 2);
    }

    #[test]
    fn transactions_have_four_outcomes() {
        let batch = || atomic((&INCR, &GET));
        let done = frames(&["+OK\r\n", "+QUEUED\r\n", "+QUEUED\r\n", "*2\r\n:1\r\n_\r\n"]);
        assert_eq!(batch().finish(&done).unwrap(), (":1 ".into(), "_ ".into()));

        let aborted = frames(&["+OK\r\n", "+QUEUED\r\n", "+QUEUED\r\n", "*-1\r\n"]);
        let error = batch().finish(&aborted).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Aborted);

        let refused = frames(&[
            "+OK\r\n",
            "+QUEUED\r\n",
            "-ERR arity\r\n",
            "-EXECABORT x\r\n",
        ]);
        let error = batch().finish(&refused).unwrap_err();
        assert_eq!((error.code(), error.command()), (Some("ERR"), Some("GET")));

        let failed = frames(&[
            "+OK\r\n",
            "+QUEUED\r\n",
            "+QUEUED\r\n",
            "*2\r\n-WRONGTYPE x\r\n:2\r\n",
        ]);
        let error = batch().finish(&failed).unwrap_err();
        assert_eq!(
            (error.code(), error.command()),
            (Some("WRONGTYPE"), Some("INCR"))
        );
        let each = Transaction::new(Detached, (&INCR, &GET)).results();
        let (one, two) = each.atomic.finish(&failed).unwrap();
        assert!(one.is_err());
        assert_eq!(two.unwrap(), ":2 ");
    }

    #[test]
    fn other_answers_to_a_transaction_are_errors() {
        let batch = || atomic((&INCR, &GET));
        for (answer, kind, command) in [
            (
                ["-NOPERM x\r\n", "+QUEUED\r\n", "+QUEUED\r\n", "-ERR y\r\n"],
                ErrorKind::Server,
                "MULTI",
            ),
            (
                ["+OK\r\n", "+QUEUED\r\n", "+QUEUED\r\n", "-ERR y\r\n"],
                ErrorKind::Server,
                "EXEC",
            ),
            (
                ["+OK\r\n", "+QUEUED\r\n", "+QUEUED\r\n", "*1\r\n:1\r\n"],
                ErrorKind::Decode,
                "EXEC",
            ),
            (
                ["+OK\r\n", "+QUEUED\r\n", "+QUEUED\r\n", "+OK\r\n"],
                ErrorKind::Decode,
                "EXEC",
            ),
        ] {
            let error = batch().finish(&frames(&answer)).unwrap_err();
            assert_eq!((error.kind(), error.command()), (kind, Some(command)));
        }
    }

    #[test]
    fn a_push_inside_exec_is_no_element() {
        let exec = "*2\r\n>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n:1\r\n_\r\n";
        let done = frames(&["+OK\r\n", "+QUEUED\r\n", "+QUEUED\r\n", exec]);
        let replies = atomic((&INCR, &GET)).finish(&done).unwrap();
        assert_eq!(replies, (":1 ".into(), "_ ".into()));
    }

    #[test]
    fn what_would_harm_is_refused() {
        let kind = |result: Result<()>| {
            result.map_err(|error| (error.kind(), error.command().map(str::to_owned)))
        };
        let refused = |name: &str| Err((ErrorKind::Refused, Some(name.to_owned())));

        assert_eq!(kind(pipelined((&GET, &INCR)).check(Place::Shared)), Ok(()));
        assert_eq!(
            kind(pipelined((&GET, &BLPOP)).check(Place::Shared)),
            refused("BLPOP")
        );
        assert_eq!(
            kind(pipelined((&GET, &BLPOP)).check(Place::Dedicated)),
            Ok(())
        );
        assert_eq!(
            kind(pipelined((&GET, &SELECT)).check(Place::Shared)),
            refused("SELECT")
        );
        assert_eq!(
            kind(pipelined((&GET, &SELECT)).check(Place::Dedicated)),
            Ok(())
        );
        assert_eq!(
            kind(pipelined((&GET, &SUBSCRIBE)).check(Place::Dedicated)),
            refused("SUBSCRIBE")
        );
        assert_eq!(
            kind(pipelined((&GET, &AUTH)).check(Place::Dedicated)),
            refused("AUTH")
        );
        for place in [Place::Shared, Place::Dedicated] {
            assert_eq!(kind(atomic((&GET, &INCR)).check(place)), Ok(()));
            assert_eq!(kind(atomic((&GET, &BLPOP)).check(place)), refused("BLPOP"));
            assert_eq!(
                kind(atomic((&GET, &SELECT)).check(place)),
                refused("SELECT")
            );
            assert_eq!(kind(atomic((&GET, &SAVE)).check(place)), refused("SAVE"));
            assert_eq!(
                kind(atomic((&GET, &SUBSCRIBE)).check(place)),
                refused("SUBSCRIBE")
            );
        }
    }

    #[test]
    fn patience_adds_up_and_traces_are_seen() {
        assert_eq!(pipelined((&GET, &GET)).patience(), Patience::None);
        assert_eq!(
            pipelined((&BLPOP, &GET, &BLPOP)).patience(),
            Patience::Up(Duration::from_secs(4))
        );
        assert!(pipelined((&GET, &INCR)).leaves_no_trace());
        assert!(!pipelined((&GET, &SELECT)).leaves_no_trace());
        assert!(!pipelined([crate::command::raw("FUTURE.CMD")]).leaves_no_trace());
    }

    #[test]
    fn an_empty_batch_is_an_empty_list() {
        let none: [&'static Test; 0] = [];
        assert!(pipelined(none).is_empty());
        assert_eq!(
            pipelined(none).finish(&Frames::new()).unwrap(),
            Vec::<String>::new()
        );
        assert!(atomic(none).is_empty());
        assert_eq!(
            atomic(none).finish(&Frames::new()).unwrap(),
            Vec::<String>::new()
        );
    }
}
