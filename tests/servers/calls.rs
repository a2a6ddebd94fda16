//! What becomes of calls, the same for both clients: what is tried again, what is not, and in what
//! order calls arrive.

use std::{
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use respec::{Client, Config, ErrorKind, Result, Value, blocking, cmd, prelude::*};
use respec_testkit::{Cluster, Server, Variant, shared};
use tokio::runtime::{Builder, Runtime};

/// One of both clients, which does the same.
enum Caller {
    Async(Runtime, Client),
    Blocking(blocking::Client),
}

/// Both clients of a server.
fn callers(url: &str) -> [Caller; 2] {
    let config: Config = url.parse().unwrap();
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    [
        Caller::Async(runtime, Client::from_config(config.clone())),
        Caller::Blocking(blocking::Client::from_config(config)),
    ]
}

impl Caller {
    fn name(&self) -> &'static str {
        match self {
            Self::Async(..) => "async",
            Self::Blocking(_) => "blocking",
        }
    }

    /// Sends one command, and waits for its reply.
    fn send(&self, words: &[&str]) -> Result<Value> {
        let (name, rest) = words.split_first().unwrap();
        let command = cmd::raw(*name).args(rest.iter().copied());
        match self {
            Self::Async(runtime, client) => runtime.block_on(client.send(command).into_future()),
            Self::Blocking(client) => client.send(command),
        }
    }

    /// Sends several commands in one pipeline.
    fn pipeline(&self, commands: &[Vec<&str>]) -> Result<Vec<Value>> {
        let commands = commands.iter().map(|words| {
            let (name, rest) = words.split_first().unwrap();
            cmd::raw(*name).args(rest.iter().copied())
        });
        let commands: Vec<_> = commands.collect();
        match self {
            Self::Async(runtime, client) => {
                runtime.block_on(client.pipeline(commands).into_future())
            }
            Self::Blocking(client) => client.pipeline(commands).send(),
        }
    }
}

/// A server that answers what it is told to, by the name of a command and how often it has come.
struct Scripted {
    address: SocketAddr,
    calls: Arc<AtomicUsize>,
}

type Script = dyn Fn(&str, usize) -> Option<String> + Send + Sync;

impl Scripted {
    /// Answers all commands but those that a handshake may have by `script`; without an answer the connection
    /// ends.
    fn start(script: impl Fn(&str, usize) -> Option<String> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        Self::on(listener, script)
    }

    fn on(
        listener: TcpListener,
        script: impl Fn(&str, usize) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let (calls, script) = (Arc::new(AtomicUsize::new(0)), Arc::new(script));
        let counted = Arc::clone(&calls);
        thread::spawn(move || {
            for socket in listener.incoming().map_while(std::io::Result::ok) {
                let (script, calls) = (Arc::clone(&script), Arc::clone(&counted));
                thread::spawn(move || serve(&socket, &*script, &calls));
            }
        });
        Self { address, calls }
    }

    fn url(&self, options: &str) -> String {
        format!("redis://{}?protocol=resp2&{options}", self.address)
    }

    /// How many commands have come since this was last asked.
    fn calls(&self) -> usize {
        self.calls.swap(0, Ordering::SeqCst)
    }
}

