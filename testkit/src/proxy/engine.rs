//! The thread of a proxy, which owns all its sockets.

use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::link::Link;
use super::rule::{Action, At, Rule, Way};
use super::traffic::Traffic;

pub(crate) struct Engine {
    listener: TcpListener,
    server: SocketAddr,
    buffers: Option<usize>,
    /// What each new connection is given.
    script: Vec<Rule>,
    links: Vec<(usize, Link)>,
    orders: Receiver<(Order, Sender<()>)>,
    bell: UnixStream,
    shared: Arc<Shared>,
}

/// What the owner of a proxy wants.
pub(crate) enum Order {
    Arm(usize, Rule),
    Act(Option<usize>, Way, Action),
    Script(Vec<Rule>),
    Server(SocketAddr),
    Stop,
}

#[derive(Default)]
pub(crate) struct Shared {
    traffic: Mutex<Traffic>,
    /// Notified whenever something has passed.
    changed: Condvar,
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Traffic> {
        self.traffic.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something has passed, or until then.
    pub(crate) fn wait<'t>(
        &self,
        traffic: MutexGuard<'t, Traffic>,
        deadline: Instant,
    ) -> MutexGuard<'t, Traffic> {
        let left = deadline.saturating_duration_since(Instant::now());
        let waited = self.changed.wait_timeout(traffic, left);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Engine {
    pub(crate) fn new(
        listener: TcpListener,
        server: SocketAddr,
        buffers: Option<usize>,
        orders: Receiver<(Order, Sender<()>)>,
        bell: UnixStream,
        shared: Arc<Shared>,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        bell.set_nonblocking(true)?;
        Ok(Self {
            listener,
            server,
            buffers,
            script: Vec::new(),
            links: Vec::new(),
            orders,
            bell,
            shared,
        })
    }

    /// Passes on what comes until the owner is gone.
    pub(crate) fn run(mut self) {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let ready = self.wait();
            if !self.obey() {
                return;
            }
            let shared = Arc::clone(&self.shared);
            let mut traffic = shared.lock();
            let now = Instant::now();
            for (number, link) in &mut self.links {
                let flags = |side: usize| {
                    let mut ready = ready.iter();
                    let found = ready.find(|(link, at, _)| link == number && *at == side);
                    found.map_or(PollFlags::empty(), |(_, _, flags)| *flags)
                };
                link.run(flags(0), flags(1), &mut buffer, &mut traffic, now);
            }
            self.accept(&mut traffic, now);
            self.links.retain(|(_, link)| !link.is_over());
            drop(traffic);
            shared.changed.notify_all();
        }
    }

    /// Waits until there is something to do; says which sockets of which links are ready.
    fn wait(&mut self) -> Vec<(usize, usize, PollFlags)> {
        let now = Instant::now();
        let due = self.links.iter().filter_map(|(_, link)| link.due()).min();
        let timeout = due.map(|due| {
            let left = due.saturating_duration_since(now);
            Timespec {
                tv_sec: left.as_secs() as _,
                tv_nsec: left.subsec_nanos() as _,
            }
        });
        let mut sockets = vec![
            PollFd::new(&self.bell, PollFlags::IN),
            PollFd::new(&self.listener, PollFlags::IN),
        ];
        let mut whose = Vec::new();
        for (number, link) in &self.links {
            for (side, (socket, flags)) in link.interest().into_iter().enumerate() {
                if let Some(socket) = socket {
                    sockets.push(PollFd::from_borrowed_fd(socket.as_fd(), flags));
                    whose.push((*number, side));
                }
            }
        }
        if poll(&mut sockets, timeout.as_ref()).is_err() {
            return Vec::new();
        }
        let rung = !sockets[0].revents().is_empty();
        let ready = sockets[2..].iter().zip(whose);
        let ready = ready.filter(|(socket, _)| !socket.revents().is_empty());
        let ready = ready.map(|(socket, (number, side))| (number, side, socket.revents()));
        let ready = ready.collect();
        if rung {
            let _ = self.bell.read(&mut [0; 64]);
        }
        ready
    }

    /// Does what the owner wants; whether there still is one.
    fn obey(&mut self) -> bool {
        loop {
            match self.orders.try_recv() {
                Ok((Order::Stop, _)) | Err(TryRecvError::Disconnected) => return false,
                Ok((order, done)) => {
                    self.follow(order);
                    // Dropped when done, which wakes the one who waits.
                    drop(done);
                }
                Err(TryRecvError::Empty) => return true,
            }
        }
    }

    fn follow(&mut self, order: Order) {
        let shared = Arc::clone(&self.shared);
        let mut traffic = shared.lock();
        let now = Instant::now();
        match order {
            Order::Arm(number, rule) => {
                if let Some((_, link)) = self.links.iter_mut().find(|(other, _)| *other == number) {
                    link.arm(rule);
                    link.run(
                        PollFlags::empty(),
                        PollFlags::empty(),
                        &mut [],
                        &mut traffic,
                        now,
                    );
                }
            }
            Order::Act(number, way, action) => {
                let links = self.links.iter_mut();
                for (_, link) in links.filter(|(other, _)| number.is_none_or(|n| n == *other)) {
                    if action.is_of_a_frame() {
                        link.arm(Rule::new(At::now(way), action.clone()));
                    } else {
                        link.act(way, action.clone(), &mut traffic, now);
                    }
                    link.run(
                        PollFlags::empty(),
                        PollFlags::empty(),
                        &mut [],
                        &mut traffic,
                        now,
                    );
                }
            }
            Order::Script(script) => self.script = script,
            Order::Server(server) => self.server = server,
            Order::Stop => {}
        }
    }

    fn accept(&mut self, traffic: &mut Traffic, now: Instant) {
        while let Ok((client, _)) = self.listener.accept() {
            let number = traffic.accept(now);
            let link = Link::open(number, client, self.server, self.buffers, traffic, now);
            let Ok(mut link) = link else { continue };
            for rule in &self.script {
                link.arm(rule.clone());
            }
            link.run(
                PollFlags::empty(),
                PollFlags::empty(),
                &mut [],
                traffic,
                now,
            );
            self.links.push((number, link));
        }
    }
}

/// Nobody waits longer for a proxy to do as told.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
