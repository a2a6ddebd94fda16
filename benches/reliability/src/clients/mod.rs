//! The clients, each with the settings with which it is most reliable, behind one small trait.

mod fred;
mod respec;
mod rustis;

/// redis 1.
mod redis1 {
    use ::redis1 as redis;

    include!("redis.rs");
}

/// redis 2, in which these have the same names.
mod redis2 {
    use ::redis2 as redis;

    include!("redis.rs");
}

use std::{net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

/// A client that all tasks share. One that blocks is done when it is polled first.
pub(crate) trait Client: Send + Sync {
    /// One request.
    fn call<'a>(&'a self, request: &'a Request) -> Pending<'a, Reply>;

    /// Several requests in one pipeline, each with its own outcome.
    fn pipeline<'a>(&'a self, requests: &'a [Request]) -> Pending<'a, Vec<Outcome>>;
}

/// A call under way.
pub(crate) type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>;

/// What comes of a request.
pub(crate) type Outcome = Result<Reply, Failure>;

/// The words of a command, of which keys come first.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) name: &'static str,
    pub(crate) keys: Vec<String>,
    pub(crate) arguments: Vec<String>,
}

/// The reply of a server, as far as the operations know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Nil,
    Integer(i64),
    Text(Vec<u8>),
    List(Vec<Reply>),
    /// Something that no operation asks for.
    Other(String),
}

/// Why there is no reply, as a client tells it.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// A few words for the report.
    pub(crate) kind: String,
    /// The first word of the server's own error.
    pub(crate) code: Option<String>,
    /// The client says that the request was not executed.
    pub(crate) not_executed: bool,
}

/// What a client connects to, and how long it may wait.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) addr: SocketAddr,
    /// Whether that is a node of a cluster.
    pub(crate) cluster: bool,
    /// How long a reply, and a place in a pool, may be waited for.
    pub(crate) limit: Duration,
    /// How long a connection may take.
    pub(crate) connect: Duration,
    /// For how long a peer may say nothing, where a client looks at that.
    pub(crate) silence: Duration,
    /// How many connections a pool has.
    pub(crate) connections: usize,
}

/// Who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Contestant {
    Respec,
    RespecBlocking,
    Redis1,
    Redis1Blocking,
    Redis2,
    Redis2Blocking,
    Fred,
    Rustis,
}

impl Contestant {
    pub(crate) const ALL: [Self; 8] = [
        Self::Respec,
        Self::RespecBlocking,
        Self::Redis1,
        Self::Redis1Blocking,
        Self::Redis2,
        Self::Redis2Blocking,
        Self::Fred,
        Self::Rustis,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Respec => "respec",
            Self::RespecBlocking => "respec-blocking",
            Self::Redis1 => "redis1",
            Self::Redis1Blocking => "redis1-blocking",
            Self::Redis2 => "redis2",
            Self::Redis2Blocking => "redis2-blocking",
            Self::Fred => "fred",
            Self::Rustis => "rustis",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|who| who.name() == name)
    }

    pub(crate) fn is_blocking(self) -> bool {
        use Contestant::{Redis1Blocking, Redis2Blocking, RespecBlocking};
        matches!(self, RespecBlocking | Redis1Blocking | Redis2Blocking)
    }

    /// A client that has connected, where it does so before it is used.
    pub(crate) async fn connect(self, to: &Target) -> Result<Arc<dyn Client>, Failure> {
        match self {
            Self::Respec => Ok(respec::shared(to)),
            Self::RespecBlocking => Ok(respec::blocking(to)),
            Self::Redis1 => redis1::shared(to).await,
            Self::Redis1Blocking => redis1::blocking(to),
            Self::Redis2 => redis2::shared(to).await,
            Self::Redis2Blocking => redis2::blocking(to),
            Self::Fred => fred::shared(to).await,
            Self::Rustis => rustis::shared(to).await,
        }
    }
}

impl Request {
    /// Keys and arguments.
    fn words(&self) -> impl Iterator<Item = &String> {
        self.keys.iter().chain(&self.arguments)
    }
}

impl Failure {
    /// An error of a client, which does not say whether the request was executed.
    fn of_client(kind: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            code: None,
            not_executed: false,
        }
    }

    /// An error of a server, by its first word.
    fn of_server(text: &str) -> Self {
        let code = text.split_ascii_whitespace().next().unwrap_or_default();
        Self {
            kind: code.to_owned(),
            code: Some(code.to_owned()),
            not_executed: true,
        }
    }
}

/// The shortest and the longest pause between attempts to connect, where they can be set.
const PAUSES: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(500)];