fn serve(socket: &TcpStream, script: &Script, calls: &AtomicUsize) {
    let mut input = BufReader::new(socket);
    while let Some(words) = command(&mut input) {
        let name = words[0].to_uppercase();
        let answer = match &*name {
            "CLIENT" | "SELECT" | "HELLO" | "AUTH" | "PING" => Some("+OK\r\n".to_owned()),
            _ => script(&name, calls.fetch_add(1, Ordering::SeqCst)),
        };
        let Some(answer) = answer else { return };
        let mut socket = socket;
        if socket.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// The words of the next command.
fn command(input: &mut impl BufRead) -> Option<Vec<String>> {
    let number = |input: &mut dyn BufRead| {
        let mut line = String::new();
        input.read_line(&mut line).ok()?;
        line.trim_end().get(1..)?.parse::<usize>().ok()
    };
    let count = number(input)?;
    (0..count)
        .map(|_| {
            let length = number(input)?;
            let mut word = vec![0; length + 2];
            input.read_exact(&mut word).ok()?;
            word.truncate(length);
            String::from_utf8(word).ok()
        })
        .collect()
}

#[test]
fn c09_what_was_not_executed_is_tried_again_and_not_too_often() {
    for refusal in [
        "LOADING is loading the dataset in memory",
        "READONLY You can't write against a read only replica.",
        "MASTERDOWN Link with MASTER is down",
        "NOREPLICAS Not enough good replicas to write.",
        "TRYAGAIN Multiple keys request during rehashing of slot",
        "CLUSTERDOWN The cluster is down",
    ] {
        let begin = Instant::now();
        let server = Scripted::start(move |_, _| {
            Some(match begin.elapsed() < Duration::from_millis(500) {
                true => format!("-{refusal}\r\n"),
                false => "+OK\r\n".to_owned(),
            })
        });
        for caller in callers(&server.url("response_timeout=20s")) {
            let begun = begin.elapsed();
            let what = format!("{} {refusal}", caller.name());
            caller.send(&["SET", "k", "v"]).unwrap_or_else(|error| {
                panic!("{what}: {error}");
            });
            let calls = server.calls();
            if begun < Duration::from_millis(100) {
                assert!((2..=12).contains(&calls), "{what}: {calls} tries");
            }
        }
    }
}

#[test]
fn c09_what_stays_refused_is_the_error_once_the_time_is_over() {
    let server = Scripted::start(|_, _| Some("-READONLY You can't write.\r\n".to_owned()));
    for caller in callers(&server.url("response_timeout=300ms")) {
        let begun = Instant::now();
        let error = caller.send(&["SET", "k", "v"]).unwrap_err();
        assert_eq!(error.code(), Some("READONLY"), "{}: {error}", caller.name());
        assert!(!error.may_have_executed(), "{}", caller.name());
        assert!(begun.elapsed() >= Duration::from_millis(200));
        let calls = server.calls();
        assert!((2..=8).contains(&calls), "{}: {calls} tries", caller.name());
    }
}

#[test]
fn f20_f22_what_will_not_pass_soon_is_the_answer_at_once() {
    for refusal in [
        "BUSY Redis is busy running a script.",
        "OOM command not allowed when used memory > 'maxmemory'.",
        "MISCONF Errors writing to the AOF file",
        "NOPERM this user has no permissions",
        "MOVED 1 127.0.0.1:7000",
    ] {
        let server = Scripted::start(move |_, _| Some(format!("-{refusal}\r\n")));
        for caller in callers(&server.url("response_timeout=20s")) {
            let error = caller.send(&["SET", "k", "v"]).unwrap_err();
            assert_eq!(error.code(), refusal.split(' ').next(), "{}", caller.name());
            assert_eq!(error.kind(), ErrorKind::Server);
            assert_eq!(server.calls(), 1, "{} {refusal}", caller.name());
        }
    }
}

#[test]
fn c09_reads_are_sent_again_after_a_loss_and_writes_are_not() {
    let server = Scripted::start(|name, at| match (name, at) {
        (_, 0) => None,
        _ => Some("+v\r\n".to_owned()),
    });
    for caller in callers(&server.url("response_timeout=20s")) {
        server.calls();
        let error = caller.send(&["SET", "k", "v"]).unwrap_err();
        assert!(
            error.may_have_executed() && error.is_connection(),
            "{error}"
        );
        assert_eq!(server.calls(), 1, "{}", caller.name());
        caller.send(&["GET", "k"]).unwrap();
        assert_eq!(server.calls(), 2, "{}", caller.name());
    }
}

#[test]
fn c09_a_call_ends_in_its_time_however_it_is_spent() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let nobody = listener.local_addr().unwrap();
    drop(listener);
    let mute = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    for address in [nobody, mute.local_addr().unwrap()] {
        for caller in callers(&format!("redis://{address}?response_timeout=300ms")) {
            let begun = Instant::now();
            let error = caller.send(&["INCR", "k"]).unwrap_err();
            assert!(
                matches!(error.kind(), ErrorKind::Connect | ErrorKind::Timeout(_)),
                "{}: {error:?}",
                caller.name()
            );
            assert!(!error.may_have_executed());
            let took = begun.elapsed();
            // Far less than the five seconds that connecting may take.
            assert!(took < Duration::from_secs(3), "{}: {took:?}", caller.name());
        }
    }
}

#[test]
fn c09_a_pipeline_keeps_what_was_answered_and_tries_the_rest_again() {
    let server = Scripted::start(|name, at| {
        Some(match (name, at) {
            ("GET", 0 | 1) => "-LOADING x\r\n".to_owned(),
            _ => format!(":{at}\r\n"),
        })
    });
    for caller in callers(&server.url("response_timeout=20s")) {
        server.calls();
        let replies = caller.pipeline(&[vec!["GET", "a"], vec!["GET", "b"], vec!["GET", "c"]]);
        let expected = [3, 4, 2].map(Value::Integer);
        assert_eq!(replies.unwrap(), expected, "{}", caller.name());
        assert_eq!(server.calls(), 5, "{}", caller.name());
    }
}

#[test]
fn c09_a_write_that_a_later_one_has_overtaken_is_not_tried_again() {
    let server = Scripted::start(|_, at| {
        Some(match at {
            0 => "-LOADING x\r\n".to_owned(),
            _ => "+OK\r\n".to_owned(),
        })
    });
    for caller in callers(&server.url("response_timeout=20s")) {
        server.calls();
        let error = caller
            .pipeline(&[vec!["SET", "k", "1"], vec!["SET", "k", "2"]])
            .unwrap_err();
        assert_eq!(error.code(), Some("LOADING"), "{}", caller.name());
        assert_eq!(server.calls(), 2, "{}", caller.name());
    }
}

#[test]
fn c09_a_real_replica_that_is_made_primary_gets_the_write() {
    for variant in Variant::ALL {
        let server = Server::builder(variant).modules(false).start().unwrap();
        for caller in callers(&format!("{}?response_timeout=20s", server.url())) {
            caller.send(&["SET", "k", "1"]).unwrap();
            server.command(&[b"REPLICAOF", b"127.0.0.1", b"1"]).unwrap();
            thread::scope(|scope| {
                scope.spawn(|| {
                    thread::sleep(Duration::from_millis(300));
                    server.command(&[b"REPLICAOF", b"NO", b"ONE"]).unwrap();
                });
                let done = caller.send(&["SET", "k", "2"]);
                done.unwrap_or_else(|error| panic!("{variant} {}: {error}", caller.name()));
            });
        }
    }
}

/// How many of the numbers that a subscriber has got came behind a larger one.
fn overtaken(cluster: &Cluster, channel: &str, count: usize, publish: impl FnOnce()) -> usize {
    let node = cluster.primaries().unwrap().remove(0);
    let own = blocking::Client::connect(&format!("redis://{}", node.addr())).unwrap();
    let subscriber = own.dedicated().unwrap();
    subscriber.subscribe(channel).send().unwrap();
    publish();
    let mut largest = 0;
    let mut late = 0;
    for _ in 0..count {
        let push = subscriber.next_push(Duration::from_secs(20)).unwrap();
        let push = push.expect("a message").value().unwrap();
        let text = match push {
            Value::Push(parts) | Value::Array(parts) => match parts.last() {
                Some(Value::BulkString(text)) => String::from_utf8(text.to_vec()).unwrap(),
                other => panic!("expected a payload, got {other:?}"),
            },
            other => panic!("expected a push, got {other:?}"),
        };
        let number: usize = text.parse().unwrap();
        if number < largest {
            late += 1;
        }
        largest = largest.max(number);
    }
    late
}

#[test]
fn k01_what_one_caller_publishes_arrives_in_order() {
    const MESSAGES: usize = 2000;
    let script = "return redis.call('PUBLISH', ARGV[1], ARGV[2])";
    for variant in Variant::ALL {
        let cluster = Cluster::shared(variant);
        for caller in callers(&cluster.url()) {
            let what = format!("{variant} {}", caller.name());
            let channel = format!("k01:{}", caller.name());
            let one_by_one = || {
                for at in 0..MESSAGES {
                    caller
                        .send(&["PUBLISH", &channel, &at.to_string()])
                        .unwrap();
                }
            };
            assert_eq!(
                overtaken(cluster, &channel, MESSAGES, one_by_one),
                0,
                "{what}"
            );
            let ten_by_ten = || {
                for at in (0..MESSAGES).step_by(10) {
                    let texts: Vec<_> = (at..at + 10).map(|at| at.to_string()).collect();
                    let commands = texts.iter().map(|text| vec!["PUBLISH", &channel, text]);
                    caller.pipeline(&commands.collect::<Vec<_>>()).unwrap();
                }
            };
            assert_eq!(
                overtaken(cluster, &channel, MESSAGES, ten_by_ten),
                0,
                "{what}"
            );
            let by_script = || {
                for at in 0..MESSAGES / 4 {
                    let words = ["EVAL", script, "0", &channel, &at.to_string()];
                    caller.send(&words).unwrap();
                }
            };
            let late = overtaken(cluster, &channel, MESSAGES / 4, by_script);
            assert_eq!(late, 0, "{what} by a script");
        }
    }
}

#[test]
fn k01_times_follow_each_other() {
    for variant in Variant::ALL {
        for caller in callers(&Cluster::shared(variant).url()) {
            let mut last = (0, 0);
            for _ in 0..200 {
                let Value::Array(parts) = caller.send(&["TIME"]).unwrap() else {
                    panic!("expected two numbers");
                };
                let number = |at: usize| match &parts[at] {
                    Value::BulkString(text) => {
                        str::from_utf8(text).unwrap().parse::<u64>().unwrap()
                    }
                    other => panic!("expected a number, got {other:?}"),
                };
                let time = (number(0), number(1));
                assert!(time >= last, "{variant} {}", caller.name());
                last = time;
            }
        }
    }
}

#[test]
fn k02_an_empty_transaction_asks_whether_a_watched_key_has_changed() {
    for variant in Variant::ALL {
        let url = Server::builder(variant).modules(false).start().unwrap();
        for caller in callers(&url.url()) {
            let run = |changes: bool| -> Result<()> {
                match &caller {
                    Caller::Async(runtime, client) => runtime.block_on(async {
                        let own = client.dedicated().await?;
                        own.watch("k02").await?;
                        if changes {
                            client.send(cmd::raw("INCR").arg("k02")).await?;
                        }
                        let none: Vec<respec::command::Raw<'_>> = Vec::new();
                        own.transaction(none).await?;
                        // The watch has ended, so that this is no matter of it.
                        client.send(cmd::raw("INCR").arg("k02")).await?;
                        own.transaction(vec![cmd::raw("PING")]).await?;
                        Ok(())
                    }),
                    Caller::Blocking(client) => {
                        let own = client.dedicated()?;
                        own.watch("k02").send()?;
                        if changes {
                            client.send(cmd::raw("INCR").arg("k02"))?;
                        }
                        let none: Vec<respec::command::Raw<'_>> = Vec::new();
                        own.transaction(none).send()?;
                        client.send(cmd::raw("INCR").arg("k02"))?;
                        own.transaction(vec![cmd::raw("PING")]).send()?;
                        Ok(())
                    }
                }
            };
            run(false).unwrap();
            let error = run(true).unwrap_err();
            assert_eq!(
                error.kind(),
                ErrorKind::Aborted,
                "{variant} {}",
                caller.name()
            );
        }
    }
}

#[test]
fn k03_k05_what_cannot_be_joined_names_what_to_do_instead() {
    for variant in [Variant::Redis82, Variant::Valkey91] {
        for caller in callers(&Cluster::shared(variant).url()) {
            for (words, way) in [
                (&["SLOWLOG", "GET", "3"][..], "each node answers for itself"),
                (&["ACL", "LOG", "3"], "each node answers for itself"),
                (
                    &[
                        "CLUSTER",
                        "SLOT-STATS",
                        "ORDERBY",
                        "KEY-COUNT",
                        "LIMIT",
                        "2",
                    ],
                    "each node answers for itself",
                ),
                (&["SCAN", "0"], "iterate()"),
                (&["CLIENT", "LIST", "ID", "3"], "node()"),
                (&["CLIENT", "KILL", "ID", "3"], "node()"),
            ] {
                let error = caller.send(words).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Refused, "{words:?}");
                assert!(error.to_string().contains(way), "{error}");
            }
        }
    }
}

