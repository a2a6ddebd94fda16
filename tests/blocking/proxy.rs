//! A proxy before a server that cuts connections where a test says.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum End {
    /// In an orderly way.
    Closed,
    /// At once, so that writing fails.
    Reset,
}

/// A proxy on a port of its own.
pub(crate) struct Proxy {
    addr: SocketAddr,
    control: Arc<Control>,
}

struct Control {
    server: SocketAddr,
    /// How many more bytes of replies pass before a connection ends.
    passes: AtomicUsize,
    resets: AtomicBool,
    accepted: AtomicUsize,
    open: AtomicUsize,
    stopped: AtomicBool,
}

impl Proxy {
    /// Listens and passes everything on.
    pub(crate) fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let control = Arc::new(Control {
            server,
            passes: AtomicUsize::new(usize::MAX),
            resets: AtomicBool::new(false),
            accepted: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&control);
        thread::spawn(move || {
            for client in listener.incoming() {
                if accepting.stopped.load(Ordering::SeqCst) {
                    return;
                }
                accepting.accepted.fetch_add(1, Ordering::SeqCst);
                accepting.open.fetch_add(1, Ordering::SeqCst);
                let passing = Arc::clone(&accepting);
                thread::spawn(move || {
                    passing.pass(client.unwrap());
                    passing.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { addr, control }
    }

    pub(crate) fn port(&self) -> u16 {
        self.addr.port()
    }

    /// How many connections were accepted.
    pub(crate) fn accepted(&self) -> usize {
        self.control.accepted.load(Ordering::SeqCst)
    }

    /// Ends the connection once so many more bytes of replies have passed.
    pub(crate) fn cut_after(&self, bytes: usize, end: End) {
        self.control
            .resets
            .store(end == End::Reset, Ordering::SeqCst);
        self.control.passes.store(bytes, Ordering::SeqCst);
    }

    /// Ends all connections now, waits until they are gone, and passes the next ones on.
    pub(crate) fn cut_all(&self, end: End) {
        self.cut_after(0, end);
        crate::support::until("connections are cut", || {
            self.control.open.load(Ordering::SeqCst) == 0
        });
        // Under load the kernel delivers an end a little after it was sent.
        crate::support::until("the ends have arrived", || !is_connected(self.port()));
        self.heal();
    }

    /// Passes everything on again.
    pub(crate) fn heal(&self) {
        self.control.passes.store(usize::MAX, Ordering::SeqCst);
    }
}

/// Whether a socket of this machine still takes its connection to a port for established.
fn is_connected(port: u16) -> bool {
    let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let port = format!(":{port:04X}");
    sockets.lines().any(|line| {
        let mut columns = line.split_whitespace().skip(2);
        let (remote, state) = (columns.next(), columns.next());
        remote.is_some_and(|remote| remote.ends_with(&port)) && state == Some("01")
    })
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.control.stopped.store(true, Ordering::SeqCst);
        self.cut_after(0, End::Closed);
        let _ = TcpStream::connect(self.addr);
    }
}

impl Control {
    fn pass(&self, mut client: TcpStream) {
        let mut server = TcpStream::connect(self.server).unwrap();
        client.set_nonblocking(true).unwrap();
        server.set_nonblocking(true).unwrap();
        let mut buffer = [0; 4096];
        loop {
            let mut still = true;
            match client.read(&mut buffer) {
                Ok(0) => return,
                Ok(length) => {
                    if write_all(&mut server, &buffer[..length]).is_err() {
                        return;
                    }
                    still = false;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
            let passes = self.passes.load(Ordering::SeqCst);
            if passes == 0 {
                if self.resets.load(Ordering::SeqCst) {
                    socket2::SockRef::from(&client)
                        .set_linger(Some(Duration::ZERO))
                        .unwrap();
                }
                return;
            }
            match server.read(&mut buffer[..passes.min(4096)]) {
                Ok(0) => return,
                Ok(length) => {
                    if write_all(&mut client, &buffer[..length]).is_err() {
                        return;
                    }
                    if passes != usize::MAX {
                        self.passes.fetch_sub(length, Ordering::SeqCst);
                    }
                    still = false;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
            if still {
                thread::sleep(Duration::from_micros(200));
            }
        }
    }
}

fn write_all(to: &mut TcpStream, mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        match to.write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                thread::sleep(Duration::from_micros(200));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
