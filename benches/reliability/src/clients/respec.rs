//! respec, with a nonce behind every batch, and with a probe long before a peer's silence ends a connection.

use std::sync::Arc;

use ::respec::{
    Client as Shared, Config, Error, ErrorKind, Integrity, Value, blocking, cmd, command::Raw,
};

use super::{Client, Failure, Outcome, Pending, Reply, Request, Target};

pub(super) fn shared(to: &Target) -> Arc<dyn Client> {
    Arc::new(Shared::from_config(config(to)))
}

pub(super) fn blocking(to: &Target) -> Arc<dyn Client> {
    Arc::new(blocking::Client::from_config(config(to)))
}

fn config(to: &Target) -> Config {
    let config = match to.cluster {
        true => Config::from_url(&format!("redis-cluster://{}", to.addr)).expect("it is a URL"),
        false => Config::tcp(to.addr.ip().to_string(), to.addr.port()),
    };
    config
        .response_timeout(to.limit)
        .connect_timeout(to.connect)
        .pool_wait(to.limit)
        .pool_max(to.connections)
        .heartbeat(to.silence / 4)
        .silence_timeout(to.silence)
        .integrity(Integrity::Batch)
}

impl Client for Shared {
    fn call<'a>(&'a self, request: &'a Request) -> Pending<'a, Reply> {
        Box::pin(async move { outcome(self.send(raw(request)).await) })
    }

    fn pipeline<'a>(&'a self, requests: &'a [Request]) -> Pending<'a, Vec<Outcome>> {
        let all: Vec<_> = requests.iter().map(raw).collect();
        Box::pin(async move {
            let results = Shared::pipeline(self, all).results().await;
            Ok(results.map_err(failure)?.into_iter().map(outcome).collect())
        })
    }
}

impl Client for blocking::Client {
    fn call<'a>(&'a self, request: &'a Request) -> Pending<'a, Reply> {
        Box::pin(async move { outcome(self.send(raw(request))) })
    }

    fn pipeline<'a>(&'a self, requests: &'a [Request]) -> Pending<'a, Vec<Outcome>> {
        Box::pin(async move {
            let all: Vec<_> = requests.iter().map(raw).collect();
            let results = blocking::Client::pipeline(self, all).results().send();
            Ok(results.map_err(failure)?.into_iter().map(outcome).collect())
        })
    }
}

fn raw(request: &Request) -> Raw<'_> {
    let keys = request.keys.iter();
    let named = keys.fold(cmd::raw(request.name), |raw, key| raw.key(key));
    let arguments = request.arguments.iter();
    arguments.fold(named, |raw, argument| raw.arg(argument))
}

fn outcome(result: Result<Value, Error>) -> Outcome {
    result.map(reply).map_err(failure)
}

fn reply(value: Value) -> Reply {
    match value {
        Value::Nil => Reply::Nil,
        Value::Integer(number) => Reply::Integer(number),
        Value::SimpleString(text) | Value::BulkString(text) => Reply::Text(text.to_vec()),
        Value::Array(values) => Reply::List(values.into_iter().map(reply).collect()),
        other => Reply::Other(format!("{other:?}")),
    }
}

fn failure(error: Error) -> Failure {
    if error.kind() == ErrorKind::Server {
        return Failure::of_server(error.code().unwrap_or_default());
    }
    Failure {
        not_executed: !error.may_have_executed(),
        ..Failure::of_client(format!("{:?}", error.kind()))
    }
}
