//! A command with words that the spec does not know.

use std::{borrow::Cow, fmt};

use bytes::{Bytes, BytesMut};

use super::{Arg, Asynchronous, Command, Erased, Info, Needs, Patience};
use crate::{
    error::{Error, Result},
    reply::DecodeError,
    resp::{Reply, Writer},
};

/// A command with words that the spec does not know; made by [`Command::word`] and
/// [`Command::word_behind`].
///
/// It is for options that a newer server, a fork or a module has:
///
/// ```
/// # async fn example(client: respec::Client) -> respec::Result<()> {
/// use respec::prelude::*;
///
/// // At the end, where most options may stand.
/// client.set("lock", "me").word("FUTURE").word(5).await?;
/// // In front of the id and the fields, where XADD has its options.
/// client
///     .xadd("events", "*", [("kind", "login")])
///     .word_behind("key", "FUTURE")
///     .await?;
/// # Ok(())
/// # }
/// ```
///
/// A part has the name of its parameter or setter, and need not have been given. It is one that
/// something follows which is always there, such as the key of `XADD`; behind all others the end is
/// as good a place.
///
/// Words with the same place keep the order in which they were said. Setters are called before, since
/// they belong to the command itself.
///
/// Everything else is as without the words: the type of the reply, which [`decode`](Command::decode)
/// changes; whether the call may be sent twice; how long it may take. No word is taken for a key. What
/// has keys that its own command does not show is written with [`raw`](super::raw), as is what may
/// block because of the words. Where a cluster cuts the command into parts, each part has the words
/// that stand behind the keys; words behind keys that nothing ends, as those of `DEL`, are refused there.
#[derive(Clone)]
#[must_use = "a command does nothing until it is awaited, sent, or put into a pipeline"]
pub struct Worded<'a, C> {
    command: C,
    /// Each with the part that it stands behind; without one it stands at the end.
    words: Vec<(Option<&'static str>, Arg<'a>)>,
}

impl<'a, C> Worded<'a, C> {
    pub(super) fn new(command: C) -> Self {
        Self {
            command,
            words: Vec::new(),
        }
    }

    /// Adds a word at the end.
    pub fn word(mut self, word: impl Into<Arg<'a>>) -> Self {
        self.words.push((None, word.into()));
        self
    }

    /// Adds a word behind the part of this name.
    pub fn word_behind(mut self, part: &'static str, word: impl Into<Arg<'a>>) -> Self {
        self.words.push((Some(part), word.into()));
        self
    }
}

impl<C: Command> Command for Worded<'_, C> {
    type Via = C::Via;
    type Reply = C::Reply;

    fn via(&self) -> C::Via {
        self.command.via()
    }

    fn info(&self) -> &'static Info {
        self.command.info()
    }

    fn name(&self) -> Cow<'_, str> {
        self.command.name()
    }

    fn write(&self, to: &mut Writer<'_>) {
        for (part, word) in &self.words {
            if let Some(part) = part {
                match bytes(word) {
                    Ok(word) => to.add_behind(part, word),
                    Err(error) => to.fail(error),
                }
            }
        }
        self.command.write(to);
        if let Some(part) = to.lacks_part() {
            to.fail(Error::argument(format!(
                "expected a parameter or setter that a required part follows, got `{part}`"
            )));
        }
        for (_, word) in self.words.iter().filter(|(part, _)| part.is_none()) {
            word.write(to);
        }
    }

    fn read(&self, reply: Reply<'_>) -> Result<C::Reply, DecodeError> {
        self.command.read(reply)
    }

    fn patience(&self) -> Patience {
        self.command.patience()
    }

    fn needs(&self) -> Needs {
        self.command.needs()
    }

    /// What the command sends instead does not know the words.
    fn instead(&self, _: &Error) -> Option<Erased<'_>> {
        None
    }

    fn names(&self) -> &[Arg<'_>] {
        self.command.names()
    }
}

/// The bytes of a word.
fn bytes(word: &Arg<'_>) -> Result<Bytes> {
    if let Some(bytes) = word.as_bytes() {
        return Ok(Bytes::copy_from_slice(bytes));
    }
    let mut out = BytesMut::new();
    let mut range = Vec::new();
    Writer::command_with_keys(&mut out, &mut range, |to| word.write_key(to))?;
    let range = range.first().cloned().unwrap_or_default();
    Ok(out.freeze().slice(range))
}

impl<C: Command> IntoFuture for Worded<'_, C>
where
    C::Via: Asynchronous<Self>,
{
    type Output = Result<C::Reply>;
    type IntoFuture = <C::Via as Asynchronous<Self>>::Pending;

    fn into_future(self) -> Self::IntoFuture {
        self.via().execute(self)
    }
}

impl<C: Command> fmt::Debug for Worded<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::debug(self, f)
    }
}