#[test]
fn k05_each_key_of_a_cluster_is_as_likely_to_be_the_random_one_as_any_other() {
    for variant in Variant::ALL {
        let cluster = Cluster::start(variant).unwrap();
        let primaries = cluster.primaries().unwrap();
        let small = cluster.key_at(&primaries[0]).unwrap();
        let tag = cluster.key_at(&primaries[1]).unwrap();
        for caller in callers(&cluster.url()) {
            caller.send(&["SET", &small, "x"]).unwrap();
            for at in 0..200 {
                let key = format!("{{{tag}}}{at}");
                caller.send(&["SET", &key, "x"]).unwrap();
            }
            let draw = || caller.send(&["RANDOMKEY"]).unwrap();
            let draws: Vec<_> = (0..60).map(|_| draw()).collect();
            let is_small = |it: &&Value| it.as_str() == Some(&small);
            let count = draws.iter().filter(is_small).count();
            // Half of them would be, if each node were as likely.
            assert!(count < 10, "{variant} {}: {count}", caller.name());
            assert!(!draws.contains(&Value::Nil));
        }
    }
}

#[test]
fn k05_a_batch_names_the_command_that_has_failed_and_its_place() {
    for variant in Variant::ALL {
        for url in [shared(variant).url(), Cluster::shared(variant).url()] {
            for caller in callers(&url) {
                let commands = || {
                    ["SET", "INCR", "LPUSH"].map(|name| {
                        let key = format!("{{k05}}{}", caller.name());
                        let command = cmd::raw(name).arg(key);
                        match name {
                            "INCR" => command,
                            _ => command.arg("x"),
                        }
                    })
                };
                let errors = match &caller {
                    Caller::Async(runtime, client) => [
                        runtime.block_on(client.pipeline(commands()).into_future()),
                        runtime.block_on(client.transaction(commands()).into_future()),
                    ],
                    Caller::Blocking(client) => [
                        client.pipeline(commands()).send(),
                        client.transaction(commands()).send(),
                    ],
                };
                for error in errors {
                    let error = error.unwrap_err();
                    assert_eq!(error.batch_index(), Some(1), "{error}");
                    let text = error.to_string();
                    assert!(
                        text.starts_with("INCR (command 2 of the batch): the server answered: ERR"),
                        "{text}"
                    );
                }
            }
        }
    }
}

