//! fred: `Client`, which looks for connections that do not answer, and sends a request once.

use std::sync::Arc;

use ::fred::{
    clients::Client as Connected,
    error::{Error, ErrorKind},
    interfaces::ClientLike,
    types::{
        Builder, ClusterHash, CustomCommand, RespVersion, Value,
        config::{Config, ReconnectPolicy, TcpConfig, UnresponsiveConfig},
    },
};

use super::{Client, Failure, Outcome, PAUSES, Pending, Reply, Request, Target};

pub(super) async fn shared(to: &Target) -> Result<Arc<dyn Client>, Failure> {
    let scheme = if to.cluster { "redis-cluster" } else { "redis" };
    let config = Config::from_url(&format!("{scheme}://{}", to.addr)).map_err(failure)?;
    let [shortest, longest] = PAUSES.map(|pause| u32::try_from(pause.as_millis()).unwrap_or(0));
    let client = Builder::from_config(config)
        .with_config(|config| config.version = RespVersion::RESP3)
        .with_connection_config(|config| {
            config.connection_timeout = to.connect;
            config.internal_command_timeout = to.connect;
            config.max_command_attempts = 1;
            config.unresponsive = UnresponsiveConfig {
                max_timeout: Some(to.silence),
                interval: to.silence / 4,
            };
            config.tcp = TcpConfig {
                nodelay: Some(true),
                user_timeout: Some(to.silence),
                ..TcpConfig::default()
            };
        })
        .with_performance_config(|config| config.default_command_timeout = to.limit)
        .set_policy(ReconnectPolicy::new_exponential(0, shortest, longest, 2))
        .build()
        .map_err(failure)?;
    client.init().await.map_err(failure)?;
    Ok(Arc::new(client))
}

impl Client for Connected {
    fn call<'a>(&'a self, request: &'a Request) -> Pending<'a, Reply> {
        Box::pin(async move { outcome(self.custom(command(request), arguments(request)).await) })
    }

    fn pipeline<'a>(&'a self, requests: &'a [Request]) -> Pending<'a, Vec<Outcome>> {
        Box::pin(async move {
            let pipeline = Connected::pipeline(self);
            for request in requests {
                let queued = pipeline.custom(command(request), arguments(request));
                let _: Value = queued.await.map_err(failure)?;
            }
            let mut results = pipeline.try_all::<Value>().await;
            // One error is that of the whole pipeline.
            if results.len() < requests.len()
                && let Some(Err(error)) = results.pop_if(|last| last.is_err())
            {
                return Err(failure(error));
            }
            Ok(results.into_iter().map(outcome).collect())
        })
    }
}

fn command(request: &Request) -> CustomCommand {
    let hash = match request.keys.is_empty() {
        true => ClusterHash::Random,
        false => ClusterHash::FirstKey,
    };
    CustomCommand::new_static(request.name, hash, false)
}

fn arguments(request: &Request) -> Vec<String> {
    request.words().cloned().collect()
}

fn outcome(result: Result<Value, Error>) -> Outcome {
    result.map(reply).map_err(failure)
}

fn reply(value: Value) -> Reply {
    match value {
        Value::Null => Reply::Nil,
        Value::Integer(number) => Reply::Integer(number),
        Value::String(text) => Reply::Text(text.as_bytes().to_vec()),
        Value::Bytes(text) => Reply::Text(text.to_vec()),
        Value::Array(values) => Reply::List(values.into_iter().map(reply).collect()),
        other => Reply::Other(format!("{other:?}")),
    }
}

fn failure(error: Error) -> Failure {
    let text = error.details();
    // What begins with a word in capital letters is what the server said.
    let first = text.split_ascii_whitespace().next().unwrap_or_default();
    let is_code = first.len() > 2 && first.bytes().all(|byte| byte.is_ascii_uppercase());
    match error.kind() {
        ErrorKind::Timeout => Failure::of_client("time-out"),
        ErrorKind::IO | ErrorKind::Canceled => Failure::of_client(format!("{:?}", error.kind())),
        _ if is_code => Failure::of_server(text),
        kind => Failure::of_client(format!("{kind:?}")),
    }
}
