//! A server process on a leash.
//!
//! `Child` alone does not kill anything when the test process is killed or exits with the server
//! in a static. So two shells are started: one becomes the server, the other, the *watchdog*, reads
//! a pipe.
//!
//! ```text
//!   test process ──────────── leash ───────────┐
//!        │                                     ▼
//!        └─ sh: writes its pid to the leash ─▶ sh: reads the pid, then waits for words
//!           and becomes the server                 end of file: kill -9, delete directory
//! ```
//!
//! The server writes its pid itself, so there is no moment at which it runs and the watchdog does
//! not know it: until it has written, it holds the pipe open.

use std::fs::File;
use std::io::{self, PipeWriter, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use crate::locate::Installation;

/// A running program that ends with this value, or with this process.
pub(crate) struct Process {
    child: Child,
    watchdog: Child,
    /// Gone when the watchdog was called off.
    leash: Option<PipeWriter>,
}

impl Process {
    /// Starts the server with `directory` as its current one, which the watchdog deletes should it
    /// have to act. What the server prints goes to `log`.
    pub(crate) fn spawn(
        installation: &Installation,
        args: &[String],
        directory: &Path,
        log: File,
    ) -> io::Result<Self> {
        let (watched, leash) = io::pipe()?;
        // Groups of their own: a Ctrl-C or a time limit's signal ends the tests, and thereby both,
        // but must not reach the watchdog first.
        let mut watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "respec-watchdog"])
            .arg(directory)
            .stdin(watched)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;

        match Self::spawn_server(installation, args, directory, log, &leash) {
            Ok(child) => Ok(Self {
                child,
                watchdog,
                leash: Some(leash),
            }),
            Err(error) => {
                // At the end of file before a pid, the watchdog has nothing to do.
                drop(leash);
                watchdog.wait()?;
                Err(error)
            }
        }
    }

    fn spawn_server(
        installation: &Installation,
        args: &[String],
        directory: &Path,
        log: File,
        leash: &PipeWriter,
    ) -> io::Result<Child> {
        let mut command = Command::new("sh");
        command
            .args(["-c", SERVER])
            .arg(installation.binary())
            .args(args);
        if let Some(path) = installation.ld_library_path() {
            command.env("LD_LIBRARY_PATH", path);
        }
        command.current_dir(directory).stdin(Stdio::null());
        command
            .stdout(leash.try_clone()?)
            .stderr(log)
            .process_group(0);
        command.spawn()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How the process ended, if it did.
    pub(crate) fn exit_status(&mut self) -> io::Result<Option<ExitStatus>> {
        let status = self.child.try_wait()?;
        if status.is_some() {
            // From here on, the pid may become another process's.
            self.call_off_watchdog();
        }
        Ok(status)
    }

    pub(crate) fn signal(&mut self, signal: Signal) -> io::Result<()> {
        // A child that was not waited for keeps its pid, so this reaches nobody else.
        match self.exit_status()? {
            Some(_) => Err(io::Error::new(
                io::ErrorKind::NotFound,
                "the server has ended",
            )),
            None => Ok(kill_process(Pid::from_child(&self.child), signal)?),
        }
    }

    /// Freezes the process; afterwards it does nothing any more.
    pub(crate) fn pause(&mut self) -> io::Result<()> {
        self.signal(Signal::STOP)?;
        // That it has stopped, or ended instead, stays to be seen by others who ask.
        let until = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(Pid::from_child(&self.child)), until)?;
        Ok(())
    }

    /// Asks the process to end, and kills it when it has not within `patience`.
    pub(crate) fn terminate(&mut self, patience: Duration) -> io::Result<()> {
        if self.exit_status()?.is_some() {
            return Ok(());
        }
        self.signal(Signal::TERM)?;
        // A paused process gets the first signal only when it runs again.
        self.signal(Signal::CONT)?;
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if self.exit_status()?.is_some() {
                return Ok(());
            }
            thread::sleep(POLL_INTERVAL);
        }
        self.kill()
    }

    pub(crate) fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        self.call_off_watchdog();
        Ok(())
    }

    /// Tells the watchdog to leave the directory alone.
    pub(crate) fn keep_directory(&mut self) {
        if let Some(leash) = &mut self.leash {
            // Fails only if somebody killed the watchdog: then nobody deletes anything.
            let _ = leash.write_all(b"keep\n");
        }
    }

    fn call_off_watchdog(&mut self) {
        if let Some(mut leash) = self.leash.take() {
            // As above. Either way it is at its end, and is waited for to leave no zombie.
            let _ = leash.write_all(b"stop\n");
            drop(leash);
            let _ = self.watchdog.wait();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nothing is left to do when it cannot be killed: it has ended, or the watchdog tries next.
        let _ = self.kill();
    }
}

/// How often a state that announces itself in no other way is looked at.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(3);

/// The process id is the same after `exec`. Standard output is the leash, and must be let go.
const SERVER: &str = r#"echo $$ && exec "$0" "$@" >&2"#;

const WATCHDOG: &str = r#"
read -r pid || exit 0
while read -r word; do
    case $word in
        keep) keep=yes ;;
        stop) exit 0 ;;
    esac
done
kill -9 "$pid"
[ "$keep" ] || rm -rf "$1"
"#;