#[test]
fn k04_a_transaction_that_could_not_be_queued_was_not_executed() {
    for variant in Variant::ALL {
        let server = Server::builder(variant).modules(false).start().unwrap();
        for caller in callers(&server.url()) {
            let commands = || vec![cmd::raw("INCR").arg("k04"), cmd::raw("INCR")];
            let error = match &caller {
                Caller::Async(runtime, client) => {
                    let transaction = client.transaction(commands());
                    runtime.block_on(transaction.into_future()).unwrap_err()
                }
                Caller::Blocking(client) => client.transaction(commands()).send().unwrap_err(),
            };
            assert_eq!(error.kind(), ErrorKind::Server, "{variant}");
            assert!(
                !error.may_have_executed(),
                "{variant} {}: {error}",
                caller.name()
            );
            assert_eq!(caller.send(&["EXISTS", "k04"]).unwrap(), Value::Integer(0));
            // One that fails while it runs undoes nothing.
            caller.send(&["SET", "k04:text", "x"]).unwrap();
            let commands = || {
                vec![
                    cmd::raw("INCR").arg("k04:n"),
                    cmd::raw("INCR").arg("k04:text"),
                ]
            };
            let error = match &caller {
                Caller::Async(runtime, client) => {
                    let transaction = client.transaction(commands());
                    runtime.block_on(transaction.into_future()).unwrap_err()
                }
                Caller::Blocking(client) => client.transaction(commands()).send().unwrap_err(),
            };
            assert!(
                error.may_have_executed(),
                "{variant} {}: {error}",
                caller.name()
            );
        }
    }
}
