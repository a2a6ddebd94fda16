//! Messages that no command asked for.

use std::fmt;

use super::{Decode, FromReply, Value};
use crate::{
    error::Result,
    resp::{Frame, Kind, Reply},
};

/// A message that no command asked for: of a channel, about a tracked key, a line of `MONITOR`.
///
/// It is read where it lies: nothing is copied until a value is taken out of it, so that messages
/// that are only looked at cost no allocation.
///
/// ```
/// # fn example(push: respec::reply::Push) -> respec::Result<()> {
/// if push.kind() == Some(b"message") {
///     let (_, channel, payload): (String, String, bytes::Bytes) = push.decode()?;
///     println!("{} bytes on {channel}", payload.len());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Push(Frame);

impl Push {
    #[cfg(any(feature = "async", feature = "blocking"))]
    pub(crate) fn new(frame: Frame) -> Self {
        Self(frame)
    }

    /// The word that it begins with, such as `message`, `pmessage` or `invalidate`.
    ///
    /// A line of `MONITOR` has none.
    #[must_use]
    pub fn kind(&self) -> Option<&[u8]> {
        self.reply().elements()?.next()?.bytes()
    }

    /// The message as it came: an array under RESP2, a push under RESP3, or a line.
    #[must_use]
    pub fn reply(&self) -> Reply<'_> {
        self.0.reply()
    }

    /// The message as a value of any type.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`](crate::ErrorKind::Decode) where a part of it has no value.
    pub fn value(&self) -> Result<Value> {
        Ok(Value::decode(self.reply())?)
    }

    /// The message, its word included, as a type of the caller's choice.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Decode`](crate::ErrorKind::Decode) where it does not fit the type.
    pub fn decode<T: FromReply>(&self) -> Result<T> {
        Ok(T::from_reply(self.reply())?)
    }
}

impl fmt::Debug for Push {
    /// Tells what it begins with and its size, not the content, which may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Push");
        if self.reply().kind() == Kind::Push {
            debug.field("kind", &self.kind().map(String::from_utf8_lossy));
        }
        debug.field("length", &self.0.as_bytes().len()).finish()
    }
}
