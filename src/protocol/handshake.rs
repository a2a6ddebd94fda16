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
    output: BytesMut,
    state: State,
    /// `AUTH` by itself, for servers without `HELLO`.
    auth: Option<BytesMut>,
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
                auth = Some(alone);
            }
            (_, None) => words(&mut hello, &[b"HELLO", b"3"])?,
        }

        let mut handshake = Self {
            output: hello,
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
            handshake.output.clear();
            handshake.fall_back()?;
        }
        Ok(handshake)
    }

    /// The bytes to write next; empty while there are none.
    pub(crate) fn take_output(&mut self) -> BytesMut {
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
        self.output = std::mem::take(&mut self.setup);
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
pub(crate) fn is_not_ready(error: &Error) -> bool {
    let source = std::error::Error::source(error);
    let said = source.and_then(|source| source.downcast_ref::<Error>());
    let code = said.and_then(Error::code);
    error.kind() == ErrorKind::Connect && code.is_some_and(|code| NOT_READY.contains(&code))
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
mod tests {
    use super::*;
    use bytes::Bytes;

    const PLAIN: Identity<'static> = Identity {
        version: Version::Resp3,
        username: None,
        password: None,
        identify: true,
        client_name: None,
        database: 0,
        version_check: false,
        read_only: false,
    };

    const HELLO: &[u8] =
        b"%3\r\n$6\r\nserver\r\n$6\r\nvalkey\r\n$7\r\nversion\r\n$5\r\n9.1.2\r\n$2\r\nid\r\n:7\r\n";

    /// Sends each script's bytes in turn; returns what was written and where it ended.
    fn run(identity: &Identity<'_>, replies: &[&[u8]]) -> (Vec<String>, Result<Progress>) {
        let mut handshake = Handshake::new(identity).unwrap();
        let mut written = Vec::new();
        let mut progress = Ok(Progress::NeedInput);
        for reply in replies {
            let output = handshake.take_output();
            if !output.is_empty() {
                written.push(spoken(&output));
            }
            let frame = Frame::parse(Bytes::copy_from_slice(reply)).unwrap();
            progress = handshake.receive(&frame);
            if !matches!(progress, Ok(Progress::NeedInput)) {
                break;
            }
        }
        let output = handshake.take_output();
        if !output.is_empty() {
            written.push(spoken(&output));
        }
        (written, progress)
    }

    /// The words of a batch; commands are separated by `;`.
    fn spoken(bytes: &[u8]) -> String {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let lines: Vec<_> = text.split("\r\n").collect();
        let mut commands: Vec<Vec<&str>> = Vec::new();
        for line in lines {
            if line.starts_with('*') {
                commands.push(Vec::new());
            } else if !line.starts_with('$') && !line.is_empty() {
                commands.last_mut().unwrap().push(line);
            }
        }
        let commands: Vec<_> = commands.iter().map(|words| words.join(" ")).collect();
        commands.join("; ")
    }

    fn greeting(progress: Result<Progress>) -> Greeting {
        match progress {
            Ok(Progress::Done(greeting)) => greeting,
            other => panic!("expected a greeting, got {other:?}"),
        }
    }

    const SETINFO: &str = concat!(
        "CLIENT SETINFO LIB-NAME respec; CLIENT SETINFO LIB-VER ",
        env!("CARGO_PKG_VERSION")
    );

    #[test]
    fn resp3_in_two_steps() {
        let (written, progress) = run(&PLAIN, &[HELLO, b"+OK\r\n", b"+OK\r\n"]);
        assert_eq!(written, ["HELLO 3", SETINFO]);
        assert_eq!(
            greeting(progress),
            Greeting {
                version: Version::Resp3,
                server: Some("valkey".into()),
                server_version: Some("9.1.2".into()),
                id: Some(7),
                checked: None,
            }
        );
    }

    #[test]
    fn the_version_to_check_is_that_of_the_greeting_or_asked_for() {
        let checked = Identity {
            version_check: true,
            ..PLAIN
        };
        let ok: &[u8] = b"+OK\r\n";
        let (written, progress) = run(&checked, &[HELLO, ok, ok]);
        assert_eq!(written, ["HELLO 3", SETINFO]);
        let valkey = Some(ServerVersion::new("valkey", "9.1.2"));
        assert_eq!(greeting(progress).checked, valkey);

        let resp2 = Identity {
            version: Version::Resp2,
            ..checked
        };
        let info = b"$73\r\n# Server\r\nredis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.1.2\r\n\r\n";
        let (written, progress) = run(&resp2, &[ok, ok, info, b"+PONG\r\n"]);
        assert_eq!(written, [format!("{SETINFO}; INFO server; PING")]);
        let found = greeting(progress);
        assert_eq!((found.checked, found.version), (valkey, Version::Resp2));
        // Who may not ask cannot be checked.
        let denied: &[u8] = b"-NOPERM User worker has no permissions to run the 'info' command\r\n";
        let (_, progress) = run(&resp2, &[ok, ok, denied, b"+PONG\r\n"]);
        assert_eq!(greeting(progress).checked, None);
    }

    #[test]
    fn everything_that_was_asked_for_is_sent() {
        let identity = Identity {
            username: Some("app"),
            password: Some(b"pw"),
            client_name: Some("worker"),
            database: 3,
            read_only: true,
            ..PLAIN
        };
        let ok: &[u8] = b"+OK\r\n";
        let (written, progress) = run(&identity, &[HELLO, ok, ok, ok, ok, ok]);
        assert_eq!(
            written,
            [
                "HELLO 3 AUTH app pw".to_owned(),
                format!("CLIENT SETNAME worker; {SETINFO}; SELECT 3; READONLY")
            ]
        );
        greeting(progress);
    }

    #[test]
    fn a_password_alone_is_that_of_the_default_user() {
        let identity = Identity {
            password: Some(b"pw"),
            ..PLAIN
        };
        let unknown = b"-ERR unknown command `HELLO`, with args beginning with: `3`, `AUTH`, \r\n";
        let (written, progress) = run(
            &identity,
            &[unknown, b"+OK\r\n", b"-ERR x\r\n", b"-ERR x\r\n"],
        );
        assert_eq!(written, ["HELLO 3 AUTH default pw", "AUTH pw", SETINFO]);
        assert_eq!(greeting(progress).version, Version::Resp2);
    }

    #[test]
    fn c03_a_user_without_a_password_is_not_left_out() {
        let first = |config: &Config| {
            let mut handshake = Handshake::new(&Identity::of(config)).unwrap();
            String::from_utf8(handshake.take_output().to_vec()).unwrap()
        };
        let config = Config::from_url("redis://alice@h").unwrap();
        let empty = "$5\r\nalice\r\n$0\r\n\r\n";
        assert!(first(&config).starts_with("*5\r\n$5\r\nHELLO\r\n"));
        assert!(first(&config).ends_with(empty));
        let resp2 = config.protocol(Protocol::Resp2);
        assert_eq!(first(&resp2), format!("*3\r\n$4\r\nAUTH\r\n{empty}"));
        let (_, progress) = run(&Identity::of(&resp2), &[b"-WRONGPASS no\r\n"]);
        assert_eq!(progress.unwrap_err().kind(), ErrorKind::Connect);
        let nobody = first(&Config::default());
        assert!(nobody.starts_with("*2\r\n"), "nobody is nobody: {nobody}");
    }

    #[test]
    fn c08_an_urgent_connection_asks_for_nothing_that_a_script_holds_up() {
        let config = Config::cluster([crate::cluster::NodeAddress::new("h", 1)])
            .database(3)
            .read_from(crate::cluster::ReadFrom::Any)
            .username("app")
            .password("pw");
        let ok: &[u8] = b"+OK\r\n";
        let busy: &[u8] = b"-BUSY a script is running\r\n";
        let (written, progress) = run(&Identity::urgent(&config), &[HELLO, busy, busy]);
        assert_eq!(written, ["HELLO 3 AUTH app pw", SETINFO]);
        greeting(progress);
        let (written, progress) = run(&Identity::of(&config), &[HELLO, ok, ok, busy]);
        assert_eq!(written[1], format!("{SETINFO}; SELECT 3; READONLY"));
        assert!(progress.is_err());
    }

    #[test]
    fn c14_any_error_that_is_not_about_credentials_means_resp2() {
        let ok: &[u8] = b"+OK\r\n";
        for refusal in [
            &b"-ERR unknown command\r\n"[..],
            b"-ERR Command not supported by this proxy\r\n",
            b"-ERR Protocol version is not an integer or out of range\r\n",
            b"-NOPERM this user has no permissions to run the 'hello' command\r\n",
            b"-unsupported command `HELLO`\r\n",
        ] {
            let identity = Identity {
                password: Some(b"pw"),
                ..PLAIN
            };
            let (written, progress) = run(&identity, &[refusal, ok, ok, ok]);
            assert_eq!(written, ["HELLO 3 AUTH default pw", "AUTH pw", SETINFO]);
            assert_eq!(greeting(progress).version, Version::Resp2);
            // What is wrong with the credentials, `AUTH` by itself tells.
            let (_, progress) = run(&identity, &[refusal, b"-ERR invalid password\r\n"]);
            assert_eq!(progress.unwrap_err().command(), Some("AUTH"));
        }
        for refusal in [&b"-WRONGPASS no\r\n"[..], b"-NOAUTH first\r\n"] {
            let (written, progress) = run(&PLAIN, &[refusal]);
            assert_eq!((written.len(), progress.is_err()), (1, true));
        }
    }

    #[test]
    fn c14_identification_is_an_option_and_its_errors_are_tolerated() {
        let silent = Identity {
            identify: false,
            ..PLAIN
        };
        let (written, progress) = run(&silent, &[HELLO]);
        assert_eq!(written, ["HELLO 3"]);
        greeting(progress);
        let ok: &[u8] = b"+OK\r\n";
        let (written, progress) = run(&silent, &[b"-ERR what\r\n", b"+PONG\r\n"]);
        assert_eq!(written, ["HELLO 3", "PING"]);
        assert_eq!(greeting(progress).version, Version::Resp2);
        let known = Identity {
            identify: false,
            version: Version::Resp2,
            password: Some(b"pw"),
            ..PLAIN
        };
        let (written, progress) = run(&known, &[ok]);
        assert_eq!(written, ["AUTH pw"]);
        greeting(progress);

        let named = Identity {
            client_name: Some("worker"),
            ..PLAIN
        };
        let unknown: &[u8] = b"-ERR unknown command 'CLIENT'\r\n";
        greeting(run(&named, &[HELLO, unknown, unknown, unknown]).1);
        let noauth: &[u8] = b"-NOAUTH Authentication required.\r\n";
        assert!(run(&named, &[HELLO, noauth]).1.is_err());
    }

    #[test]
    fn servers_without_resp3_are_spoken_to_in_resp2() {
        for refusal in [
            &b"-ERR unknown command 'HELLO'\r\n"[..],
            b"-NOPROTO sorry, this protocol version is not supported\r\n",
            b"-LOADING the dataset\r\n",
            b"-BUSY a script\r\n",
        ] {
            let ok: &[u8] = b"+OK\r\n";
            let (written, progress) = run(&PLAIN, &[refusal, ok, ok, b"+PONG\r\n"]);
            assert_eq!(written, ["HELLO 3", &format!("{SETINFO}; PING")]);
            assert_eq!(greeting(progress).version, Version::Resp2);
        }
    }

    #[test]
    fn resp2_does_not_ask_for_more() {
        let identity = Identity {
            version: Version::Resp2,
            username: Some("app"),
            password: Some(b"pw"),
            ..PLAIN
        };
        let ok: &[u8] = b"+OK\r\n";
        let (written, progress) = run(&identity, &[ok, ok, ok]);
        assert_eq!(written, ["AUTH app pw", SETINFO]);
        assert_eq!(greeting(progress).version, Version::Resp2);
    }

    #[test]
    fn a_password_that_is_missing_is_noticed_under_resp2() {
        let identity = Identity {
            version: Version::Resp2,
            ..PLAIN
        };
        let unknown: &[u8] = b"-ERR unknown subcommand 'SETINFO'\r\n";
        let noauth: &[u8] = b"-NOAUTH Authentication required.\r\n";
        let (written, progress) = run(&identity, &[unknown, unknown, noauth]);
        assert_eq!(written, [format!("{SETINFO}; PING")]);
        assert!(progress.unwrap_err().to_string().contains("NOAUTH"));
    }

    #[test]
    fn refusals_name_the_reason_and_no_secret() {
        let identity = Identity {
            username: Some("app"),
            password: Some(b"hunter2"),
            ..PLAIN
        };
        for (reply, reason) in [
            (
                &b"-WRONGPASS invalid username-password pair\r\n"[..],
                "WRONGPASS",
            ),
            (b"-NOAUTH HELLO must be called with\r\n", "NOAUTH"),
            (b"-ERR max number of clients reached\r\n", "full"),
            (
                b"-DENIED Redis is running in protected mode\r\n",
                "protected mode",
            ),
        ] {
            let (written, progress) = run(&identity, &[reply]);
            assert_eq!(written, ["HELLO 3 AUTH app hunter2"]);
            let error = progress.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Connect);
            assert!(error.to_string().contains(reason), "{error}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn settings_that_a_server_refuses_are_fatal_where_they_matter() {
        let identity = Identity {
            client_name: Some("worker"),
            database: 99,
            ..PLAIN
        };
        let ok: &[u8] = b"+OK\r\n";
        let range: &[u8] = b"-ERR DB index is out of range\r\n";
        let (_, progress) = run(&identity, &[HELLO, ok, ok, ok, range]);
        let error = progress.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect);
        assert_eq!(error.command(), Some("SELECT"));

        let busy: &[u8] = b"-BUSY a script is running\r\n";
        let (_, progress) = run(&identity, &[HELLO, busy, busy, busy, ok]);
        greeting(progress);
        let (_, progress) = run(&identity, &[HELLO, ok, ok, ok, busy]);
        assert!(progress.unwrap_err().to_string().contains("BUSY"));

        let (_, progress) = run(&PLAIN, &[HELLO, b"-NOAUTH Authentication required.\r\n"]);
        assert!(progress.unwrap_err().to_string().contains("password"));
    }

    #[test]
    fn c09_a_server_that_will_be_ready_is_told_from_one_that_refuses() {
        let identity = Identity {
            database: 3,
            ..PLAIN
        };
        let ok: &[u8] = b"+OK\r\n";
        for (text, is_passing) in [
            (&b"-LOADING the dataset\r\n"[..], true),
            (b"-BUSY a script is running\r\n", true),
            (b"-MASTERDOWN no link\r\n", true),
            (b"-READONLY a replica\r\n", true),
            (b"-NOPERM no\r\n", false),
            (b"-NOAUTH no\r\n", false),
            (b"-ERR DB index is out of range\r\n", false),
        ] {
            let (_, progress) = run(&identity, &[HELLO, ok, ok, text]);
            let error = progress.unwrap_err();
            assert_eq!(is_not_ready(&error), is_passing, "{error}");
            let source = std::error::Error::source(&error).unwrap();
            let said = source.downcast_ref::<Error>().unwrap();
            assert!(text.starts_with(format!("-{}", said.code().unwrap()).as_bytes()));
        }
        let (_, full) = run(&PLAIN, &[b"-ERR max number of clients reached\r\n"]);
        assert!(!is_not_ready(&full.unwrap_err()));
    }

    #[test]
    fn pushes_do_not_count() {
        let push: &[u8] = b">2\r\n+invalidate\r\n_\r\n";
        let ok: &[u8] = b"+OK\r\n";
        let (_, progress) = run(&PLAIN, &[push, HELLO, push, ok, push, ok]);
        greeting(progress);
    }
}
