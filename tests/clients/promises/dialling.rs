//! How servers are found and reached, where that is not left to the system.

use std::{
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use respec::{
    Address, CallOptions, Config, Dialler, ErrorKind, Phase, Resolver, Socket, prelude::*,
};
use respec_testkit::{Server, Variant};

use super::{Client, PROTOCOLS};
use crate::{clusters, until, words::words};

/// A table of names, which tests change.
#[derive(Clone, Default)]
struct Names {
    known: Arc<Mutex<Vec<SocketAddr>>>,
    asked: Arc<AtomicUsize>,
}

impl Names {
    fn of(addresses: impl IntoIterator<Item = SocketAddr>) -> Self {
        let names = Self::default();
        names.set(addresses);
        names
    }

    fn set(&self, addresses: impl IntoIterator<Item = SocketAddr>) {
        *self.known.lock().unwrap() = addresses.into_iter().collect();
    }
}

impl Resolver for Names {
    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        assert_eq!((host, port), ("cache.internal", 6379));
        self.asked.fetch_add(1, Ordering::SeqCst);
        match &**self.known.lock().unwrap() {
            [] => Err(io::Error::other("no such name")),
            known => Ok(known.to_vec()),
        }
    }
}

/// Two servers, which say who they are, and the settings for whichever the name leads to.
struct Pair {
    servers: [Server; 2],
    names: Names,
    config: Config,
}

impl Pair {
    fn start(variant: Variant) -> Self {
        let servers = ["first", "second"].map(|name| {
            let server = Server::start(variant).unwrap();
            server.command(&[b"SET", b"name", name.as_bytes()]).unwrap();
            server
        });
        let names = Names::of([servers[0].addr()]);
        let config = Config::tcp("cache.internal", 6379).resolver(names.clone());
        Self {
            servers,
            names,
            config,
        }
    }
}

async fn name(client: &Client) -> String {
    reply!(client.get("name").decode::<String>()).unwrap()
}

