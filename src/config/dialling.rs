//! How servers are found and reached, where that is not left to the system.

use std::{
    io,
    net::{SocketAddr, TcpStream},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use crate::address::Address;

/// What an async method of a [`Resolver`] or a [`Dialler`] returns.
pub type Dialling<'d, T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send + 'd>>;

/// Finds the addresses of servers, in place of the resolver of the system.
///
/// It is asked at every dial, since names move; all addresses are tried, and connections are left when
/// none of those that a name had before is among them. It is not asked about what is an address already,
/// and not by a [`Dialler`].
///
/// ```
/// use std::{
///     io,
///     net::{Ipv4Addr, SocketAddr},
/// };
///
/// use respec::{Config, Resolver};
///
/// /// Finds everything here.
/// struct Local;
///
/// impl Resolver for Local {
///     fn resolve(&self, _host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
///         Ok(vec![(Ipv4Addr::LOCALHOST, port).into()])
///     }
/// }
///
/// let config = Config::from_url("redis://cache.internal")?.resolver(Local);
/// # Ok::<(), respec::Error>(())
/// ```
pub trait Resolver: Send + Sync {
    /// The addresses of a host, in the order in which they shall be tried.
    ///
    /// It may block: both clients call it in a thread of its own, and no longer wait for it when the time
    /// to connect is over.
    ///
    /// # Errors
    ///
    /// The name is unknown, or no name server has answered. The text of the error is told to callers.
    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;

    /// The same for the async client, which prefers it where there is one. It is dropped when the time to
    /// connect is over.
    fn resolve_async<'d>(
        &'d self,
        host: &'d str,
        port: u16,
    ) -> Option<Dialling<'d, Vec<SocketAddr>>> {
        let _ = (host, port);
        None
    }
}

/// Makes the sockets to servers: through a proxy, by way of a mesh, from an interface of one's own.
///
/// ```
/// use std::{
///     io,
///     net::{TcpStream, ToSocketAddrs},
///     time::Duration,
/// };
///
/// use respec::{Address, Config, Dialler, Socket};
///
/// /// Reaches every server by way of one address.
/// struct Tunnel(String);
///
/// impl Dialler for Tunnel {
///     fn dial(&self, _server: &Address, allowed: Duration) -> io::Result<Socket> {
///         let mut addresses = self.0.to_socket_addrs()?;
///         let address = addresses.next().ok_or(io::ErrorKind::NotFound)?;
///         Ok(TcpStream::connect_timeout(&address, allowed)?.into())
///     }
/// }
///
/// let config = Config::from_url("redis://cache.internal")?.dialler(Tunnel("127.0.0.1:7000".into()));
/// # Ok::<(), respec::Error>(())
/// ```
pub trait Dialler: Send + Sync {
    /// A socket that leads to a server; of a cluster to one of its nodes, at the address that the nodes
    /// announce.
    ///
    /// It may block: both clients call it in a thread of its own, and no longer wait for it when the time
    /// that is `allowed` is over. The options of TCP that the [`Config`](crate::Config) names are set
    /// afterwards.
    ///
    /// # Errors
    ///
    /// There is no way to the server. The text of the error is told to callers.
    fn dial(&self, server: &Address, allowed: Duration) -> io::Result<Socket>;

    /// The same for the async client, which prefers it where there is one. It is dropped when the time to
    /// connect is over.
    fn dial_async<'d>(&'d self, server: &'d Address) -> Option<Dialling<'d, Socket>> {
        let _ = server;
        None
    }
}

impl<R: Resolver + ?Sized> Resolver for Arc<R> {
    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        (**self).resolve(host, port)
    }

    fn resolve_async<'d>(
        &'d self,
        host: &'d str,
        port: u16,
    ) -> Option<Dialling<'d, Vec<SocketAddr>>> {
        (**self).resolve_async(host, port)
    }
}

impl<D: Dialler + ?Sized> Dialler for Arc<D> {
    fn dial(&self, server: &Address, allowed: Duration) -> io::Result<Socket> {
        (**self).dial(server, allowed)
    }

    fn dial_async<'d>(&'d self, server: &'d Address) -> Option<Dialling<'d, Socket>> {
        (**self).dial_async(server)
    }
}

/// A connected socket that a [`Dialler`] has made.
///
/// It is made of a `TcpStream` or a `UnixStream` of the standard library. A stream of tokio has
/// `into_std`; and what is no socket is joined to one end of `UnixStream::pair` by whoever moves the bytes.
#[derive(Debug)]
pub struct Socket(pub(crate) SocketKind);

#[derive(Debug)]
pub(crate) enum SocketKind {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixStream),
}

impl From<TcpStream> for Socket {
    fn from(stream: TcpStream) -> Self {
        Self(SocketKind::Tcp(stream))
    }
}

#[cfg(unix)]
impl From<std::os::unix::net::UnixStream> for Socket {
    fn from(stream: std::os::unix::net::UnixStream) -> Self {
        Self(SocketKind::Unix(stream))
    }
}
