//! Requests that are encoded and not handed to a connection yet.

use std::cell::Cell;

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
    output: Output,
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
        let mut chunk = Self {
            // A thread that ends has no such memory any more.
            output: SPARE
                .try_with(Cell::take)
                .ok()
                .flatten()
                .unwrap_or_default(),
            awaited: Awaited::Frames(0),
            next: None,
            alone: exchange.is_alone(),
            blocking: exchange.patience() != Patience::None,
        };
        let Written { awaited, next } = exchange.write(first, &mut chunk.output)?;
        chunk.awaited = awaited;
        chunk.next = next;
        Ok(chunk)
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
    pub(crate) fn append_to(&mut self, output: &mut Output) -> Awaited {
        output.append_all(&mut self.output);
        self.awaited
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        self.output.clear();
        let output = std::mem::take(&mut self.output);
        let _ = SPARE.try_with(|spare| spare.set(Some(output)));
    }
}

thread_local! {
    static SPARE: Cell<Option<Output>> = const { Cell::new(None) };
}
