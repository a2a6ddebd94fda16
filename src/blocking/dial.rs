//! From an address to a connection that is ready: resolve, dial, greet.

use std::{
    io,
    net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use socket2::SockRef;

use super::{stream::Stream, unix};
use crate::{
    command::ServerVersion,
    config::{Address, Config, Object, Socket, SocketKind},
    error::Result,
    link::{Addresses, Attempt, Step},
    protocol::{Handshake, Identity, Progress, Receiver},
    socket,
};

/// A connection after its handshake.
pub(super) struct Dialled {
    pub(super) stream: Stream,
    /// May hold what has come behind the handshake.
    pub(super) receiver: Receiver,
    /// What to check calls against, if that is wanted.
    pub(super) server: Option<ServerVersion>,
    /// What the name of the server stands for, if it has one.
    pub(super) addresses: Vec<SocketAddr>,
}

/// Resolves, dials and greets within the time that the configuration allows for all three.
///
/// Of a cluster `to` is one of the nodes.
pub(super) fn dial(config: &Config, to: &Address) -> Result<Dialled> {
    dial_within(config, to, config.connect_timeout)
}

/// The same within another time.
pub(super) fn dial_within(config: &Config, to: &Address, allowed: Duration) -> Result<Dialled> {
    dial_as(config, to, allowed, &Identity::of(config))
}

/// The same for a call that cannot wait for what is under way on other connections.
pub(super) fn dial_urgent(config: &Config, to: &Address, allowed: Duration) -> Result<Dialled> {
    dial_as(config, to, allowed, &Identity::urgent(config))
}

fn dial_as(
    config: &Config,
    to: &Address,
    allowed: Duration,
    identity: &Identity<'_>,
) -> Result<Dialled> {
    config.check()?;
    let attempt = Attempt::begin(to, allowed, Instant::now());
    let (stream, addresses) = open(config, &attempt)?;
    greet(config, identity, stream, addresses, &attempt)
}

fn open(config: &Config, attempt: &Attempt<'_>) -> Result<(Stream, Vec<SocketAddr>)> {
    let server = attempt.server();
    if let Some(dialler) = &config.dialler {
        let (dialler, server) = (dialler.share(), server.clone());
        let allowed = attempt.rest(Instant::now())?;
        let dial = move || dialler.dial(&server, allowed);
        let socket = in_time("respec-socket", Step::Reach, attempt, dial)?;
        return Ok((set_up(socket, config, attempt)?, Vec::new()));
    }
    match server {
        Address::Tcp { host, port } => {
            let (stream, addresses) = reach(host, *port, config, attempt)?;
            Ok((set_up(stream.into(), config, attempt)?, addresses))
        }
        Address::Unix(path) => unix::connect(path, attempt.rest(Instant::now())?)
            .map(|stream| (stream, Vec::new()))
            .map_err(|error| attempt.failed(Step::Reach, error, Instant::now())),
        Address::Cluster(_) => Err(attempt.of_several()),
    }
}

/// Takes a socket into use, which waits from now on.
fn set_up(socket: Socket, config: &Config, attempt: &Attempt<'_>) -> Result<Stream> {
    let stream = match socket.0 {
        SocketKind::Tcp(stream) => stream
            .set_nonblocking(false)
            .and_then(|()| socket::set_up(SockRef::from(&stream), config))
            .and_then(|()| Stream::new(stream)),
        #[cfg(unix)]
        SocketKind::Unix(stream) => stream
            .set_nonblocking(false)
            .and_then(|()| Stream::new(stream)),
    };
    stream.map_err(|error| attempt.failed(Step::SetUp, error, Instant::now()))
}

/// Resolves afresh, since names move, and tries one address after the other.
fn reach(
    host: &str,
    port: u16,
    config: &Config,
    attempt: &Attempt<'_>,
) -> Result<(TcpStream, Vec<SocketAddr>)> {
    let resolved = resolve(host, port, config, attempt)?;
    let mut addresses = Addresses::new(resolved.iter().copied());
    loop {
        let now = Instant::now();
        let Some((address, until)) = addresses.next(now, attempt.end()) else {
            break;
        };
        let connected = match until {
            Some(until) => {
                TcpStream::connect_timeout(&address, until.saturating_duration_since(now))
            }
            None => TcpStream::connect(address),
        };
        match connected {
            Ok(stream) => return Ok((stream, resolved)),
            Err(error) => addresses.failed(address, error),
        }
    }
    attempt.rest(Instant::now())?;
    Err(addresses.error(attempt.server()))
}

/// Asks a resolver for the addresses of a name.
fn resolve(
    host: &str,
    port: u16,
    config: &Config,
    attempt: &Attempt<'_>,
) -> Result<Vec<SocketAddr>> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let (host, resolver) = (host.to_owned(), config.resolver.as_ref().map(Object::share));
    in_time(
        "respec-resolve",
        Step::Resolve,
        attempt,
        move || match resolver {
            Some(resolver) => resolver.resolve(&host, port),
            None => (host.as_str(), port)
                .to_socket_addrs()
                .map(Iterator::collect),
        },
    )
}