/// An address of this machine where nobody listens.
fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn f25_a_name_is_resolved_at_every_dial() {
    for variant in Variant::ALL {
        let pair = Pair::start(variant);
        for protocol in PROTOCOLS {
            let client = Client::from_config(pair.config.clone().protocol(protocol));
            assert_eq!(name(&client).await, "first");
            // Connections are not left for a name that leads elsewhere, as long as the client does not dial.
            pair.names.set([pair.servers[1].addr()]);
            assert_eq!(name(&client).await, "first");
            pair.servers[0]
                .command(&[b"CLIENT", b"KILL", b"SKIPME", b"yes"])
                .unwrap();
            let second = async || name(&client).await == "second";
            until("the name is followed", second).await;
            drop(done!(client.dedicated()).unwrap());
            assert_eq!(name(&client).await, "second");
            pair.names.set([pair.servers[0].addr()]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f25_an_address_that_a_name_no_longer_has_is_left_within_the_lifetime_of_connections() {
    for variant in Variant::ALL {
        let pair = Pair::start(variant);
        let lifetime = Duration::from_millis(50);
        let client = Client::from_config(pair.config.clone().pool_lifetime(lifetime));
        assert_eq!(name(&client).await, "first");
        pair.names.set([pair.servers[1].addr()]);
        let second = async || name(&client).await == "second";
        until("the old address is left", second).await;
        // A connection that is made for one caller shows it to all.
        let config = pair.config.clone().pool_lifetime(None);
        let client = Client::from_config(config);
        assert_eq!(name(&client).await, "second");
        pair.names.set([pair.servers[0].addr()]);
        let one = done!(client.dedicated()).unwrap();
        let other = done!(client.dedicated()).unwrap();
        drop((one, other));
        let first = async || name(&client).await == "first";
        until("the old address is left by all", first).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f25_all_addresses_of_a_name_are_tried_and_one_that_is_unknown_is_asked_for_again() {
    for variant in Variant::ALL {
        let pair = Pair::start(variant);
        let port = pair.servers[0].port();
        let elsewhere = SocketAddr::from(([127, 0, 0, 9], port));
        pair.names
            .set([nobody(), elsewhere, pair.servers[0].addr()]);
        let client = Client::from_config(pair.config.clone());
        assert_eq!(name(&client).await, "first");

        pair.names.set([]);
        let client = Client::from_config(pair.config.clone());
        let hurried = client.with(CallOptions::new().timeout(Duration::from_millis(200)));
        let error = reply!(hurried.get("name")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
        let text = error.to_string();
        assert!(
            text.contains("cache.internal") && text.contains("no such name"),
            "{text}"
        );
        pair.names.set([pair.servers[1].addr()]);
        assert_eq!(name(&client).await, "second");
    }
}

/// Never answers.
struct Mute;

impl Resolver for Mute {
    fn resolve(&self, _: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        thread::sleep(Duration::from_secs(2));
        Ok(Vec::new())
    }
}

impl Dialler for Mute {
    fn dial(&self, _: &Address, _: Duration) -> io::Result<Socket> {
        thread::sleep(Duration::from_secs(2));
        Err(io::ErrorKind::TimedOut.into())
    }
}

/// Panics, as code of others may.
struct Broken;

impl Resolver for Broken {
    fn resolve(&self, _: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        panic!("the resolver of a test")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_answer_in_time_is_not_waited_for() {
    let config = Config::tcp("cache.internal", 6379)
        .connect_timeout(Duration::from_millis(50))
        .response_timeout(Duration::from_millis(200));
    for config in [config.clone().resolver(Mute), config.clone().dialler(Mute)] {
        let error = done!(Client::from_config(config).send(words("PING"))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout(Phase::Connect), "{error}");
        assert!(error.to_string().contains("cache.internal:6379"), "{error}");
    }
    let config = config.resolver(Broken);
    let error = done!(Client::from_config(config).send(words("PING"))).unwrap_err();
    assert!(
        error.is_retryable() && error.to_string().contains("cache.internal"),
        "{error}"
    );
}

/// Reaches whatever it is asked for at one address, by way of a pair of sockets and two threads.
#[derive(Clone)]
struct Tunnel {
    to: Option<SocketAddr>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Dialler for Tunnel {
    fn dial(&self, server: &Address, allowed: Duration) -> io::Result<Socket> {
        let server = server.to_string();
        let to = match self.to {
            Some(to) => to,
            None => server.parse().map_err(io::Error::other)?,
        };
        self.asked.lock().unwrap().push(server);
        let out = TcpStream::connect_timeout(&to, allowed)?;
        let (near, far) = std::os::unix::net::UnixStream::pair()?;
        let (mut out_reads, mut far_reads) = (out.try_clone()?, far.try_clone()?);
        let (mut out, mut far) = (out, far);
        thread::spawn(move || {
            let _ = io::copy(&mut far_reads, &mut out);
            let _ = out.shutdown(std::net::Shutdown::Both);
        });
        thread::spawn(move || {
            let _ = io::copy(&mut out_reads, &mut far);
            let _ = far.shutdown(std::net::Shutdown::Both);
        });
        Ok(near.into())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_go_by_way_of_a_dialler() {
    for variant in Variant::ALL {
        let server = respec_testkit::shared(variant);
        for protocol in PROTOCOLS {
            let asked = Arc::default();
            let tunnel = Tunnel {
                to: Some(server.addr()),
                asked: Arc::clone(&asked),
            };
            let config = Config::tcp("cache.internal", 6379).protocol(protocol);
            let client = Client::from_config(config.dialler(tunnel));
            let large = "x".repeat(3 << 20);
            reply!(client.set("dialling:large", &large)).unwrap();
            let read = reply!(client.get("dialling:large")).unwrap().unwrap();
            assert!(read == large.as_bytes(), "{variant:?}");
            let own = done!(client.dedicated()).unwrap();
            assert_eq!(done!(own.send(words("PING"))).unwrap(), "PONG");
            reply!(client.del("dialling:large")).unwrap();
            let asked = asked.lock().unwrap();
            assert!(asked.iter().all(|server| server == "cache.internal:6379"));
            assert!(!asked.is_empty());
        }
    }
    for (url, name) in clusters::urls() {
        let asked = Arc::default();
        let tunnel = Tunnel {
            to: None,
            asked: Arc::clone(&asked),
        };
        let config = Config::from_url(&url).unwrap().dialler(tunnel);
        let client = Client::from_config(config);
        for key in 0..64 {
            let key = format!("dialling:{key}");
            reply!(client.set(&key, "v")).unwrap();
            assert_eq!(reply!(client.getdel(&key)).unwrap().unwrap(), "v", "{name}");
        }
        let mut asked = asked.lock().unwrap().clone();
        asked.sort_unstable();
        asked.dedup();
        assert!(asked.len() >= 3, "{name}: {asked:?}");
    }
}

#[test]
fn objects_print_by_the_names_of_their_types_and_are_no_part_of_a_url() {
    let config = Config::tcp("cache.internal", 6379)
        .resolver(Mute)
        .dialler(Mute);
    let printed = format!("{config:?}");
    assert!(printed.contains("Mute"), "{printed}");
    assert_eq!(config.to_string(), "redis://cache.internal");
    assert!(config == config.clone() && config != Config::tcp("cache.internal", 6379));
    assert!(config.settings().resolver().is_some() && config.settings().dialler().is_some());
}
