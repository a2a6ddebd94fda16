//! How TCP sockets are set up, whoever drives them.

use std::{io, time::Duration};

use socket2::{SockRef, TcpKeepalive};

use crate::config::TcpOptions;

/// Applies the options of a config to a connected socket.
pub(crate) fn set_up(socket: SockRef<'_>, options: &TcpOptions) -> io::Result<()> {
    socket.set_tcp_nodelay(options.nodelay)?;
    if let Some(idle) = options.keepalive {
        // Linux counts in seconds from 1 to 32767 and refuses anything else.
        let seconds = idle
            .as_secs()
            .saturating_add(u64::from(idle.subsec_nanos() > 0));
        let keepalive = TcpKeepalive::new()
            .with_time(Duration::from_secs(seconds.clamp(1, 32767)))
            .with_interval(KEEPALIVE_INTERVAL)
            .with_retries(KEEPALIVE_RETRIES);
        socket.set_tcp_keepalive(&keepalive)?;
    }
    // And this one in milliseconds up to 31 bits, where 0 would be the default of the system.
    let user_timeout = options
        .user_timeout
        .map(|timeout| timeout.clamp(Duration::from_millis(1), Duration::from_millis(0x7fff_ffff)));
    set_user_timeout(&socket, user_timeout)
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

const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);
const KEEPALIVE_RETRIES: u32 = 3;

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn every_time_that_a_config_can_hold_is_accepted_by_the_system() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        for time in [
            Duration::from_nanos(1),
            Duration::from_millis(1500),
            Duration::MAX,
        ] {
            let options = TcpOptions {
                nodelay: true,
                keepalive: Some(time),
                user_timeout: Some(time),
            };
            set_up(SockRef::from(&stream), &options).unwrap();
        }
        assert!(stream.nodelay().unwrap());
        assert!(SockRef::from(&stream).keepalive().unwrap());
    }
}
