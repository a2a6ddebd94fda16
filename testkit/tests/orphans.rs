//! A server does not outlive the process that started it, however that ends.
//!
//! The process is this test program again, told by an environment variable what to do.

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Lines};
use std::path::PathBuf;
use std::process::{self, Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use respec_testkit::{Server, Variant, shared};

#[test]
fn killing_the_parent_kills_the_server() {
    let mut victim = Victim::start("wait");
    victim.parent.kill().unwrap();
    victim.parent.wait().unwrap();
    victim.assert_gone();
    victim.assert_directory_gone();
}

#[test]
fn killing_the_parent_kills_a_paused_server() {
    let mut victim = Victim::start("pause");
    victim.parent.kill().unwrap();
    victim.parent.wait().unwrap();
    victim.assert_gone();
}

#[test]
fn a_parent_that_exits_without_destructors_leaves_no_server() {
    let mut victim = Victim::start("exit");
    assert_eq!(victim.parent.wait().unwrap().code(), Some(3));
    victim.assert_gone();
    victim.assert_directory_gone();
}

#[test]
fn a_shared_server_ends_with_the_test_binary_and_its_log_stays_after_a_panic() {
    let mut victim = Victim::start("shared-panic");
    assert!(!victim.parent.wait().unwrap().success());
    victim.assert_gone();
    let printed = io::read_to_string(victim.parent.stderr.take().unwrap()).unwrap();
    let expected = format!(
        "log of the shared Redis 7.0.x: {}",
        victim.directory.display()
    );
    assert!(printed.contains(&expected), "{printed}");
    assert!(victim.directory.join("server.log").is_file());
    fs::remove_dir_all(&victim.directory).unwrap();
}

/// Not a test of its own: what the process started by the others does.
#[test]
fn victim() {
    let Ok(role) = env::var(ROLE) else { return };
    let announce = |server: &Server| {
        println!("\n{MARK} {} {}", server.pid(), server.directory().display());
    };
    match role.as_str() {
        "shared-panic" => {
            announce(shared(Variant::Redis70));
            panic!("as a failing test does");
        }
        "exit" => {
            announce(&Server::start(Variant::Redis82).unwrap());
            let server = Server::start(Variant::Redis82).unwrap();
            announce(&server);
            process::exit(3);
        }
        role => {
            let server = Server::start(Variant::Valkey91).unwrap();
            if role == "pause" {
                server.pause().unwrap();
            }
            announce(&server);
            loop {
                thread::park();
            }
        }
    }
}

struct Victim {
    parent: Child,
    /// Kept open, so that the parent ends in the way intended and not because nobody listens.
    _stdout: Lines<BufReader<ChildStdout>>,
    server: u32,
    directory: PathBuf,
}

impl Victim {
    /// Returns when the parent's server runs.
    fn start(role: &str) -> Self {
        let panics = role == "shared-panic";
        let mut parent = Command::new(env::current_exe().unwrap())
            .args(["victim", "--exact", "--nocapture"])
            .env(ROLE, role)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(if panics {
                Stdio::piped()
            } else {
                Stdio::inherit()
            })
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(parent.stdout.take().unwrap()).lines();
        let mut announced = stdout
            .by_ref()
            .map_while(Result::ok)
            .filter_map(|line| line.strip_prefix(MARK).map(str::to_owned));
        // The role that exits has dropped one server properly before.
        let line = announced
            .nth(usize::from(role == "exit"))
            .expect("the process starts a server");
        let (pid, directory) = line.trim().split_once(' ').unwrap();
        let (server, directory) = (pid.parse().unwrap(), directory.into());
        Self {
            parent,
            _stdout: stdout,
            server,
            directory,
        }
    }

    fn assert_gone(&self) {
        let stat = format!("/proc/{}/stat", self.server);
        let gone = soon(|| match fs::read_to_string(&stat) {
            // Dead, and nobody has asked how: whoever inherits orphans here may never do so.
            Ok(stat) => stat
                .rsplit_once(") ")
                .is_some_and(|(_, rest)| rest.starts_with('Z')),
            Err(_) => true,
        });
        assert!(gone, "the server still runs");
    }

    fn assert_directory_gone(&self) {
        assert!(
            soon(|| !self.directory.exists()),
            "{} is still there",
            self.directory.display()
        );
    }
}

/// The watchdog acts after the parent's end, so there is a moment to wait for.
fn soon(condition: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(2));
    }
    true
}

const ROLE: &str = "RESPEC_TESTKIT_VICTIM";
const MARK: &str = "victim's server:";
