/// `LPOP key [count]`
///
/// Removes and returns one or more elements from the head of a list.
///
/// `None`: the list does not exist; with a count of 0, Redis before 6.2.7 says so of any list.
///
/// Since 1.0.0 · O(N), N: elements returned · writes · `@fast` `@list` `@write` · keys: word 1.
///
/// Changes by version:
/// * 6.2.0: adds `count`
#[derive(Clone)]
#[must_use = "a command does nothing until it is awaited, sent or put into a pipeline"]
pub struct Lpop<'a, X = Detached, S = (Open,)> {
    via: X,
    key: Arg<'a>,
    count: Option<Arg<'static>>,
    state: PhantomData<fn() -> S>,
}

impl<'a, X> Lpop<'a, X> {
    fn new(via: X, key: Arg<'a>) -> Self {
        Self {
            via,
            key,
            count: None,
            state: PhantomData,
        }
    }
}

impl<'a, X, S> Lpop<'a, X, S> {
    fn enter<N>(self) -> Lpop<'a, X, N> {
        Lpop {
            via: self.via,
            key: self.key,
            count: self.count,
            state: PhantomData,
        }
    }
}

impl<'a, X, A> Lpop<'a, X, (A,)> {
    /// `count`, since 6.2.0
    pub fn count(self, count: impl Integer) -> Lpop<'a, X, (Given,)>
    where
        A: NotGiven,
    {
        let mut next = self.enter();
        next.count = Some(count.into_arg());
        next
    }
}

/// The reply of [`Lpop`], which follows from the options given: count.
pub trait LpopReply {
    /// The type of the reply.
    type Reply;

    /// Reads it.
    ///
    /// # Errors
    ///
    /// Where the reply has another form.
    fn read(reply: Reply<'_>) -> Result<Self::Reply, DecodeError>;
}

impl LpopReply for (Open,) {
    type Reply = Option<Bytes>;

    fn read(reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        Decode::decode(reply)
    }
}

impl LpopReply for (Given,) {
    type Reply = Option<Vec<Bytes>>;

    fn read(reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        Decode::decode(reply)
    }
}

impl<X: Via, S: LpopReply> command::Command for Lpop<'_, X, S> {
    type Via = X;
    type Reply = S::Reply;

    fn via(&self) -> X {
        self.via
    }

    fn info(&self) -> &'static command::Info {
        &info::LPOP
    }

    fn write(&self, to: &mut Writer<'_>) {
        info::LPOP.write_name(to);
        self.key.write_key(to);
        if let Some(count) = &self.count {
            count.write(to);
        }
    }

    fn read(&self, reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        S::read(reply)
    }

    fn needs(&self) -> Needs {
        let mut needs = Needs::of(self.info());
        if self.count.is_some() {
            needs.add("count", Some("6.2.0"), None);
        }
        needs
    }
}

impl<X: Asynchronous<Self>, S: LpopReply> IntoFuture for Lpop<'_, X, S> {
    type Output = Result<<Self as command::Command>::Reply>;
    type IntoFuture = X::Pending;

    fn into_future(self) -> Self::IntoFuture {
        self.via.execute(self)
    }
}

impl<X: Via, S: LpopReply> fmt::Debug for Lpop<'_, X, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        command::debug(self, f)
    }
}

/// The list commands as methods; every client has them.
pub trait ListCommands: Commands {
    /// `LPOP key [count]`
    ///
    /// Removes and returns one or more elements from the head of a list. See [`Lpop`].
    fn lpop<'a>(&self, key: impl Into<Arg<'a>>) -> Lpop<'a, &Self> {
        Lpop::new(self, key.into())
    }
}

impl<T: Commands + ?Sized> ListCommands for T {}

/// The list commands as values that belong to no client yet.
pub(crate) mod cmd {
    use super::*;
    use crate::command::{Arg, Detached};

    /// `LPOP key [count]`
    ///
    /// Removes and returns one or more elements from the head of a list. See [`Lpop`].
    pub fn lpop<'a>(key: impl Into<Arg<'a>>) -> Lpop<'a> {
        Lpop::new(Detached, key.into())
    }
}
