/// `MIGRATE host port "" destination-db timeout [COPY] [REPLACE] [AUTH auth | AUTH2 username
/// password] KEYS keys [keys ...]`
///
/// Moves keys to another server, or copies them there, each atomically.
///
/// Since 2.6.0 · `DUMP` and `DEL` here and `RESTORE` at the target, plus O(N) for the transfer ·
/// writes · `@dangerous` `@keyspace` `@slow` `@write` · keys: word 3; after `KEYS` to the last.
///
/// Changes by version:
/// * 3.0.0: adds `COPY`, `REPLACE`
/// * 3.0.6: adds `KEYS`
/// * 4.0.7: adds `AUTH`
/// * 6.0.0: adds `AUTH2`
#[derive(Clone)]
#[must_use = "a command does nothing until it is awaited, sent or put into a pipeline"]
pub struct Migrate<'a, X = Detached, S = (Open,)> {
    via: X,
    host: Arg<'a>,
    port: Arg<'static>,
    destination_db: Arg<'static>,
    timeout: Arg<'static>,
    copy: bool,
    replace: bool,
    authentication: Option<MigrateAuthentication<'a>>,
    keys: List<Arg<'a>>,
    state: PhantomData<fn() -> S>,
}

impl<'a, X> Migrate<'a, X> {
    fn new(
        via: X,
        host: Arg<'a>,
        port: Arg<'static>,
        destination_db: Arg<'static>,
        timeout: Arg<'static>,
        keys: List<Arg<'a>>,
    ) -> Self {
        Self {
            via,
            host,
            port,
            destination_db,
            timeout,
            copy: false,
            replace: false,
            authentication: None,
            keys,
            state: PhantomData,
        }
    }
}

impl<'a, X, S> Migrate<'a, X, S> {
    fn enter<N>(self) -> Migrate<'a, X, N> {
        Migrate {
            via: self.via,
            host: self.host,
            port: self.port,
            destination_db: self.destination_db,
            timeout: self.timeout,
            copy: self.copy,
            replace: self.replace,
            authentication: self.authentication,
            keys: self.keys,
            state: PhantomData,
        }
    }
}

impl<'a, X, S> Migrate<'a, X, S> {
    /// `COPY`, since 3.0.0
    pub fn copy(mut self) -> Self {
        self.copy = true;
        self
    }

    /// `REPLACE`, since 3.0.0
    pub fn replace(mut self) -> Self {
        self.replace = true;
        self
    }
}

impl<'a, X, A> Migrate<'a, X, (A,)> {
    /// `AUTH auth`, since 4.0.7
    pub fn auth(self, auth: impl Into<Arg<'a>>) -> Migrate<'a, X, (Given,)>
    where
        A: NotGiven,
    {
        let mut next = self.enter();
        next.authentication = Some(MigrateAuthentication::Auth(auth.into()));
        next
    }

    /// `AUTH2 username password`, since 6.0.0
    pub fn auth2(
        self,
        username: impl Into<Arg<'a>>,
        password: impl Into<Arg<'a>>,
    ) -> Migrate<'a, X, (Given,)>
    where
        A: NotGiven,
    {
        let mut next = self.enter();
        next.authentication = Some(MigrateAuthentication::Auth2 {
            username: username.into(),
            password: password.into(),
        });
        next
    }

    /// `<AUTH auth | AUTH2 username password>`, chosen at run time; `None` leaves it out.
    pub fn authentication(
        self,
        authentication: impl Into<Option<MigrateAuthentication<'a>>>,
    ) -> Migrate<'a, X, (Given,)>
    where
        A: NotGiven,
    {
        let mut next = self.enter();
        next.authentication = authentication.into();
        next
    }
}

impl<X: Via, S> command::Command for Migrate<'_, X, S> {
    type Via = X;
    type Reply = String;

    fn via(&self) -> X {
        self.via
    }

