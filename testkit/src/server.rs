//! Running one server.

use std::fmt;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::panic;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::Result;
use crate::error::Error;
use crate::locate::Installation;
use crate::port::Port;
use crate::prober::Prober;
use crate::process::{POLL_INTERVAL, Process};
use crate::resp::Connection;
use crate::variant::Variant;

/// A running server, stopped when dropped.
///
/// It listens on a free port of 127.0.0.1 and on a Unix socket, has a directory of its own, saves
/// nothing, and allows `DEBUG`.
pub struct Server {
    options: ServerOptions,
    installation: Installation,
    directory: PathBuf,
    port: Port,
    /// For the connections that the nodes of a cluster have among themselves.
    bus_port: Option<Port>,
    version: String,
    pid: AtomicU32,
    paused: AtomicBool,
    /// Absent when it was ended on purpose.
    process: Mutex<Option<Process>>,
}

/// What kind of server to start.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    variant: Variant,
    args: Vec<String>,
    unix_socket: bool,
    modules: bool,
    bus: bool,
    /// What a Sentinel begins with; a data server has none.
    sentinel: Option<String>,
    start_timeout: Duration,
}

/// The server that the tests of one binary share, started by the first who asks.
///
/// Tests run at the same time and in no order: use keys of your own, and neither `FLUSHALL` nor
/// settings that others would notice.
///
/// # Panics
///
/// When the server cannot be had; the message says what is missing.
pub fn shared(variant: Variant) -> &'static Server {
    static SERVERS: [OnceLock<Server>; Variant::ALL.len() + 1] =
        [const { OnceLock::new() }; Variant::ALL.len() + 1];
    static HOOK: OnceLock<()> = OnceLock::new();

    // Statics are not dropped, so nothing else would notice that a test has failed.
    HOOK.get_or_init(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            previous(info);
            SERVERS
                .iter()
                .filter_map(OnceLock::get)
                .for_each(Server::keep_log_of_shared);
        }));
    });
    SERVERS[variant as usize].get_or_init(|| {
        Server::start(variant).unwrap_or_else(|error| panic!("cannot start {variant}: {error:?}"))
    })
}

impl ServerOptions {
    /// The defaults: Unix socket and modules on, no settings besides.
    pub fn new(variant: Variant) -> Self {
        Self {
            variant,
            args: Vec::new(),
            unix_socket: true,
            modules: true,
            bus: false,
            sentinel: None,
            start_timeout: Duration::from_secs(30),
        }
    }

    /// Adds a setting as `redis.conf` has it: `config("maxclients", "10")`.
    pub fn config(self, name: impl AsRef<str>, value: impl Into<String>) -> Self {
        self.args([format!("--{}", name.as_ref()), value.into()])
    }

    /// Adds arguments to the command line as they are.
    ///
    /// A password set with `--requirepass` is also what [`Server::command`] logs in with.
    pub fn args<A: Into<String>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Whether the server also listens on a Unix socket.
    pub fn unix_socket(mut self, on: bool) -> Self {
        self.unix_socket = on;
        self
    }

    /// Whether the variant's modules are loaded. Those that are built in always are.
    pub fn modules(mut self, on: bool) -> Self {
        self.modules = on;
        self
    }

    /// Whether the server is a node of a cluster, with a second port for talking to the others.
    pub(crate) fn bus(mut self, on: bool) -> Self {
        self.bus = on;
        self
    }

    /// Makes it a Sentinel, with settings in lines as its file has them; it watches only the
    /// primaries that it is told of.
    pub fn sentinel(mut self, settings: impl Into<String>) -> Self {
        self.sentinel = Some(settings.into());
        self
    }

    /// How long the server may take until it answers.
    pub fn start_timeout(mut self, timeout: Duration) -> Self {
        self.start_timeout = timeout;
        self
    }

    /// Starts a server like this and waits until it answers.
    pub fn start(self) -> Result<Server> {
        let installation = self.variant.locate()?;
        let directory = create_directory(self.variant)?;
        if let Some(settings) = &self.sentinel {
            // A Sentinel keeps what it knows in its settings, and does not start without the file.
            fs::write(directory.join(SENTINEL_SETTINGS), settings)
                .map_err(|error| Error::io("cannot write the settings of a Sentinel", error))?;
        }
        let mut server = Server {
            options: self,
            installation,
            directory,
            port: Port::reserve()?,
            bus_port: None,
            version: String::new(),
            pid: AtomicU32::new(0),
            paused: AtomicBool::new(false),
            process: Mutex::new(None),
        };
        for _ in 0..PORT_ATTEMPTS {
            if server.options.bus {
                server.bus_port = Some(Port::reserve()?);
            }
            if let Started::Ready { process, version } = server.launch()? {
                server.version = version;
                *server.process() = Some(process);
                return Ok(server);
            }
            // Between finding a port free and binding it, a stranger may take it.
            server.port = Port::reserve()?;
        }
        Err(Error::failed(format!(
            "no free port found in {PORT_ATTEMPTS} attempts"
        )))
    }

