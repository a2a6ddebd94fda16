//! Ends of connections that have arrived when the next call begins.

use respec_testkit::{
    Proxy,
    proxy::{Action, Way},
};

/// Ends all connections of a proxy now, and waits until the client's kernel knows.
pub(crate) fn cut_all(proxy: &Proxy, end: Action) {
    proxy.act(Way::Replies, end);
    // Under load the kernel delivers an end a little after it was sent.
    crate::support::until("the ends have arrived", || !is_connected(proxy.port()));
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