    fn info(&self) -> &'static command::Info {
        &info::MIGRATE
    }

    fn write(&self, to: &mut Writer<'_>) {
        info::MIGRATE.write_name(to);
        self.host.write(to);
        to.part("host");
        self.port.write(to);
        to.part("port");
        to.word(b"");
        self.destination_db.write(to);
        to.part("destination_db");
        self.timeout.write(to);
        to.part("timeout");
        if self.copy {
            to.word(b"COPY");
        }
        to.part("copy");
        if self.replace {
            to.word(b"REPLACE");
        }
        to.part("replace");
        if let Some(authentication) = &self.authentication {
            authentication.write_words(to);
        }
        to.part("authentication");
        self.keys.require("key", to);
        to.word(b"KEYS");
        for item in &self.keys {
            item.write_key(to);
        }
    }

    fn read(&self, reply: Reply<'_>) -> Result<Self::Reply, DecodeError> {
        Decode::decode(reply)
    }

    fn needs(&self) -> Needs {
        let mut needs = Needs::of(self.info());
        needs.add("KEYS keys [keys ...]", Some("3.0.6"), None);
        if self.copy {
            needs.add("COPY", Some("3.0.0"), None);
        }
        if self.replace {
            needs.add("REPLACE", Some("3.0.0"), None);
        }
        match &self.authentication {
            Some(MigrateAuthentication::Auth(..)) => {
                needs.add("AUTH auth", Some("4.0.7"), None)
            }
            Some(MigrateAuthentication::Auth2 { .. }) => {
                needs.add("AUTH2 username password", Some("6.0.0"), None)
            }
            _ => {}
        }
        needs
    }
}

impl<X: Asynchronous<Self>, S> IntoFuture for Migrate<'_, X, S> {
    type Output = Result<<Self as command::Command>::Reply>;
    type IntoFuture = X::Pending;

    fn into_future(self) -> Self::IntoFuture {
        self.via.execute(self)
    }
}

impl<X: Via, S> fmt::Debug for Migrate<'_, X, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        command::debug(self, f)
    }
}

/// One of the alternatives that `MIGRATE` takes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum MigrateAuthentication<'a> {
    /// `AUTH auth`, since 4.0.7
    Auth(Arg<'a>),
    /// `AUTH2 username password`, since 6.0.0
    Auth2 {
        /// The `username`.
        username: Arg<'a>,
        /// The `password`.
        password: Arg<'a>,
    },
}

impl<'a> MigrateAuthentication<'a> {
    /// `AUTH auth`, since 4.0.7
    #[must_use]
    pub fn auth(auth: impl Into<Arg<'a>>) -> Self {
        Self::Auth(auth.into())
    }

    /// `AUTH2 username password`, since 6.0.0
    #[must_use]
    pub fn auth2(username: impl Into<Arg<'a>>, password: impl Into<Arg<'a>>) -> Self {
        Self::Auth2 {
            username: username.into(),
            password: password.into(),
        }
    }

    /// Writes the words that are sent for it.
    pub fn write_words(&self, to: &mut Writer<'_>) {
        match self {
            Self::Auth(auth) => {
                to.word(b"AUTH");
                auth.write(to);
            }
            Self::Auth2 { username, password } => {
                to.word(b"AUTH2");
                username.write(to);
                password.write(to);
            }
        }
    }
}

impl Item for MigrateAuthentication<'_> {}

/// The generic commands as methods; every client has them.
pub trait GenericCommands: Commands {
    /// `MIGRATE host port "" destination-db timeout [COPY] [REPLACE] [AUTH auth | AUTH2 username
    /// password] KEYS keys [keys ...]`
    ///
    /// Moves keys to another server, or copies them there, each atomically. See [`Migrate`].
    fn migrate<'a, M>(
        &self,
        host: impl Into<Arg<'a>>,
        port: impl Integer,
        destination_db: impl Integer,
        timeout: impl Milliseconds,
        keys: impl IntoList<Arg<'a>, M>,
    ) -> Migrate<'a, &Self> {
        Migrate::new(
            self,
            host.into(),
            port.into_arg(),
            destination_db.into_arg(),
            timeout.into_arg(),
            keys.into_list(),
        )
    }
}

impl<T: Commands + ?Sized> GenericCommands for T {}

/// The generic commands as values that belong to no client yet.
pub(crate) mod cmd {
    use super::*;
    use crate::command::{Arg, Detached, Integer, IntoList, Milliseconds};

    /// `MIGRATE host port "" destination-db timeout [COPY] [REPLACE] [AUTH auth | AUTH2 username
    /// password] KEYS keys [keys ...]`
    ///
    /// Moves keys to another server, or copies them there, each atomically. See [`Migrate`].
    pub fn migrate<'a, M>(
        host: impl Into<Arg<'a>>,
        port: impl Integer,
        destination_db: impl Integer,
        timeout: impl Milliseconds,
        keys: impl IntoList<Arg<'a>, M>,
    ) -> Migrate<'a> {
        Migrate::new(
            Detached,
            host.into(),
            port.into_arg(),
            destination_db.into_arg(),
            timeout.into_arg(),
            keys.into_list(),
        )
    }
}
