/// `ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]`
///
/// Sets the scores of members in a sorted set, adding those absent; returns how many were added.
///
/// `None`: with INCR and NX, XX, GT or LT: the condition was not met and nothing changed.
///
/// Since 1.2.0 · O(log(N)) per member added, N: members of the sorted set · writes · `@fast`
/// `@sortedset` `@write` · keys: word 1.
///
/// Changes by version:
/// * 2.4.0: takes several members
/// * 3.0.2: adds `XX`, `NX`, `CH`, `INCR`
/// * 6.2.0: adds `GT`, `LT`
#[derive(Clone)]
#[must_use = "a command does nothing until it is awaited, sent or put into a pipeline"]
pub struct Zadd<'a, X = Detached, S = (Open, Open, Open)> {
    via: X,
    key: Arg<'a>,
    condition: Option<Existence>,
    comparison: Option<Comparison>,
    ch: bool,
    incr: bool,
    data: List<ScoreMember<'a>>,
    state: PhantomData<fn() -> S>,
}

impl<'a, X> Zadd<'a, X> {
    fn new(via: X, key: Arg<'a>, data: List<ScoreMember<'a>>) -> Self {
        Self {
            via,
            key,
            condition: None,
            comparison: None,
            ch: false,
            incr: false,
            data,
            state: PhantomData,
        }
    }
}

impl<'a, X, S> Zadd<'a, X, S> {
    fn enter<N>(self) -> Zadd<'a, X, N> {
        Zadd {
            via: self.via,
            key: self.key,
            condition: self.condition,
            comparison: self.comparison,
            ch: self.ch,
            incr: self.incr,
            data: self.data,
            state: PhantomData,
        }
    }
}

impl<'a, X, S> Zadd<'a, X, S> {
    /// `CH`, since 3.0.2
    pub fn ch(mut self) -> Self {
        self.ch = true;
        self
    }
}

impl<'a, X, A, B, C> Zadd<'a, X, (A, B, C)> {
    /// `NX`
    pub fn nx(self) -> Zadd<'a, X, (Given, B, C)>
    where
        A: NotGiven,
    {
        let mut next = self.enter();
        next.condition = Some(Existence::Nx);
        next
    }

    /// `XX`
    pub fn xx(self) -> Zadd<'a, X, (Given, B, C)>
    where
        A: NotGiven,
    {
        let mut next = self.enter();
        next.condition = Some(Existence::Xx);
        next
    }

    /// `<NX | XX>`, chosen at run time.
    pub fn condition(self, condition: Existence) -> Zadd<'a, X, (Given, B, C)>
    where
        A: NotGiven,
    {
        let mut next = self.enter();
        next.condition = Some(condition);
        next
    }
}

impl<'a, X, A, B, C> Zadd<'a, X, (A, B, C)> {
    /// `GT`
    pub fn gt(self) -> Zadd<'a, X, (A, Given, C)>
    where
        B: NotGiven,
    {
        let mut next = self.enter();
        next.comparison = Some(Comparison::Gt);
        next
    }

    /// `LT`
    pub fn lt(self) -> Zadd<'a, X, (A, Given, C)>
    where
        B: NotGiven,
    {
        let mut next = self.enter();
        next.comparison = Some(Comparison::Lt);
        next
    }

    /// `<GT | LT>`, chosen at run time.
    pub fn comparison(self, comparison: Comparison) -> Zadd<'a, X, (A, Given, C)>
    where
        B: NotGiven,
    {
        let mut next = self.enter();
        next.comparison = Some(comparison);
        next
    }
}

impl<'a, X, A, B, C> Zadd<'a, X, (A, B, C)> {
    /// `INCR`, since 3.0.2
    pub fn incr(self) -> Zadd<'a, X, (A, B, Given)>
    where
        C: NotGiven,
    {
        let mut next = self.enter();
        next.incr = true;
        next
    }
}

/// The reply of [`Zadd`], which follows from the options given: condition, comparison, incr.
pub trait ZaddReply {
    /// The type of the reply.
    type Reply;

    /// Reads it.
    ///
    /// # Errors
    ///
    /// Where the reply has another form.
    fn read(reply: Reply<'_>) -> Result<Self::Reply, DecodeError>;
}

impl ZaddReply for (Open, Open, Open) {
    type Reply = u64;

    fn read(reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        Decode::decode(reply)
    }
}

impl ZaddReply for (Open, Open, Given) {
    type Reply = f64;

    fn read(reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        Decode::decode(reply)
    }
}

impl ZaddReply for (Open, Given, Open) {
    type Reply = u64;

    fn read(reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        Decode::decode(reply)
    }
}

impl ZaddReply for (Open, Given, Given) {
    type Reply = Option<f64>;

    fn read(reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        Decode::decode(reply)
    }
}

impl ZaddReply for (Given, Open, Open) {
    type Reply = u64;

    fn read(reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        Decode::decode(reply)
    }
}

impl ZaddReply for (Given, Open, Given) {
    type Reply = Option<f64>;

    fn read(reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        Decode::decode(reply)
    }
}

impl ZaddReply for (Given, Given, Open) {
    type Reply = u64;

    fn read(reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        Decode::decode(reply)
    }
}

impl ZaddReply for (Given, Given, Given) {
    type Reply = Option<f64>;

