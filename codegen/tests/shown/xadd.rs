/// `XADD key [NOMKSTREAM] [KEEPREF | DELREF | ACKED] [IDMPAUTO pid | IDMP pid iid] [<MAXLEN |
/// MINID> [= | ~] threshold [LIMIT count]] <* | id> field value [field value ...]`
///
/// Appends an entry to a stream, creating the key if absent, and returns its entry ID.
///
/// `None`: with NOMKSTREAM: the stream does not exist, and nothing was added.
///
/// Since 5.0.0 · O(1); O(N) when it trims, N: entries evicted · writes · `@fast` `@stream` `@write`
/// · keys: word 1.
///
/// Changes by version:
/// * 6.2.0: adds `NOMKSTREAM`, trimming by `MINID`, `LIMIT`
/// * 7.0.0: accepts ids of the form `<ms>-*`
/// * 8.2.0: adds `KEEPREF`, `DELREF`, `ACKED`
#[derive(Clone)]
#[must_use = "a command does nothing until it is awaited, sent or put into a pipeline"]
pub struct Xadd<'a, X = Detached, S = (Open, Open, Open, Open, Open)> {
    via: X,
    key: Arg<'a>,
    nomkstream: bool,
    condition: Option<EntryReferences>,
    idmp: Option<XaddIdmp<'a>>,
    trim: Option<(TrimStrategy, Arg<'a>)>,
    operator: Option<TrimPrecision>,
    limit: Option<Arg<'static>>,
    id_selector: XaddIdSelector<'a>,
    data: List<FieldValue<'a>>,
    state: PhantomData<fn() -> S>,
}

impl<'a, X> Xadd<'a, X> {
    fn new(
        via: X,
        key: Arg<'a>,
        id_selector: XaddIdSelector<'a>,
        data: List<FieldValue<'a>>,
    ) -> Self {
        Self {
            via,
            key,
            nomkstream: false,
            condition: None,
            idmp: None,
            trim: None,
            operator: None,
            limit: None,
            id_selector,
            data,
            state: PhantomData,
        }
    }
}

impl<'a, X, S> Xadd<'a, X, S> {
    fn enter<N>(self) -> Xadd<'a, X, N> {
        Xadd {
            via: self.via,
            key: self.key,
            nomkstream: self.nomkstream,
            condition: self.condition,
            idmp: self.idmp,
            trim: self.trim,
            operator: self.operator,
            limit: self.limit,
            id_selector: self.id_selector,
            data: self.data,
            state: PhantomData,
        }
    }
}

impl<'a, X, A, B, C, D, E> Xadd<'a, X, (A, B, C, D, E)> {
    /// `NOMKSTREAM`, since 6.2.0
    pub fn nomkstream(self) -> Xadd<'a, X, (A, B, C, D, Given)>
    where
        E: NotGiven,
    {
        let mut next = self.enter();
        next.nomkstream = true;
        next
    }
}

impl<'a, X, A, B, C, D, E> Xadd<'a, X, (A, B, C, D, E)> {
    /// `KEEPREF`
    pub fn keepref(self) -> Xadd<'a, X, (Given, B, C, D, E)>
    where
        A: NotGiven,
    {
        let mut next = self.enter();
        next.condition = Some(EntryReferences::Keepref);
        next
    }

    /// `DELREF`
    pub fn delref(self) -> Xadd<'a, X, (Given, B, C, D, E)>
    where
        A: NotGiven,
    {
        let mut next = self.enter();
        next.condition = Some(EntryReferences::Delref);
        next
    }

    /// `ACKED`
    pub fn acked(self) -> Xadd<'a, X, (Given, B, C, D, E)>
    where
        A: NotGiven,
    {
        let mut next = self.enter();
        next.condition = Some(EntryReferences::Acked);
        next
    }

    /// `<KEEPREF | DELREF | ACKED>`, chosen at run time; `None` leaves it out.
    pub fn condition(
        self,
        condition: impl Into<Option<EntryReferences>>,
    ) -> Xadd<'a, X, (Given, B, C, D, E)>
    where
        A: NotGiven,
    {
        let mut next = self.enter();
        next.condition = condition.into();
        next
    }
}

