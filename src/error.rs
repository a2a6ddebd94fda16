//! The one error of this crate, which callers ask questions of.

use std::{borrow::Cow, error, fmt, sync::Arc};

use crate::{
    code::{self, Execution},
    commands::info::RUNS_SCRIPT,
};

/// The result of everything that can fail here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong with a call, a connection or a configuration.
///
/// It never holds argument values or secrets of its own. Text that came from a server is kept as it
/// was; when it is printed, it is shortened, freed of control characters, and of what a server repeats
/// of a command where that may be a password.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    outcome: Outcome,
    command: Option<Cow<'static, str>>,
    /// Which command of a batch it is about.
    place: Option<usize>,
    message: Cow<'static, str>,
    /// What to do about it.
    hint: Option<&'static str>,
    source: Option<Arc<dyn error::Error + Send + Sync>>,
}

/// What a caller would act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The server answered with an error; see [`Error::code`].
    Server,
    /// No connection could be made, or its handshake failed.
    Connect,
    /// An established connection was lost.
    Connection,
    /// The time allowed for a phase ran out; see [`Error::phase`].
    Timeout(Phase),
    /// The peer sent what is no RESP, or what nobody asked for; the connection was closed.
    Protocol,
    /// The reply does not fit the type that was asked for.
    Decode,
    /// An argument cannot be sent as it is; nothing left this process.
    Argument,
    /// The command cannot run in this place; nothing left this process.
    Refused,
    /// The server is too old for the command or an option, or of a family that has neither; nothing
    /// left this process. Only where [`Config::version_check`](crate::Config::version_check) is set.
    Unsupported,
    /// A URL or another setting is malformed.
    Config,
    /// `EXEC` did nothing, because a watched key changed.
    Aborted,
    /// The client was closed.
    Closed,
}

/// The part of a call that a deadline ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Waiting for a connection of the pool, or for room in an output buffer.
    Queue,
    /// Resolving, dialling or greeting, or waiting until that may be tried again.
    Connect,
    /// Writing the request.
    Write,
    /// Waiting for the reply.
    Reply,
}