    fn command_line(
        &self,
        installation: &Installation,
        port: u16,
        bus_port: Option<u16>,
        socket: &Path,
    ) -> Vec<String> {
        let port = port.to_string();
        let mut args: Vec<String> = [
            ["--port", &port],
            ["--bind", "127.0.0.1"],
            ["--protected-mode", "no"],
            ["--daemonize", "no"],
            ["--save", ""],
            ["--appendonly", "no"],
            ["--enable-debug-command", "yes"],
        ]
        .into_iter()
        .flatten()
        .map(str::to_owned)
        .collect();
        if self.sentinel.is_some() {
            // The file comes first, and the process runs in the directory that has it.
            args.insert(0, SENTINEL_SETTINGS.to_owned());
            args.push("--sentinel".to_owned());
        }
        if self.unix_socket {
            args.extend(["--unixsocket".to_owned(), socket.display().to_string()]);
            args.extend(["--unixsocketperm".to_owned(), "700".to_owned()]);
        }
        if let Some(port) = bus_port {
            args.extend(["--cluster-port".to_owned(), port.to_string()]);
        }
        if self.modules && self.sentinel.is_none() {
            for module in installation.modules() {
                args.extend(["--loadmodule".to_owned(), module.display().to_string()]);
            }
        }
        // Last, because the later of two values counts.
        args.extend(self.args.iter().cloned());
        args
    }

    fn password(&self) -> Option<&str> {
        let at = self.args.iter().rposition(|arg| arg == "--requirepass")?;
        self.args
            .get(at + 1)
            .map(String::as_str)
            .filter(|password| !password.is_empty())
    }
}

impl Server {
    /// Starts a server with the default options and waits until it answers.
    pub fn start(variant: Variant) -> Result<Self> {
        ServerOptions::new(variant).start()
    }

    /// The options of a server to be started.
    pub fn builder(variant: Variant) -> ServerOptions {
        ServerOptions::new(variant)
    }

    /// What kind of server this is.
    pub fn variant(&self) -> Variant {
        self.options.variant
    }

