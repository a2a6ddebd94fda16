//! A server does not outlive the process that started it, however that ends.
//!
//! The process is this test program again, told by an environment variable what to do.

use std::env;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use respec_testkit::{Server, Variant, shared};

#[test]
fn killing_the_parent_kills_the_server() {
    let mut victim = Victim::start("wait");
    victim.parent.kill().unwrap();
    victim.parent.wait().unwrap();
    victim.assert_gone();
    assert!(!victim.directory.exists() || gone_soon(&victim.directory));
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
    assert!(gone_soon(&victim.directory));
}

#[test]
fn a_shared_server_ends_with_the_test_binary_and_its_log_stays_after_a_panic() {
    let mut victim = Victim::start("shared-panic");
    assert!(!victim.parent.wait().unwrap().success());
    victim.assert_gone();
    assert!(victim.directory.join("server.log").is_file());
    std::fs::remove_dir_all(&victim.directory).unwrap();
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
    server: u32,
    directory: PathBuf,
}

impl Victim {
    /// Returns when the parent's server runs.
    fn start(role: &str) -> Self {
        let mut parent = Command::new(env::current_exe().unwrap())
            .args(["victim", "--exact", "--nocapture"])
            .env(ROLE, role)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(parent.stdout.take().unwrap());
        let mut announced = stdout
            .lines()
            .map_while(Result::ok)
            .filter_map(|line| line.strip_prefix(MARK).map(str::to_owned));
        // The role that exits has dropped one server properly before.
        let line = announced
            .nth(usize::from(role == "exit"))
            .expect("the process starts a server");
        let (pid, directory) = line.trim().split_once(' ').unwrap();
        Self {
            parent,
            server: pid.parse().unwrap(),
            directory: directory.into(),
        }
    }

    fn assert_gone(&self) {
        assert!(
            gone_soon(Path::new(&format!("/proc/{}", self.server))),
            "the server still runs"
        );
    }
}

/// The watchdog acts after the parent's end, so there is a moment to wait for.
fn gone_soon(path: &Path) -> bool {
    let deadline = Instant::now() + Duration::from_secs(10);
    while path.exists() {
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(2));
    }
    true
}

const ROLE: &str = "RESPEC_TESTKIT_VICTIM";
const MARK: &str = "victim's server:";
