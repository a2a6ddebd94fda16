//! One connection through the proxy: two sockets and what passes between them.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::PollFlags;
use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};

use super::flow::{Flow, Next};
use super::rule::{Action, Rule, Way};
use super::traffic::{End, Traffic};

pub(crate) struct Link {
    number: usize,
    client: Option<TcpStream>,
    server: Option<TcpStream>,
    requests: Flow,
    replies: Flow,
    /// Whether nothing passes, as if the cable were cut.
    hole: bool,
    /// Whether what the client sends is read and lost.
    discards: bool,
    /// When something is to happen, if nothing comes before.
    due: Option<Instant>,
}

impl Link {
    /// Connects to the server for a client that was accepted. Without a server, the client is reset.
    pub(crate) fn open(
        number: usize,
        client: TcpStream,
        server: SocketAddr,
        buffers: Option<usize>,
        traffic: &mut Traffic,
        now: Instant,
    ) -> io::Result<Self> {
        client.set_nonblocking(true)?;
        client.set_nodelay(true)?;
        let mut link = Self {
            number,
            client: Some(client),
            server: None,
            requests: Flow::new(Way::Requests, number),
            replies: Flow::new(Way::Replies, number),
            hole: false,
            discards: false,
            due: None,
        };
        match connect(server, buffers) {
            Ok(server) => link.server = Some(server),
            Err(_) => link.reset(End::Server, traffic, now),
        }
        Ok(link)
    }

    pub(crate) fn arm(&mut self, rule: Rule) {
        self.flow(rule.at.way).arm(rule);
    }

    /// Does something at once, whatever is still to be passed before.
    pub(crate) fn act(&mut self, way: Way, action: Action, traffic: &mut Traffic, now: Instant) {
        if self.is_over() {
            return;
        }
        if action.is_fault() {
            traffic.fault(self.number, action.name(), now);
        }
        match action {
            Action::Reset => self.reset(End::Proxy, traffic, now),
            Action::Close => {
                self.discards = true;
                self.requests.close();
                self.server = None;
                traffic.end(self.number, now, End::Proxy);
                self.end(Way::Replies);
            }
            Action::HalfClose => self.end(way),
            Action::BlackHole => {
                self.hole = true;
                if let Some(client) = &self.client {
                    // Elsewhere it is enough that nothing is read or written.
                    let _ = drop_packets(client);
                }
            }
            Action::Heal => {
                if self.hole
                    && let Some(client) = &self.client
                {
                    let _ = let_packets_in(client);
                }
                self.hole = false;
                self.requests.act(Action::Heal, now);
                self.replies.act(Action::Heal, now);
            }
            action => self.flow(way).act(action, now),
        }
    }

    /// Reads and writes as far as that goes without waiting.
    pub(crate) fn run(
        &mut self,
        client: PollFlags,
        server: PollFlags,
        buffer: &mut [u8],
        traffic: &mut Traffic,
        now: Instant,
    ) {
        let readable = PollFlags::IN | PollFlags::HUP | PollFlags::ERR;
        if client.intersects(readable) && self.wants_client() {
            self.read(Way::Requests, buffer, traffic, now);
        }
        if server.intersects(readable) && self.wants_server() {
            self.read(Way::Replies, buffer, traffic, now);
        }
        self.due = None;
        self.write(Way::Requests, traffic, now);
        self.write(Way::Replies, traffic, now);
        if self.requests.is_done() && (self.replies.is_done() || self.server.is_none()) {
            self.client = None;
            self.server = None;
        }
    }

    /// What to wait for at the client's socket, and at the server's.
    pub(crate) fn interest(&self) -> [(Option<&TcpStream>, PollFlags); 2] {
        let flags = |reads: bool, writes: bool| {
            let mut flags = PollFlags::empty();
            flags.set(PollFlags::IN, reads);
            flags.set(PollFlags::OUT, writes);
            flags
        };
        if self.hole {
            return [(None, PollFlags::empty()); 2];
        }
        let client = flags(self.wants_client(), self.replies.blocked);
        let server = flags(self.wants_server(), self.requests.blocked);
        [
            (self.client.as_ref().filter(|_| !client.is_empty()), client),
            (self.server.as_ref().filter(|_| !server.is_empty()), server),
        ]
    }

