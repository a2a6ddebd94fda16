//! The first exchange on a connection, in steps that never overlap a failing authentication.
//!
//! ```text
//!            RESP3                               RESP2
//!              │                                   │
//!              ▼         any other error           ▼
//!   HELLO 3 [AUTH …] ──────────────────────▶ AUTH …, if there are credentials
//!              │                                   │
//!              ▼                                   ▼
//!   CLIENT SETNAME, CLIENT SETINFO ×2, SELECT, READONLY: one batch, every reply is checked
//!   (and under RESP2 INFO, if versions are to be checked, and PING without credentials, to learn
//!   whether they are wanted)
//!              │
//!              ▼
//!            Done
//! ```
//!
//! Authentication goes alone: some servers swallow the error of a failed one when other replies
//! are pending, and every later reply would then be somebody else's.

use bytes::BytesMut;

use crate::{
    code,
    command::ServerVersion,
    config::{Address, Config, Protocol},
    error::{Error, ErrorKind, Result},
    reply::{Decode, ServerInfo},
    resp::{Frame, Reply, Writer},
    secret::SecretOutput,
};

/// A version of RESP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// RESP2, which every server speaks.
    Resp2,
    /// RESP3.
    Resp3,
}

/// As whom and for what to open a connection.
#[derive(Clone, Copy)]
pub(crate) struct Identity<'a> {
    /// The version to ask for; where the server does not know RESP3, it becomes RESP2.
    pub(crate) version: Version,
    /// The user; without one, a password is that of the user `default`.
    pub(crate) username: Option<&'a str>,
    /// The password; without one nobody authenticates.
    pub(crate) password: Option<&'a [u8]>,
    /// Whether to say what is to be shown in `CLIENT LIST`.
    pub(crate) identify: bool,
    /// The name to show there.
    pub(crate) client_name: Option<&'a str>,
    /// The database to select.
    pub(crate) database: i64,
    /// Whether calls are checked against the version of the server, which must be known then.
    pub(crate) version_check: bool,
    /// Whether a node of a cluster that is a replica shall run what only reads.
    pub(crate) read_only: bool,
}

impl<'a> Identity<'a> {
    /// What a config asks for.
    pub(crate) fn of(config: &'a Config) -> Self {
        Self {
            version: match config.protocol {
                Protocol::Resp3 => Version::Resp3,
                Protocol::Resp2 => Version::Resp2,
            },
            username: config.username.as_deref(),
            // A user is never left out: it may have fewer rights than `default`, and one without a
            // password takes any.
            password: match (&config.password, &config.username) {
                (Some(password), _) => Some(password.expose()),
                (None, Some(_)) => Some(b""),
                (None, None) => None,
            },
            identify: config.identify,
            client_name: config.client_name.as_deref(),
            database: i64::from(config.database),
            version_check: config.version_check,
            read_only: matches!(config.address, Address::Cluster(_))
                && !config.cluster.read_from.is_primary(),
        }
    }

    /// The same for a connection that must be made while a script runs: such a server greets, and
    /// answers nothing that chooses a database or a role.
    pub(crate) fn urgent(config: &'a Config) -> Self {
        Self {
            database: 0,
            read_only: false,
            ..Self::of(config)
        }
    }
}

/// What the server told about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Greeting {
    /// The version of RESP that is spoken from now on.
    pub(crate) version: Version,
    /// What the server calls itself, such as `redis` or `valkey`; under RESP2 it is asked only where
    /// versions are checked.
    pub(crate) server: Option<String>,
    /// The version of the server, told where its name is.
    pub(crate) server_version: Option<String>,
    /// The number of this connection at the server; only RESP3 tells.
    pub(crate) id: Option<i64>,
    /// What to check calls against, if that is wanted and known.
    pub(crate) checked: Option<ServerVersion>,
}

impl Greeting {
    /// The server as it presented itself.
    fn presented(&self) -> Option<ServerVersion> {
        let (name, version) = (self.server.as_ref()?, self.server_version.as_ref()?);
        Some(ServerVersion::new(name, version))
    }
}

/// How far a handshake got.
#[derive(Debug)]
pub(crate) enum Progress {
    /// Write the output, if there is some, and read on.
    NeedInput,
    /// The connection is ready.
    Done(Greeting),
}

/// The state of a handshake.
pub(crate) struct Handshake {
    output: SecretOutput,
    state: State,
    /// `AUTH` by itself, for servers without `HELLO`.
    auth: Option<SecretOutput>,
    setup: BytesMut,
    /// What the replies to `setup` answer.
    steps: Vec<Step>,
    version_check: bool,
    greeting: Greeting,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Hello,
    Auth,
    /// The next reply is that of this step; there are no more steps at the end.
    Setup(usize),
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Name,
    Library,
    Database,
    ReadOnly,
    Access,
    Version,
}

