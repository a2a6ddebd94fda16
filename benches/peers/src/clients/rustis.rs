//! rustis: `Client`, which multiplexes, with its defaults: RESP3, `TCP_NODELAY`, no time-out.

use std::{collections::HashMap, net::SocketAddr};

use ::rustis::{
    client::{BatchPreparedCommand, Client, IntoConfig, PubSubStream},
    commands::{HashCommands, ListCommands, PubSubCommands, StringCommands},
    resp::{BulkString, RefBulkString},
};
use bytes::Bytes;
use futures_util::StreamExt;

use super::{Async, Clustered, Result, Shared, Subscriber};

impl Shared for Client {
    async fn get(&mut self, key: &str) -> Result<usize> {
        let value: BulkString = StringCommands::get(&*self, key).await?;
        Ok(value.len())
    }

    async fn set(&mut self, key: &str, value: &Bytes) -> Result<()> {
        Ok(StringCommands::set(&*self, key, RefBulkString::new(value)).await?)
    }
}

impl Clustered for Client {
    async fn connect(node: SocketAddr) -> Result<Self> {
        Ok(Client::connect(format!("redis+cluster://{node}")).await?)
    }
}

impl Async for Client {
    async fn connect(server: SocketAddr) -> Result<Self> {
        Ok(Client::connect(server.to_string()).await?)
    }

    async fn set_all(&mut self, keys: &[String], value: &Bytes) -> Result<()> {
        let mut pipeline = self.create_pipeline();
        pipeline.reserve(keys.len());
        for key in keys {
            pipeline.set(key, RefBulkString::new(value)).queue();
        }
        let _: Vec<()> = pipeline.execute().await?;
        Ok(())
    }

    async fn lrange(&mut self, key: &str) -> Result<usize> {
        let elements: Vec<BulkString> = ListCommands::lrange(&*self, key, 0, -1).await?;
        Ok(elements.len())
    }

    async fn hgetall(&mut self, key: &str) -> Result<usize> {
        let fields: HashMap<String, String> = HashCommands::hgetall(&*self, key).await?;
        Ok(fields.len())
    }
}

/// A client of its own, and the stream of its messages.
pub(crate) struct Messages {
    messages: PubSubStream,
    _client: Client,
}

impl Subscriber for Messages {
    async fn subscribe(server: SocketAddr, channel: &str) -> Result<Self> {
        let mut config = server.to_string().into_config()?;
        // Beyond the default of 8 MiB, the oldest messages are dropped.
        config.backpressure.max_pubsub_bytes = 0;
        let client = Client::connect(config).await?;
        Ok(Self {
            messages: client.subscribe(channel).await?,
            _client: client,
        })
    }

    async fn message(&mut self) -> Result<usize> {
        let message = self
            .messages
            .next()
            .await
            .ok_or("the connection has ended")??;
        Ok(message.payload().len())
    }
}
