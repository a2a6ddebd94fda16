//! How the errors of single commands are told.

use super::Sequence;
use crate::{error::Result, resp::Reply};

/// How the errors of single commands are told: [`FirstError`] or [`EachError`].
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
        let mut taken = 0_usize;
        let replies = commands.replies(&mut from.inspect(|_| taken += 1));
        // The error is that of the answer that was taken last.
        replies.map_err(|error| error.with_place(taken.saturating_sub(1)))
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
