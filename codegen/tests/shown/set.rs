/// `SET key value [NX | XX | IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest | IFDNE
/// ifdne-digest] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT
/// unix-time-milliseconds | KEEPTTL]`
///
/// Sets a key to a string, with optional expiration, condition and return of the old value.
///
/// `None`: with GET: the key did not exist before, whether or not it is set now; otherwise: the
/// condition (NX, XX or an IF option) was not met and nothing was set.
///
/// Since 1.0.0 · O(1) · writes · `@slow` `@string` `@write` · keys: word 1.
///
/// Changes by version:
/// * 2.6.12: adds `EX`, `PX`, `NX`, `XX`
/// * 6.0.0: adds `KEEPTTL`
/// * 6.2.0: adds `GET`, `EXAT`, `PXAT`
/// * 7.0.0: accepts `NX` together with `GET`
/// * 8.4.0: adds `IFEQ`, `IFNE`, `IFDEQ`, `IFDNE`
#[derive(Clone)]
#[must_use = "a command does nothing until it is awaited, sent or put into a pipeline"]
pub struct Set<'a, X = Detached, S = (Open, Open, Open)> {
    via: X,
    key: Arg<'a>,
    value: Arg<'a>,
    condition: Option<SetCondition<'a>>,
    get: bool,
    expiration: Option<SetExpiration>,
    state: PhantomData<fn() -> S>,
}

impl<'a, X> Set<'a, X> {
    fn new(via: X, key: Arg<'a>, value: Arg<'a>) -> Self {
        Self {
            via,
            key,
            value,
            condition: None,
            get: false,
            expiration: None,
            state: PhantomData,
        }
    }
}

impl<'a, X, S> Set<'a, X, S> {
    fn enter<N>(self) -> Set<'a, X, N> {
        Set {
            via: self.via,
            key: self.key,
            value: self.value,
            condition: self.condition,
            get: self.get,
            expiration: self.expiration,
            state: PhantomData,
        }
    }
}

impl<'a, X, A, B, C> Set<'a, X, (A, B, C)> {
    /// `NX`
    pub fn nx(self) -> Set<'a, X, (Given, B, C)>
    where
        A: NotGiven,
    {
        let mut next = self.enter();
        next.condition = Some(SetCondition::Nx);
        next
    }

    /// `XX`
    pub fn xx(self) -> Set<'a, X, (Given, B, C)>
    where
        A: NotGiven,
    {
        let mut next = self.enter();
        next.condition = Some(SetCondition::Xx);
        next
    }

