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

use respec_testkit::{Cluster, Server, Variant, shared};

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
fn killing_the_parent_kills_every_node_of_its_cluster() {
    let mut victim = Victim::start("cluster");
    assert_eq!(victim.servers.len(), 6);
    victim.parent.kill().unwrap();
    victim.parent.wait().unwrap();
    victim.assert_gone();
    victim.assert_directory_gone();
}

#[test]
fn a_shared_server_ends_with_the_test_binary_and_its_log_stays_after_a_panic() {
    let mut victim = Victim::start("shared-panic");
    assert!(!victim.parent.wait().unwrap().success());
    victim.assert_gone();
    let printed = io::read_to_string(victim.parent.stderr.take().unwrap()).unwrap();
    let [(_, directory)] = victim.servers.as_slice() else {
        panic!("one server");
    };
    let expected = format!("log of the shared Redis 7.0.x: {}", directory.display());
    assert!(printed.contains(&expected), "{printed}");
    assert!(directory.join("server.log").is_file());
    fs::remove_dir_all(directory).unwrap();
}

/// Not a test of its own: what the process started by the others does.
#[test]
fn victim() {
    let Ok(role) = env::var(ROLE) else { return };
    let announce = |server: &Server| {
        println!("\n{MARK} {} {}", server.pid(), server.directory().display());
    };
    let wait = || loop {
        thread::park();
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
        "cluster" => {
            let cluster = Cluster::shared(Variant::Redis82);
            let nodes = cluster.nodes();
            nodes.iter().for_each(|node| announce(node.server()));
            wait();
        }
        role => {
            let server = Server::start(Variant::Valkey91).unwrap();
            if role == "pause" {
                server.pause().unwrap();
            }
            announce(&server);
            wait();
        }
    }
}

struct Victim {
    parent: Child,
    /// Kept open, so that the parent ends in the way intended and not because nobody listens.
    _stdout: Lines<BufReader<ChildStdout>>,
    /// Process ids and directories.
    servers: Vec<(u32, PathBuf)>,
}

impl Victim {
    /// Returns when what the parent starts runs.
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
        let (skipped, count) = match role {
            "exit" => (1, 1),
            "cluster" => (0, 6),
            _ => (0, 1),
        };
        let servers: Vec<_> = announced
            .by_ref()
            .skip(skipped)
            .take(count)
            .map(|line| {
                let (pid, directory) = line.trim().split_once(' ').unwrap();
                (pid.parse().unwrap(), directory.into())
            })
            .collect();
        assert_eq!(servers.len(), count, "the process starts its servers");
        Self {
            parent,
            _stdout: stdout,
            servers,
        }
    }

    fn assert_gone(&self) {
        for (pid, _) in &self.servers {
            let stat = format!("/proc/{pid}/stat");
            let gone = soon(|| match fs::read_to_string(&stat) {
                // Dead, and nobody has asked how: whoever inherits orphans here may never do so.
                Ok(stat) => stat
                    .rsplit_once(") ")
                    .is_some_and(|(_, rest)| rest.starts_with('Z')),
                Err(_) => true,
            });
            assert!(gone, "the server still runs");
        }
    }

    fn assert_directory_gone(&self) {
        for (_, directory) in &self.servers {
            let gone = soon(|| !directory.exists());
            assert!(gone, "{} is still there", directory.display());
        }
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
