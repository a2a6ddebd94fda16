/// `BITFIELD key [<GET encoding offset | SET encoding offset value | INCRBY encoding offset
/// increment | OVERFLOW <WRAP | SAT | FAIL>> [<GET encoding offset | SET encoding offset value |
/// INCRBY encoding offset increment | OVERFLOW <WRAP | SAT | FAIL>> ...]]`
///
/// Reads, sets and increments integers of any bit width at given offsets of a string.
///
/// `None`: an element is absent where OVERFLOW FAIL kept the operation from being done.
///
/// Since 3.2.0 · O(N), N: operations given · writes · `@bitmap` `@slow` `@write` · keys: word 1.
#[derive(Clone)]
#[must_use = "a command does nothing until it is awaited, sent or put into a pipeline"]
pub struct Bitfield<'a, X = Detached> {
    via: X,
    key: Arg<'a>,
    operation: Option<List<BitfieldOperation<'a>>>,
}

impl<'a, X> Bitfield<'a, X> {
    fn new(via: X, key: Arg<'a>) -> Self {
        Self { via, key, operation: None }
    }
}

impl<'a, X> Bitfield<'a, X> {
    /// `<GET encoding offset | SET encoding offset value | INCRBY encoding offset increment |
    /// OVERFLOW <WRAP | SAT | FAIL>> [<GET encoding offset | SET encoding offset value | INCRBY
    /// encoding offset increment | OVERFLOW <WRAP | SAT | FAIL>> ...]`
    pub fn operation<M>(
        mut self,
        operation: impl IntoList<BitfieldOperation<'a>, M>,
    ) -> Self {
        self.operation = operation.into_list().after(self.operation.take());
        self
    }
}

impl<X: Via> command::Command for Bitfield<'_, X> {
    type Via = X;
    type Reply = Vec<Option<i64>>;

    fn via(&self) -> X {
        self.via
    }

    fn info(&self) -> &'static command::Info {
        &info::BITFIELD
    }

    fn write(&self, to: &mut Writer<'_>) {
        info::BITFIELD.write_name(to);
        self.key.write_key(to);
        if let Some(operation) = &self.operation {
            for item in operation {
                item.write_words(to);
            }
        }
    }

    fn read(&self, reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        Decode::decode(reply)
    }
}

impl<X: Asynchronous<Self>> IntoFuture for Bitfield<'_, X> {
    type Output = Result<<Self as command::Command>::Reply>;
    type IntoFuture = X::Pending;

    fn into_future(self) -> Self::IntoFuture {
        self.via.execute(self)
    }
}

impl<X: Via> fmt::Debug for Bitfield<'_, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        command::debug(self, f)
    }
}

/// One of the alternatives that `BITFIELD` takes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum BitfieldOperation<'a> {
    /// `GET encoding offset`
    Get {
        /// The `encoding`.
        encoding: Arg<'a>,
        /// The `offset`.
        offset: Arg<'a>,
    },
    /// `SET encoding offset value`
    Set {
        /// The `encoding`.
        encoding: Arg<'a>,
        /// The `offset`.
        offset: Arg<'a>,
        /// The `value`.
        value: Arg<'static>,
    },
    /// `INCRBY encoding offset increment`
    Incrby {
        /// The `encoding`.
        encoding: Arg<'a>,
        /// The `offset`.
        offset: Arg<'a>,
        /// The `increment`.
        increment: Arg<'static>,
    },
    /// `OVERFLOW <WRAP | SAT | FAIL>`
    Overflow(BitfieldOverflow),
}

impl<'a> BitfieldOperation<'a> {
    /// `GET encoding offset`
    #[must_use]
    pub fn get(encoding: impl Into<Arg<'a>>, offset: impl Into<Arg<'a>>) -> Self {
        Self::Get {
            encoding: encoding.into(),
            offset: offset.into(),
        }
    }

    /// `SET encoding offset value`
    #[must_use]
    pub fn set(
        encoding: impl Into<Arg<'a>>,
        offset: impl Into<Arg<'a>>,
        value: impl Integer,
    ) -> Self {
        Self::Set {
            encoding: encoding.into(),
            offset: offset.into(),
            value: value.into_arg(),
        }
    }

    /// `INCRBY encoding offset increment`
    #[must_use]
    pub fn incrby(
        encoding: impl Into<Arg<'a>>,
        offset: impl Into<Arg<'a>>,
        increment: impl Integer,
    ) -> Self {
        Self::Incrby {
            encoding: encoding.into(),
            offset: offset.into(),
            increment: increment.into_arg(),
        }
    }

    /// `OVERFLOW <WRAP | SAT | FAIL>`
    #[must_use]
    pub fn overflow(overflow: BitfieldOverflow) -> Self {
        Self::Overflow(overflow)
    }

    /// Writes the words that are sent for it.
    pub fn write_words(&self, to: &mut Writer<'_>) {
        match self {
            Self::Get { encoding, offset } => {
                to.word(b"GET");
                encoding.write(to);
                offset.write(to);
            }
            Self::Set { encoding, offset, value } => {
                to.word(b"SET");
                encoding.write(to);
                offset.write(to);
                value.write(to);
            }
            Self::Incrby { encoding, offset, increment } => {
                to.word(b"INCRBY");
                encoding.write(to);
                offset.write(to);
                increment.write(to);
            }
            Self::Overflow(overflow) => {
                to.word(b"OVERFLOW");
                overflow.write_words(to);
            }
        }
    }
}

impl Item for BitfieldOperation<'_> {}

/// One of the alternatives that `BITFIELD` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BitfieldOverflow {
    /// `WRAP`
    Wrap,
    /// `SAT`
    Sat,
    /// `FAIL`
    Fail,
}

impl BitfieldOverflow {
    /// Writes the words that are sent for it.
    pub fn write_words(&self, to: &mut Writer<'_>) {
        match self {
            Self::Wrap => to.word(b"WRAP"),
            Self::Sat => to.word(b"SAT"),
            Self::Fail => to.word(b"FAIL"),
        }
    }
}

impl Item for BitfieldOverflow {}

/// The bitmap commands as methods; every client has them.
pub trait BitmapCommands: Commands {
    /// `BITFIELD key [<GET encoding offset | SET encoding offset value | INCRBY encoding offset
    /// increment | OVERFLOW <WRAP | SAT | FAIL>> [<GET encoding offset | SET encoding offset value
    /// | INCRBY encoding offset increment | OVERFLOW <WRAP | SAT | FAIL>> ...]]`
    ///
    /// Reads, sets and increments integers of any bit width at given offsets of a string. See
    /// [`Bitfield`].
    fn bitfield<'a>(&self, key: impl Into<Arg<'a>>) -> Bitfield<'a, &Self> {
        Bitfield::new(self, key.into())
    }
}

impl<T: Commands + ?Sized> BitmapCommands for T {}

/// The bitmap commands as values that belong to no client yet.
pub(crate) mod cmd {
    use super::*;
    use crate::command::{Arg, Detached};

    /// `BITFIELD key [<GET encoding offset | SET encoding offset value | INCRBY encoding offset
    /// increment | OVERFLOW <WRAP | SAT | FAIL>> [<GET encoding offset | SET encoding offset value
    /// | INCRBY encoding offset increment | OVERFLOW <WRAP | SAT | FAIL>> ...]]`
    ///
    /// Reads, sets and increments integers of any bit width at given offsets of a string. See
    /// [`Bitfield`].
    pub fn bitfield<'a>(key: impl Into<Arg<'a>>) -> Bitfield<'a> {
        Bitfield::new(Detached, key.into())
    }
}
