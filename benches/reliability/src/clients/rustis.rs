//! rustis: `Client`, with time-outs and an early keepalive; it sends a request once.

use std::{sync::Arc, time::Duration};

use ::rustis::{
    Error, ErrorKind,
    client::{Client as Connected, IntoConfig, ReconnectionConfig},
    resp::{Command, Value, cmd},
};

use super::{Client, Failure, Outcome, PAUSES, Pending, Reply, Request, Target};

pub(super) async fn shared(to: &Target) -> Result<Arc<dyn Client>, Failure> {
    let scheme = if to.cluster { "redis+cluster" } else { "redis" };
    let mut config = format!("{scheme}://{}", to.addr)
        .into_config()
        .map_err(failure)?;
    let [shortest, longest] = PAUSES.map(|pause| u32::try_from(pause.as_millis()).unwrap_or(0));
    config.connect_timeout = to.connect;
    config.command_timeout = to.limit;
    config.keep_alive = Some(Duration::from_secs(1));
    config.reconnection = ReconnectionConfig::new_exponential(0, shortest, longest, 2);
    let client = Connected::connect(config).await.map_err(failure)?;
    Ok(Arc::new(client))
}

impl Client for Connected {
    fn call<'a>(&'a self, request: &'a Request) -> Pending<'a, Reply> {
        Box::pin(async move { outcome(self.send(command(request), None).await) })
    }

    fn pipeline<'a>(&'a self, requests: &'a [Request]) -> Pending<'a, Vec<Outcome>> {
        Box::pin(async move {
            let mut pipeline = self.create_pipeline();
            for request in requests {
                pipeline.queue_command(command(request));
            }
            let values: Vec<Value> = pipeline.execute().await.map_err(failure)?;
            Ok(values.into_iter().map(|value| outcome(Ok(value))).collect())
        })
    }
}

fn command(request: &Request) -> Command {
    let keys = request.keys.iter();
    let named = keys.fold(cmd(request.name), |command, key| command.key(key));
    let arguments = request.arguments.iter();
    let whole = arguments.fold(named, |command, argument| command.arg(argument));
    whole.into()
}

fn outcome(result: Result<Value, Error>) -> Outcome {
    match result.map_err(failure)? {
        Value::Error(error) => Err(Failure::of_server(&error.to_string())),
        value => Ok(reply(value)),
    }
}

fn reply(value: Value) -> Reply {
    match value {
        Value::Null => Reply::Nil,
        Value::Integer(number) => Reply::Integer(number),
        Value::SimpleString(text) => Reply::Text(text.into_bytes()),
        Value::BulkString(text) => Reply::Text(text),
        Value::Array(values) => Reply::List(values.into_iter().map(reply).collect()),
        other => Reply::Other(format!("{other:?}")),
    }
}

fn failure(error: Error) -> Failure {
    match error.kind() {
        ErrorKind::Redis(error) => Failure::of_server(&error.to_string()),
        ErrorKind::Timeout(_) => Failure::of_client("time-out"),
        kind => {
            let text = format!("{kind:?}");
            let end = text.find(['(', ' ', '{']).unwrap_or(text.len());
            Failure::of_client(&text[..end])
        }
    }
}
