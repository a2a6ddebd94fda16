//! From an address to a connection that is ready: resolve, dial, greet.

use std::{
    io::{self, IoSlice},
    net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use socket2::SockRef;

use super::{stream::Stream, unix};
use crate::{
    command::ServerVersion,
    config::{Address, Config},
    error::{Error, ErrorKind, Phase, Result},
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
}

/// Resolves, dials and greets within the time that the configuration allows for all three.
///
/// Of a cluster `to` is one of the nodes.
pub(super) fn dial(config: &Config, to: &Address) -> Result<Dialled> {
    dial_within(config, to, config.connect_timeout)
}

/// The same within another time.
pub(super) fn dial_within(config: &Config, to: &Address, allowed: Duration) -> Result<Dialled> {
    config.check()?;
    let budget = Budget::start(allowed);
    let stream = open(config, to, &budget)?;
    greet(config, stream, &budget)
}

/// The time for one attempt.
struct Budget {
    allowed: Duration,
    end: Option<Instant>,
}

impl Budget {
    fn start(allowed: Duration) -> Self {
        Self {
            allowed,
            end: Instant::now().checked_add(allowed),
        }
    }

    /// What is left.
    fn rest(&self) -> Result<Duration> {
        let rest = self.end.map_or(Duration::MAX, |end| {
            end.saturating_duration_since(Instant::now())
        });
        if rest.is_zero() {
            return Err(self.used_up());
        }
        Ok(rest)
    }

    fn used_up(&self) -> Error {
        Error::new(
            ErrorKind::Timeout(Phase::Connect),
            format!("no connection after {:?}", self.allowed),
        )
    }

    /// The failure of one step, which may be that of the time.
    fn failure(&self, what: &'static str, error: io::Error) -> Error {
        match self.rest() {
            Ok(_) => Error::io(ErrorKind::Connect, what, error),
            Err(used_up) => used_up,
        }
    }
}

fn open(config: &Config, to: &Address, budget: &Budget) -> Result<Stream> {
    match to {
        Address::Tcp { host, port } => {
            let stream = reach(host, *port, budget)?;
            socket::set_up(SockRef::from(&stream), config)
                .and_then(|()| Stream::new(stream))
                .map_err(|error| budget.failure("cannot set up the socket", error))
        }
        Address::Unix(path) => unix::connect(path, budget.rest()?)
            .map_err(|error| budget.failure("cannot reach the Unix socket", error)),
        Address::Cluster(_) => Err(Error::new(
            ErrorKind::Connect,
            "expected the address of one server, got that of a cluster",
        )),
    }
}

/// Resolves afresh, since names move, and tries one address after the other.
fn reach(host: &str, port: u16, budget: &Budget) -> Result<TcpStream> {
    let addresses = resolve(host, port, budget)?;
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the host name has no address");
    for (tried, address) in addresses.iter().enumerate() {
        // An address that does not answer must leave time for those behind it.
        let share = budget.rest()? / u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
        match TcpStream::connect_timeout(address, share.max(Duration::from_millis(1))) {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(budget.failure("cannot reach the server", failure))
}

/// Asks the system's resolver in a thread of its own, since nothing else can give up waiting for it.
fn resolve(host: &str, port: u16, budget: &Budget) -> Result<Vec<SocketAddr>> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let failed = |error| budget.failure("cannot resolve the host name", error);
    let (send, receive) = mpsc::channel();
    let host = host.to_owned();
    thread::Builder::new()
        .name("respec-resolve".to_owned())
        .spawn(move || {
            let addresses = (host.as_str(), port)
                .to_socket_addrs()
                .map(Iterator::collect);
            // Nobody may be left who wants to know.
            let _ = send.send(addresses);
        })
        .map_err(failed)?;
    match receive.recv_timeout(budget.rest()?) {
        Ok(addresses) => addresses.map_err(failed),
        Err(mpsc::RecvTimeoutError::Timeout) => Err(budget.used_up()),
        Err(mpsc::RecvTimeoutError::Disconnected) => Err(failed(io::ErrorKind::Other.into())),
    }
}

fn greet(config: &Config, mut stream: Stream, budget: &Budget) -> Result<Dialled> {
    let lost = |error| budget.failure("the handshake broke off", error);
    let mut receiver = Receiver::new(config.limits);
    let mut handshake = Handshake::new(&Identity::of(config))?;
    loop {
        let output = handshake.take_output();
        let failed = write_all(&mut stream, &output, budget)?;
        while let Some(frame) = receiver.frame().map_err(garbled)? {
            if let Progress::Done(greeting) = handshake.receive(&frame)? {
                return Ok(Dialled {
                    stream,
                    receiver,
                    server: greeting.checked,
                });
            }
        }
        if handshake.has_output() {
            continue;
        }
        let mut in_time = true;
        let read = receiver.fill(|bytes| {
            let length = stream.read(bytes, budget.end, None)?;
            in_time = length.is_some();
            Ok(length.unwrap_or(0))
        });
        if !in_time {
            return Err(budget.used_up());
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
fn write_all(stream: &mut Stream, bytes: &[u8], budget: &Budget) -> Result<Option<io::Error>> {
    let mut rest = bytes;
    while !rest.is_empty() {
        budget.rest()?;
        match stream.write(&[IoSlice::new(rest)]) {
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(error) => return Ok(Some(error)),
        }
    }
    Ok(None)
}

fn garbled(error: crate::resp::ProtocolError) -> Error {
    Error::new(ErrorKind::Connect, "the peer does not speak RESP").with_source(error)
}