impl<'a, X, A, B, C, D, E> Xadd<'a, X, (A, B, C, D, E)> {
    /// `IDMPAUTO pid`
    pub fn idmpauto(self, pid: impl Into<Arg<'a>>) -> Xadd<'a, X, (A, Given, C, D, E)>
    where
        B: NotGiven,
    {
        let mut next = self.enter();
        next.idmp = Some(XaddIdmp::Idmpauto(pid.into()));
        next
    }

    /// `IDMP pid iid`
    pub fn idmp_idmp(
        self,
        pid: impl Into<Arg<'a>>,
        iid: impl Into<Arg<'a>>,
    ) -> Xadd<'a, X, (A, Given, C, D, E)>
    where
        B: NotGiven,
    {
        let mut next = self.enter();
        next.idmp = Some(XaddIdmp::Idmp {
            pid: pid.into(),
            iid: iid.into(),
        });
        next
    }

    /// `<IDMPAUTO pid | IDMP pid iid>`, chosen at run time; `None` leaves it out.
    pub fn idmp(
        self,
        idmp: impl Into<Option<XaddIdmp<'a>>>,
    ) -> Xadd<'a, X, (A, Given, C, D, E)>
    where
        B: NotGiven,
    {
        let mut next = self.enter();
        next.idmp = idmp.into();
        next
    }
}

impl<'a, X, A, B, C, D, E> Xadd<'a, X, (A, B, C, D, E)> {
    /// `<MAXLEN | MINID> [= | ~] threshold [LIMIT count]`
    pub fn trim(
        self,
        strategy: TrimStrategy,
        threshold: impl Into<Arg<'a>>,
    ) -> Xadd<'a, X, (A, B, Given, D, E)>
    where
        C: NotGiven,
    {
        let mut next = self.enter();
        next.trim = Some((strategy, threshold.into()));
        next
    }

    /// `MAXLEN` of `<MAXLEN | MINID> [= | ~] threshold [LIMIT count]`; `None` leaves it out.
    pub fn maxlen(
        self,
        threshold: impl Maybe<Arg<'a>>,
    ) -> Xadd<'a, X, (A, B, Given, D, E)>
    where
        C: NotGiven,
    {
        let mut next = self.enter();
        next.trim = threshold
            .or_none()
            .map(|threshold| (TrimStrategy::Maxlen, threshold));
        next
    }

    /// `MINID` of `<MAXLEN | MINID> [= | ~] threshold [LIMIT count]`; `None` leaves it out.
    pub fn minid(
        self,
        threshold: impl Maybe<Arg<'a>>,
    ) -> Xadd<'a, X, (A, B, Given, D, E)>
    where
        C: NotGiven,
    {
        let mut next = self.enter();
        next.trim = threshold
            .or_none()
            .map(|threshold| (TrimStrategy::Minid, threshold));
        next
    }

    /// `<MAXLEN | MINID> [= | ~] threshold [LIMIT count]`, or `None`, which leaves it out.
    pub fn maybe_trim(
        self,
        trim: Option<(TrimStrategy, impl Into<Arg<'a>>)>,
    ) -> Xadd<'a, X, (A, B, Given, D, E)>
    where
        C: NotGiven,
    {
        let mut next = self.enter();
        next.trim = trim.map(|(strategy, threshold)| (strategy, threshold.into()));
        next
    }
}

impl<'a, X, A, B, D, E> Xadd<'a, X, (A, B, Given, D, E)> {
    /// `=`
    pub fn equal(self) -> Xadd<'a, X, (A, B, Given, Given, E)>
    where
        D: NotGiven,
    {
        let mut next = self.enter();
        next.operator = Some(TrimPrecision::Equal);
        next
    }

    /// `~`
    pub fn approximately(self) -> Xadd<'a, X, (A, B, Given, Given, E)>
    where
        D: NotGiven,
    {
        let mut next = self.enter();
        next.operator = Some(TrimPrecision::Approximately);
        next
    }

    /// `<= | ~>`, chosen at run time; `None` leaves it out.
    pub fn operator(
        self,
        operator: impl Into<Option<TrimPrecision>>,
    ) -> Xadd<'a, X, (A, B, Given, Given, E)>
    where
        D: NotGiven,
    {
        let mut next = self.enter();
        next.operator = operator.into();
        next
    }
}

impl<'a, X, A, B, D, E> Xadd<'a, X, (A, B, Given, D, E)> {
    /// `LIMIT count`, since 6.2.0; `None` leaves it out.
    pub fn limit(mut self, count: impl Maybe<dyn Integer>) -> Self {
        self.limit = count.or_none();
        self
    }
}

/// The reply of [`Xadd`], which follows from the options given: condition, idmp, trim, operator,
/// nomkstream.
pub trait XaddReply {
    /// The type of the reply.
    type Reply;

    /// Reads it.
    ///
    /// # Errors
    ///
    /// Where the reply has another form.
    fn read(reply: Reply<'_>) -> Result<Self::Reply, DecodeError>;
}

impl<A, B, C, D> XaddReply for (A, B, C, D, Open) {
    type Reply = String;

    fn read(reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        Decode::decode(reply)
    }
}

impl<A, B, C, D> XaddReply for (A, B, C, D, Given) {
    type Reply = Option<String>;

