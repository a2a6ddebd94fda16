//! From an address to a connection that is ready: resolve, dial, greet.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, lookup_host},
    task::spawn_blocking,
    time,
};

use super::{runtime::now, stream::Stream, unix};
use crate::{
    config::{Address, Config, Socket, SocketKind},
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
    let server = attempt.server();
    if let Some(dialler) = &config.dialler {
        let socket = match dialler.dial_async(server) {
            Some(dialling) => dialling.await,
            None => {
                let (dialler, server) = (dialler.share(), server.clone());
                let allowed = attempt.rest(now())?;
                in_thread(move || dialler.dial(&server, allowed)).await
            }
        };
        let socket = socket.map_err(|error| attempt.failed(Step::Reach, error, now()))?;
        let stream = set_up(socket, config);
        let stream = stream.map_err(|error| attempt.failed(Step::SetUp, error, now()))?;
        return Ok((stream, Vec::new()));
    }
    match server {
        Address::Tcp { host, port } => {
            let (stream, addresses) = reach(host, *port, config, attempt).await?;
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

/// Takes a socket into use, which does not wait from now on.
fn set_up(socket: Socket, config: &Config) -> io::Result<Stream> {
    match socket.0 {
        SocketKind::Tcp(stream) => {
            stream.set_nonblocking(true)?;
            socket::set_up(SockRef::from(&stream), config)?;
            Ok(Stream::Tcp(TcpStream::from_std(stream)?))
        }
        #[cfg(unix)]
        SocketKind::Unix(stream) => unix::take(stream),
    }
}

/// Resolves afresh, since names move, and tries one address after the other.
async fn reach(
    host: &str,
    port: u16,
    config: &Config,
    attempt: &Attempt<'_>,
) -> Result<(TcpStream, Vec<SocketAddr>)> {
    let resolved = resolve(host, port, config)
        .await
        .map_err(|error| attempt.failed(Step::Resolve, error, now()))?;
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

async fn resolve(host: &str, port: u16, config: &Config) -> io::Result<Vec<SocketAddr>> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let Some(resolver) = &config.resolver else {
        return Ok(lookup_host((host, port)).await?.collect());
    };
    match resolver.resolve_async(host, port) {
        Some(resolving) => resolving.await,
        None => {
            let (resolver, host) = (resolver.share(), host.to_owned());
            in_thread(move || resolver.resolve(&host, port)).await
        }
    }
}

/// Does what may block in a thread that may.
async fn in_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    spawn_blocking(work)
        .await
        .unwrap_or_else(|ended| Err(io::Error::other(ended)))
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