    /// `IFEQ ifeq-value`, since 8.4.0
    pub fn ifeq(self, ifeq_value: impl Into<Arg<'a>>) -> Set<'a, X, (Given, B, C)>
    where
        A: NotGiven,
    {
        let mut next = self.enter();
        next.condition = Some(SetCondition::Ifeq(ifeq_value.into()));
        next
    }

    /// `IFNE ifne-value`, Redis only, since 8.4.0
    pub fn ifne(self, ifne_value: impl Into<Arg<'a>>) -> Set<'a, X, (Given, B, C)>
    where
        A: NotGiven,
    {
        let mut next = self.enter();
        next.condition = Some(SetCondition::Ifne(ifne_value.into()));
        next
    }

    /// `IFDEQ ifdeq-digest`, Redis only, since 8.4.0
    pub fn ifdeq(self, ifdeq_digest: impl Into<Arg<'a>>) -> Set<'a, X, (Given, B, C)>
    where
        A: NotGiven,
    {
        let mut next = self.enter();
        next.condition = Some(SetCondition::Ifdeq(ifdeq_digest.into()));
        next
    }

    /// `IFDNE ifdne-digest`, Redis only, since 8.4.0
    pub fn ifdne(self, ifdne_digest: impl Into<Arg<'a>>) -> Set<'a, X, (Given, B, C)>
    where
        A: NotGiven,
    {
        let mut next = self.enter();
        next.condition = Some(SetCondition::Ifdne(ifdne_digest.into()));
        next
    }

    /// `<NX | XX | IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest | IFDNE ifdne-digest>`,
    /// chosen at run time; `None` leaves it out.
    pub fn condition(
        self,
        condition: impl Into<Option<SetCondition<'a>>>,
    ) -> Set<'a, X, (Given, B, C)>
    where
        A: NotGiven,
    {
        let mut next = self.enter();
        next.condition = condition.into();
        next
    }
}

impl<'a, X, A, B, C> Set<'a, X, (A, B, C)> {
    /// `GET`, since 6.2.0
    pub fn get(self) -> Set<'a, X, (A, B, Given)>
    where
        C: NotGiven,
    {
        let mut next = self.enter();
        next.get = true;
        next
    }
}

impl<'a, X, A, B, C> Set<'a, X, (A, B, C)> {
    /// `EX seconds`, since 2.6.12
    pub fn ex(self, seconds: impl Seconds) -> Set<'a, X, (A, Given, C)>
    where
        B: NotGiven,
    {
        let mut next = self.enter();
        next.expiration = Some(SetExpiration::Ex(seconds.into_arg()));
        next
    }

    /// `PX milliseconds`, since 2.6.12
    pub fn px(self, milliseconds: impl Milliseconds) -> Set<'a, X, (A, Given, C)>
    where
        B: NotGiven,
    {
        let mut next = self.enter();
        next.expiration = Some(SetExpiration::Px(milliseconds.into_arg()));
        next
    }

    /// `EXAT unix-time-seconds`, since 6.2.0
    pub fn exat(self, unix_time_seconds: impl UnixSeconds) -> Set<'a, X, (A, Given, C)>
    where
        B: NotGiven,
    {
        let mut next = self.enter();
        next.expiration = Some(SetExpiration::Exat(unix_time_seconds.into_arg()));
        next
    }

    /// `PXAT unix-time-milliseconds`, since 6.2.0
    pub fn pxat(
        self,
        unix_time_milliseconds: impl UnixMilliseconds,
    ) -> Set<'a, X, (A, Given, C)>
    where
        B: NotGiven,
    {
        let mut next = self.enter();
        next.expiration = Some(SetExpiration::Pxat(unix_time_milliseconds.into_arg()));
        next
    }

    /// `KEEPTTL`, since 6.0.0
    pub fn keepttl(self) -> Set<'a, X, (A, Given, C)>
    where
        B: NotGiven,
    {
        let mut next = self.enter();
        next.expiration = Some(SetExpiration::Keepttl);
        next
    }

    /// `<EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds |
    /// KEEPTTL>`, chosen at run time; `None` leaves it out.
    pub fn expiration(
        self,
        expiration: impl Into<Option<SetExpiration>>,
    ) -> Set<'a, X, (A, Given, C)>
    where
        B: NotGiven,
    {
        let mut next = self.enter();
        next.expiration = expiration.into();
        next
    }
}

/// The reply of [`Set`], which follows from the options given: condition, expiration, get.
pub trait SetReply {
    /// The type of the reply.
    type Reply;

    /// Reads it.
    ///
    /// # Errors
    ///
    /// Where the reply has another form.
    fn read(reply: Reply<'_>) -> Result<Self::Reply, DecodeError>;
}

impl<B> SetReply for (Open, B, Open) {
    type Reply = ();

    fn read(reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        Decode::decode(reply)
    }
}

impl<B> SetReply for (Open, B, Given) {
    type Reply = Option<Bytes>;

    fn read(reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        Decode::decode(reply)
    }
}

impl<B> SetReply for (Given, B, Open) {
    type Reply = bool;

    fn read(reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        reply::ok_or_nil(reply)
    }
}

impl<B> SetReply for (Given, B, Given) {
    type Reply = Option<Bytes>;

    fn read(reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        Decode::decode(reply)
    }
}

impl<X: Via, S: SetReply> command::Command for Set<'_, X, S> {
    type Via = X;
    type Reply = S::Reply;

    fn via(&self) -> X {
        self.via
    }

    fn info(&self) -> &'static command::Info {
        &info::SET
    }

    fn write(&self, to: &mut Writer<'_>) {
        info::SET.write_name(to);
        self.key.write_key(to);
        to.part("key");
        self.value.write(to);
        if let Some(condition) = &self.condition {
            condition.write_words(to);
        }
        if self.get {
            to.word(b"GET");
        }
        if let Some(expiration) = &self.expiration {
            expiration.write_words(to);
        }
    }

    fn read(&self, reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        S::read(reply)
    }

    fn needs(&self) -> Needs {
        let mut needs = Needs::of(self.info());
        if self.condition.is_some() {
            needs.add("condition", Some("2.6.12"), None);
        }
        match &self.condition {
            Some(SetCondition::Ifeq(..)) => {
                needs.add("IFEQ ifeq-value", Some("8.4.0"), None)
            }
            Some(SetCondition::Ifne(..)) => {
                needs.add("IFNE ifne-value", Some("8.4.0"), Some(Provider::Redis))
            }
            Some(SetCondition::Ifdeq(..)) => {
                needs.add("IFDEQ ifdeq-digest", Some("8.4.0"), Some(Provider::Redis))
            }
            Some(SetCondition::Ifdne(..)) => {
                needs.add("IFDNE ifdne-digest", Some("8.4.0"), Some(Provider::Redis))
            }
            _ => {}
        }
        if self.get {
            needs.add("GET", Some("6.2.0"), None);
        }
        match &self.expiration {
            Some(SetExpiration::Ex(..)) => needs.add("EX seconds", Some("2.6.12"), None),
            Some(SetExpiration::Px(..)) => {
                needs.add("PX milliseconds", Some("2.6.12"), None)
            }
            Some(SetExpiration::Exat(..)) => {
                needs.add("EXAT unix-time-seconds", Some("6.2.0"), None)
            }
            Some(SetExpiration::Pxat(..)) => {
                needs.add("PXAT unix-time-milliseconds", Some("6.2.0"), None)
            }
            Some(SetExpiration::Keepttl) => needs.add("KEEPTTL", Some("6.0.0"), None),
            _ => {}
        }
        needs
    }
}

impl<X: Asynchronous<Self>, S: SetReply> IntoFuture for Set<'_, X, S> {
    type Output = Result<<Self as command::Command>::Reply>;
    type IntoFuture = X::Pending;

    fn into_future(self) -> Self::IntoFuture {
        self.via.execute(self)
    }
}

impl<X: Via, S: SetReply> fmt::Debug for Set<'_, X, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        command::debug(self, f)
    }
}

