/// `XREAD [COUNT count] [MAXCOUNT maxcount] [MAXSIZE maxsize] [BLOCK milliseconds] STREAMS key [key
/// ...] id [id ...]`
///
/// Returns the entries after a given entry ID from each of several streams, optionally waiting for
/// some.
///
/// `None`: no stream has an entry after the given ID or, with BLOCK, none arrived before the
/// time-out.
///
/// Where it waits it has one of the pool's connections to itself, of which there are `pool_max` at
/// most.
///
/// Since 5.0.0 · reads only · `@blocking` `@read` `@slow` `@stream` · keys: after `STREAMS`, one
/// part in 2 of the rest.
///
/// Changes by version:
/// * 8.10.0: adds `MAXCOUNT`, `MAXSIZE`
#[derive(Clone)]
#[must_use = "a command does nothing until it is awaited, sent or put into a pipeline"]
pub struct Xread<'a, X = Detached> {
    via: X,
    count: Option<Arg<'static>>,
    maxcount: Option<Arg<'static>>,
    maxsize: Option<Arg<'static>>,
    block: Option<Arg<'static>>,
    key: List<KeyId<'a>>,
}

impl<'a, X> Xread<'a, X> {
    fn new(via: X, key: List<KeyId<'a>>) -> Self {
        Self {
            via,
            count: None,
            maxcount: None,
            maxsize: None,
            block: None,
            key,
        }
    }
}

impl<'a, X> Xread<'a, X> {
    /// `COUNT count`; `None` leaves it out.
    pub fn count(mut self, count: impl Maybe<dyn Integer>) -> Self {
        self.count = count.or_none();
        self
    }

    /// `MAXCOUNT maxcount`, Redis only, since 8.10.0; `None` leaves it out.
    pub fn maxcount(mut self, maxcount: impl Maybe<dyn Integer>) -> Self {
        self.maxcount = maxcount.or_none();
        self
    }

    /// `MAXSIZE maxsize`, Redis only, since 8.10.0; `None` leaves it out.
    pub fn maxsize(mut self, maxsize: impl Maybe<dyn Integer>) -> Self {
        self.maxsize = maxsize.or_none();
        self
    }

    /// `BLOCK milliseconds`; `None` leaves it out.
    pub fn block(mut self, milliseconds: impl Maybe<dyn Milliseconds>) -> Self {
        self.block = milliseconds.or_none();
        self
    }
}

impl<X: Via> command::Command for Xread<'_, X> {
    type Via = X;
    type Reply = Option<Vec<(Bytes, Vec<StreamEntry>)>>;

    fn via(&self) -> X {
        self.via
    }

    fn info(&self) -> &'static command::Info {
        &info::XREAD
    }

    fn write(&self, to: &mut Writer<'_>) {
        info::XREAD.write_name(to);
        if let Some(count) = &self.count {
            to.word(b"COUNT");
            count.write(to);
        }
        to.part("count");
        if let Some(maxcount) = &self.maxcount {
            to.word(b"MAXCOUNT");
            maxcount.write(to);
        }
        to.part("maxcount");
        if let Some(maxsize) = &self.maxsize {
            to.word(b"MAXSIZE");
            maxsize.write(to);
        }
        to.part("maxsize");
        if let Some(block) = &self.block {
            to.word(b"BLOCK");
            block.write(to);
        }
        to.part("block");
        to.word(b"STREAMS");
        self.key.require("key", to);
        for item in &self.key {
            item.key.write_key(to);
        }
        for item in &self.key {
            item.id.write(to);
        }
    }

    fn read(&self, reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        Decode::decode(reply)
    }

    fn patience(&self) -> Patience {
        let Some(block) = &self.block else {
            return Patience::None;
        };
        Patience::until(block.as_milliseconds())
    }

    fn needs(&self) -> Needs {
        let mut needs = Needs::of(self.info());
        if self.maxcount.is_some() {
            needs.add("MAXCOUNT maxcount", Some("8.10.0"), Some(Provider::Redis));
        }
        if self.maxsize.is_some() {
            needs.add("MAXSIZE maxsize", Some("8.10.0"), Some(Provider::Redis));
        }
        needs
    }
}

impl<X: Asynchronous<Self>> IntoFuture for Xread<'_, X> {
    type Output = Result<<Self as command::Command>::Reply>;
    type IntoFuture = X::Pending;

    fn into_future(self) -> Self::IntoFuture {
        self.via.execute(self)
    }
}

impl<X: Via> fmt::Debug for Xread<'_, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        command::debug(self, f)
    }
}

/// `key id`, a part of `XREAD`, `XREADGROUP`.
///
/// A tuple `(key, id)` converts into it.
#[derive(Clone, Debug)]
pub struct KeyId<'a> {
    pub(crate) key: Arg<'a>,
    pub(crate) id: Arg<'a>,
}

impl<'a> KeyId<'a> {
    /// `key id`
    #[must_use]
    pub fn new(key: impl Into<Arg<'a>>, id: impl Into<Arg<'a>>) -> Self {
        Self {
            key: key.into(),
            id: id.into(),
        }
    }
}

impl Item for KeyId<'_> {}

impl<'a, A, B> From<(A, B)> for KeyId<'a>
where
    A: Into<Arg<'a>>,
    B: Into<Arg<'a>>,
{
    fn from((key, id): (A, B)) -> Self {
        Self::new(key, id)
    }
}

impl<'a, 'b, A, B> From<&'b (A, B)> for KeyId<'a>
where
    &'b A: Into<Arg<'a>>,
    &'b B: Into<Arg<'a>>,
{
    fn from((key, id): &'b (A, B)) -> Self {
        Self::new(key, id)
    }
}

/// The stream commands as methods; every client has them.
pub trait StreamCommands: Commands {
    /// `XREAD [COUNT count] [MAXCOUNT maxcount] [MAXSIZE maxsize] [BLOCK milliseconds] STREAMS key
    /// [key ...] id [id ...]`
    ///
    /// Returns the entries after a given entry ID from each of several streams, optionally waiting
    /// for some. See [`Xread`].
    fn xread<'a, M>(&self, key: impl IntoList<KeyId<'a>, M>) -> Xread<'a, &Self> {
        Xread::new(self, key.into_list())
    }
}

impl<T: Commands + ?Sized> StreamCommands for T {}

/// The stream commands as values that belong to no client yet.
pub(crate) mod cmd {
    use super::*;
    use crate::command::{Detached, IntoList};

    /// `XREAD [COUNT count] [MAXCOUNT maxcount] [MAXSIZE maxsize] [BLOCK milliseconds] STREAMS key
    /// [key ...] id [id ...]`
    ///
    /// Returns the entries after a given entry ID from each of several streams, optionally waiting
    /// for some. See [`Xread`].
    pub fn xread<'a, M>(key: impl IntoList<KeyId<'a>, M>) -> Xread<'a> {
        Xread::new(Detached, key.into_list())
    }
}
