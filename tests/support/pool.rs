//! What the tests of both clients' pools have in common.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses a part of it"
)]

use std::time::{Duration, Instant};

use respec::PoolStats;
use respec_testkit::Server;

/// How many callers there are for each connection of a crowded pool.
pub const CROWD: usize = 8;

/// What leaves a connection in another state than it had.
pub const CHANGES: [&str; 6] = [
    "MULTI",
    "WATCH pool:watched",
    "SELECT 1",
    "SUBSCRIBE pool:channel",
    "CLIENT SETNAME somebody",
    "FUTURE.CMD",
];

/// Numbers that look like chance and are the same in every run.
pub struct Numbers(u64);

impl Numbers {
    pub fn new(seed: usize) -> Self {
        Self(seed as u64 + 1)
    }

    /// One of the numbers below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

/// Asserts that every connection is accounted for when nobody uses the pool.
pub fn add_up(stats: PoolStats) {
    assert_eq!(
        stats.made,
        stats.open() as u64 + stats.closed(),
        "{stats:?}"
    );
    let in_use = (stats.in_use, stats.connecting, stats.waiting);
    assert_eq!(in_use, (0, 0, 0), "{stats:?}");
    assert!(stats.longest_wait <= stats.wait_time, "{stats:?}");
    assert!(stats.timed_out <= stats.waited, "{stats:?}");
}

/// Ends all connections to a server from its side, and waits until their ends have arrived.
pub fn kill_all(server: &Server) {
    let kill: [&[u8]; 4] = [b"CLIENT", b"KILL", b"TYPE", b"normal"];
    server.command(&kill).unwrap();
    // The kernel may deliver an end a little after it was sent. Nothing of the client runs meanwhile.
    let deadline = Instant::now() + Duration::from_secs(10);
    while is_connected(server.port()) {
        assert!(Instant::now() < deadline, "the ends have not arrived");
        std::thread::sleep(Duration::from_millis(1));
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
