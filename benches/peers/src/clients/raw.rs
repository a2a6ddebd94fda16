//! The floor: a blocking socket, requests that were built beforehand, and replies that are only
//! counted.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use respec::resp::{Limits, Scanner};

use super::Result;

/// Several requests that are written in one piece, and how many bytes answer them.
///
/// Replies to the same requests have the same size every time, so that counting their bytes is
/// counting them.
#[derive(Clone)]
pub(crate) struct Exchange {
    requests: Vec<u8>,
    reply_bytes: usize,
}

pub(crate) struct Raw {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Exchange {
    /// Sends the requests for the first time, to see that they succeed and how long the replies are.
    pub(crate) fn prepare(server: SocketAddr, requests: Vec<u8>, replies: usize) -> Result<Self> {
        let mut raw = Raw::connect(server)?;
        raw.stream.write_all(&requests)?;
        let mut received = Vec::new();
        let mut end = 0;
        let mut scanner = Scanner::new(Limits::default());
        for _ in 0..replies {
            let length = loop {
                if let Some(length) = scanner.scan(received.get(end..).unwrap_or_default())? {
                    break length;
                }
                let read = raw.stream.read(&mut raw.buffer)?;
                if read == 0 {
                    return Err("the server closed the connection".into());
                }
                received.extend_from_slice(&raw.buffer[..read]);
            };
            if received[end] == b'-' {
                return Err(String::from_utf8_lossy(&received[end..end + length]).into());
            }
            end += length;
        }
        Ok(Self {
            requests,
            reply_bytes: end,
        })
    }

    pub(crate) fn requests(&self) -> &[u8] {
        &self.requests
    }

    pub(crate) fn reply_bytes(&self) -> usize {
        self.reply_bytes
    }
}

impl Raw {
    pub(crate) fn connect(server: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        let buffer = vec![0; BUFFER];
        Ok(Self { stream, buffer })
    }

    pub(crate) fn exchange(&mut self, exchange: &Exchange) -> Result<()> {
        self.write(exchange.requests())?;
        self.read_replies(exchange)
    }

    /// Reads what answers requests that were written.
    pub(crate) fn read_replies(&mut self, exchange: &Exchange) -> Result<()> {
        let mut missing = exchange.reply_bytes();
        while missing > 0 {
            missing -= self.read()?;
        }
        Ok(())
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(bytes)?)
    }

    /// Reads what there is, and returns how many bytes that were.
    pub(crate) fn read(&mut self) -> Result<usize> {
        match self.stream.read(&mut self.buffer)? {
            0 => Err("the server closed the connection".into()),
            read => Ok(read),
        }
    }
}

/// The bytes of one request.
pub(crate) fn request(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Large enough for a batch of replies, small enough for the second-level cache.
pub(crate) const BUFFER: usize = 256 * 1024;
