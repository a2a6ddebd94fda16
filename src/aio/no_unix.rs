//! Unix sockets, where the platform has none.

use std::{io, path::Path};

use super::stream::Stream;

/// Fails.
pub(super) async fn connect(_: &Path) -> io::Result<Stream> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "this platform has no Unix sockets for tokio",
    ))
}
