//! A bare socket that speaks RESP.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use bytes::BytesMut;
use respec::resp::{Frame, Limits, Scanner, Writer};

/// A connection that speaks RESP2 or RESP3.
pub struct Connection {
    stream: TcpStream,
    buffer: BytesMut,
}

/// Why no frame came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoFrame {
    /// The server closed the connection.
    Closed,
    /// It did not answer in time.
    Late,
    /// What it sent is no RESP.
    Malformed,
}

impl Connection {
    /// Opens a connection and chooses the version of the protocol.
    pub fn open(address: SocketAddr, protocol: u8) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a time-out that is not zero");
        stream.set_nodelay(true).expect("a TCP socket");
        let mut connection = Self {
            stream,
            buffer: BytesMut::new(),
        };
        let hello = connection.ask(&["HELLO", &protocol.to_string()]);
        assert!(!hello.is_error(), "expected HELLO to work, got an error");
        connection
    }

    /// Sends bytes.
    pub fn send(&mut self, bytes: &[u8]) {
        // What a closed connection has to say is found when reading.
        let _ = self.stream.write_all(bytes);
    }

    /// Sends some words whose reply is received later.
    pub fn ask_late<W: AsRef<[u8]>>(&mut self, words: &[W]) {
        let mut out = BytesMut::new();
        encode(&mut out, words);
        self.send(&out);
    }

    /// The reply to some words.
    pub fn ask<W: AsRef<[u8]>>(&mut self, words: &[W]) -> Frame {
        self.ask_late(words);
        self.receive().expect("the server answers")
    }

    /// The next frame.
    pub fn receive(&mut self) -> Result<Frame, NoFrame> {
        let mut scanner = Scanner::new(Limits::default());
        let mut chunk = [0; 16 << 10];
        loop {
            match scanner.scan(&self.buffer) {
                Ok(Some(length)) => {
                    let bytes = self.buffer.split_to(length).freeze();
                    return Ok(Frame::new(bytes, false));
                }
                Ok(None) => {}
                Err(_) => return Err(NoFrame::Malformed),
            }
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err(NoFrame::Closed),
                Ok(read) => self.buffer.extend_from_slice(&chunk[..read]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
                    return Err(NoFrame::Closed);
                }
                Err(_) => return Err(NoFrame::Late),
            }
        }
    }
}

/// Appends words as one command.
pub fn encode<W: AsRef<[u8]>>(out: &mut BytesMut, words: &[W]) {
    Writer::command(out, |to| {
        words.iter().for_each(|word| to.word(word.as_ref()))
    })
    .expect("a command of at least one word");
}

const PATIENCE: Duration = Duration::from_secs(30);
