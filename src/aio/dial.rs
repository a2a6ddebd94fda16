//! From an address to a connection that is ready: resolve, dial, greet.

use std::{io, net::SocketAddr, time::Instant};

use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, lookup_host},
    time,
};

use super::{runtime::now, stream::Stream, unix};
use crate::{
    config::{Address, Config},
    error::Result,
    link::{Addresses, Attempt, Step},
    protocol::{Greeting, Handshake, Identity, Progress, Receiver},
    socket,
};

/// A connection after its handshake.
pub(super) struct Dialled {
    pub(super) stream: Stream,
    /// May hold what has come behind the handshake.
    pub(super) receiver: Receiver,
    pub(super) greeting: Greeting,
    /// What the name of the server stands for, if it has one.
    pub(super) addresses: Vec<SocketAddr>,
}

/// Resolves, dials and greets within the time that the configuration allows for all three.
///
/// Of a cluster `to` is one of the nodes.
pub(super) async fn dial(config: &Config, to: &Address) -> Result<Dialled> {
    dial_as(config, to, &Identity::of(config)).await
}

/// The same for a call that cannot wait for what is under way on other connections.
pub(super) async fn dial_urgent(config: &Config, to: &Address) -> Result<Dialled> {
    dial_as(config, to, &Identity::urgent(config)).await
}

async fn dial_as(config: &Config, to: &Address, identity: &Identity<'_>) -> Result<Dialled> {
    config.check()?;
    let attempt = Attempt::begin(to, config.connect_timeout, now());
    let opened = async {
        let (stream, addresses) = open(config, &attempt).await?;
        greet(config, identity, stream, addresses, &attempt).await
    };
    within(attempt.end(), opened)
        .await
        .unwrap_or_else(|| Err(attempt.timed_out()))
}

async fn open(config: &Config, attempt: &Attempt<'_>) -> Result<(Stream, Vec<SocketAddr>)> {
    match attempt.server() {
        Address::Tcp { host, port } => {
            let (stream, addresses) = reach(host, *port, attempt).await?;
            socket::set_up(SockRef::from(&stream), config)
                .map_err(|error| attempt.failed(Step::SetUp, error, now()))?;
            Ok((Stream::Tcp(stream), addresses))
        }
        Address::Unix(path) => match unix::connect(path).await {
            Ok(stream) => Ok((stream, Vec::new())),
            Err(error) => Err(attempt.failed(Step::Reach, error, now())),
        },
        Address::Cluster(_) => Err(attempt.of_several()),
    }
}

/// Resolves afresh, since names move, and tries one address after the other.
async fn reach(
    host: &str,
    port: u16,
    attempt: &Attempt<'_>,
) -> Result<(TcpStream, Vec<SocketAddr>)> {
    let resolved: Vec<_> = lookup_host((host, port))
        .await
        .map_err(|error| attempt.failed(Step::Resolve, error, now()))?
        .collect();
    let mut addresses = Addresses::new(resolved.iter().copied());
    while let Some((address, until)) = addresses.next(now(), attempt.end()) {
        match within(until, TcpStream::connect(address)).await {
            Some(Ok(stream)) => return Ok((stream, resolved)),
            Some(Err(error)) => addresses.failed(address, error),
            None => addresses.failed(address, io::ErrorKind::TimedOut.into()),
        }
    }
    Err(addresses.error(attempt.server()))
}

async fn greet(
    config: &Config,
    identity: &Identity<'_>,
    mut stream: Stream,
    addresses: Vec<SocketAddr>,
    attempt: &Attempt<'_>,
) -> Result<Dialled> {
    let lost = |error| attempt.failed(Step::Greet, error, now());
    let mut receiver = Receiver::new(config.limits);
    let mut handshake = Handshake::new(identity)?;
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
        while let Some(frame) = receiver.frame().map_err(|error| attempt.garbled(error))? {
            let progress = handshake.receive(&frame);
            if let Progress::Done(greeting) = progress.map_err(|error| attempt.refused(error))? {
                return Ok(Dialled {
                    stream,
                    receiver,
                    greeting,
                    addresses,
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

/// What a future yields until then; `None` if it has not.
async fn within<F: Future>(until: Option<Instant>, future: F) -> Option<F::Output> {
    match until {
        Some(until) => time::timeout_at(until.into(), future).await.ok(),
        None => Some(future.await),
    }
}
