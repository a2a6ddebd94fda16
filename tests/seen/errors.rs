//! What the message of each kind of error names: the server, the phase, and after how long.

use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
    time::Duration,
};

use respec::{Config, Error, ErrorKind, Phase, Result, Value, command::raw};
use respec_testkit::{Action, At, Cluster, Proxy, Rule, Server, Variant, Way};

use crate::{Caller, RUNTIME};

/// One row of the table: how an error comes about, its kind, and what its message names.
struct Row {
    what: &'static str,
    kind: ErrorKind,
    named: Vec<String>,
    got: Vec<(&'static str, Error)>,
}

/// How long what times out may take; long enough for all else.
const LIMIT: Duration = Duration::from_millis(400);

/// The errors of both clients with these settings, each of a call that is made there.
fn of_both(config: &Config, call: impl Fn(&Caller) -> Result<Value>) -> Vec<(&'static str, Error)> {
    let both = Caller::both(config).into_iter();
    both.map(|(name, caller)| (name, call(&caller).unwrap_err()))
        .collect()
}

fn get(caller: &Caller) -> Result<Value> {
    caller.call(raw("GET").key("errors:a"))
}

fn local(port: u16) -> Config {
    Config::tcp("127.0.0.1", port)
}

/// A server that answers whatever it is sent with the next of these, again and again.
fn scripted(answers: &'static [&'static [u8]]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let mut bytes = [0; 4096];
                for answer in answers {
                    if !stream.read(&mut bytes).is_ok_and(|length| length > 0) {
                        return;
                    }
                    let _ = stream.write_all(answer);
                }
            });
        }
    });
    port
}