    /// When to come back without being called.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due.filter(|_| !self.hole)
    }

    /// Whether both sockets are gone.
    pub(crate) fn is_over(&self) -> bool {
        self.client.is_none() && self.server.is_none()
    }

    fn wants_client(&self) -> bool {
        let other_waits = self.replies.lockstep && self.replies.has_output();
        !self.hole && self.requests.wants_input() && !other_waits
    }

    fn wants_server(&self) -> bool {
        let other_waits = self.requests.lockstep && self.requests.has_output();
        !self.hole && self.replies.wants_input() && !other_waits
    }

    fn read(&mut self, way: Way, buffer: &mut [u8], traffic: &mut Traffic, now: Instant) {
        let (socket, flow) = match way {
            Way::Requests => (&mut self.client, &mut self.requests),
            Way::Replies => (&mut self.server, &mut self.replies),
        };
        let Some(socket) = socket else { return };
        match socket.read(buffer) {
            Ok(0) => {
                flow.end_of_stream();
                if self.discards {
                    self.client = None;
                }
            }
            Ok(length) => flow.feed(&buffer[..length], traffic.book(self.number), now),
            Err(error) if is_no_end(&error) => {}
            Err(_) => self.reset(by(way), traffic, now),
        }
    }

    fn write(&mut self, way: Way, traffic: &mut Traffic, now: Instant) {
        while !self.hole {
            let (socket, flow, receiver) = match way {
                Way::Requests => (&mut self.server, &mut self.requests, Way::Replies),
                Way::Replies => (&mut self.client, &mut self.replies, Way::Requests),
            };
            flow.blocked = false;
            match flow.next(now) {
                Next::Idle => return,
                Next::Wait(due) => {
                    self.due = Some(self.due.map_or(due, |other| other.min(due)));
                    return;
                }
                Next::Act(action) => self.act(way, action, traffic, now),
                Next::End => {
                    traffic.end(self.number, now, by(way));
                    self.end(way);
                    return;
                }
                Next::Write(bytes) => {
                    let Some(socket) = socket else { return };
                    match socket.write(bytes) {
                        Ok(length) => flow.wrote(length, traffic.book(self.number), now),
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {
                            flow.blocked = true;
                            return;
                        }
                        Err(error) if is_no_end(&error) => {}
                        Err(_) => return self.reset(by(receiver), traffic, now),
                    }
                }
            }
        }
    }

    /// Tells the receiver of a direction that nothing more comes.
    fn end(&mut self, way: Way) {
        self.flow(way).close();
        let socket = match way {
            Way::Requests => &self.server,
            Way::Replies => &self.client,
        };
        if let Some(socket) = socket {
            // A peer that is gone already has ended the connection by itself.
            let _ = socket.shutdown(Shutdown::Write);
        }
    }

    /// Ends all at once.
    fn reset(&mut self, by: End, traffic: &mut Traffic, now: Instant) {
        if let Some(client) = self.client.take() {
            let _ = SockRef::from(&client).set_linger(Some(Duration::ZERO));
        }
        self.server = None;
        self.requests.close();
        self.replies.close();
        traffic.end(self.number, now, by);
    }

    fn flow(&mut self, way: Way) -> &mut Flow {
        match way {
            Way::Requests => &mut self.requests,
            Way::Replies => &mut self.replies,
        }
    }
}

/// Who sends in this direction.
fn by(way: Way) -> End {
    match way {
        Way::Requests => End::Client,
        Way::Replies => End::Server,
    }
}

fn connect(server: SocketAddr, buffers: Option<usize>) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(server), Type::STREAM, None)?;
    if let Some(size) = buffers {
        shrink(&socket, size)?;
    }
    socket.connect_timeout(&server.into(), CONNECT_TIMEOUT)?;
    // A server that was killed without a word is noticed like one that says so.
    socket.set_tcp_keepalive(&TcpKeepalive::new())?;
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Asks for buffers of so many bytes, before a socket is connected.
///
/// On this machine a segment may be larger than that, and a sender waits for room for a good part of
/// one: it shall not be for a timer of the kernel.
pub(crate) fn shrink(socket: &Socket, size: usize) -> io::Result<()> {
    socket.set_recv_buffer_size(size)?;
    socket.set_send_buffer_size(size)?;
    #[cfg(target_os = "linux")]
    if let Ok(segment) = u32::try_from(size / 4) {
        socket.set_tcp_mss(segment.clamp(512, 32 << 10))?;
    }
    Ok(())
}

/// Whether a call is only to be made again.
fn is_no_end(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// Has the kernel drop whatever arrives at a socket.
#[cfg(target_os = "linux")]
fn drop_packets(socket: &TcpStream) -> io::Result<()> {
    // A program of one instruction: keep zero bytes of each packet.
    const RETURN: u16 = 0x06;
    SockRef::from(socket).attach_filter(&[socket2::SockFilter::new(RETURN, 0, 0, 0)])
}

#[cfg(not(target_os = "linux"))]
fn drop_packets(_: &TcpStream) -> io::Result<()> {
    Ok(())
}

#[cfg(target_os = "linux")]
fn let_packets_in(socket: &TcpStream) -> io::Result<()> {
    SockRef::from(socket).detach_filter()
}

#[cfg(not(target_os = "linux"))]
fn let_packets_in(_: &TcpStream) -> io::Result<()> {
    Ok(())
}

/// Servers are on this machine.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
