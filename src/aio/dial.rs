//! From an address to a connection that is ready: resolve, dial, greet.

use std::{io, net::SocketAddr, time::Duration};

use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, lookup_host},
    time::{Instant, timeout},
};

use super::{stream::Stream, unix};
use crate::{
    config::{Address, Config},
    error::{Error, ErrorKind, Phase, Result},
    protocol::{Greeting, Handshake, Identity, Progress, Receiver},
    resp::ProtocolError,
    socket,
};

/// A connection after its handshake.
pub(super) struct Dialled {
    pub(super) stream: Stream,
    /// May hold what has come behind the handshake.
    pub(super) receiver: Receiver,
    pub(super) greeting: Greeting,
}

/// Resolves, dials and greets within the time that the configuration allows for all three.
///
/// Of a cluster `to` is one of the nodes.
pub(super) async fn dial(config: &Config, to: &Address) -> Result<Dialled> {
    config.check()?;
    let opened = async {
        let stream = open(config, to).await?;
        greet(config, stream).await
    };
    let opened = timeout(config.connect_timeout, opened);
    opened.await.unwrap_or_else(|_| {
        Err(Error::new(
            ErrorKind::Timeout(Phase::Connect),
            format!("no connection after {:?}", config.connect_timeout),
        ))
    })
}

async fn open(config: &Config, to: &Address) -> Result<Stream> {
    match to {
        Address::Tcp { host, port } => {
            let stream = reach(host, *port, config.connect_timeout).await?;
            socket::set_up(SockRef::from(&stream), config).map_err(|error| {
                Error::io(ErrorKind::Connect, "cannot set up the socket", error)
            })?;
            Ok(Stream::Tcp(stream))
        }
        Address::Unix(path) => unix::connect(path)
            .await
            .map_err(|error| Error::io(ErrorKind::Connect, "cannot reach the Unix socket", error)),
        Address::Cluster(_) => Err(Error::new(
            ErrorKind::Connect,
            "expected the address of one server, got that of a cluster",
        )),
    }
}

/// Resolves afresh, since names move, and tries one address after the other.
async fn reach(host: &str, port: u16, allowed: Duration) -> Result<TcpStream> {
    let start = Instant::now();
    let addresses: Vec<SocketAddr> = lookup_host((host, port))
        .await
        .map_err(|error| Error::io(ErrorKind::Connect, "cannot resolve the host name", error))?
        .collect();
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the host name has no address");
    for (tried, address) in addresses.iter().enumerate() {
        // An address that does not answer must leave time for those behind it.
        let rest = allowed.saturating_sub(start.elapsed());
        let share = rest / u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => failure = error,
            Err(_) => failure = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(Error::io(
        ErrorKind::Connect,
        "cannot reach the server",
        failure,
    ))
}

async fn greet(config: &Config, mut stream: Stream) -> Result<Dialled> {
    let lost = |error| Error::io(ErrorKind::Connect, "the handshake broke off", error);
    let mut receiver = Receiver::new(config.limits);
    let mut handshake = Handshake::new(&Identity::of(config))?;
    loop {
        let output = handshake.take_output();
        if !output.is_empty() {
            // The server may be full and have closed already; what it said is worth more than
            // the failure to write.
            let written = stream.write_all(&output).await;
            if let Err(error) = written {
                let read = stream.read_buf(receiver.space()).await;
                if !read.is_ok_and(|length| length > 0) {
                    return Err(lost(error));
                }
            }
        }
        while let Some(frame) = receiver.frame().map_err(garbled)? {
            if let Progress::Done(greeting) = handshake.receive(&frame)? {
                return Ok(Dialled {
                    stream,
                    receiver,
                    greeting,
                });
            }
        }
        if handshake.has_output() {
            continue;
        }
        let length = stream.read_buf(receiver.space()).await.map_err(lost)?;
        if length == 0 {
            return Err(lost(io::ErrorKind::UnexpectedEof.into()));
        }
    }
}

fn garbled(error: ProtocolError) -> Error {
    Error::new(ErrorKind::Connect, "the peer does not speak RESP").with_source(error)
}