    fn read(reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        Decode::decode(reply)
    }
}

impl<X: Via, S: XaddReply> command::Command for Xadd<'_, X, S> {
    type Via = X;
    type Reply = S::Reply;

    fn via(&self) -> X {
        self.via
    }

    fn info(&self) -> &'static command::Info {
        &info::XADD
    }

    fn write(&self, to: &mut Writer<'_>) {
        info::XADD.write_name(to);
        self.key.write_key(to);
        to.part("key");
        if self.nomkstream {
            to.word(b"NOMKSTREAM");
        }
        to.part("nomkstream");
        if let Some(condition) = &self.condition {
            condition.write_words(to);
        }
        to.part("condition");
        if let Some(idmp) = &self.idmp {
            idmp.write_words(to);
        }
        to.part("idmp");
        if let Some((strategy, threshold)) = &self.trim {
            strategy.write_words(to);
            if let Some(operator) = &self.operator {
                operator.write_words(to);
            }
            threshold.write(to);
            if let Some(limit) = &self.limit {
                to.word(b"LIMIT");
                limit.write(to);
            }
        }
        to.part("trim");
        self.id_selector.write_words(to);
        to.part("id_selector");
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
        if self.nomkstream {
            needs.add("NOMKSTREAM", Some("6.2.0"), None);
        }
        if self.condition.is_some() {
            needs
                .add("<KEEPREF | DELREF | ACKED>", Some("8.2.0"), Some(Provider::Redis));
        }
        if self.idmp.is_some() {
            needs
                .add(
                    "<IDMPAUTO pid | IDMP pid iid>",
                    Some("8.6.0"),
                    Some(Provider::Redis),
                );
        }
        if let Some((trim, _)) = &self.trim {
            trim.needs(&mut needs);
        }
        if self.limit.is_some() {
            needs.add("LIMIT count", Some("6.2.0"), None);
        }
        needs
    }
}

impl<X: Asynchronous<Self>, S: XaddReply> IntoFuture for Xadd<'_, X, S> {
    type Output = Result<<Self as command::Command>::Reply>;
    type IntoFuture = X::Pending;

    fn into_future(self) -> Self::IntoFuture {
        self.via.execute(self)
    }
}

impl<X: Via, S: XaddReply> fmt::Debug for Xadd<'_, X, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        command::debug(self, f)
    }
}

/// What happens to the references that consumer groups hold to entries.
///
/// An argument of `XACKDEL`, `XADD`, `XDELEX` and 1 more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EntryReferences {
    /// `KEEPREF`
    Keepref,
    /// `DELREF`
    Delref,
    /// `ACKED`
    Acked,
}

impl EntryReferences {
    /// Writes the words that are sent for it.
    pub fn write_words(&self, to: &mut Writer<'_>) {
        match self {
            Self::Keepref => to.word(b"KEEPREF"),
            Self::Delref => to.word(b"DELREF"),
            Self::Acked => to.word(b"ACKED"),
        }
    }
}

impl Item for EntryReferences {}

/// Whether a stream is trimmed exactly or where it is cheap.
///
/// An argument of `XADD`, `XTRIM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TrimPrecision {
    /// `=`
    Equal,
    /// `~`
    Approximately,
}

impl TrimPrecision {
    /// Writes the words that are sent for it.
    pub fn write_words(&self, to: &mut Writer<'_>) {
        match self {
            Self::Equal => to.word(b"="),
            Self::Approximately => to.word(b"~"),
        }
    }
}

impl Item for TrimPrecision {}

/// Whether a stream is trimmed to a length or to a lowest entry ID.
///
/// An argument of `XADD`, `XTRIM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TrimStrategy {
    /// `MAXLEN`
    Maxlen,
    /// `MINID`, since 6.2.0
    Minid,
}

impl TrimStrategy {
    /// Writes the words that are sent for it.
    pub fn write_words(&self, to: &mut Writer<'_>) {
        match self {
            Self::Maxlen => to.word(b"MAXLEN"),
            Self::Minid => to.word(b"MINID"),
        }
    }

    /// Adds what a server needs for it.
    pub fn needs(&self, needs: &mut Needs) {
        if let Self::Minid = self {
            needs.add("MINID", Some("6.2.0"), None);
        }
    }
}

impl Item for TrimStrategy {}

/// One of the alternatives that `XADD` takes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum XaddIdSelector<'a> {
    /// `*`
    AutoId,
    /// `id`
    Id(Arg<'a>),
}

impl<'a> XaddIdSelector<'a> {
    /// `id`
    #[must_use]
    pub fn id(id: impl Into<Arg<'a>>) -> Self {
        Self::Id(id.into())
    }

    /// Writes the words that are sent for it.
    pub fn write_words(&self, to: &mut Writer<'_>) {
        match self {
            Self::AutoId => to.word(b"*"),
            Self::Id(id) => id.write(to),
        }
    }
}

