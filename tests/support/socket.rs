//! Commands over a bare socket, in either version of the protocol.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::BytesMut;
use respec::command::{Command, IsDetached};
use respec::resp::{Frame, Limits, Scanner, Writer};
use respec_testkit::Server;

/// The words of a command.
pub(crate) fn words(command: &impl Command) -> Vec<String> {
    let mut out = BytesMut::new();
    Writer::command(&mut out, |to| command.write(to)).expect("a command that can be sent");
    let frame = Frame::parse(out.freeze()).expect("a command is a frame");
    let elements = frame.reply().elements().expect("a command is an array");
    elements
        .map(|word| String::from_utf8_lossy(word.bytes().expect("of bulk strings")).into_owned())
        .collect()
}

/// A connection that speaks RESP2 or RESP3.
pub(crate) struct Connection {
    stream: TcpStream,
}

impl Connection {
    pub(crate) fn open(server: &Server, protocol: u8) -> Self {
        let stream = TcpStream::connect(server.addr()).expect("the server listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let mut connection = Self { stream };
        let hello = connection.raw(&["HELLO", &protocol.to_string()]);
        assert!(
            !hello.is_error(),
            "HELLO {protocol}: {:?}",
            hello.reply().as_error()
        );
        connection
    }

    /// Both versions, RESP2 first.
    pub(crate) fn both(server: &Server) -> [Self; 2] {
        [Self::open(server, 2), Self::open(server, 3)]
    }

    /// The reply to a command, which must be no error.
    #[track_caller]
    pub(crate) fn send<C: Command<Via: IsDetached>>(&mut self, command: C) -> C::Reply {
        let sent = words(&command).join(" ");
        let frame = self.exchange(|to| command.write(to));
        if let Some(error) = frame.reply().as_error() {
            panic!("{sent}: {}", String::from_utf8_lossy(error));
        }
        command.read(frame.reply()).unwrap_or_else(|error| {
            panic!(
                "{sent}: {error}: {}",
                String::from_utf8_lossy(frame.as_bytes())
            )
        })
    }

    /// The error that answers a command.
    #[track_caller]
    pub(crate) fn error(&mut self, command: impl Command) -> String {
        let frame = self.exchange(|to| command.write(to));
        let error = frame.reply().as_error().expect("an error");
        String::from_utf8_lossy(error).into_owned()
    }

    /// The frame that answers these words.
    pub(crate) fn raw(&mut self, words: &[&str]) -> Frame {
        self.exchange(|to| words.iter().for_each(|word| to.word(word.as_bytes())))
    }

    fn exchange(&mut self, write: impl FnOnce(&mut Writer<'_>)) -> Frame {
        let mut out = BytesMut::new();
        Writer::command(&mut out, write).expect("a command that can be sent");
        self.stream.write_all(&out).expect("the server reads");
        let mut scanner = Scanner::new(Limits::default());
        let mut buffer = BytesMut::new();
        let mut chunk = [0; 16 << 10];
        loop {
            if let Some(length) = scanner.scan(&buffer).expect("the server speaks RESP") {
                assert_eq!(length, buffer.len(), "one reply for one command");
                return Frame::new(buffer.freeze(), false);
            }
            let read = self.stream.read(&mut chunk).expect("the server answers");
            assert_ne!(read, 0, "the server hung up");
            buffer.extend_from_slice(&chunk[..read]);
        }
    }
}

/// The replies to one command under RESP2 and RESP3, which must be equal.
#[track_caller]
pub(crate) fn same<C: Command<Via: IsDetached> + Sync>(
    connections: &mut [Connection; 2],
    command: C,
) -> C::Reply
where
    C::Reply: PartialEq + std::fmt::Debug,
{
    let [two, three] = connections;
    let (two, three) = (two.send(&command), three.send(&command));
    assert_eq!(
        two,
        three,
        "RESP2 and RESP3 differ: {}",
        words(&command).join(" ")
    );
    two
}
