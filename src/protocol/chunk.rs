//! Requests that are encoded and not handed to a connection yet.

use std::{cell::Cell, mem};

use crate::{
    command::{Awaited, Exchange, Patience, ServerVersion, Written},
    error::{Outcome, Result},
    resp::Output,
};

/// An exchange, or a part of a long one, as bytes.
///
/// Arguments are written by types of the user, which may fail, panic, or take their time. So they are
/// written before the connection is locked, into memory of the thread that is used again and again.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// Boxed, since it is moved from call to call; none once it was appended to others.
    output: Option<Box<Output>>,
    awaited: Awaited,
    next: Option<usize>,
    alone: bool,
    blocking: bool,
}

impl Chunk {
    /// Encodes the requests of an exchange behind the `first` ones.
    ///
    /// # Errors
    ///
    /// An argument that cannot be sent, or a server that is known to lack what is asked for.
    pub(crate) fn encode<E: Exchange>(
        exchange: &E,
        first: usize,
        server: Option<&ServerVersion>,
    ) -> Result<Self> {
        if let Some(server) = server {
            exchange.check_server(server)?;
        }
        // A thread that ends has no such memory any more.
        let spare = SPARE.try_with(Cell::take).ok().flatten();
        let mut output = spare.unwrap_or_default();
        let Written { awaited, next } = exchange.write(first, &mut output)?;
        Ok(Self {
            output: Some(output),
            awaited,
            next,
            alone: exchange.is_alone(),
            blocking: exchange.patience() != Patience::None,
        })
    }

    /// Encodes the next chunk of an exchange of which something was sent.
    ///
    /// # Errors
    ///
    /// As [`Chunk::encode`]; what was sent before may have been executed.
    pub(crate) fn encode_more<E: Exchange>(
        exchange: &E,
        first: usize,
        server: Option<&ServerVersion>,
    ) -> Result<Self> {
        Self::encode(exchange, first, server)
            .map_err(|error| error.with_outcome(Outcome::Indeterminate))
    }

    /// How many requests of the exchange were encoded by now, if there are more.
    pub(crate) fn next(&self) -> Option<usize> {
        self.next
    }

    /// Whether no reply may be owed when it is sent.
    pub(crate) fn is_alone(&self) -> bool {
        self.alone
    }

    /// Whether the server may hold the answer back.
    pub(crate) fn is_blocking(&self) -> bool {
        self.blocking
    }

    /// Appends the requests to those that wait to be written, and says what will answer them.
    #[inline]
    pub(crate) fn append_to(&mut self, output: &mut Box<Output>) -> Awaited {
        if let Some(mut own) = self.output.take() {
            if output.is_empty() {
                // The memory of the connection is what the thread encodes into next.
                mem::swap(output, &mut own);
            } else {
                output.append_all(&mut own);
                own.clear();
            }
            let _ = SPARE.try_with(|spare| spare.set(Some(own)));
        }
        self.awaited
    }
}

thread_local! {
    static SPARE: Cell<Option<Box<Output>>> = const { Cell::new(None) };
}