impl Item for XaddIdSelector<'_> {}

impl<'a, T: Into<Arg<'a>>> From<T> for XaddIdSelector<'a> {
    fn from(id: T) -> Self {
        Self::Id(id.into())
    }
}

/// One of the alternatives that `XADD` takes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum XaddIdmp<'a> {
    /// `IDMPAUTO pid`
    Idmpauto(Arg<'a>),
    /// `IDMP pid iid`
    Idmp {
        /// The `pid`.
        pid: Arg<'a>,
        /// The `iid`.
        iid: Arg<'a>,
    },
}

impl<'a> XaddIdmp<'a> {
    /// `IDMPAUTO pid`
    #[must_use]
    pub fn idmpauto(pid: impl Into<Arg<'a>>) -> Self {
        Self::Idmpauto(pid.into())
    }

    /// `IDMP pid iid`
    #[must_use]
    pub fn idmp(pid: impl Into<Arg<'a>>, iid: impl Into<Arg<'a>>) -> Self {
        Self::Idmp {
            pid: pid.into(),
            iid: iid.into(),
        }
    }

    /// Writes the words that are sent for it.
    pub fn write_words(&self, to: &mut Writer<'_>) {
        match self {
            Self::Idmpauto(pid) => {
                to.word(b"IDMPAUTO");
                pid.write(to);
            }
            Self::Idmp { pid, iid } => {
                to.word(b"IDMP");
                pid.write(to);
                iid.write(to);
            }
        }
    }
}

impl Item for XaddIdmp<'_> {}

/// `field value`, a part of `HMSET`, `HSET`, `HSETEX` and 1 more.
///
/// A tuple `(field, value)` converts into it.
#[derive(Clone, Debug)]
pub struct FieldValue<'a> {
    pub(crate) field: Arg<'a>,
    pub(crate) value: Arg<'a>,
}

impl<'a> FieldValue<'a> {
    /// `field value`
    #[must_use]
    pub fn new(field: impl Into<Arg<'a>>, value: impl Into<Arg<'a>>) -> Self {
        Self {
            field: field.into(),
            value: value.into(),
        }
    }

    /// Writes the words that are sent for it.
    pub fn write_words(&self, to: &mut Writer<'_>) {
        self.field.write(to);
        self.value.write(to);
    }
}

impl Item for FieldValue<'_> {}

impl<'a, A, B> From<(A, B)> for FieldValue<'a>
where
    A: Into<Arg<'a>>,
    B: Into<Arg<'a>>,
{
    fn from((field, value): (A, B)) -> Self {
        Self::new(field, value)
    }
}

impl<'a, 'b, A, B> From<&'b (A, B)> for FieldValue<'a>
where
    &'b A: Into<Arg<'a>>,
    &'b B: Into<Arg<'a>>,
{
    fn from((field, value): &'b (A, B)) -> Self {
        Self::new(field, value)
    }
}

/// The stream commands as methods; every client has them.
pub trait StreamCommands: Commands {
    /// `XADD key [NOMKSTREAM] [KEEPREF | DELREF | ACKED] [IDMPAUTO pid | IDMP pid iid] [<MAXLEN |
    /// MINID> [= | ~] threshold [LIMIT count]] <* | id> field value [field value ...]`
    ///
    /// Appends an entry to a stream, creating the key if absent, and returns its entry ID. See
    /// [`Xadd`].
    fn xadd<'a, M>(
        &self,
        key: impl Into<Arg<'a>>,
        id_selector: impl Into<XaddIdSelector<'a>>,
        data: impl IntoList<FieldValue<'a>, M>,
    ) -> Xadd<'a, &Self> {
        Xadd::new(self, key.into(), id_selector.into(), data.into_list())
    }
}

impl<T: Commands + ?Sized> StreamCommands for T {}

/// The stream commands as values that belong to no client yet.
pub(crate) mod cmd {
    use super::*;
    use crate::command::{Arg, Detached, IntoList};

    /// `XADD key [NOMKSTREAM] [KEEPREF | DELREF | ACKED] [IDMPAUTO pid | IDMP pid iid] [<MAXLEN |
    /// MINID> [= | ~] threshold [LIMIT count]] <* | id> field value [field value ...]`
    ///
    /// Appends an entry to a stream, creating the key if absent, and returns its entry ID. See
    /// [`Xadd`].
    pub fn xadd<'a, M>(
        key: impl Into<Arg<'a>>,
        id_selector: impl Into<XaddIdSelector<'a>>,
        data: impl IntoList<FieldValue<'a>, M>,
    ) -> Xadd<'a> {
        Xadd::new(Detached, key.into(), id_selector.into(), data.into_list())
    }
}
