//! Reads the commands of a running server: `HELLO 3`, `COMMAND`, `COMMAND DOCS`.
//!
//! A small blocking reader of RESP3 is enough for that, and keeps this program free of the client
//! whose spec it looks after.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use respec_codegen::error::Error;
use respec_codegen::source::Source;
use respec_codegen::spec::Provider;
use serde_json::{Map, Value};

use crate::live;

/// Where a server is and who asks.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
    username: Option<String>,
    password: Option<String>,
}

impl Address {
    /// Reads `redis://[[username]:password@]host[:port]`, or the same with `valkey`.
    ///
    /// # Errors
    /// Says which part was not understood; the password is in no message.
    pub fn parse(url: &str) -> Result<Self, String> {
        let rest = ["redis://", "valkey://"]
            .iter()
            .find_map(|scheme| url.strip_prefix(scheme));
        let rest = rest.ok_or("expected redis://host:port or valkey://host:port")?;
        let (user, rest) = match rest.rsplit_once('@') {
            Some((user, rest)) => (Some(user), rest),
            None => (None, rest),
        };
        let place = rest.trim_end_matches('/');
        if place.contains(['/', '?', '#']) {
            return Err(format!(
                "expected host:port and nothing behind it, found {place}"
            ));
        }
        let (host, port) = match place.rsplit_once(':') {
            // The colons of an address in brackets are not those of a port.
            Some((_, port)) if port.ends_with(']') => (place, None),
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err("expected a host, found none".to_owned());
        }
        let port = match port {
            None => 6379,
            Some(port) => port
                .parse()
                .map_err(|_| format!("expected a port number, found {port}"))?,
        };
        let (username, password) = match user {
            None => (None, None),
            Some(user) => {
                let (name, password) = user
                    .split_once(':')
                    .ok_or("expected username:password in front of the @")?;
                let name = (!name.is_empty()).then(|| decode(name)).transpose()?;
                (name, Some(decode(password)?))
            }
        };
        Ok(Self {
            host: host.to_owned(),
            port,
            username,
            password,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// Asks a server for its commands. Without a `provider` the server says which family it is.
///
/// # Errors
/// When the server cannot be reached, takes too long, refuses, or answers something unexpected.
pub fn pull(address: &Address, provider: Option<Provider>) -> Result<Source, Error> {
    let origin = address.to_string();
    let origin = Path::new(&origin);
    let fail = |reason: String| Error::new(origin, reason);
    let mut connection = Connection::open(address).map_err(|error| fail(error.to_string()))?;
    let mut hello = vec!["HELLO", "3"];
    if let Some(password) = &address.password {
        hello.extend([
            "AUTH",
            address.username.as_deref().unwrap_or("default"),
            password,
        ]);
    }
    let hello = connection.call(&hello).map_err(&fail)?;
    let field = |name: &str| hello.get(name).and_then(Value::as_str).map(str::to_owned);
    let server = field("server").unwrap_or_default();
    let version =
        field("version").ok_or_else(|| fail("expected a version from HELLO, found none".into()))?;
    let (detected, version) = match connection.call(&["INFO", "server"]) {
        // A Valkey that plays an old Redis in HELLO still gives its name here.
        Ok(Value::String(info)) => match line_of(&info, "valkey_version:") {
            Some(version) => (Provider::Valkey, version),
            None => (Provider::Redis, version),
        },
        _ if server == "valkey" => (Provider::Valkey, version),
        _ => (Provider::Redis, version),
    };
    let info = connection.call(&["COMMAND"]).map_err(&fail)?;
    let docs = connection.call(&["COMMAND", "DOCS"]).map_err(&fail)?;
    live::source(origin, provider.unwrap_or(detected), version, &info, &docs)
}

fn line_of(info: &str, start: &str) -> Option<String> {
    info.lines()
        .find_map(|line| line.strip_prefix(start))
        .map(|rest| rest.trim().to_owned())
}

/// Resolves the percent signs of a URL.
fn decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        match (digit(rest.next()), digit(rest.next())) {
            (Some(high), Some(low)) => bytes.push((high * 16 + low) as u8),
            _ => return Err("expected two hexadecimal digits after each % of the URL".to_owned()),
        }
    }
    String::from_utf8(bytes).map_err(|_| "expected UTF-8 in username and password".to_owned())
}

/// One connection that waits for each reply.
struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    fn open(address: &Address) -> io::Result<Self> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in (address.host.as_str(), address.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(READ_TIMEOUT))?;
                    stream.set_write_timeout(Some(READ_TIMEOUT))?;
                    return Ok(Self {
                        stream: BufReader::new(stream),
                    });
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Sends a command and reads its reply. An error names the command, never its arguments.
    fn call(&mut self, words: &[&str]) -> Result<Value, String> {
        let mut request = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            request.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
        }
        let name = words.first().copied().unwrap_or_default();
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                format!("{name}: no reply within {} seconds", READ_TIMEOUT.as_secs())
            }
            _ => format!("{name}: {error}"),
        };
        self.stream.get_mut().write_all(&request).map_err(failed)?;
        match self.frame(0).map_err(failed)? {
            Frame::Value(value) => Ok(value),
            Frame::Error(error) => Err(format!("{name}: {error}")),
        }
    }

    fn frame(&mut self, depth: u32) -> io::Result<Frame> {
        if depth > MAX_DEPTH {
            return Err(invalid("the reply is nested too deeply".to_owned()));
        }
        let line = self.line()?;
        let mut characters = line.chars();
        let kind = characters.next().unwrap_or(' ');
        let rest = characters.as_str();
        let value = match kind {
            '+' | '(' => Value::from(rest),
            '-' => return Ok(Frame::Error(rest.to_owned())),
            ':' => Value::from(rest.parse::<i64>().map_err(|_| unexpected(&line))?),
            ',' => Value::from(rest.parse::<f64>().map_err(|_| unexpected(&line))?),
            '#' => Value::from(rest == "t"),
            '_' => Value::Null,
            '$' | '!' | '=' => {
                let Some(text) = self.text(&line, rest)? else {
                    return Ok(Frame::Value(Value::Null));
                };
                match kind {
                    '!' => return Ok(Frame::Error(text)),
                    // Three letters and a colon say what kind of text follows.
                    '=' => Value::from(text.get(4..).unwrap_or_default()),
                    _ => Value::from(text),
                }
            }
            '*' | '~' | '>' => {
                let Some(count) = self.count(&line, rest)? else {
                    return Ok(Frame::Value(Value::Null));
                };
                let mut list = Vec::new();
                for _ in 0..count {
                    list.push(self.value(depth + 1)?);
                }
                Value::Array(list)
            }
            '%' => {
                let mut map = Map::new();
                for _ in 0..self.count(&line, rest)?.unwrap_or(0) {
                    let Value::String(key) = self.value(depth + 1)? else {
                        return Err(invalid("expected texts as keys of a map".to_owned()));
                    };
                    let value = self.value(depth + 1)?;
                    map.insert(key, value);
                }
                Value::Object(map)
            }
            _ => return Err(unexpected(&line)),
        };
        // A push is no reply; what follows it is.
        if kind == '>' {
            self.frame(depth)
        } else {
            Ok(Frame::Value(value))
        }
    }

    fn value(&mut self, depth: u32) -> io::Result<Value> {
        match self.frame(depth)? {
            Frame::Value(value) => Ok(value),
            Frame::Error(error) => Err(invalid(format!("found an error inside a reply: {error}"))),
        }
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        (&mut self.stream)
            .take(MAX_LINE)
            .read_until(b'\n', &mut line)?;
        match line.strip_suffix(b"\r\n") {
            Some(line) => Ok(String::from_utf8_lossy(line).into_owned()),
            None if line.is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
            None => Err(invalid("expected a line of RESP3".to_owned())),
        }
    }

    fn count(&self, line: &str, digits: &str) -> io::Result<Option<u64>> {
        match digits.parse::<i64>() {
            Ok(-1) => Ok(None),
            Ok(count) => u64::try_from(count).map(Some).map_err(|_| unexpected(line)),
            Err(_) => Err(unexpected(line)),
        }
    }

    fn text(&mut self, line: &str, digits: &str) -> io::Result<Option<String>> {
        let Some(length) = self.count(line, digits)? else {
            return Ok(None);
        };
        if length > MAX_TEXT {
            return Err(invalid(format!(
                "expected at most {MAX_TEXT} bytes, found {length}"
            )));
        }
        // The announced length is not reserved, only what arrives is.
        let mut bytes = Vec::new();
        (&mut self.stream)
            .take(length + 2)
            .read_to_end(&mut bytes)?;
        match bytes.strip_suffix(b"\r\n") {
            Some(text) if text.len() as u64 == length => {
                Ok(Some(String::from_utf8_lossy(text).into_owned()))
            }
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// What a reply is.
enum Frame {
    Value(Value),
    Error(String),
}

fn unexpected(line: &str) -> io::Error {
    let start: String = line.chars().take(40).collect();
    invalid(format!("expected a frame of RESP3, found {start:?}"))
}

fn invalid(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// Deeper than any description of a command.
const MAX_DEPTH: u32 = 64;
const MAX_LINE: u64 = 64 * 1024;
const MAX_TEXT: u64 = 64 * 1024 * 1024;
