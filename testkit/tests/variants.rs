//! Every variant is found or installed, starts and is what it claims to be.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::thread;

use respec_testkit::{Server, Variant, shared};

#[test]
fn every_variant_starts_and_reports_its_version() {
    for (variant, version) in [
        (Variant::Redis70, "7.0."),
        (Variant::Redis82, "8.2."),
        (Variant::Valkey91, "9.1."),
    ] {
        let server = Server::start(variant).unwrap();
        assert!(server.version().starts_with(version), "{server:?}");
        assert_eq!(server.version(), server.installation().version());
        assert_eq!(server.variant(), variant);
        assert_eq!(
            server.command(&[b"SET", b"k", b"a\r\nb"]).unwrap(),
            b"+OK\r\n"
        );
        assert_eq!(
            server.command(&[b"GET", b"k"]).unwrap(),
            b"$4\r\na\r\nb\r\n"
        );
        assert_eq!(
            server.command(&[b"DEBUG", b"SLEEP", b"0"]).unwrap(),
            b"+OK\r\n"
        );
        assert!(server.log().contains("Ready to accept connections"));
    }
}

#[test]
fn redis_82_has_its_modules() {
    let server = shared(Variant::Redis82);
    let list = text(server, &[b"MODULE", b"LIST"]);
    for module in ["ReJSON", "search", "timeseries", "bf", "vectorset"] {
        assert!(
            list.contains(&format!("\r\n{module}\r\n")),
            "{module} is not in {list}"
        );
    }
    assert_eq!(
        text(server, &[b"JSON.SET", b"modules:json", b"$", b"[1]"]),
        "+OK\r\n"
    );
    assert_eq!(text(server, &[b"FT._LIST"]), "*0\r\n");
    assert_eq!(
        text(server, &[b"TS.ADD", b"modules:ts", b"1000", b"2.5"]),
        ":1000\r\n"
    );
    assert_eq!(text(server, &[b"BF.ADD", b"modules:bf", b"x"]), ":1\r\n");
    let added = text(
        server,
        &[b"VADD", b"modules:v", b"VALUES", b"2", b"1", b"0", b"x"],
    );
    assert_eq!(added, ":1\r\n");
}

#[test]
fn modules_can_be_left_out() {
    let server = Server::builder(Variant::Redis82)
        .modules(false)
        .start()
        .unwrap();
    let list = text(&server, &[b"MODULE", b"LIST"]);
    assert!(
        list.contains("vectorset"),
        "vector sets are built in: {list}"
    );
    assert!(!list.contains("ReJSON"), "{list}");
}

#[test]
fn the_unix_socket_answers() {
    let server = shared(Variant::Valkey91);
    assert_eq!(
        server.unix_url(),
        format!("redis+unix://{}", server.socket_path().display())
    );
    let mut socket = UnixStream::connect(server.socket_path()).unwrap();
    socket.write_all(b"PING\r\n").unwrap();
    let mut pong = [0; 7];
    socket.read_exact(&mut pong).unwrap();
    assert_eq!(&pong, b"+PONG\r\n");
}

#[test]
fn the_shared_server_is_one_and_the_same() {
    let ports: Vec<_> = (0..4)
        .map(|_| thread::spawn(|| shared(Variant::Redis70).port()))
        .collect();
    let ports: Vec<_> = ports
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .collect();
    assert!(ports.iter().all(|port| *port == ports[0]), "{ports:?}");
}

fn text(server: &Server, command: &[&[u8]]) -> String {
    String::from_utf8(server.command(command).unwrap()).unwrap()
}