/// One of the alternatives that `SET` takes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SetCondition<'a> {
    /// `NX`
    Nx,
    /// `XX`
    Xx,
    /// `IFEQ ifeq-value`, since 8.4.0
    Ifeq(Arg<'a>),
    /// `IFNE ifne-value`, Redis only, since 8.4.0
    Ifne(Arg<'a>),
    /// `IFDEQ ifdeq-digest`, Redis only, since 8.4.0
    Ifdeq(Arg<'a>),
    /// `IFDNE ifdne-digest`, Redis only, since 8.4.0
    Ifdne(Arg<'a>),
}

impl<'a> SetCondition<'a> {
    /// `IFEQ ifeq-value`, since 8.4.0
    #[must_use]
    pub fn ifeq(ifeq_value: impl Into<Arg<'a>>) -> Self {
        Self::Ifeq(ifeq_value.into())
    }

    /// `IFNE ifne-value`, Redis only, since 8.4.0
    #[must_use]
    pub fn ifne(ifne_value: impl Into<Arg<'a>>) -> Self {
        Self::Ifne(ifne_value.into())
    }

    /// `IFDEQ ifdeq-digest`, Redis only, since 8.4.0
    #[must_use]
    pub fn ifdeq(ifdeq_digest: impl Into<Arg<'a>>) -> Self {
        Self::Ifdeq(ifdeq_digest.into())
    }

    /// `IFDNE ifdne-digest`, Redis only, since 8.4.0
    #[must_use]
    pub fn ifdne(ifdne_digest: impl Into<Arg<'a>>) -> Self {
        Self::Ifdne(ifdne_digest.into())
    }

    /// Writes the words that are sent for it.
    pub fn write_words(&self, to: &mut Writer<'_>) {
        match self {
            Self::Nx => to.word(b"NX"),
            Self::Xx => to.word(b"XX"),
            Self::Ifeq(ifeq_value) => {
                to.word(b"IFEQ");
                ifeq_value.write(to);
            }
            Self::Ifne(ifne_value) => {
                to.word(b"IFNE");
                ifne_value.write(to);
            }
            Self::Ifdeq(ifdeq_digest) => {
                to.word(b"IFDEQ");
                ifdeq_digest.write(to);
            }
            Self::Ifdne(ifdne_digest) => {
                to.word(b"IFDNE");
                ifdne_digest.write(to);
            }
        }
    }
}

impl Item for SetCondition<'_> {}

/// One of the alternatives that `SET` takes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SetExpiration {
    /// `EX seconds`, since 2.6.12
    Ex(Arg<'static>),
    /// `PX milliseconds`, since 2.6.12
    Px(Arg<'static>),
    /// `EXAT unix-time-seconds`, since 6.2.0
    Exat(Arg<'static>),
    /// `PXAT unix-time-milliseconds`, since 6.2.0
    Pxat(Arg<'static>),
    /// `KEEPTTL`, since 6.0.0
    Keepttl,
}

impl SetExpiration {
    /// `EX seconds`, since 2.6.12
    #[must_use]
    pub fn ex(seconds: impl Seconds) -> Self {
        Self::Ex(seconds.into_arg())
    }

    /// `PX milliseconds`, since 2.6.12
    #[must_use]
    pub fn px(milliseconds: impl Milliseconds) -> Self {
        Self::Px(milliseconds.into_arg())
    }

    /// `EXAT unix-time-seconds`, since 6.2.0
    #[must_use]
    pub fn exat(unix_time_seconds: impl UnixSeconds) -> Self {
        Self::Exat(unix_time_seconds.into_arg())
    }

    /// `PXAT unix-time-milliseconds`, since 6.2.0
    #[must_use]
    pub fn pxat(unix_time_milliseconds: impl UnixMilliseconds) -> Self {
        Self::Pxat(unix_time_milliseconds.into_arg())
    }

    /// Writes the words that are sent for it.
    pub fn write_words(&self, to: &mut Writer<'_>) {
        match self {
            Self::Ex(seconds) => {
                to.word(b"EX");
                seconds.write(to);
            }
            Self::Px(milliseconds) => {
                to.word(b"PX");
                milliseconds.write(to);
            }
            Self::Exat(unix_time_seconds) => {
                to.word(b"EXAT");
                unix_time_seconds.write(to);
            }
            Self::Pxat(unix_time_milliseconds) => {
                to.word(b"PXAT");
                unix_time_milliseconds.write(to);
            }
            Self::Keepttl => to.word(b"KEEPTTL"),
        }
    }
}

impl Item for SetExpiration {}

/// The string commands as methods; every client has them.
pub trait StringCommands: Commands {
    /// `SET key value [NX | XX | IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest | IFDNE
    /// ifdne-digest] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT
    /// unix-time-milliseconds | KEEPTTL]`
    ///
    /// Sets a key to a string, with optional expiration, condition and return of the old value. See
    /// [`Set`].
    fn set<'a>(
        &self,
        key: impl Into<Arg<'a>>,
        value: impl Into<Arg<'a>>,
    ) -> Set<'a, &Self> {
        Set::new(self, key.into(), value.into())
    }
}

impl<T: Commands + ?Sized> StringCommands for T {}

/// The string commands as values that belong to no client yet.
pub(crate) mod cmd {
    use super::*;
    use crate::command::{Arg, Detached};

    /// `SET key value [NX | XX | IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest | IFDNE
    /// ifdne-digest] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT
    /// unix-time-milliseconds | KEEPTTL]`
    ///
    /// Sets a key to a string, with optional expiration, condition and return of the old value. See
    /// [`Set`].
    pub fn set<'a>(key: impl Into<Arg<'a>>, value: impl Into<Arg<'a>>) -> Set<'a> {
        Set::new(Detached, key.into(), value.into())
    }
}
