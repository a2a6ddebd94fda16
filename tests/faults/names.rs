//! F25: names that stand for other addresses, for several, or for none.
//!
//! The client asks the system's resolver, which reads a file: in a mount namespace of its own a process
//! has its own file. So these tests run once more as another process, which needs no rights for that
//! where users may have namespaces of their own.

use std::{
    env,
    fs::{self, File},
    io::Write,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use respec::{Config, ErrorKind, Protocol};
use respec_testkit::{Action, Proxy, Server, Variant, Way, shared};

use crate::{
    beside, count,
    run::{Load, PATIENCE, Run, busy, until},
    shape::Shape,
    side::Side,
};

#[test]
fn f25_a_name_is_resolved_at_each_dial_and_what_it_left_is_left() {
    let Some(names) = Names::of_this_process() else {
        return in_a_namespace(
            "names::f25_a_name_is_resolved_at_each_dial_and_what_it_left_is_left",
        );
    };
    for variant in Variant::ALL {
        let server = shared(variant);
        for side in Side::all() {
            moves(server, &side, &names);
            several(server, &side, &names);
            nowhere(server, &side, &names);
        }
    }
}

/// The name leads elsewhere, and so do connections: at once where one was lost, and otherwise when
/// they have reached their age.
fn moves(server: &Server, side: &Side, names: &Names) {
    let run = Run::new("F25", server, side, Protocol::Resp3, LIMIT);
    let homes = homes(server);
    names.are(&homes[..1]);
    let config = named(&run, &homes[0]).pool_lifetime(AGE).pool_max(4);
    let caller = side.client(config);
    let load = Load::start(&run, side, &caller, 4);
    for round in 0..count(4, 40) {
        let [old, new] = match round % 2 {
            0 => [&homes[0], &homes[1]],
            _ => [&homes[1], &homes[0]],
        };
        let link = busy(old);
        run.fault(old.in_flight());
        names.are(&[new]);
        let moved = Instant::now();
        if round % 4 < 2 {
            link.act(Way::Replies, Action::Reset);
        }
        until("nothing leads to the old address", || old.open().is_empty());
        run.recovered(moved.elapsed().saturating_sub(AGE));
        let done = run.tally().ok;
        until("callers are served there", || {
            !new.open().is_empty() && run.tally().ok > done + 20
        });
    }
    load.finish();
    let proxies: Vec<_> = homes.iter().collect();
    let row = run.finish(&proxies, server);
    for beyond in &row.verdict.tally.recoveries {
        assert!(*beyond < PATIENCE / 4, "{}", row.details());
    }
    // Whoever was cut off is told so, be it while connecting; age costs nobody an error.
    let mut errors = row.verdict.tally.errors.iter();
    assert!(
        errors.all(|((name, _), _)| name == "Connection" || name == "Connect"),
        "{}",
        row.details()
    );
}

/// Nobody is at the first of several addresses, or it does not answer.
fn several(server: &Server, side: &Side, names: &Names) {
    let run = Run::new("F25", server, side, Protocol::Resp3, LIMIT);
    let homes = homes(server);
    for round in 0..count(4, 40) {
        let nobody = IpAddr::from([127, 0, 0, 100 + round as u8 % 100]);
        names.set(&[nobody, homes[0].addr().ip(), homes[1].addr().ip()]);
        let caller = side.client(named(&run, &homes[0]));
        let call = || side.wait(run.call(&caller, Shape::Append, 0));
        let requests = || {
            homes
                .iter()
                .map(|home| home.traffic().requests())
                .sum::<u64>()
        };
        let before = requests();
        call().unwrap();
        run.fault(usize::try_from(requests() - before).unwrap());
        let open = [0, 1].map(|home| homes[home].open().len());
        assert_eq!(open.iter().sum::<usize>(), 1, "one of them is enough");
        drop(caller);
        until("it has left", || {
            homes.iter().all(|home| home.open().is_empty())
        });
    }
    let proxies: Vec<_> = homes.iter().collect();
    let row = run.finish(&proxies, server);
    assert!(row.verdict.tally.errors.is_empty(), "{}", row.details());
}

/// The name is none, and later it is one.
fn nowhere(server: &Server, side: &Side, names: &Names) {
    let run = Run::new("F25", server, side, Protocol::Resp3, LIMIT);
    let homes = homes(server);
    let caller = side.client(named(&run, &homes[0]));
    for _ in 0..count(4, 40) {
        names.set(&[]);
        let error = side.wait(run.call(&caller, Shape::Append, 0)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
        assert!(!error.may_have_executed(), "{error}");
        let text = error.to_string();
        assert!(text.contains(NAME), "{text}");
        // There is nobody who could have a request.
        run.fault(0);
        names.are(&homes[..1]);
        until("the name is found", || {
            side.wait(run.call(&caller, Shape::Append, 0)).is_ok()
        });
        // A connection that is there does not need it any more; the next one will.
        names.set(&[]);
        side.wait(run.call(&caller, Shape::Append, 0)).unwrap();
        homes[0].act(Way::Replies, Action::Reset);
        until("the client has noticed", || homes[0].open().is_empty());
    }
    run.finish(&[&homes[0]], server);
}

/// A name has no port. That a server has another one by now can be told by the other nodes of a
/// cluster, or be hidden by what stands in between and keeps its own port, as the proxy does here: a
/// client of one server has no way to learn of it from the system, and dials where it was told to.
#[test]
fn f25_a_server_with_another_port_is_found_behind_an_address_that_stays() {
    beside(Variant::ALL, |variant| {
        let server = Server::start(variant).unwrap();
        let mut own = server.connection(PATIENCE).unwrap();
        let mut listen = |port: u16| {
            let port = port.to_string();
            let set: [&[u8]; 4] = [b"CONFIG", b"SET", b"port", port.as_bytes()];
            assert_eq!(own.command(&set).unwrap(), b"+OK\r\n");
        };
        for side in Side::all() {
            let run = Run::new("F25", &server, &side, Protocol::Resp3, LIMIT);
            let proxy = Proxy::start(server.addr()).unwrap();
            let caller = side.client(run.config(&proxy, Protocol::Resp3).pool_max(4));
            let load = Load::start(&run, &side, &caller, 4);
            let mut old = server.addr();
            for round in 1..=count(4, 40) {
                busy(&proxy);
                run.fault(proxy.in_flight());
                let new = match round % 2 {
                    0 => server.addr(),
                    _ => free_address(),
                };
                listen(new.port());
                proxy.set_server(new);
                proxy.act(Way::Replies, Action::Reset);
                let moved = Instant::now();
                assert!(TcpStream::connect(old).is_err(), "it has left its port");
                let done = run.tally().ok;
                until("callers are served there", || run.tally().ok > done + 20);
                run.recovered(moved.elapsed());
                old = new;
            }
            load.finish();
            let row = run.finish(&[&proxy], &server);
            for beyond in &row.verdict.tally.recoveries {
                assert!(*beyond < PATIENCE / 4, "{}", row.details());
            }
        }
    });
}

/// An address of this machine where nobody listens.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap()
}

/// Two addresses with the same port, both of which lead to the server.
fn homes(server: &Server) -> [Proxy; 2] {
    let at = |last| IpAddr::V4(Ipv4Addr::new(127, 0, 0, last));
    let first = Proxy::builder(server.addr()).ip(at(2)).start().unwrap();
    let second = Proxy::builder(server.addr()).ip(at(3));
    let second = second.port(first.port()).start().unwrap();
    [first, second]
}

fn named(run: &Run, home: &Proxy) -> Config {
    let config = Config::tcp(NAME, home.port()).response_timeout(run.limit());
    config.connect_timeout(run.limit()).pool_wait(run.limit())
}

/// What names this process knows.
struct Names {
    file: String,
}

impl Names {
    fn of_this_process() -> Option<Self> {
        let file = env::var(FILE).ok()?;
        Some(Self { file })
    }

    fn are(&self, homes: &[impl std::borrow::Borrow<Proxy>]) {
        let addresses: Vec<_> = homes.iter().map(|home| home.borrow().addr().ip()).collect();
        self.set(&addresses);
    }

    /// The name stands for these addresses from now on.
    fn set(&self, addresses: &[IpAddr]) {
        let lines: Vec<_> = addresses
            .iter()
            .map(|address| format!("{address} {NAME}\n"))
            .collect();
        // In place, as it is this very file that has taken the place of the system's; and in one piece,
        // so that nobody reads half of it.
        let text = format!("{:\n<512}", lines.concat());
        let mut file = File::options().write(true).open(&self.file).unwrap();
        assert_eq!(file.write(text.as_bytes()).unwrap(), text.len());
    }
}

/// Runs a test once more in a process whose names are its own.
fn in_a_namespace(test: &str) {
    let file = env::temp_dir().join(format!("respec-names-{}", std::process::id()));
    fs::write(&file, "").unwrap();
    let only = file.with_extension("nsswitch");
    fs::write(&only, "hosts: files\n").unwrap();
    let script = "mount --bind \"$0\" /etc/hosts || exit
        [ ! -e /etc/nsswitch.conf ] || mount --bind \"$1\" /etc/nsswitch.conf || exit
        shift && exec \"$@\"";
    let child = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", script])
        .args([&file, &only])
        .arg(env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(FILE, &file)
        .stdin(Stdio::null())
        .output();
    for file in [file, only] {
        let _ = fs::remove_file(file);
    }
    let output = child.expect("util-linux is there");
    let text = String::from_utf8_lossy(&output.stdout);
    for row in text
        .lines()
        .filter_map(|line| Some(&line[line.find("| F25")?..]))
    {
        println!("{row}");
    }
    let told = String::from_utf8_lossy(&output.stderr);
    if told.contains("unshare failed") {
        // A kernel that lets nobody have namespaces: what is left are the tests of the link.
        println!("f25: not run, since this machine refuses: {told}");
        return;
    }
    assert!(output.status.success(), "{text}\n{told}");
}

/// How long a call may take.
const LIMIT: Duration = Duration::from_secs(5);
/// After which a connection is replaced, give or take a part of it.
const AGE: Duration = Duration::from_millis(800);
const NAME: &str = "respec-f25.invalid";
const FILE: &str = "FAULTS_NAMES";
