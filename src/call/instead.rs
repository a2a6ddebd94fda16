//! What is sent in the place of a command to which a server has answered that it did nothing.

use super::{direct::DirectCall, encoded::Encoded, redirect::is_answer_of};
use crate::{
    command::{Exchange, Patience, Place, Single},
    error::Result,
    resp::{Frame, Frames},
};

/// What is sent in the place of a command.
#[derive(Debug)]
pub(crate) struct Instead {
    pub(crate) encoded: Encoded,
    /// How long the server may hold the answer back.
    pub(crate) patience: Patience,
    /// Whether the connection is afterwards as it was before, for all that is known.
    pub(crate) leaves_no_trace: bool,
}

impl Instead {
    /// What an exchange wants sent after these frames have answered it.
    ///
    /// # Errors
    ///
    /// It may not run at that place, or an argument cannot be sent; nothing was sent then.
    pub(crate) fn of<E: Exchange>(
        exchange: &E,
        frames: &Frames,
        place: Place,
    ) -> Result<Option<Self>> {
        let error = frames.last().and_then(|reply| reply.as_error());
        error.map_or(Ok(None), |error| Self::after(exchange, error, place))
    }

    /// The same for the answers of a call that has found its way.
    ///
    /// # Errors
    ///
    /// As [`Instead::of`].
    pub(crate) fn of_answers<E: Exchange>(
        exchange: &E,
        answers: &[Result<Frame>],
    ) -> Result<Option<Self>> {
        let [Ok(frame)] = answers else {
            return Ok(None);
        };
        let error = frame.reply().as_error();
        error.map_or(Ok(None), |error| {
            Self::after(exchange, error, Place::Shared)
        })
    }

    fn after<E: Exchange>(exchange: &E, error: &[u8], place: Place) -> Result<Option<Self>> {
        let Some(command) = exchange.instead(error) else {
            return Ok(None);
        };
        let single = Single(command);
        single.check(place)?;
        Ok(Some(Self {
            encoded: Encoded::of(&single)?,
            patience: single.patience(),
            leaves_no_trace: single.leaves_no_trace(),
        }))
    }
}

impl DirectCall {
    /// What an exchange that was sent directly wants sent in its place, if these frames are its
    /// answer.
    ///
    /// # Errors
    ///
    /// As [`Instead::of`].
    pub(crate) fn instead<E: Exchange>(
        &self,
        frames: &Frames,
        exchange: &E,
    ) -> Result<Option<Instead>> {
        let error = frames.last().and_then(|reply| reply.as_error());
        match error {
            Some(error) if is_answer_of(error, self.scope) => {
                Instead::after(exchange, error, Place::Shared)
            }
            _ => Ok(None),
        }
    }
}
