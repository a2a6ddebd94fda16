//! Commands by their words, and the server that they are sent to, for the tests of both clients.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses a part of it"
)]

use std::time::Duration;

use respec::{
    Config,
    command::{Command, Detached, Info, Patience},
    reply::DecodeError,
    resp::{Kind, Reply, Writer},
};
use respec_testkit::{Server, Variant, shared};

/// A command as its words; its reply as text.
#[derive(Clone)]
pub struct Words {
    words: Vec<Vec<u8>>,
    info: &'static Info,
    patience: Option<Duration>,
}

/// The command that `text` spells, its words separated by spaces.
pub fn words(text: &str) -> Words {
    args(&text.split(' ').collect::<Vec<_>>())
}

/// The command of these words.
pub fn args(words: &[&str]) -> Words {
    Words {
        words: words.iter().map(|word| word.as_bytes().to_vec()).collect(),
        info: facts(words),
        patience: None,
    }
}

impl Words {
    /// The same command, waited for as if the server were to wait for this long.
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = Some(patience);
        self
    }
}

fn facts(words: &[&str]) -> &'static Info {
    let name = words[0];
    let of_two = words
        .get(1)
        .and_then(|sub| Info::of(&format!("{name} {sub}")));
    of_two.or_else(|| Info::of(name)).unwrap_or(Info::UNKNOWN)
}

impl Command for Words {
    type Via = Detached;
    type Reply = String;

    fn via(&self) -> Detached {
        Detached
    }

    fn info(&self) -> &'static Info {
        self.info
    }

    fn write(&self, to: &mut Writer<'_>) {
        for word in &self.words {
            to.word(word);
        }
    }

    fn read(&self, reply: Reply<'_>) -> Result<String, DecodeError> {
        Ok(show(reply))
    }

    fn patience(&self) -> Patience {
        if let Some(patience) = self.patience {
            return Patience::Up(patience);
        }
        if self.info.blocking.is_none() {
            return Patience::None;
        }
        let last = self.words.last().map(|word| String::from_utf8_lossy(word));
        match last.and_then(|seconds| seconds.parse::<f64>().ok()) {
            Some(seconds) if seconds > 0.0 => Patience::Up(Duration::from_secs_f64(seconds)),
            _ => Patience::Forever,
        }
    }
}

/// A reply as text: `[a, 1, nil]`.
fn show(reply: Reply<'_>) -> String {
    if let Some(elements) = reply.elements() {
        let elements: Vec<_> = elements.map(show).collect();
        return format!("[{}]", elements.join(", "));
    }
    match reply.kind() {
        Kind::Null => "nil".to_owned(),
        Kind::Integer => reply.integer().unwrap().to_string(),
        Kind::Error => format!("-{}", String::from_utf8_lossy(reply.as_error().unwrap())),
        _ => String::from_utf8_lossy(reply.bytes().unwrap_or_default()).into_owned(),
    }
}

/// The server that all tests of a binary share.
pub fn server() -> &'static Server {
    shared(Variant::Redis70)
}

/// The settings for a server, with a short time for responses.
pub fn hasty(server: &Server) -> Config {
    Config::from_url(&server.url())
        .unwrap()
        .response_timeout(Duration::from_millis(200))
}

/// A field of `INFO`, asked over a connection of the test kit's own.
pub fn info(server: &Server, name: &str) -> String {
    field(&server.command(&[b"INFO"]).unwrap(), name)
}

/// A field of what `INFO` has answered.
pub fn field(reply: &[u8], name: &str) -> String {
    let text = String::from_utf8_lossy(reply);
    let prefix = format!("{name}:");
    text.lines()
        .find_map(|line| line.strip_prefix(&prefix))
        .unwrap_or_else(|| panic!("no {name} in {text}"))
        .to_owned()
}