    /// The program that runs.
    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    /// The version that the server reports, such as `9.1.2`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The TCP address as a URL: `redis://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("redis://{}", self.addr())
    }

    /// The Unix socket as a URL: `redis+unix:///path`.
    pub fn unix_url(&self) -> String {
        format!("redis+unix://{}", self.socket_path().display())
    }

    /// The TCP address.
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port()).into()
    }

    /// The TCP port; it stays the same over a restart.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The port for the other nodes of a cluster.
    pub(crate) fn bus_port(&self) -> Option<u16> {
        self.bus_port.as_ref().map(Port::number)
    }

    /// The path of the Unix socket, where nothing is if that is switched off.
    pub fn socket_path(&self) -> PathBuf {
        self.directory.join("redis.sock")
    }

    /// The process id, or that of the last process if none runs now.
    pub fn pid(&self) -> u32 {
        self.pid.load(Ordering::Relaxed)
    }

    /// The server's own directory, which is deleted with it.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Where the log is.
    pub fn log_path(&self) -> PathBuf {
        self.directory.join("server.log")
    }

    /// What the server has logged since it was first started.
    pub fn log(&self) -> String {
        self.log_from(0)
    }

    /// Whether the process runs; a paused one counts.
    pub fn is_running(&self) -> bool {
        let status = self.process().as_mut().map(Process::exit_status);
        matches!(status, Some(Ok(None)))
    }

    /// Whether it was paused and not resumed since.
    pub fn is_paused(&self) -> bool {
        self.paused.load(Ordering::Relaxed)
    }

    /// Sends one command over a connection of its own, and returns the bytes of the reply (RESP2).
    ///
    /// An error reply is a reply. This is for preparing and inspecting the server without the
    /// client under test; nothing of the connection's state lasts until the next call.
    pub fn command(&self, parts: &[&[u8]]) -> Result<Vec<u8>> {
        let exchange = || self.connect(COMMAND_TIMEOUT)?.command(parts);
        exchange().map_err(|error| {
            let name = parts.first().copied().unwrap_or_default();
            let name = String::from_utf8_lossy(name).into_owned();
            Error::io(
                format!(
                    "{name} got no reply from {} at {}",
                    self.variant(),
                    self.url()
                ),
                error,
            )
        })
    }

    /// A connection for several commands, logged in like those of [`command`](Self::command). No
    /// wait in it is longer than `patience`.
    pub fn connection(&self, patience: Duration) -> Result<Connection> {
        self.connect(patience).map_err(|error| {
            Error::io(
                format!("cannot connect to {} at {}", self.variant(), self.url()),
                error,
            )
        })
    }

    /// Watches from outside when the server accepts writes.
    pub fn prober(&self, key: impl Into<Vec<u8>>) -> Prober {
        Prober::start(vec![self.addr()], key.into())
    }

    /// Ends the process in an orderly way. A second call does nothing.
    pub fn stop(&self) -> Result<()> {
        match self.process().take() {
            Some(mut process) => process
                .terminate(STOP_PATIENCE)
                .map_err(|error| Error::io(format!("cannot stop {}", self.variant()), error)),
            None => Ok(()),
        }
    }

    /// Ends the process at once, as a crash would. A second call does nothing.
    pub fn kill(&self) -> Result<()> {
        match self.process().take() {
            Some(mut process) => process
                .kill()
                .map_err(|error| Error::io(format!("cannot kill {}", self.variant()), error)),
            None => Ok(()),
        }
    }

    /// Stops the process if it runs, and starts it again on the same port, with no data.
    pub fn restart(&self) -> Result<()> {
        self.stop()?;
        let deadline = Instant::now() + self.options.start_timeout;
        loop {
            if let Started::Ready { process, .. } = self.launch()? {
                *self.process() = Some(process);
                return Ok(());
            }
            // A stranger's connection may have our port for its own end; those pass.
            if Instant::now() >= deadline {
                let port = self.port();
                return Err(Error::failed(format!(
                    "port {port} was taken during the restart"
                )));
            }
            thread::sleep(POLL_INTERVAL);
        }
    }

    /// Freezes the process: connections stay open and nothing answers.
    pub fn pause(&self) -> Result<()> {
        self.act(Process::pause)?;
        self.paused.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Lets a paused process go on.
    pub fn resume(&self) -> Result<()> {
        self.act(|process| process.signal(Signal::CONT))?;
        self.paused.store(false, Ordering::Relaxed);
        Ok(())
    }

    fn act(&self, action: impl FnOnce(&mut Process) -> io::Result<()>) -> Result<()> {
        match self.process().as_mut() {
            Some(process) => action(process)
                .map_err(|error| Error::io(format!("cannot signal {}", self.variant()), error)),
            None => Err(Error::failed(format!("{} was stopped", self.variant()))),
        }
    }

    /// One attempt at starting on the chosen port.
    fn launch(&self) -> Result<Started> {
        let path = self.log_path();
        let failed = |error| Error::io(format!("cannot start {}", self.variant()), error);
        let log = File::options()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(failed)?;
        let log_start = log.metadata().map_err(failed)?.len();
        let args = self.options.command_line(
            &self.installation,
            self.port(),
            self.bus_port(),
            &self.socket_path(),
        );
        let mut process =
            Process::spawn(&self.installation, &args, &self.directory, log).map_err(failed)?;
        self.pid.store(process.id(), Ordering::Relaxed);
        self.paused.store(false, Ordering::Relaxed);

        let deadline = Instant::now() + self.options.start_timeout;
        loop {
            if let Some(status) = process.exit_status().map_err(failed)? {
                let log = self.log_from(log_start);
                if log.contains("Address already in use") {
                    return Ok(Started::PortTaken);
                }
                let what = format!("{} ended while starting ({status})", self.variant());
                return Err(Error::failed(format!("{what}\n{}", self.report(&log))));
            }
            if let Some(version) = self.answering_version(process.id(), log_start) {
                return Ok(Started::Ready { process, version });
            }
            if Instant::now() >= deadline {
                process.keep_directory();
                let timeout = self.options.start_timeout;
                let what = format!("{} did not answer within {timeout:?}", self.variant());
                return Err(Error::failed(format!(
                    "{what}\n{}",
                    self.report(&self.log())
                )));
            }
            thread::sleep(POLL_INTERVAL);
        }
    }

    /// The version of the server on our port, if it answers and is the one just started: when the
    /// port was lost to another test's server, that one answers until ours notices and ends.
    fn answering_version(&self, pid: u32, log_start: u64) -> Option<String> {
        let mut connection = self.connect(PING_TIMEOUT).ok()?;
        let pong = connection.command(&[b"PING"]).ok()?;
        if pong == b"+PONG\r\n" {
            let info = connection.command(&[b"INFO", b"server"]).ok()?;
            let info = String::from_utf8_lossy(&info);
            if let Some(answering) = info_field(&info, "process_id") {
                let ours = answering.parse() == Ok(pid);
                let version = info_field(&info, "valkey_version")
                    .or_else(|| info_field(&info, "redis_version"));
                return version.filter(|_| ours).map(str::to_owned);
            }
        }
        // Settings of the test keep us from asking, for instance users of its own. That our server
        // has the port is then known from its log.
        let refused = ["-NOAUTH", "-NOPERM", "-ERR", "+PONG"];
        let refused = refused
            .iter()
            .any(|start| pong.starts_with(start.as_bytes()));
        let ready = self
            .log_from(log_start)
            .contains("Ready to accept connections");
        (refused && ready).then(|| self.installation.version().to_owned())
    }

    fn connect(&self, patience: Duration) -> io::Result<Connection> {
        let mut connection = Connection::open(self.addr(), patience)?;
        if let Some(password) = self.options.password() {
            connection.command(&[b"AUTH", password.as_bytes()])?;
        }
        Ok(connection)
    }

    /// A panic in a thread that holds the lock leaves nothing half done in there.
    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn log_from(&self, start: u64) -> String {
        let read = || {
            let mut bytes = Vec::new();
            let mut file = File::open(self.log_path())?;
            file.seek(SeekFrom::Start(start))?;
            file.read_to_end(&mut bytes)?;
            io::Result::Ok(bytes)
        };
        match read() {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => format!("(no log: {error})"),
        }
    }

    /// The end of the log and where the rest is.
    fn report(&self, log: &str) -> String {
        let lines: Vec<_> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(REPORTED_LINES)..].join("\n  ");
        format!(
            "log of {} in {}:\n  {last}",
            self.variant(),
            self.log_path().display()
        )
    }

    pub(crate) fn keep_log_of_shared(&self) {
        // The panic may have happened under this lock.
        if let Ok(mut process) = self.process.try_lock()
            && let Some(process) = process.as_mut()
        {
            process.keep_directory();
            eprintln!(
                "log of the shared {}: {}",
                self.variant(),
                self.log_path().display()
            );
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let process = self
            .process
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let mut died = false;
        if let Some(mut process) = process {
            died = !matches!(process.exit_status(), Ok(None));
            // A process that cannot be stopped is killed when it goes out of scope here.
            let _ = process.terminate(STOP_PATIENCE);
        }
        // A server that never got to answer is reported by the error that says so.
        if self.version.is_empty() {
            return;
        }
        if died || thread::panicking() {
            let why = if died { "the server has died, " } else { "" };
            eprintln!("{why}{}", self.report(&self.log()));
        } else {
            // What is left in the temporary directory harms nobody.
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("variant", &self.variant())
            .field("version", &self.version)
            .field("addr", &self.addr())
            .field("pid", &self.pid())
            .finish_non_exhaustive()
    }
}

enum Started {
    Ready { process: Process, version: String },
    PortTaken,
}

/// Makes a directory nobody else has, with a path short enough for a Unix socket in it.
fn create_directory(variant: Variant) -> Result<PathBuf> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let mut parent = std::env::temp_dir();
    if parent.as_os_str().as_bytes().len() > LONGEST_PARENT {
        parent = PathBuf::from("/tmp");
    }
    loop {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("respec-{}-{}-{count}", variant.name(), process::id());
        let directory = parent.join(name);
        match DirBuilder::new().mode(0o700).create(&directory) {
            Ok(()) => return Ok(directory),
            // Kept by an earlier process that had our process id.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(Error::io(
                    format!("cannot create {}", directory.display()),
                    error,
                ));
            }
        }
    }
}

fn info_field<'i>(info: &'i str, name: &str) -> Option<&'i str> {
    info.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .map(str::trim)
}

const SENTINEL_SETTINGS: &str = "sentinel.conf";
const PORT_ATTEMPTS: u32 = 20;
/// Short, as it is tried again, and what listens on our port may be a stranger who never answers.
const PING_TIMEOUT: Duration = Duration::from_millis(250);
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);
/// A server waits up to ten seconds for its replicas, which a test has no use for.
const STOP_PATIENCE: Duration = Duration::from_secs(5);
const REPORTED_LINES: usize = 20;
/// A socket's path has at most 107 bytes; our part of it has fewer than 47.
const LONGEST_PARENT: usize = 60;