/// What is known about the execution of a command that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// No byte of the command reached the socket.
    NotSent,
    /// Some byte may have.
    Indeterminate,
    /// The server answered.
    Answered,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        let outcome = match kind {
            ErrorKind::Server | ErrorKind::Decode | ErrorKind::Aborted => Outcome::Answered,
            _ => Outcome::NotSent,
        };
        Self(Box::new(Inner {
            kind,
            outcome,
            command: None,
            place: None,
            message: message.into(),
            hint: None,
            source: None,
        }))
    }

    /// An error reply, whose first word is the code.
    pub(crate) fn server(text: &[u8]) -> Self {
        Self::new(
            ErrorKind::Server,
            String::from_utf8_lossy(text).into_owned(),
        )
    }

    pub(crate) fn argument(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Argument, message)
    }

    #[cfg(any(feature = "async", feature = "blocking"))]
    pub(crate) fn io(
        kind: ErrorKind,
        what: impl Into<Cow<'static, str>>,
        source: std::io::Error,
    ) -> Self {
        Self::new(kind, what).with_source(source)
    }

    pub(crate) fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.0.outcome = outcome;
        self
    }

    /// Names the command, unless one was named already that is known.
    pub(crate) fn with_command(mut self, command: impl Into<Cow<'static, str>>) -> Self {
        match &self.0.command {
            Some(known) if *known != UNKNOWN => {}
            _ => self.0.command = Some(command.into()),
        }
        self
    }

    /// Names the server that it is about, in front of a message that does not.
    pub(crate) fn of_server(mut self, server: &impl fmt::Display) -> Self {
        self.0.message = format!("{server}: {}", self.0.message).into();
        self
    }

    /// Says what to do about it, behind the message.
    pub(crate) fn with_hint(mut self, hint: &'static str) -> Self {
        self.0.hint = Some(hint);
        self
    }

    /// The error of the command at an index of a batch.
    pub(crate) fn with_place(mut self, at: usize) -> Self {
        self.0.place.get_or_insert(at);
        self
    }

    /// The same, unless it is about the one command that there is.
    pub(crate) fn with_place_in(self, is_batch: bool, at: usize) -> Self {
        match is_batch {
            true => self.with_place(at),
            false => self,
        }
    }

    pub(crate) fn with_source(
        mut self,
        source: impl Into<Box<dyn error::Error + Send + Sync>>,
    ) -> Self {
        self.0.source = Some(Arc::from(source.into()));
        self
    }

    /// What a caller would act on.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The code that an error reply begins with, such as `WRONGTYPE`, if it has one.
    ///
    /// Codes that the spec knows are constants of [`code`](crate::code); others are kept.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        (self.0.kind == ErrorKind::Server)
            .then(|| code::of(self.0.message.as_bytes()))
            .flatten()
    }

    /// The whole text of an error reply, as the server sent it.
    #[must_use]
    pub fn server_message(&self) -> Option<&str> {
        (self.0.kind == ErrorKind::Server).then_some(&*self.0.message)
    }

    /// The name of the command that failed, such as `XGROUP CREATE`.
    #[must_use]
    pub fn command(&self) -> Option<&str> {
        self.0.command.as_deref()
    }

    /// The phase whose time ran out.
    #[must_use]
    pub fn phase(&self) -> Option<Phase> {
        match self.0.kind {
            ErrorKind::Timeout(phase) => Some(phase),
            _ => None,
        }
    }

    /// Whether time ran out.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Timeout(_))
    }

    /// Whether there is no connection, or no longer.
    #[must_use]
    pub fn is_connection(&self) -> bool {
        matches!(
            self.0.kind,
            ErrorKind::Connect | ErrorKind::Connection | ErrorKind::Protocol | ErrorKind::Closed
        )
    }

    /// Whether it is what an attempt to connect has ended with.
    pub(crate) fn is_of_connecting(&self) -> bool {
        matches!(
            self.0.kind,
            ErrorKind::Connect | ErrorKind::Timeout(Phase::Connect)
        )
    }

    /// Which command of a pipeline or transaction has failed, counted from 0, where one of them has
    /// failed all.
    #[must_use]
    pub fn batch_index(&self) -> Option<usize> {
        self.0.place
    }

    /// Whether the server may have run the command, although this is an error.
    ///
    /// It is what to know before a write is sent again: `false` says that no byte of the command
    /// left this process, or that the server answered that it did nothing, with a code that says so
    /// (`READONLY`, `OOM`, `LOADING` …) or because a watched key had changed. Any other error reply
    /// counts as executed, since scripts and commands of modules can fail half-way.
    #[must_use]
    pub fn may_have_executed(&self) -> bool {
        match self.0.outcome {
            Outcome::NotSent => false,
            Outcome::Indeterminate => true,
            Outcome::Answered => self.0.kind != ErrorKind::Aborted && !self.is_refusal(),
        }
    }

    /// Whether the same call may succeed later, and nothing was executed: there was no connection or
    /// no time, or a server said that it cannot execute it for now.
    ///
    /// The client itself has tried again as long as [`CallOptions`](crate::CallOptions) and
    /// [`response_timeout`](crate::Config::response_timeout) let it, so that this is for callers with
    /// more time than that.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        if self.may_have_executed() {
            return false;
        }
        match self.0.kind {
            ErrorKind::Connect
            | ErrorKind::Connection
            | ErrorKind::Timeout(_)
            | ErrorKind::Protocol => true,
            // What is refused for good, such as a command that a user may not run, has another code.
            ErrorKind::Server => code::passes(self.0.message.as_bytes()),
            _ => false,
        }
    }

    /// Whether a server answered with a code that says that it executed nothing.
    fn is_refusal(&self) -> bool {
        // The list alone: by way of all facts, these would be in every program that has errors.
        let runs_script = self
            .command()
            .is_some_and(|command| RUNS_SCRIPT.contains(&command));
        self.code()
            .is_some_and(|code| Execution::of(code).is_refusal(runs_script))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.0.command, self.0.place) {
            (Some(command), None) => write!(f, "{command}: ")?,
            (Some(command), Some(at)) => {
                write!(f, "{command} (command {} of the batch): ", at + 1)?
            }
            (None, Some(at)) => write!(f, "command {} of the batch: ", at + 1)?,
            (None, None) => {}
        }
        let what = match self.0.kind {
            ErrorKind::Server => "the server answered",
            ErrorKind::Connect => "no connection",
            ErrorKind::Connection => "connection lost",
            ErrorKind::Timeout(Phase::Queue) => "timed out in the queue",
            ErrorKind::Timeout(Phase::Connect) => "timed out connecting",
            ErrorKind::Timeout(Phase::Write) => "timed out writing",
            ErrorKind::Timeout(Phase::Reply) => "timed out waiting for the reply",
            ErrorKind::Protocol => "protocol error",
            ErrorKind::Decode => "unexpected reply",
            ErrorKind::Argument => "invalid argument",
            ErrorKind::Refused => "refused",
            ErrorKind::Unsupported => "unsupported",
            ErrorKind::Config => "invalid configuration",
            ErrorKind::Aborted => "transaction aborted",
            ErrorKind::Closed => "client closed",
        };
        write!(f, "{what}: {}", self.printable_message())?;
        match self.0.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl Error {
    /// What follows the words for the kind, as it is printed.
    pub(crate) fn printable_message(&self) -> Printable<'_> {
        let message = &*self.0.message;
        let shown = match self.0.kind {
            ErrorKind::Server => without_secrets(message),
            _ => message.into(),
        };
        Printable(shown, LONGEST_MESSAGE)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("command", &self.0.command)
            .field("batch_index", &self.0.place)
            .field("message", &format_args!("{}", self.printable_message()))
            .field("may_have_executed", &self.may_have_executed())
            .field("source", &self.0.source)
            .finish()
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.0
            .source
            .as_deref()
            .map(|source| source as &(dyn error::Error + 'static))
    }
}

/// Text from outside: at most so many characters of it, and none that moves a cursor.
pub(crate) struct Printable<'a>(pub(crate) Cow<'a, str>, pub(crate) usize);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(text, length) = self;
        for c in text.chars().take(*length) {
            if c.is_control() {
                write!(f, "{}", c.escape_default())?;
            } else {
                write!(f, "{c}")?;
            }
        }
        if text.chars().nth(*length).is_some() {
            f.write_str(" …")?;
        }
        Ok(())
    }
}