impl Handshake {
    /// A handshake whose first bytes wait in the output.
    ///
    /// # Errors
    ///
    /// A setting that cannot be sent.
    pub(crate) fn new(identity: &Identity<'_>) -> Result<Self> {
        let mut steps = Vec::new();
        let mut setup = BytesMut::new();
        if let Some(name) = identity.client_name.filter(|_| identity.identify) {
            steps.push(Step::Name);
            words(&mut setup, &[b"CLIENT", b"SETNAME", name.as_bytes()])?;
        }
        let library = [
            ("LIB-NAME", env!("CARGO_PKG_NAME")),
            ("LIB-VER", env!("CARGO_PKG_VERSION")),
        ];
        for (attribute, value) in library.into_iter().filter(|_| identity.identify) {
            steps.push(Step::Library);
            let (attribute, value) = (attribute.as_bytes(), value.as_bytes());
            words(&mut setup, &[b"CLIENT", b"SETINFO", attribute, value])?;
        }
        if identity.database != 0 {
            steps.push(Step::Database);
            let database = identity.database.to_string();
            words(&mut setup, &[b"SELECT", database.as_bytes()])?;
        }

        if identity.read_only {
            steps.push(Step::ReadOnly);
            words(&mut setup, &[b"READONLY"])?;
        }

        let mut hello = BytesMut::new();
        let mut auth = None;
        match (identity.username, identity.password) {
            (username, Some(password)) => {
                let user = username.unwrap_or("default").as_bytes();
                words(&mut hello, &[b"HELLO", b"3", b"AUTH", user, password])?;
                let mut alone = BytesMut::new();
                match username {
                    Some(_) => words(&mut alone, &[b"AUTH", user, password])?,
                    None => words(&mut alone, &[b"AUTH", password])?,
                }
                auth = Some(alone.into());
            }
            (_, None) => words(&mut hello, &[b"HELLO", b"3"])?,
        }

        let mut handshake = Self {
            output: hello.into(),
            state: State::Hello,
            auth,
            setup,
            steps,
            version_check: identity.version_check,
            greeting: Greeting {
                version: Version::Resp3,
                server: None,
                server_version: None,
                id: None,
                checked: None,
            },
        };
        if identity.version == Version::Resp2 {
            handshake.output = SecretOutput::default();
            handshake.fall_back()?;
        }
        Ok(handshake)
    }

    /// The bytes to write next; empty while there are none.
    pub(crate) fn take_output(&mut self) -> SecretOutput {
        std::mem::take(&mut self.output)
    }

    /// Whether there are bytes to write.
    pub(crate) fn has_output(&self) -> bool {
        !self.output.is_empty()
    }

    /// Takes the next frame from the server.
    ///
    /// # Errors
    ///
    /// The server refuses; the connection must be closed. The message never repeats a secret,
    /// although old servers do so in theirs.
    pub(crate) fn receive(&mut self, frame: &Frame) -> Result<Progress> {
        if frame.is_push() {
            return Ok(Progress::NeedInput);
        }
        let reply = frame.reply();
        if let Some(text) = reply.as_error() {
            refuses_everybody(text)?;
        }
        match self.state {
            State::Hello => self.hello(reply)?,
            State::Auth => self.authenticated(reply)?,
            State::Setup(at) => self.set_up(at, reply)?,
        }
        match self.state {
            State::Setup(at) if at >= self.steps.len() => Ok(Progress::Done(self.greeting())),
            _ => Ok(Progress::NeedInput),
        }
    }

    fn hello(&mut self, reply: Reply<'_>) -> Result<()> {
        let Some(text) = reply.as_error() else {
            self.greet(reply);
            self.begin_setup();
            return Ok(());
        };
        // Whatever else a peer says, it is one that does not know `HELLO`, or not as it is meant: an
        // old server, a fork, a proxy. Busy or loading servers greet nevertheless, and one that does
        // not has not taken the credentials either.
        if matches!(first_word(text), b"NOAUTH" | b"WRONGPASS") {
            return Err(refused("HELLO", text));
        }
        self.fall_back()
    }

    fn authenticated(&mut self, reply: Reply<'_>) -> Result<()> {
        if let Some(text) = reply.as_error() {
            return Err(refused("AUTH", text));
        }
        self.begin_setup();
        Ok(())
    }

    fn set_up(&mut self, at: usize, reply: Reply<'_>) -> Result<()> {
        if let Some(text) = reply.as_error() {
            let ignored = match self.steps.get(at) {
                // Servers before 7.2 and proxies do not know it, and nothing depends on it.
                Some(Step::Library | Step::Name | Step::Access | Step::Version) => {
                    first_word(text) != b"NOAUTH"
                }
                Some(Step::Database | Step::ReadOnly) | None => false,
            };
            if !ignored {
                return Err(refused(
                    self.steps.get(at).map_or("", |step| step.name()),
                    text,
                ));
            }
        }
        if let Some(Step::Version) = self.steps.get(at)
            && let Ok(info) = ServerInfo::decode(reply)
        {
            self.greeting.server = info.server_name().map(str::to_owned);
            self.greeting.server_version = info.version().map(str::to_owned);
        }
        self.state = State::Setup(at + 1);
        Ok(())
    }

