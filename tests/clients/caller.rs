//! The clients under test, as one type.

use std::sync::LazyLock;

use respec::{
    Client, Result, Value, blocking,
    command::{Command, Detached, Erased},
};
use respec_testkit::{Cluster, Variant, shared};
use tokio::runtime::{Builder, Runtime};

/// A client, or a connection of one's own, of either kind.
pub(crate) enum Caller {
    Async(Client),
    AsyncOwn(respec::aio::Dedicated),
    Blocking(blocking::Client),
    BlockingOwn(blocking::Dedicated),
}

/// Where a test runs, with a name that tells what failed.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) is_cluster: bool,
    pub(crate) caller: Caller,
}

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut runtime = Builder::new_multi_thread();
    runtime.worker_threads(2).enable_all().build().unwrap()
});

/// Both clients, each on a server and on a cluster.
pub(crate) fn clients() -> Vec<Case> {
    let server = shared(Variant::Redis70).url();
    let cluster = Cluster::shared(Variant::Redis70).url();
    let connect = |url| RUNTIME.block_on(Client::connect(url)).unwrap();
    let case = |name, is_cluster, caller| Case {
        name,
        is_cluster,
        caller,
    };
    vec![
        case("async", false, Caller::Async(connect(&server))),
        case("async, cluster", true, Caller::Async(connect(&cluster))),
        case(
            "blocking",
            false,
            Caller::Blocking(blocking::Client::connect(&server).unwrap()),
        ),
        case(
            "blocking, cluster",
            true,
            Caller::Blocking(blocking::Client::connect(&cluster).unwrap()),
        ),
    ]
}

/// The same, and a connection of one's own of each to the node of `key`.
pub(crate) fn all(key: &str) -> Vec<Case> {
    let own = clients().into_iter().map(|case| Case {
        name: match case.name {
            "async" => "async, own",
            "async, cluster" => "async, own, cluster",
            "blocking" => "blocking, own",
            _ => "blocking, own, cluster",
        },
        caller: case.caller.own(key),
        ..case
    });
    clients().into_iter().chain(own).collect()
}

/// Waits for what a task of the async client makes.
pub(crate) fn wait<T>(task: impl Future<Output = T>) -> T {
    RUNTIME.block_on(task)
}

impl Caller {
    /// One command.
    pub(crate) fn call<C>(&self, command: C) -> Result<C::Reply>
    where
        C: Command<Via = Detached> + Sync,
    {
        match self {
            Self::Async(client) => RUNTIME.block_on(client.send(command)),
            Self::AsyncOwn(own) => RUNTIME.block_on(own.send(command)),
            Self::Blocking(client) => client.send(command),
            Self::BlockingOwn(own) => own.send(command),
        }
    }

    /// Several commands in one write.
    pub(crate) fn pipeline(&self, commands: &[Erased<'_>]) -> Result<Vec<Value>> {
        match self {
            Self::Async(client) => RUNTIME.block_on(async { client.pipeline(commands).await }),
            Self::AsyncOwn(own) => RUNTIME.block_on(async { own.pipeline(commands).await }),
            Self::Blocking(client) => client.pipeline(commands).send(),
            Self::BlockingOwn(own) => own.pipeline(commands).send(),
        }
    }

    /// Several commands between `MULTI` and `EXEC`.
    pub(crate) fn transaction(&self, commands: &[Erased<'_>]) -> Result<Vec<Value>> {
        match self {
            Self::Async(client) => RUNTIME.block_on(async { client.transaction(commands).await }),
            Self::AsyncOwn(own) => RUNTIME.block_on(async { own.transaction(commands).await }),
            Self::Blocking(client) => client.transaction(commands).send(),
            Self::BlockingOwn(own) => own.transaction(commands).send(),
        }
    }

    /// A connection of one's own to the node of a key.
    fn own(&self, key: &str) -> Self {
        match self {
            Self::Async(client) => {
                Self::AsyncOwn(RUNTIME.block_on(client.dedicated_for(key)).unwrap())
            }
            Self::Blocking(client) => Self::BlockingOwn(client.dedicated_for(key).unwrap()),
            Self::AsyncOwn(_) | Self::BlockingOwn(_) => panic!("expected a client"),
        }
    }
}
