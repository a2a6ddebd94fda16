//! What real servers say about themselves, read with the modules of this folder.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use respec_testkit::{Server, Variant};

use super::{attempt::Next, plan::Plan, settings::CallSettings};
use crate::{
    cluster::{ClusterState, Event, NodeAddress, Options, Query},
    command::Info,
    resp::{Frame, Limits, Scanner, Writer},
};

/// A connection that sends words and waits for frames.
struct Connection {
    socket: TcpStream,
    input: Vec<u8>,
}

impl Connection {
    fn new(to: SocketAddr) -> Self {
        let socket = TcpStream::connect(to).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        Self {
            socket,
            input: Vec::new(),
        }
    }

    fn ask(&mut self, words: &str) -> Frame {
        let mut out = BytesMut::new();
        Writer::command(&mut out, |to| {
            words.split(' ').for_each(|word| to.word(word.as_bytes()));
        })
        .unwrap();
        self.socket.write_all(&out).unwrap();
        loop {
            if let Some(length) = Scanner::new(Limits::default()).scan(&self.input).unwrap() {
                let frame: Vec<u8> = self.input.drain(..length).collect();
                return Frame::parse(Bytes::from(frame)).unwrap();
            }
            let mut chunk = [0; 4096];
            let length = self.socket.read(&mut chunk).unwrap();
            assert_ne!(length, 0, "the server closed the connection");
            self.input.extend_from_slice(&chunk[..length]);
        }
    }
}

/// A cluster of one node that serves all slots but the first hundred.
fn lonely(variant: Variant) -> Server {
    let bus = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let bus_port = bus.local_addr().unwrap().port();
    drop(bus);
    let server = Server::builder(variant)
        .modules(false)
        .config("cluster-enabled", "yes")
        .config("cluster-port", bus_port.to_string())
        .config("cluster-require-full-coverage", "no")
        .start()
        .unwrap();
    let mut connection = Connection::new(server.addr());
    let added = connection.ask("CLUSTER ADDSLOTSRANGE 100 16383");
    assert_eq!(added.reply().bytes(), Some(&b"OK"[..]));
    let deadline = Instant::now() + Duration::from_secs(20);
    while !connection
        .ask("CLUSTER INFO")
        .reply()
        .bytes()
        .unwrap()
        .starts_with(b"cluster_state:ok")
    {
        assert!(
            Instant::now() < deadline,
            "{variant}: the cluster is not ok"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    server
}

#[test]
fn a_router_finds_its_way_on_real_servers() {
    for variant in Variant::ALL {
        let server = lonely(variant);
        for hello in ["HELLO 2", "HELLO 3"] {
            for query in [Query::Shards, Query::Slots] {
                let mut connection = Connection::new(server.addr());
                assert!(!connection.ask(hello).is_error());
                route(&mut connection, server.addr(), query);
            }
        }
    }
}

/// Makes a state of the node's answer and sends a few commands where it says.
fn route(connection: &mut Connection, address: SocketAddr, query: Query) {
    let now = Instant::now();
    let seed = NodeAddress::new("127.0.0.1", address.port());
    let mut state = ClusterState::new(vec![seed.clone()], Options::default(), now);
    state.ask_by(query);
    let Some(Event::Ask(ask, _, asked)) = state.poll_event(now, 0) else {
        panic!("expected a question");
    };
    assert_eq!(asked, query);
    let frame = connection.ask(query.info().name);
    state.topology(ask, frame.reply(), now, 0);
    assert!(state.is_ready(), "{:?}", state.unknown(None));
    let nodes: Vec<_> = state.known_nodes().collect();
    assert_eq!(nodes.len(), 1);
    assert_eq!(state.node(nodes[0]).unwrap().address, seed);

    let options = CallSettings::until(Some(now + Duration::from_secs(5)));
    let mut send = |words: &str| {
        let info = Info::of(words.split(' ').next().unwrap()).unwrap();
        let mut command = BytesMut::new();
        let mut keys = Vec::new();
        Writer::command_with_keys(&mut command, &mut keys, |to| {
            for word in words.split(' ') {
                match word.strip_prefix('@') {
                    Some(key) => to.key(key.as_bytes()),
                    None => to.word(word.as_bytes()),
                }
            }
        })
        .unwrap();
        let Plan::One(mut call) = state.plan(info, &command, &keys, &options, now, 0).unwrap()
        else {
            panic!("expected one node");
        };
        assert_eq!(call.node(), nodes[0]);
        let frame = connection.ask(&words.replace('@', ""));
        match frame.reply().as_error() {
            None => "a reply".to_owned(),
            Some(error) => match call.refused(&mut state, error, now, 0) {
                Next::Answer => "an answer".to_owned(),
                Next::Wait(_) => call.into_trouble().code().unwrap_or_default().to_owned(),
                other => panic!("{other:?}"),
            },
        }
    };
    assert_eq!(send("SET @foo 1"), "a reply");
    assert_eq!(send("LPUSH @foo 1"), "an answer");
    // The slot of this key, 56, is nobody's.
    assert_eq!(send("SET @{aG} 1"), "CLUSTERDOWN");
}