    fn greeting(&self) -> Greeting {
        let mut greeting = self.greeting.clone();
        if self.version_check {
            greeting.checked = greeting.presented();
        }
        greeting
    }

    fn fall_back(&mut self) -> Result<()> {
        self.greeting.version = Version::Resp2;
        if self.version_check {
            self.steps.push(Step::Version);
            words(&mut self.setup, &[b"INFO", b"server"])?;
        }
        if let Some(auth) = self.auth.take() {
            self.output = auth;
            self.state = State::Auth;
            return Ok(());
        }
        // Nothing else would tell that a password is missing: servers that do not know `SETINFO`
        // say that first.
        self.steps.push(Step::Access);
        words(&mut self.setup, &[b"PING"])?;
        self.begin_setup();
        Ok(())
    }

    fn begin_setup(&mut self) {
        self.output = std::mem::take(&mut self.setup).into();
        self.state = State::Setup(0);
    }

    fn greet(&mut self, hello: Reply<'_>) {
        let text = |reply: Reply<'_>| {
            reply
                .bytes()
                .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        };
        let Some(mut elements) = hello.elements() else {
            return;
        };
        while let (Some(key), Some(value)) = (elements.next(), elements.next()) {
            match key.bytes() {
                Some(b"server") => self.greeting.server = text(value),
                Some(b"version") => self.greeting.server_version = text(value),
                Some(b"id") => self.greeting.id = value.integer(),
                _ => {}
            }
        }
    }
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Self::Name => "CLIENT SETNAME",
            Self::Library => "CLIENT SETINFO",
            Self::Database => "SELECT",
            Self::ReadOnly => "READONLY",
            Self::Access => "PING",
            Self::Version => "INFO",
        }
    }
}

fn words(out: &mut BytesMut, words: &[&[u8]]) -> Result<()> {
    Writer::command(out, |to| words.iter().for_each(|word| to.word(word)))
}

/// The first word of an error, which is all that servers agree on.
fn first_word(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == b' ').next().unwrap_or_default()
}

/// Errors that a server sends to whoever connects, whatever was asked.
fn refuses_everybody(text: &[u8]) -> Result<()> {
    // The one text that must be read on behind the first word, because that is `ERR`.
    if text.starts_with(b"ERR max number of clients") {
        return Err(Error::new(
            ErrorKind::Connect,
            "the server is full: it has reached its limit of clients (maxclients)",
        ));
    }
    if first_word(text) == b"DENIED" {
        return Err(Error::new(
            ErrorKind::Connect,
            "the server runs in protected mode and accepts local clients only (DENIED)",
        ));
    }
    Ok(())
}

/// Whether a server turns everybody away at the moment, and says that this will pass.
fn is_not_ready(error: &Error) -> bool {
    let source = std::error::Error::source(error);
    let said = source.and_then(|source| source.downcast_ref::<Error>());
    let code = said.and_then(Error::code);
    error.kind() == ErrorKind::Connect && code.is_some_and(|code| NOT_READY.contains(&code))
}

/// Whether it was the server that wanted no connection, which it will not change its mind about soon, and
/// not that it could not be reached.
pub(crate) fn is_refusal(error: &Error) -> bool {
    let source = std::error::Error::source(error);
    let by_system = source.is_some_and(|source| source.is::<std::io::Error>());
    error.kind() == ErrorKind::Connect && !by_system && !is_not_ready(error)
}

/// The codes of a server that will take connections after a while.
const NOT_READY: [&str; 4] = [code::LOADING, code::BUSY, code::MASTERDOWN, code::READONLY];

fn refused(command: &'static str, text: &[u8]) -> Error {
    let code = first_word(text);
    let shown = String::from_utf8_lossy(code);
    let why = match &*shown {
        "NOAUTH" => "the server asks for a password",
        "WRONGPASS" => "the server rejects the user name or the password",
        "NOPERM" => "the user may not run this command",
        "LOADING" => "the server is loading its data",
        "BUSY" => "the server is busy with a script",
        "MASTERDOWN" => "the server is a replica that has lost its primary",
        "READONLY" => "the server is a replica",
        // The text may repeat the arguments, of which one is a password.
        _ if matches!(command, "HELLO" | "AUTH") => "the server refuses it",
        _ => {
            return Error::new(ErrorKind::Connect, "the server refuses a setting")
                .with_command(command)
                .with_source(Error::server(text));
        }
    };
    // The code alone, for the same reason.
    Error::new(ErrorKind::Connect, format!("{why} ({shown})"))
        .with_command(command)
        .with_source(Error::server(code))
}

#[cfg(test)]
mod tests;
