//! Starting, disturbing and ending a server, on purpose or not.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use respec_testkit::{Server, ServerOptions, Variant, canary::secret};

#[test]
fn a_dropped_server_is_gone_with_its_directory() {
    for variant in Variant::ALL {
        let server = Server::start(variant).unwrap();
        let (pid, directory) = (server.pid(), server.directory().to_owned());
        assert!(process_exists(pid));
        assert!(directory.join("server.log").is_file());
        drop(server);
        assert!(!process_exists(pid));
        assert!(!directory.exists());
    }
}

#[test]
fn stop_kill_and_restart() {
    let server = quick().start().unwrap();
    let first = server.pid();
    server.command(&[b"SET", b"k", b"v"]).unwrap();

    server.restart().unwrap();
    assert_ne!(server.pid(), first);
    assert!(!process_exists(first));
    assert_eq!(server.command(&[b"GET", b"k"]).unwrap(), b"$-1\r\n");

    server.kill().unwrap();
    assert!(!server.is_running());
    assert!(!process_exists(server.pid()));
    assert!(TcpStream::connect(server.addr()).is_err());
    server.kill().unwrap();
    let error = server.command(&[b"PING"]).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("PING got no reply from Valkey 9.1.x"),
        "{error}"
    );

    server.restart().unwrap();
    assert!(server.is_running());
    server.stop().unwrap();
    assert!(!server.is_running());
    assert!(server.pause().is_err());
    assert!(server.log().contains("bye bye"), "stop is orderly");

    let directory = server.directory().to_owned();
    drop(server);
    assert!(!directory.exists(), "ending it on purpose is no failure");
}

#[test]
fn a_paused_server_is_silent_until_resumed() {
    let server = quick().start().unwrap();
    server.pause().unwrap();
    wait_until("the process is stopped", || {
        state(server.pid()) == Some('T')
    });
    server.resume().unwrap();
    assert_eq!(server.command(&[b"PING"]).unwrap(), b"+PONG\r\n");
    assert_ne!(state(server.pid()), Some('T'));

    server.pause().unwrap();
    let (pid, begin) = (server.pid(), Instant::now());
    server.stop().unwrap();
    assert!(!process_exists(pid));
    assert!(
        begin.elapsed() < Duration::from_secs(4),
        "stopping a paused server needs no kill"
    );
}

#[test]
fn a_restart_waits_for_the_port_and_says_when_it_stays_taken() {
    let server = quick()
        .start_timeout(Duration::from_secs(2))
        .start()
        .unwrap();
    server.stop().unwrap();
    let thief = TcpListener::bind(server.addr()).unwrap();
    let error = server.restart().unwrap_err();
    let expected = format!("port {} was taken during the restart", server.port());
    assert_eq!(error.to_string(), expected);

    thread::scope(|scope| {
        let restarted = scope.spawn(|| server.restart());
        let (stranger, _) = thief.accept().unwrap();
        drop((stranger, thief));
        restarted.join().unwrap().unwrap();
    });
    assert_eq!(server.command(&[b"PING"]).unwrap(), b"+PONG\r\n");
}

#[test]
fn settings_reach_the_server() {
    let server = quick()
        .config("requirepass", format!("{} word", secret("server")))
        .args(["--maxclients", "17"]);
    let server = server.unix_socket(false).start().unwrap();
    assert!(!server.socket_path().exists());
    let reply = server.command(&[b"CONFIG", b"GET", b"maxclients"]).unwrap();
    assert_eq!(reply, b"*2\r\n$10\r\nmaxclients\r\n$2\r\n17\r\n");
    assert!(server.version().starts_with("9.1."));
}

#[test]
fn a_server_that_cannot_be_asked_for_its_version_still_starts() {
    let server = quick().args(["--user", "default", "off"]).start().unwrap();
    assert!(server.version().starts_with("9.1."));
    assert!(
        server
            .command(&[b"GET", b"k"])
            .unwrap()
            .starts_with(b"-NOAUTH")
    );
}

#[test]
fn a_bad_setting_is_reported_with_the_log() {
    let error = quick().config("no-such-setting", "1").start().unwrap_err();
    let message = error.to_string();
    assert!(message.contains("ended while starting"), "{message}");
    assert!(message.contains("no-such-setting"), "{message}");
    assert!(!error.is_unavailable());
    let log = message
        .split(" in ")
        .nth(1)
        .and_then(|rest| rest.split(":\n").next())
        .unwrap();
    let directory = Path::new(log).parent().unwrap();
    assert!(Path::new(log).is_file(), "the log is kept at {log}");
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn the_log_is_kept_when_the_server_dies_and_when_the_test_panics() {
    let server = quick().start().unwrap();
    let directory = server.directory().to_owned();
    // The connection breaks instead of being answered.
    assert!(server.command(&[b"SHUTDOWN", b"NOSAVE"]).is_err());
    wait_until("the server has ended", || !server.is_running());
    drop(server);
    assert!(directory.join("server.log").is_file());
    fs::remove_dir_all(directory).unwrap();

    let server = quick().start().unwrap();
    let (pid, directory) = (server.pid(), server.directory().to_owned());
    panic::catch_unwind(AssertUnwindSafe(move || {
        let _server = server;
        panic!("as a failing test does");
    }))
    .unwrap_err();
    assert!(!process_exists(pid));
    assert!(directory.join("server.log").is_file());
    fs::remove_dir_all(directory).unwrap();
}

#[test]
fn many_servers_at_once_get_ports_of_their_own() {
    let threads: Vec<_> = (0..8)
        .map(|_| thread::spawn(|| quick().start().unwrap()))
        .collect();
    let servers: Vec<_> = threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .collect();
    let mut ports: Vec<_> = servers.iter().map(Server::port).collect();
    ports.sort_unstable();
    ports.dedup();
    assert_eq!(ports.len(), servers.len());
    for server in &servers {
        let info = server.command(&[b"INFO", b"server"]).unwrap();
        let info = String::from_utf8_lossy(&info);
        assert!(info.contains(&format!("process_id:{}\r\n", server.pid())));
    }
}

/// The variant that starts fastest.
fn quick() -> ServerOptions {
    Server::builder(Variant::Valkey91)
}

fn process_exists(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// The letter for the process's state: the field after the name, which is in parentheses.
fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        thread::sleep(Duration::from_millis(2));
    }
}