#[test]
fn messages_name_the_server_the_phase_and_the_time() {
    let server = Server::start(Variant::Redis70).unwrap();
    let address = server.addr().to_string();
    let config = local(server.port()).response_timeout(LIMIT);
    let mut table = Vec::new();
    let mut row = |what, kind, named: &[&str], got| {
        let named = named.iter().map(|it| (*it).to_owned()).collect();
        table.push(Row {
            what,
            kind,
            named,
            got,
        });
    };

    // What the server says.
    let call = |caller: &Caller| {
        caller.call(raw("SET").key("errors:a").arg("x"))?;
        caller.call(raw("LPUSH").key("errors:a").arg("x"))
    };
    let got = of_both(&config, call);
    row(
        "an error reply",
        ErrorKind::Server,
        &["LPUSH", "WRONGTYPE"],
        got,
    );
    let cluster = Cluster::shared(Variant::Redis70);
    let node = &cluster.nodes()[0];
    let call = |caller: &Caller| {
        (0..64).try_fold(Value::Nil, |_, at| {
            caller.call(raw("GET").key(format!("errors:{at}")))
        })
    };
    let got = of_both(&local(node.addr().port()), call);
    row(
        "one server, at a cluster",
        ErrorKind::Server,
        &["MOVED", "redis-cluster"],
        got,
    );
    let other = format!("redis-cluster://{address}?response_timeout=400ms");
    let got = of_both(&Config::from_url(&other).unwrap(), get);
    row(
        "a cluster, at one server",
        ErrorKind::Server,
        &["the scheme redis"],
        got,
    );

    // Connecting.
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let got = of_both(&local(free.port()).response_timeout(LIMIT), get);
    row(
        "nobody listens",
        ErrorKind::Connect,
        &[&free.to_string(), "refused"],
        got,
    );
    let got = of_both(&config.clone().username("nobody").password("wrong"), get);
    row("a wrong password", ErrorKind::Connect, &[&address], got);
    let port = scripted(&[b"HTTP/1.1 400 Bad Request\r\n\r\n"]);
    let got = of_both(&local(port).response_timeout(LIMIT), get);
    let peer = format!("127.0.0.1:{port}");
    row(
        "a peer that speaks something else",
        ErrorKind::Connect,
        &[&peer, "RESP"],
        got,
    );
    let port = scripted(&[b"-ERR max number of clients reached\r\n"]);
    let got = of_both(&local(port).response_timeout(LIMIT), get);
    let peer = format!("127.0.0.1:{port}");
    row(
        "a full server",
        ErrorKind::Connect,
        &[&peer, "maxclients"],
        got,
    );
    let proxy = Proxy::start(server.addr()).unwrap();
    proxy.script([Rule::new(At::now(Way::Requests), Action::StopReading)]);
    let silent = format!("127.0.0.1:{}", proxy.port());
    let connect = ErrorKind::Timeout(Phase::Connect);
    let got = of_both(&local(proxy.port()).connect_timeout(LIMIT), get);
    row(
        "a peer that does not greet",
        connect,
        &["connecting", &silent, "400ms"],
        got,
    );
    let got = of_both(&local(proxy.port()).response_timeout(LIMIT), get);
    row(
        "the same, and calls have less time",
        connect,
        &["connecting", &silent, "ms"],
        got,
    );
    let other = format!("redis-cluster://{silent}?response_timeout=400ms&connect_timeout=9s");
    let got = of_both(&Config::from_url(&other).unwrap(), get);
    let got = got
        .into_iter()
        .filter(|(_, error)| error.phase() == Some(Phase::Connect))
        .collect();
    row(
        "nobody tells the topology",
        connect,
        &["connecting", &silent, "400ms"],
        got,
    );

    // Waiting for a turn.
    let queue = ErrorKind::Timeout(Phase::Queue);
    let full = config.clone().pool_max(1).pool_wait(LIMIT / 2);
    let call = |caller: &Caller| {
        let pop = || caller.call(raw("BLPOP").key("errors:none").arg(1));
        match caller {
            Caller::Async(client) => {
                let _own = RUNTIME.block_on(client.dedicated())?;
                pop()
            }
            Caller::Blocking(client) => {
                let _own = client.dedicated()?;
                pop()
            }
        }
    };
    let got = of_both(&full, call);
    let named = ["in the queue", &*address, "200ms", "pool_max", "pool_wait"];
    row("a pool in which everything is used", queue, &named, got);

    // Writing, and waiting for the reply; on connections that there are.
    let large = vec![b'v'; 16 << 20];
    let both = Caller::both(&config);
    for (_, caller) in &both {
        get(caller).unwrap();
    }
    server.pause().unwrap();
    let got = both
        .iter()
        .map(|(name, caller)| (*name, get(caller).unwrap_err()))
        .collect();
    let reply = ErrorKind::Timeout(Phase::Reply);
    row(
        "no reply",
        reply,
        &["GET", "waiting for the reply", &address, "400ms"],
        got,
    );
    server.resume().unwrap();
    for (_, caller) in &both {
        get(caller).unwrap();
    }
    server.pause().unwrap();
    let set = |caller: &Caller| caller.call(raw("ECHO").arg(&large)).unwrap_err();
    let errors: Vec<_> = both
        .iter()
        .map(|(name, caller)| (*name, set(caller)))
        .collect();
    for (name, error) in errors {
        // Of what was written in part the reply may come, for all that is known.
        let phase = error.phase().unwrap();
        assert!(
            matches!(phase, Phase::Write | Phase::Reply),
            "{name}: {error}"
        );
        let kind = ErrorKind::Timeout(phase);
        row(
            "a request that is not taken",
            kind,
            &["ECHO", &address, "within ", "ms"],
            vec![(name, error)],
        );
    }
    server.resume().unwrap();

    // The end of a connection.
    let port = scripted(&[
        b"-ERR unknown command 'HELLO'\r\n",
        b"+OK\r\n+OK\r\n+OK\r\n",
        b"*x\r\n",
    ]);
    let odd = local(port).response_timeout(LIMIT);
    let peer = format!("127.0.0.1:{port}");
    let got = of_both(&odd, |caller| caller.call(raw("INCR").key("errors:n")));
    row(
        "bytes that are no RESP",
        ErrorKind::Protocol,
        &["INCR", &peer],
        got,
    );
    let both = Caller::both(&config);
    for (_, caller) in &both {
        get(caller).unwrap();
    }
    let blocked = thread::scope(|scope| {
        let pops = both.iter().map(|(name, caller)| {
            scope.spawn(move || {
                (
                    *name,
                    caller
                        .call(raw("BLPOP").key("errors:none").arg(0))
                        .unwrap_err(),
                )
            })
        });
        let pops: Vec<_> = pops.collect();
        let waits = || {
            let list = server.command(&[b"CLIENT", b"LIST"]).unwrap();
            String::from_utf8_lossy(&list).matches("cmd=blpop").count() == 2
        };
        while !waits() {
            thread::sleep(Duration::from_millis(5));
        }
        server.kill().unwrap();
        pops.into_iter().map(|it| it.join().unwrap()).collect()
    });
    row(
        "a connection that is lost",
        ErrorKind::Connection,
        &["BLPOP", &address],
        blocked,
    );

    for row in table {
        println!("| {} | {:?} |", row.what, row.kind);
        assert!(!row.got.is_empty(), "{}", row.what);
        for (name, error) in row.got {
            let text = error.to_string();
            println!("|   {name} | {text} |");
            assert_eq!(error.kind(), row.kind, "{}, {name}: {text}", row.what);
            for part in &row.named {
                assert!(
                    text.contains(part),
                    "{}, {name}: expected {part:?} in {text}",
                    row.what
                );
            }
        }
    }
}
