//! Several commands as one value: pipelines and transactions.
//!
//! ```text
//!  (cmd::incr("n"), cmd::get("k"))     a tuple: a tuple of replies     (i64, Option<Bytes>)
//!  ids.iter().map(|id| cmd::get(id))   anything else: a list           Vec<Option<Bytes>>
//!  cmd::get("k")                       one command: its reply          Option<Bytes>
//! ```
//!
//! All commands are sent without waiting for replies between them. A [`Pipeline`] answers when every
//! reply has come; a long one goes out in chunks, while replies are read. A [`Transaction`] puts
//! `MULTI` and `EXEC` around its commands and goes out in one piece, which is safe on a connection
//! that others share, since nobody's commands can get in between.
//!
//! `sequence` is what the commands of a batch have in common, `form` how their errors are told, and
//! a file each has what is sent for a pipeline and for a transaction.

mod form;
mod pipeline;
mod sequence;
#[cfg(test)]
mod tests;
mod transaction;

pub(crate) use pipeline::CHUNK;
#[cfg(test)]
pub(crate) use {form::EachError, pipeline::Pipelined, transaction::Atomic};

pub use pipeline::Pipeline;
pub(crate) use sequence::Sequence;
pub use transaction::Transaction;

use super::{Command, One, Single};

/// Commands to be sent together: a tuple of up to 16, or anything that can be iterated, or one
/// command.
///
/// A batch takes commands that are [`Detached`](super::Detached), which the functions of
/// [`cmd`](crate::cmd) make: `client.pipeline((cmd::incr("n"), cmd::get("k")))`. A command of
/// `client.get("k")` belongs to that client, which sends it alone, and does not compile here.
///
/// Those of a list are of one type. Where they are chosen at run time, or are more than a tuple can
/// hold, [`erase`](Command::erase) gives them one:
///
/// ```
/// use respec::{cmd, command::{Command, Erased}};
///
/// let mut commands: Vec<Erased<'_>> = vec![cmd::get("a").erase(), cmd::incr("n").erase()];
/// commands.push(cmd::hget("h", "f").erase());
/// ```
///
/// `M` is [`Tuple`], [`Iterated`] or [`One`] and is always inferred.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no batch of commands",
    label = "expected a command, a tuple of up to 16 commands, or an array, `Vec` or iterator of commands",
    note = "more than 16 commands, or some that are chosen at run time, go into a `Vec`: `erase()` gives all of them one type, such as `vec![cmd::get(\"k\").erase(), cmd::incr(\"n\").erase()]`"
)]
pub trait Batch<M> {
    /// The commands, ready to be sent more than once.
    type Sequence;

    /// The commands in order.
    fn into_sequence(self) -> Self::Sequence;
}

/// Marks a tuple of commands.
#[derive(Debug)]
pub enum Tuple {}

/// Marks something that can be iterated.
#[derive(Debug)]
pub enum Iterated {}

impl<C: Command> Batch<One> for C {
    type Sequence = Single<C>;

    fn into_sequence(self) -> Single<C> {
        Single(self)
    }
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

/// `impl Batch<Tuple> for (A, B)`.
macro_rules! tuples {
    ($($($name:ident)+;)+) => {$(
        impl<$($name: Command),+> Batch<Tuple> for ($($name,)+) {
            type Sequence = Self;

            fn into_sequence(self) -> Self {
                self
            }
        }
    )+};
}

tuples! {
    A;
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
    A B C D E F G;
    A B C D E F G H;
    A B C D E F G H I;
    A B C D E F G H I J;
    A B C D E F G H I J K;
    A B C D E F G H I J K L;
    A B C D E F G H I J K L M;
    A B C D E F G H I J K L M N;
    A B C D E F G H I J K L M N O;
    A B C D E F G H I J K L M N O P;
}
