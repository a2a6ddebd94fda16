//! respec with its defaults, so that its time-outs stay on. Values are handed over as `Bytes`.

use std::{collections::HashMap, net::SocketAddr};

use ::respec::{Client, Config, aio::Dedicated, blocking, cmd, prelude::*};
use bytes::Bytes;

use super::{Async, Blocking, Clustered, Pooled, Result, Shared, Subscriber};

fn config(server: SocketAddr) -> Config {
    Config::tcp(server.ip().to_string(), server.port())
}

impl Blocking for blocking::Client {
    fn connect(server: SocketAddr) -> Result<Self> {
        Ok(Self::from_config(config(server)))
    }

    fn get(&mut self, key: &str) -> Result<usize> {
        let value: Option<Bytes> = StringCommands::get(&*self, key).send()?;
        Ok(value.map_or(0, |value| value.len()))
    }

    fn set(&mut self, key: &str, value: &Bytes) -> Result<()> {
        Ok(StringCommands::set(&*self, key, value.clone()).send()?)
    }

    fn set_all(&mut self, keys: &[String], value: &Bytes) -> Result<()> {
        self.pipeline(keys.iter().map(|key| cmd::set(key, value.clone())))
            .send()?;
        Ok(())
    }

    fn lrange(&mut self, key: &str) -> Result<usize> {
        let elements: Vec<Bytes> = ListCommands::lrange(&*self, key, 0, -1).send()?;
        Ok(elements.len())
    }

    fn hgetall(&mut self, key: &str) -> Result<usize> {
        let fields: HashMap<String, String> = HashCommands::hgetall(&*self, key).decode().send()?;
        Ok(fields.len())
    }
}

impl Pooled for blocking::Client {
    fn connect(server: SocketAddr, connections: usize) -> Result<Self> {
        Ok(Self::from_config(config(server).pool_max(connections)))
    }

    fn get(&self, key: &str) -> Result<usize> {
        let value: Option<Bytes> = StringCommands::get(self, key).send()?;
        Ok(value.map_or(0, |value| value.len()))
    }
}

impl Shared for Client {
    async fn get(&mut self, key: &str) -> Result<usize> {
        let value: Option<Bytes> = StringCommands::get(&*self, key).await?;
        Ok(value.map_or(0, |value| value.len()))
    }

    async fn set(&mut self, key: &str, value: &Bytes) -> Result<()> {
        Ok(StringCommands::set(&*self, key, value.clone()).await?)
    }
}

impl Clustered for Client {
    async fn connect(node: SocketAddr) -> Result<Self> {
        Ok(Self::connect(&format!("redis-cluster://{node}")).await?)
    }
}

impl Async for Client {
    async fn connect(server: SocketAddr) -> Result<Self> {
        Ok(Self::from_config(config(server)))
    }

    async fn set_all(&mut self, keys: &[String], value: &Bytes) -> Result<()> {
        self.pipeline(keys.iter().map(|key| cmd::set(key, value.clone())))
            .await?;
        Ok(())
    }

    async fn lrange(&mut self, key: &str) -> Result<usize> {
        let elements: Vec<Bytes> = ListCommands::lrange(&*self, key, 0, -1).await?;
        Ok(elements.len())
    }

    async fn hgetall(&mut self, key: &str) -> Result<usize> {
        let fields: HashMap<String, String> = HashCommands::hgetall(&*self, key).decode().await?;
        Ok(fields.len())
    }
}

impl Subscriber for Dedicated {
    async fn subscribe(server: SocketAddr, channel: &str) -> Result<Self> {
        let dedicated = Client::from_config(config(server)).dedicated().await?;
        dedicated.subscribe(channel).await?;
        Ok(dedicated)
    }

    async fn message(&mut self) -> Result<usize> {
        loop {
            // `message`, the channel, and what it carries, which is read where it lies.
            let push = self.next_push().await?;
            let mut parts = push.reply().elements().into_iter().flatten();
            if parts.next().and_then(|kind| kind.bytes()) == Some(b"message")
                && let Some(payload) = parts.nth(1).and_then(|payload| payload.bytes())
            {
                return Ok(payload.len());
            }
        }
    }
}
