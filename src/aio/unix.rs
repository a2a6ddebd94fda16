//! Unix sockets.

use std::{
    io::{self, IoSlice, Read},
    path::Path,
    task::{Context, Poll},
};

use socket2::SockRef;
use tokio::net::{
    UnixStream,
    unix::{OwnedReadHalf, OwnedWriteHalf},
};

use super::stream::{Incoming, Outgoing, Stream, Transport};
use crate::{link::Seen, socket};

/// Connects to the socket at `path`.
pub(super) async fn connect(path: &Path) -> io::Result<Stream> {
    Ok(Stream::Other(Box::new(UnixStream::connect(path).await?)))
}

/// Takes a connected socket into use, which does not wait from now on.
pub(super) fn take(socket: std::os::unix::net::UnixStream) -> io::Result<Stream> {
    socket.set_nonblocking(true)?;
    Ok(Stream::Other(Box::new(UnixStream::from_std(socket)?)))
}

impl Transport for UnixStream {
    fn split(self: Box<Self>) -> (Box<dyn Incoming>, Box<dyn Outgoing>) {
        let (read, write) = self.into_split();
        (Box::new(read), Box::new(write))
    }
}

impl Incoming for OwnedReadHalf {
    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.as_ref().poll_write_ready(cx)
    }

    fn read_now(&self, bytes: &mut [u8]) -> io::Result<usize> {
        (&*SockRef::from(self.as_ref())).read(bytes)
    }
}

impl Outgoing for OwnedWriteHalf {
    fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.try_write(bytes)
    }

    fn try_write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.try_write_vectored(slices)
    }

    fn look(&self) -> Seen {
        socket::look_nonblocking(&SockRef::from(self.as_ref()))
    }
}