/// Does a step of an attempt in a thread of its own, since nothing else can give up waiting for it.
fn in_time<T: Send + 'static>(
    name: &str,
    step: Step,
    attempt: &Attempt<'_>,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T> {
    let failed = |error| attempt.failed(step, error, Instant::now());
    let (send, receive) = mpsc::channel();
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            // Nobody may be left who wants to know.
            let _ = send.send(work());
        })
        .map_err(failed)?;
    match receive.recv_timeout(attempt.rest(Instant::now())?) {
        Ok(done) => done.map_err(failed),
        Err(mpsc::RecvTimeoutError::Timeout) => Err(attempt.timed_out()),
        Err(mpsc::RecvTimeoutError::Disconnected) => Err(failed(io::ErrorKind::Other.into())),
    }
}

fn greet(
    config: &Config,
    identity: &Identity<'_>,
    mut stream: Stream,
    addresses: Vec<SocketAddr>,
    attempt: &Attempt<'_>,
) -> Result<Dialled> {
    let lost = |error| attempt.failed(Step::Greet, error, Instant::now());
    let mut receiver = Receiver::new(config.limits);
    let mut handshake = Handshake::new(identity)?;
    loop {
        let output = handshake.take_output();
        let failed = write_all(&mut stream, &output, attempt)?;
        while let Some(frame) = receiver.frame().map_err(|error| attempt.garbled(error))? {
            let progress = handshake.receive(&frame);
            if let Progress::Done(greeting) = progress.map_err(|error| attempt.refused(error))? {
                return Ok(Dialled {
                    stream,
                    receiver,
                    server: greeting.checked,
                    addresses,
                });
            }
        }
        if handshake.has_output() {
            continue;
        }
        let mut in_time = true;
        let read = receiver.fill(|bytes| {
            let length = stream.read(bytes, attempt.end(), None)?;
            in_time = length.is_some();
            Ok(length.unwrap_or(0))
        });
        if !in_time {
            return Err(attempt.timed_out());
        }
        // The server may be full and have closed already; what it said is worth more than the
        // failure to write.
        match (read, failed) {
            (Ok(0) | Err(_), Some(error)) | (Err(error), None) => return Err(lost(error)),
            (Ok(0), None) => return Err(lost(io::ErrorKind::UnexpectedEof.into())),
            (Ok(_), _) => {}
        }
    }
}

/// Writes a step of the handshake, and returns the failure that reading may explain.
fn write_all(
    stream: &mut Stream,
    bytes: &[u8],
    attempt: &Attempt<'_>,
) -> Result<Option<io::Error>> {
    let mut rest = bytes;
    while !rest.is_empty() {
        attempt.rest(Instant::now())?;
        match stream.write(rest) {
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(error) => return Ok(Some(error)),
        }
    }
    Ok(None)
}