    fn read(reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        Decode::decode(reply)
    }
}

impl<X: Via, S: ZaddReply> command::Command for Zadd<'_, X, S> {
    type Via = X;
    type Reply = S::Reply;

    fn via(&self) -> X {
        self.via
    }

    fn info(&self) -> &'static command::Info {
        &info::ZADD
    }

    fn write(&self, to: &mut Writer<'_>) {
        info::ZADD.write_name(to);
        self.key.write_key(to);
        to.part("key");
        if let Some(condition) = &self.condition {
            condition.write_words(to);
        }
        to.part("condition");
        if let Some(comparison) = &self.comparison {
            comparison.write_words(to);
        }
        to.part("comparison");
        if self.ch {
            to.word(b"CH");
        }
        to.part("ch");
        if self.incr {
            to.word(b"INCR");
        }
        to.part("incr");
        self.data.require("data", to);
        for item in &self.data {
            item.write_words(to);
        }
    }

    fn read(&self, reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        S::read(reply)
    }

    fn needs(&self) -> Needs {
        let mut needs = Needs::of(self.info());
        if self.condition.is_some() {
            needs.add("<NX | XX>", Some("3.0.2"), None);
        }
        if self.comparison.is_some() {
            needs.add("<GT | LT>", Some("6.2.0"), None);
        }
        if self.ch {
            needs.add("CH", Some("3.0.2"), None);
        }
        if self.incr {
            needs.add("INCR", Some("3.0.2"), None);
        }
        needs
    }
}

impl<X: Asynchronous<Self>, S: ZaddReply> IntoFuture for Zadd<'_, X, S> {
    type Output = Result<<Self as command::Command>::Reply>;
    type IntoFuture = X::Pending;

    fn into_future(self) -> Self::IntoFuture {
        self.via.execute(self)
    }
}

impl<X: Via, S: ZaddReply> fmt::Debug for Zadd<'_, X, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        command::debug(self, f)
    }
}

/// Whether a new value must be greater or less than the old one.
///
/// An argument of `ZADD`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Comparison {
    /// `GT`
    Gt,
    /// `LT`
    Lt,
}

impl Comparison {
    /// Writes the words that are sent for it.
    pub fn write_words(&self, to: &mut Writer<'_>) {
        match self {
            Self::Gt => to.word(b"GT"),
            Self::Lt => to.word(b"LT"),
        }
    }
}

impl Item for Comparison {}

/// `score member`, a part of `ZADD`.
///
/// A tuple `(score, member)` converts into it.
#[derive(Clone, Debug)]
pub struct ScoreMember<'a> {
    pub(crate) score: Arg<'static>,
    pub(crate) member: Arg<'a>,
}

impl<'a> ScoreMember<'a> {
    /// `score member`
    #[must_use]
    pub fn new(score: impl Double, member: impl Into<Arg<'a>>) -> Self {
        Self {
            score: score.into_arg(),
            member: member.into(),
        }
    }

    /// Writes the words that are sent for it.
    pub fn write_words(&self, to: &mut Writer<'_>) {
        self.score.write(to);
        self.member.write(to);
    }
}

impl Item for ScoreMember<'_> {}

impl<'a, A, B> From<(A, B)> for ScoreMember<'a>
where
    A: Double,
    B: Into<Arg<'a>>,
{
    fn from((score, member): (A, B)) -> Self {
        Self::new(score, member)
    }
}

impl<'a, 'b, A, B> From<&'b (A, B)> for ScoreMember<'a>
where
    &'b A: Double,
    &'b B: Into<Arg<'a>>,
{
    fn from((score, member): &'b (A, B)) -> Self {
        Self::new(score, member)
    }
}

/// Whether the target must not exist yet, or must exist.
///
/// An argument of `GEOADD`, `HSETEX`, `JSON.SET` and 2 more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Existence {
    /// `NX`
    Nx,
    /// `XX`
    Xx,
}

impl Existence {
    /// Writes the words that are sent for it.
    pub fn write_words(&self, to: &mut Writer<'_>) {
        match self {
            Self::Nx => to.word(b"NX"),
            Self::Xx => to.word(b"XX"),
        }
    }
}

impl Item for Existence {}

/// The sorted set commands as methods; every client has them.
pub trait SortedSetCommands: Commands {
    /// `ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]`
    ///
    /// Sets the scores of members in a sorted set, adding those absent; returns how many were
    /// added. See [`Zadd`].
    fn zadd<'a, M>(
        &self,
        key: impl Into<Arg<'a>>,
        data: impl IntoList<ScoreMember<'a>, M>,
    ) -> Zadd<'a, &Self> {
        Zadd::new(self, key.into(), data.into_list())
    }
}

impl<T: Commands + ?Sized> SortedSetCommands for T {}

/// The sorted set commands as values that belong to no client yet.
pub(crate) mod cmd {
    use super::*;
    use crate::command::{Arg, Detached, IntoList};

    /// `ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]`
    ///
    /// Sets the scores of members in a sorted set, adding those absent; returns how many were
    /// added. See [`Zadd`].
    pub fn zadd<'a, M>(
        key: impl Into<Arg<'a>>,
        data: impl IntoList<ScoreMember<'a>, M>,
    ) -> Zadd<'a> {
        Zadd::new(Detached, key.into(), data.into_list())
    }
}
