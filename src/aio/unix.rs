//! Unix sockets.

use std::{io, path::Path};

use tokio::net::UnixStream;

use super::stream::Stream;

/// Connects to the socket at `path`.
pub(super) async fn connect(path: &Path) -> io::Result<Stream> {
    Ok(Stream::Other(Box::new(UnixStream::connect(path).await?)))
}
