//! The floor of an async client: what `raw` does, on a socket of tokio.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    Result,
    raw::{BUFFER, Exchange},
};

pub(crate) struct RawTokio {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl RawTokio {
    pub(crate) async fn connect(server: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        let buffer = vec![0; BUFFER];
        Ok(Self { stream, buffer })
    }

    pub(crate) async fn exchange(&mut self, exchange: &Exchange) -> Result<()> {
        self.write(exchange.requests()).await?;
        self.read_replies(exchange).await
    }

    /// Reads what answers requests that were written.
    pub(crate) async fn read_replies(&mut self, exchange: &Exchange) -> Result<()> {
        let mut missing = exchange.reply_bytes();
        while missing > 0 {
            missing -= self.read().await?;
        }
        Ok(())
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(bytes).await?)
    }

    /// Reads what there is, and returns how many bytes that were.
    pub(crate) async fn read(&mut self) -> Result<usize> {
        match self.stream.read(&mut self.buffer).await? {
            0 => Err("the server closed the connection".into()),
            read => Ok(read),
        }
    }
}
