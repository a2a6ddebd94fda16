// The module that includes this names the version of the crate `redis`.

use std::{collections::HashMap, net::SocketAddr};

use redis::{
    AsyncCommands, AsyncConnectionConfig, Client, Commands, Connection, ConnectionInfo,
    IntoConnectionInfo, ProtocolVersion, PushInfo, PushKind, Value, aio::MultiplexedConnection,
    cluster::ClusterClient, cluster_async::ClusterConnection, io::tcp::TcpSettings, pipe,
};
use bytes::Bytes;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::{Async, Blocking, Clustered, Pooled, Result, Shared, Subscriber};

fn info(server: SocketAddr) -> Result<ConnectionInfo> {
    let info = format!("redis://{server}/?protocol=resp3").into_connection_info()?;
    Ok(info.set_tcp_settings(TcpSettings::default().set_nodelay(true)))
}

/// Without the response time-out of 500 ms, and with the buffers that its documentation advises for
/// many callers and large writes.
fn async_config() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_response_timeout(None)
        .set_pipeline_buffer_size(1_000)
        .set_write_backpressure_boundary(256 * 1024)
}

impl Blocking for Connection {
    fn connect(server: SocketAddr) -> Result<Self> {
        Ok(Client::open(info(server)?)?.get_connection()?)
    }

    fn get(&mut self, key: &str) -> Result<usize> {
        let value: Bytes = Commands::get(self, key)?;
        Ok(value.len())
    }

    fn set(&mut self, key: &str, value: &Bytes) -> Result<()> {
        Ok(Commands::set(self, key, &value[..])?)
    }

    fn set_all(&mut self, keys: &[String], value: &Bytes) -> Result<()> {
        let mut pipeline = pipe();
        for key in keys {
            pipeline.set(key, &value[..]).ignore();
        }
        Ok(pipeline.query(self)?)
    }

    fn lrange(&mut self, key: &str) -> Result<usize> {
        let elements: Vec<Bytes> = Commands::lrange(self, key, 0, -1)?;
        Ok(elements.len())
    }

    fn hgetall(&mut self, key: &str) -> Result<usize> {
        let fields: HashMap<String, String> = Commands::hgetall(self, key)?;
        Ok(fields.len())
    }
}

/// `r2d2`, which would send a `PING` whenever a connection is lent; that is switched off.
impl Pooled for r2d2::Pool<Client> {
    fn connect(server: SocketAddr, connections: usize) -> Result<Self> {
        let connections = u32::try_from(connections)?;
        let pool = r2d2::Pool::builder()
            .max_size(connections)
            .test_on_check_out(false)
            .build(Client::open(info(server)?)?)?;
        Ok(pool)
    }

    fn get(&self, key: &str) -> Result<usize> {
        let value: Bytes = Commands::get(&mut *r2d2::Pool::get(self)?, key)?;
        Ok(value.len())
    }
}

impl Shared for MultiplexedConnection {
    async fn get(&mut self, key: &str) -> Result<usize> {
        let value: Bytes = AsyncCommands::get(self, key).await?;
        Ok(value.len())
    }

    async fn set(&mut self, key: &str, value: &Bytes) -> Result<()> {
        Ok(AsyncCommands::set(self, key, &value[..]).await?)
    }
}

impl Shared for ClusterConnection {
    async fn get(&mut self, key: &str) -> Result<usize> {
        let value: Bytes = AsyncCommands::get(self, key).await?;
        Ok(value.len())
    }

    async fn set(&mut self, key: &str, value: &Bytes) -> Result<()> {
        Ok(AsyncCommands::set(self, key, &value[..]).await?)
    }
}

impl Clustered for ClusterConnection {
    async fn connect(node: SocketAddr) -> Result<Self> {
        let client = ClusterClient::builder([info(node)?])
            .use_protocol(ProtocolVersion::RESP3)
            .tcp_settings(TcpSettings::default().set_nodelay(true))
            .build()?;
        Ok(client.get_async_connection().await?)
    }
}

impl Async for MultiplexedConnection {
    async fn connect(server: SocketAddr) -> Result<Self> {
        let client = Client::open(info(server)?)?;
        Ok(client
            .get_multiplexed_async_connection_with_config(&async_config())
            .await?)
    }

    async fn set_all(&mut self, keys: &[String], value: &Bytes) -> Result<()> {
        let mut pipeline = pipe();
        for key in keys {
            pipeline.set(key, &value[..]).ignore();
        }
        Ok(pipeline.query_async(self).await?)
    }

    async fn lrange(&mut self, key: &str) -> Result<usize> {
        let elements: Vec<Bytes> = AsyncCommands::lrange(self, key, 0, -1).await?;
        Ok(elements.len())
    }

    async fn hgetall(&mut self, key: &str) -> Result<usize> {
        let fields: HashMap<String, String> = AsyncCommands::hgetall(self, key).await?;
        Ok(fields.len())
    }
}

/// A connection that sends its messages through a channel, as RESP3 has it.
pub(crate) struct Messages {
    messages: UnboundedReceiver<PushInfo>,
    _connection: MultiplexedConnection,
}

impl Subscriber for Messages {
    async fn subscribe(server: SocketAddr, channel: &str) -> Result<Self> {
        let (sender, messages) = unbounded_channel();
        let mut connection = Client::open(info(server)?)?
            .get_multiplexed_async_connection_with_config(&async_config().set_push_sender(sender))
            .await?;
        connection.subscribe(channel).await?;
        Ok(Self {
            messages,
            _connection: connection,
        })
    }

    async fn message(&mut self) -> Result<usize> {
        loop {
            let push = self
                .messages
                .recv()
                .await
                .ok_or("the connection has ended")?;
            if let (PushKind::Message, [_, Value::BulkString(payload)]) =
                (push.kind, push.data.as_slice())
            {
                return Ok(payload.len());
            }
        }
    }
}
