//! The byte stream of a connection, whatever it runs on.

use std::{
    io::{self, IoSlice, Read},
    pin::Pin,
    task::{Context, Poll},
};

use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, tcp},
};

use crate::{link::Seen, resp::Output, socket};

/// A connected socket: TCP without indirection, anything else behind a box.
pub(super) enum Stream {
    /// A TCP connection.
    Tcp(TcpStream),
    /// Another transport.
    Other(Box<dyn Transport>),
}

/// What a [`Stream`] can run on.
pub(super) trait Transport: AsyncRead + AsyncWrite + Send + Unpin {
    /// The parts for reading and for writing.
    fn split(self: Box<Self>) -> (Box<dyn Incoming>, Box<dyn Outgoing>);
}

/// The part of a stream that is read from.
pub(super) enum Source {
    Tcp(tcp::OwnedReadHalf),
    Other(Box<dyn Incoming>),
}

/// What a [`Source`] can run on.
pub(super) trait Incoming: AsyncRead + Send + Unpin {
    /// Waits until the part for writing takes more.
    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Reads what is there, without asking the runtime whether there is anything.
    fn read_now(&self, bytes: &mut [u8]) -> io::Result<usize>;
}

/// The part of a stream that is written to, with what is being written.
///
/// It never waits, so that callers can write as well as the driver. Only one of them has it.
pub(super) struct Sink {
    half: Half,
    output: Box<Output>,
    /// How many bytes were written in all.
    written: u64,
}

enum Half {
    Tcp(tcp::OwnedWriteHalf),
    Other(Box<dyn Outgoing>),
}

/// What a [`Sink`] can run on.
pub(super) trait Outgoing: Send {
    /// Writes what there is room for.
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Writes what there is room for.
    fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize>;

    /// What there is to be read.
    fn look(&self) -> Seen;
}

/// How far writing has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// Everything is written.
    All,
    /// The socket takes no more for now.
    Some,
}

impl Stream {
    /// The parts for reading and for writing.
    pub(super) fn split(self) -> (Source, Sink) {
        let (source, half) = match self {
            Self::Tcp(stream) => {
                let (source, half) = stream.into_split();
                (Source::Tcp(source), Half::Tcp(half))
            }
            Self::Other(stream) => {
                let (source, half) = stream.split();
                (Source::Other(source), Half::Other(half))
            }
        };
        let sink = Sink {
            half,
            output: Box::default(),
            written: 0,
        };
        (source, sink)
    }
}

impl Source {
    /// Waits until the [`Sink`] takes more.
    pub(super) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(half) => half.as_ref().poll_write_ready(cx),
            Self::Other(half) => half.poll_write_ready(cx),
        }
    }

    /// Reads what is there, without asking the runtime whether there is anything.
    pub(super) fn read_now(&self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(half) => (&*SockRef::from(half.as_ref())).read(bytes),
            Self::Other(half) => half.read_now(bytes),
        }
    }
}

impl Sink {
    /// What is being written. To be filled only when it is empty.
    pub(super) fn output(&mut self) -> &mut Box<Output> {
        &mut self.output
    }

    /// How many bytes were written in all.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// What there is to be read.
    pub(super) fn look(&self) -> Seen {
        match &self.half {
            Half::Tcp(half) => socket::look_nonblocking(&SockRef::from(half.as_ref())),
            Half::Other(half) => half.look(),
        }
    }

    /// Writes as much of the output as there is room for.
    pub(super) fn write(&mut self) -> io::Result<Written> {
        while !self.output.is_empty() {
            let written = match self.output.piece() {
                Some(piece) => self.half.try_write(piece),
                None => {
                    let mut slices = [IoSlice::new(&[]); SLICES];
                    let used = self.output.slices(&mut slices);
                    let slices = slices.get(..used).unwrap_or_default();
                    self.half.try_write_vectored(slices)
                }
            };
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(length) => {
                    self.written += length as u64;
                    self.output.advance(length);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Written::Some);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Written::All)
    }
}

impl Half {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(half) => half.try_write(bytes),
            Self::Other(half) => half.try_write(bytes),
        }
    }

    fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(half) => half.try_write_vectored(slices),
            Self::Other(half) => half.try_write_vectored(slices),
        }
    }
}

impl AsyncRead for Source {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(half) => Pin::new(half).poll_read(cx, into),
            Self::Other(half) => Pin::new(half).poll_read(cx, into),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, into),
            Self::Other(stream) => Pin::new(stream).poll_read(cx, into),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Other(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Other(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Other(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// How many pieces are written by one call at most.
const SLICES: usize = 32;