/// The text of an error reply without what the server repeats of a command where that may be a secret.
pub(crate) fn without_secrets(text: &str) -> Cow<'_, str> {
    if let Some((head, _)) = text.split_once(", with args beginning with:") {
        return head.into();
    }
    let repeated = REPEATED
        .iter()
        .filter_map(|before| Some(text.find(before)? + before.len()));
    match repeated.min().map(|at| text.split_at(at)) {
        Some((head, rest)) => {
            let tail = rest.rfind('\'').and_then(|end| rest.get(end..));
            format!("{head}***{}", tail.unwrap_or_default()).into()
        }
        None => text.into(),
    }
}

/// The name in the facts of what the spec does not know.
pub(crate) const UNKNOWN: &str = "an unknown command";

/// What servers put in front of an argument that they repeat, and that may be a secret: of commands
/// that log in, define users, or are given their words in a wrong order. A quote ends it.
const REPEATED: [&str; 5] = [
    "in ACL SETUSER modifier '",
    "in acl selector starting at '",
    "in HELLO option '",
    "for CONFIG SET - '",
    "unknown subcommand '",
];

/// The most characters of a message that are printed.
const LONGEST_MESSAGE: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_call_may_succeed_later_if_nothing_was_executed_and_that_passes() {
        let passing = [
            "LOADING x",
            "OOM x",
            "READONLY x",
            "CLUSTERDOWN",
            "TRYAGAIN",
        ];
        let staying = [
            "WRONGTYPE x",
            "NOPERM x",
            "ERR x",
            "IOERR x",
            "NOSCRIPT x",
            "x",
        ];
        let retryable = |error: Error| error.is_retryable();
        assert!(
            passing
                .iter()
                .all(|it| retryable(Error::server(it.as_bytes())))
        );
        assert!(
            !staying
                .iter()
                .any(|it| retryable(Error::server(it.as_bytes())))
        );
        // A script passes on what one of its commands was answered.
        let script = Error::server(b"OOM x").with_command("EVAL");
        assert!(!script.is_retryable());
        for kind in [
            ErrorKind::Connect,
            ErrorKind::Connection,
            ErrorKind::Timeout(Phase::Queue),
            ErrorKind::Timeout(Phase::Reply),
        ] {
            let error = Error::new(kind, "x");
            assert!(error.is_retryable(), "{kind:?}");
            let error = error.with_outcome(Outcome::Indeterminate);
            assert!(!error.is_retryable(), "{kind:?}");
        }
        for kind in [
            ErrorKind::Argument,
            ErrorKind::Refused,
            ErrorKind::Config,
            ErrorKind::Closed,
            ErrorKind::Aborted,
            ErrorKind::Decode,
        ] {
            assert!(!Error::new(kind, "x").is_retryable(), "{kind:?}");
        }
    }

    #[test]
    fn a_server_error_keeps_its_code() {
        let error = Error::server(b"FUTURECODE something new").with_command("GET");
        assert_eq!(error.code(), Some("FUTURECODE"));
        assert_eq!(error.command(), Some("GET"));
        assert!(error.may_have_executed());
        assert_eq!(
            error.to_string(),
            "GET: the server answered: FUTURECODE something new"
        );
    }

    #[test]
    fn text_from_a_server_is_printed_without_control_characters_and_in_bounds() {
        let error = Error::server(format!("ERR a\r\n+INJ {}", "x".repeat(1000)).as_bytes());
        let text = error.to_string();
        assert!(text.starts_with("the server answered: ERR a\\r\\n+INJ xxx"));
        assert!(text.chars().count() < 340);
        assert_eq!(error.server_message().map(str::len), Some(1012));
    }

    #[test]
    fn the_arguments_of_an_unknown_command_are_not_printed() {
        let error = Error::server(b"ERR unknown command 'X', with args beginning with: 's3cret' ");
        assert!(!format!("{error} {error:?}").contains("s3cret"));
        assert_eq!(
            error.to_string(),
            "the server answered: ERR unknown command 'X'"
        );
        assert!(
            error
                .server_message()
                .is_some_and(|text| text.contains("s3cret"))
        );
    }

    #[test]
    fn what_may_be_a_secret_is_not_printed_although_a_server_repeats_it() {
        for (text, shown) in [
            (
                "ERR Error in ACL SETUSER modifier '<s3cret': The password you are trying",
                "ERR Error in ACL SETUSER modifier '***': The password you are trying",
            ),
            (
                "ERR Error in ACL SETUSER modifier '>s3c'ret': Adding 's3cret' is not valid",
                "ERR Error in ACL SETUSER modifier '***' is not valid",
            ),
            (
                "ERR Unmatched parenthesis in acl selector starting at '(s3cret'.",
                "ERR Unmatched parenthesis in acl selector starting at '***'.",
            ),
            (
                "ERR Syntax error in HELLO option 's3cret'",
                "ERR Syntax error in HELLO option '***'",
            ),
            (
                "ERR Unknown option or number of arguments for CONFIG SET - 's3cret'",
                "ERR Unknown option or number of arguments for CONFIG SET - '***'",
            ),
            (
                "ERR unknown subcommand 's3cret'. Try ACL HELP.",
                "ERR unknown subcommand '***'. Try ACL HELP.",
            ),
            (
                "ERR unknown subcommand 's3cret",
                "ERR unknown subcommand '***",
            ),
            (
                "NOGROUP No such key 'k' or consumer group 'g'",
                "NOGROUP No such key 'k' or consumer group 'g'",
            ),
        ] {
            let error = Error::server(text.as_bytes());
            assert_eq!(error.to_string(), format!("the server answered: {shown}"));
            assert!(format!("{error:?}").contains(shown));
            assert_eq!(error.server_message(), Some(text));
        }
    }

    #[test]
    fn a_code_tells_whether_a_command_was_executed() {
        let may = |text: &str, command: &'static str| {
            Error::server(text.as_bytes())
                .with_command(command)
                .may_have_executed()
        };
        for code in [
            "READONLY",
            "MISCONF",
            "OOM",
            "LOADING",
            "MASTERDOWN",
            "NOREPLICAS",
            "CLUSTERDOWN",
            "TRYAGAIN",
            "NOPERM",
            "NOAUTH",
            "CROSSSLOT",
            "WRONGTYPE",
            "BUSY",
        ] {
            assert!(!may(&format!("{code} x"), "SET"), "{code}");
        }
        assert!(!may("EXECABORT Transaction discarded", "transaction"));
        assert!(may("ERR x", "SET"));
        assert!(may("IOERR x", "MIGRATE"));
        assert!(may("FUTURE x", "SET"));
        assert!(may("nope: x", "FT.SEARCH"));
        // What a script did before one of its commands was refused stays.
        assert!(may("OOM x", "EVALSHA"));
        assert!(may("READONLY x", "FCALL"));
        assert!(!may("NOSCRIPT x", "EVALSHA"));
        assert!(!Error::new(ErrorKind::Aborted, "x").may_have_executed());
        assert!(Error::new(ErrorKind::Decode, "x").may_have_executed());
        let partly = Error::server(b"OOM x").with_outcome(Outcome::Indeterminate);
        assert!(partly.may_have_executed());
    }

    #[test]
    fn what_never_left_was_not_executed() {
        assert!(!Error::argument("x").may_have_executed());
        let lost = Error::new(ErrorKind::Connection, "reset by peer");
        assert!(!lost.may_have_executed());
        assert!(
            lost.with_outcome(Outcome::Indeterminate)
                .may_have_executed()
        );
    }
}
