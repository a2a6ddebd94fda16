//! fred: `Client`, with `TCP_NODELAY` and RESP3.

use std::{collections::HashMap, net::SocketAddr};

use ::fred::{
    clients::Client,
    interfaces::{
        ClientLike, EventInterface, HashesInterface, KeysInterface, ListInterface, PubsubInterface,
    },
    types::{
        Builder, Message, RespVersion,
        config::{Config, TcpConfig},
    },
};
use bytes::Bytes;
use tokio::sync::broadcast::Receiver;

use super::{Async, Clustered, Result, Shared, Subscriber};

/// Connects; there is no time-out of requests by default.
async fn client(url: &str) -> Result<Client> {
    let client = Builder::from_config(Config::from_url(url)?)
        .with_config(|config| config.version = RespVersion::RESP3)
        .with_connection_config(|config| {
            config.tcp = TcpConfig {
                nodelay: Some(true),
                ..TcpConfig::default()
            };
        })
        .with_performance_config(|config| {
            // With the default of 32, messages are lost while a batch of them is read.
            config.broadcast_channel_capacity = 65_536;
        })
        .build()?;
    client.init().await?;
    Ok(client)
}

impl Shared for Client {
    async fn get(&mut self, key: &str) -> Result<usize> {
        let value: Bytes = KeysInterface::get(self, key).await?;
        Ok(value.len())
    }

    async fn set(&mut self, key: &str, value: &Bytes) -> Result<()> {
        Ok(KeysInterface::set(self, key, value.clone(), None, None, false).await?)
    }
}

impl Clustered for Client {
    async fn connect(node: SocketAddr) -> Result<Self> {
        client(&format!("redis-cluster://{node}")).await
    }
}

impl Async for Client {
    async fn connect(server: SocketAddr) -> Result<Self> {
        client(&format!("redis://{server}")).await
    }

    async fn set_all(&mut self, keys: &[String], value: &Bytes) -> Result<()> {
        let pipeline = self.pipeline();
        for key in keys {
            let () = pipeline.set(key, value.clone(), None, None, false).await?;
        }
        Ok(pipeline.all().await?)
    }

    async fn lrange(&mut self, key: &str) -> Result<usize> {
        let elements: Vec<Bytes> = ListInterface::lrange(self, key, 0, -1).await?;
        Ok(elements.len())
    }

    async fn hgetall(&mut self, key: &str) -> Result<usize> {
        let fields: HashMap<String, String> = HashesInterface::hgetall(self, key).await?;
        Ok(fields.len())
    }
}

/// A client of its own, and the channel through which its messages come.
pub(crate) struct Messages {
    messages: Receiver<Message>,
    _client: Client,
}

impl Subscriber for Messages {
    async fn subscribe(server: SocketAddr, channel: &str) -> Result<Self> {
        let client = client(&format!("redis://{server}")).await?;
        let messages = client.message_rx();
        client.subscribe(channel).await?;
        Ok(Self {
            messages,
            _client: client,
        })
    }

    async fn message(&mut self) -> Result<usize> {
        let message = self.messages.recv().await?;
        Ok(message.value.as_bytes().map_or(0, <[u8]>::len))
    }
}
