//! How TCP sockets are set up, and sockets looked at, whoever drives them.

use std::{io, mem::MaybeUninit, time::Duration};

use socket2::{SockRef, TcpKeepalive};

use crate::{
    config::{Config, KEEPALIVE_INTERVAL, KEEPALIVE_PROBES},
    link::Seen,
};

/// Applies the options of a config to a connected socket.
pub(crate) fn set_up(socket: SockRef<'_>, config: &Config) -> io::Result<()> {
    socket.set_tcp_nodelay(config.tcp.nodelay)?;
    if let Some(idle) = config.tcp.keepalive {
        // Linux counts in seconds from 1 to 32767 and refuses anything else.
        let seconds = idle
            .as_secs()
            .saturating_add(u64::from(idle.subsec_nanos() > 0));
        let keepalive = TcpKeepalive::new()
            .with_time(Duration::from_secs(seconds.clamp(1, 32767)))
            .with_interval(KEEPALIVE_INTERVAL)
            .with_retries(KEEPALIVE_PROBES);
        socket.set_tcp_keepalive(&keepalive)?;
    }
    // And this one in milliseconds up to 31 bits, where 0 would be the default of the system.
    let user_timeout = config
        .user_timeout()
        .map(|timeout| timeout.clamp(Duration::from_millis(1), Duration::from_millis(0x7fff_ffff)));
    set_user_timeout(&socket, user_timeout)
}

/// What there is to be read from a socket.
///
/// It looks without waiting, whether the socket blocks or not, in one call to the system where there
/// is one for that.
#[cfg(feature = "blocking")]
pub(crate) fn look(socket: &SockRef<'_>) -> Seen {
    seen(peek(socket))
}

/// The same of a socket that never waits.
#[cfg(feature = "async")]
pub(crate) fn look_nonblocking(socket: &SockRef<'_>) -> Seen {
    seen(socket.peek(&mut [MaybeUninit::uninit()]))
}

fn seen(peeked: io::Result<usize>) -> Seen {
    match peeked {
        Ok(0) => Seen::End,
        Ok(_) => Seen::Bytes,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Seen::Nothing,
        Err(_) => Seen::End,
    }
}

#[cfg(all(feature = "blocking", unix))]
fn peek(socket: &SockRef<'_>) -> io::Result<usize> {
    socket.recv_with_flags(
        &mut [MaybeUninit::uninit()],
        libc::MSG_PEEK | libc::MSG_DONTWAIT,
    )
}

/// Elsewhere a look can only be told not to wait by the socket.
#[cfg(all(feature = "blocking", not(unix)))]
fn peek(socket: &SockRef<'_>) -> io::Result<usize> {
    socket.set_nonblocking(true)?;
    let seen = socket.peek(&mut [MaybeUninit::uninit()]);
    socket.set_nonblocking(false)?;
    seen
}

#[cfg(target_os = "linux")]
fn set_user_timeout(socket: &SockRef<'_>, timeout: Option<Duration>) -> io::Result<()> {
    socket.set_tcp_user_timeout(timeout)
}

/// Other systems have no such option.
#[cfg(not(target_os = "linux"))]
fn set_user_timeout(_: &SockRef<'_>, _: Option<Duration>) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[cfg(feature = "blocking")]
    #[test]
    fn c10_a_look_tells_bytes_from_an_end_and_takes_nothing() {
        use std::io::{Read, Write};

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        // A peek that waits says when something has arrived.
        let arrives = |stream: &TcpStream| stream.peek(&mut [0]).unwrap();
        assert_eq!(look(&SockRef::from(&stream)), Seen::Nothing);
        peer.write_all(b"x").unwrap();
        arrives(&stream);
        assert_eq!(look(&SockRef::from(&stream)), Seen::Bytes);
        assert_eq!(stream.read(&mut [0; 8]).unwrap(), 1, "nothing was taken");
        assert_eq!(look(&SockRef::from(&stream)), Seen::Nothing);
        drop(peer);
        assert_eq!(arrives(&stream), 0);
        assert_eq!(look(&SockRef::from(&stream)), Seen::End);
    }

    #[test]
    fn every_time_that_a_config_can_hold_is_accepted_by_the_system() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        for time in [
            Duration::from_nanos(1),
            Duration::from_millis(1500),
            Duration::MAX,
        ] {
            let config = Config::default().tcp_keepalive(time).tcp_user_timeout(time);
            set_up(SockRef::from(&stream), &config).unwrap();
        }
        assert!(stream.nodelay().unwrap());
        assert!(SockRef::from(&stream).keepalive().unwrap());
    }
}
