// The module that includes this names the version of the crate `redis`.

use std::sync::Arc;

use redis::{
    Client as Opened, Cmd, ConnectionInfo, ErrorKind, IntoConnectionInfo, Pipeline, ProtocolVersion,
    RedisError, Value,
    aio::ConnectionManagerConfig,
    cluster::{ClusterClient, ClusterConnection},
    cmd,
    io::tcp::TcpSettings,
    pipe,
};

use super::{Client, Failure, Outcome, PAUSES, Pending, Reply, Request, Target};

/// `ConnectionManager`, which connects again by itself, or the cluster's connection, which does as well.
pub(super) async fn shared(to: &Target) -> Result<Arc<dyn Client>, Failure> {
    if to.cluster {
        let connection = cluster(to)?.get_async_connection().await;
        return Ok(Arc::new(Async(connection.map_err(failure)?)));
    }
    let [shortest, longest] = PAUSES;
    let config = ConnectionManagerConfig::new()
        .set_response_timeout(Some(to.limit))
        .set_connection_timeout(Some(to.connect))
        .set_min_delay(shortest)
        .set_max_delay(longest);
    let client = Opened::open(info(to)?).map_err(failure)?;
    let manager = client.get_connection_manager_with_config(config).await;
    Ok(Arc::new(Async(manager.map_err(failure)?)))
}

/// `r2d2`, which asks a connection with a `PING` whether it is well before it lends it.
pub(super) fn blocking(to: &Target) -> Result<Arc<dyn Client>, Failure> {
    Ok(if to.cluster {
        pool(to, cluster(to)?)?
    } else {
        pool(to, Opened::open(info(to)?).map_err(failure)?)?
    })
}

fn info(to: &Target) -> Result<ConnectionInfo, Failure> {
    let url = format!("redis://{}/?protocol=resp3", to.addr);
    let info = url.into_connection_info().map_err(failure)?;
    Ok(info.set_tcp_settings(tcp(to)))
}

fn tcp(to: &Target) -> TcpSettings {
    TcpSettings::default()
        .set_nodelay(true)
        .set_user_timeout(to.silence)
}

fn cluster(to: &Target) -> Result<ClusterClient, Failure> {
    let builder = ClusterClient::builder([info(to)?])
        .use_protocol(ProtocolVersion::RESP3)
        .connection_timeout(to.connect)
        .response_timeout(to.limit)
        .tcp_settings(tcp(to));
    builder.build().map_err(failure)
}

fn pool<M>(to: &Target, manager: M) -> Result<Arc<dyn Client>, Failure>
where
    M: r2d2::ManageConnection<Error = RedisError>,
    M::Connection: TimeOuts + redis::ConnectionLike,
{
    let pool = r2d2::Pool::builder()
        .max_size(u32::try_from(to.connections).unwrap_or(u32::MAX))
        .connection_timeout(to.limit)
        .test_on_check_out(true)
        .connection_customizer(Box::new(SetTimeOuts(to.limit)))
        .build(manager);
    let pool = pool.map_err(|error| Failure::of_client(error.to_string()))?;
    Ok(Arc::new(Pooled(pool)))
}

/// Gives each connection the time-out of a reply.
#[derive(Debug)]
struct SetTimeOuts(std::time::Duration);

impl<C: TimeOuts> r2d2::CustomizeConnection<C, RedisError> for SetTimeOuts {
    fn on_acquire(&self, connection: &mut C) -> Result<(), RedisError> {
        connection.set(self.0)
    }
}

/// What both kinds of connection can be told.
trait TimeOuts: Send + 'static {
    fn set(&self, limit: std::time::Duration) -> Result<(), RedisError>;
}

impl TimeOuts for redis::Connection {
    fn set(&self, limit: std::time::Duration) -> Result<(), RedisError> {
        self.set_read_timeout(Some(limit))?;
        self.set_write_timeout(Some(limit))
    }
}

impl TimeOuts for ClusterConnection {
    fn set(&self, limit: std::time::Duration) -> Result<(), RedisError> {
        self.set_read_timeout(Some(limit))?;
        self.set_write_timeout(Some(limit))
    }
}

struct Async<C>(C);

impl<C> Client for Async<C>
where
    C: redis::aio::ConnectionLike + Clone + Send + Sync + 'static,
{
    fn call<'a>(&'a self, request: &'a Request) -> Pending<'a, Reply> {
        Box::pin(async move { outcome(command(request).query_async(&mut self.0.clone()).await) })
    }

    fn pipeline<'a>(&'a self, requests: &'a [Request]) -> Pending<'a, Vec<Outcome>> {
        Box::pin(async move {
            let values = all(requests).query_async(&mut self.0.clone()).await;
            outcomes(values)
        })
    }
}

struct Pooled<M: r2d2::ManageConnection>(r2d2::Pool<M>);

impl<M> Client for Pooled<M>
where
    M: r2d2::ManageConnection,
    M::Connection: redis::ConnectionLike,
{
    fn call<'a>(&'a self, request: &'a Request) -> Pending<'a, Reply> {
        Box::pin(async move {
            let mut connection = lent(&self.0)?;
            outcome(command(request).query(&mut *connection))
        })
    }

    fn pipeline<'a>(&'a self, requests: &'a [Request]) -> Pending<'a, Vec<Outcome>> {
        Box::pin(async move {
            let mut connection = lent(&self.0)?;
            outcomes(all(requests).query(&mut *connection))
        })
    }
}

/// A connection of a pool; without one nothing was sent.
fn lent<M>(pool: &r2d2::Pool<M>) -> Result<r2d2::PooledConnection<M>, Failure>
where
    M: r2d2::ManageConnection,
{
    pool.get().map_err(|_| Failure {
        not_executed: true,
        ..Failure::of_client("no connection in the pool")
    })
}

fn command(request: &Request) -> Cmd {
    let mut command = cmd(request.name);
    for word in request.words() {
        command.arg(word);
    }
    command
}

fn all(requests: &[Request]) -> Pipeline {
    let mut pipeline = pipe();
    for request in requests {
        pipeline.add_command(command(request));
    }
    pipeline.ignore_errors();
    pipeline
}

fn outcomes(values: Result<Vec<Result<Value, RedisError>>, RedisError>) -> Result<Vec<Outcome>, Failure> {
    Ok(values.map_err(failure)?.into_iter().map(outcome).collect())
}

fn outcome(result: Result<Value, RedisError>) -> Outcome {
    result.map(reply).map_err(failure)
}

fn reply(value: Value) -> Reply {
    match value {
        Value::Nil => Reply::Nil,
        Value::Int(number) => Reply::Integer(number),
        Value::BulkString(text) => Reply::Text(text),
        Value::SimpleString(text) => Reply::Text(text.into_bytes()),
        Value::Okay => Reply::Text(b"OK".to_vec()),
        Value::Array(values) => Reply::List(values.into_iter().map(reply).collect()),
        other => Reply::Other(format!("{other:?}")),
    }
}

fn failure(error: RedisError) -> Failure {
    match error.kind() {
        ErrorKind::Server(_) | ErrorKind::Extension => {
            Failure::of_server(error.code().unwrap_or("ERR"))
        }
        _ if error.is_timeout() => Failure::of_client("time-out"),
        kind => Failure::of_client(format!("{kind:?}")),
    }
}
